"""Start PostgreSQL's programs as children that end with us, get no Ctrl-C and are never root."""

import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

LAUNCHER: Final = Path(__file__).parents[1] / "launch.py"
REFUSED: Final = os.EX_NOPERM  # the exit code where the system does not let root be another
INHERITED: Final = ("HOME", "LD_LIBRARY_PATH", "PATH", "TMPDIR")


def start(
    program: Path, *arguments: str, at_our_end: signal.Signals, log: Path, folder: Path
) -> subprocess.Popen[bytes]:
    """Start `program` in `folder`; it gets `at_our_end` when the thread that called this ends."""
    launch = (sys.executable, "-I", "-S", str(LAUNCHER))
    orders = (str(os.getpid()), str(int(at_our_end)), _alias())
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 -- our launcher, PostgreSQL's programs, no shell
            (*launch, *orders, str(program), *arguments),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=_environment(),
            start_new_session=True,
        )


def _alias() -> str:
    """Return the user to be seen as, `-` for oneself: initdb wants one with a name, not root."""
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return "-"
    if _has_name(1000):
        return "1000"
    return str(min((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid), default=1000))


def _has_name(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def _environment() -> dict[str, str]:
    """Return what the server may know of ours: no PG* variable changes it, no secret is in it."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}
