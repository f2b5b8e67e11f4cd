"""How many files a process may open, and so how many phones it can hold: a phone takes one."""

import resource
from typing import Final

FILES_FOR_OTHERS: Final = 200
"""Database connections, the bus, logs, REST clients and a reserve, in each process."""


def raise_open_files() -> int:
    """Raise the soft limit of open files to the hard one; return it. A phone costs one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def phones_at_most(files: int, workers: int = 1) -> int:
    """Return how many phones so many workers can hold together, each with so many files."""
    return max(0, files - FILES_FOR_OTHERS) * workers
