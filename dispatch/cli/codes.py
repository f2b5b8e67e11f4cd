"""How a command ends: its exit code, and its one sentence when it failed."""

from enum import IntEnum
from typing import Final

import click


class Code(IntEnum):
    """What a shell script can tell from the end of a command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOTHING = 3
    AWAY = 4
    INTERRUPTED = 130


MEANINGS: Final[dict[Code, str]] = {
    Code.OK: "done",
    Code.FAILED: "failed, and changed nothing unless it says so",
    Code.USAGE: "the command line is wrong",
    Code.NOTHING: "nothing good to work on; with --check: something is pending",
    Code.AWAY: "the database cannot be reached",
    Code.INTERRUPTED: "interrupted by Ctrl-C; what was not finished changed nothing",
}


class Failure(click.ClickException):
    """An expected end: one sentence on stderr and an exit code, never a traceback."""

    exit_code = Code.FAILED


class NothingGood(Failure):
    """There is nothing left to do the work on."""

    exit_code = Code.NOTHING


class Away(Failure):
    """The database cannot be reached."""

    exit_code = Code.AWAY
