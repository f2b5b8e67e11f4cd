"""Become another program that ends with its parent: run as a script, never imported.

    python -I -S launch.py PARENT SIGNAL ALIAS PROGRAM [ARGUMENT ...]

PARENT is the pid that must still be ours, SIGNAL what the program gets when PARENT's thread ends,
ALIAS the user id to be seen as (`-` for none). Exit code 77 means that the system refuses ALIAS.
The wish to end with the parent is lost when a process changes who it is, so it comes second.
"""

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000  # linux/sched.h
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def be_seen_as(alias: int) -> None:
    """Enter a namespace of one user: root outside is `alias` inside, and owns the same files."""
    user, group = os.geteuid(), os.getegid()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{alias} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{alias} {group} 1")


def end_with(parent: int, signal_number: int) -> None:
    """Ask for `signal_number` when `parent` ends, and notice when it ended before we asked."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(os.EX_UNAVAILABLE)


def main(parent: str, signal_number: str, alias: str, *command: str) -> None:
    """Set up this process, then replace it."""
    if alias != "-":
        try:
            be_seen_as(int(alias))
        except OSError as error:
            sys.stderr.write(f"cannot be seen as user {alias}: {error}\n")
            sys.exit(os.EX_NOPERM)
    end_with(int(parent), int(signal_number))
    os.execv(command[0], command)  # noqa: S606 -- no shell is the point


if __name__ == "__main__":
    main(*sys.argv[1:])
