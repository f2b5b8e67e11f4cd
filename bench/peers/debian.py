"""Peers out of Debian's packages: looked up, and installed only as root and only in a whole run."""

import os
import shutil
import subprocess
from collections.abc import Callable
from typing import Final, TypeVar

APT: Final = "apt-get"
UPDATE: Final = (APT, "update")
INSTALL: Final = (APT, "install", "--yes", "--no-install-recommends")
WITHIN_S: Final = 180.0

T = TypeVar("T")


def had(look: Callable[[], T | None], package: str, *, install: bool) -> T | None:
    """Return what a look-up finds; where it finds nothing, after installing the package if told.

    None where it cannot be had: nothing is installed by anybody but root, or without Debian's apt.
    """
    found = look()
    if found is None and install and os.geteuid() == 0 and shutil.which(APT):
        for command in ((*INSTALL, package), UPDATE, (*INSTALL, package)):
            if _ran(command) and (found := look()) is not None:
                break
    return found


def _ran(command: tuple[str, ...]) -> bool:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, timeout=WITHIN_S, env=quiet
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
