"""Statements about the canary, the one incident of each minute that is the service's own."""

from typing import Final

PUT_CANARY: Final = "select put_canary()"

CANARY_ENDED: Final = """
update turn set failed = $1 where work = 'canary' and failed <> $1 returning work
"""

FORGET_CANARIES: Final = "select forget_canaries($1, $2)"
