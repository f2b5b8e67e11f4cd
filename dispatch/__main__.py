"""`python -m dispatch` is `kapok`."""

import sys

from dispatch.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
