"""A Redis server of our own on a socket of its own, and as much of a client as is needed."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Final

SERVER: Final = "redis-server"
INSTALL: Final = ("apt-get", "install", "--yes", "--no-install-recommends", SERVER)
INSTALL_WITHIN_S: Final = 120.0
START_TRIES: Final = 100
KEY: Final = b"units"
READ_MOST: Final = 1 << 20
AT_ONCE: Final = 1_000


class Redis:
    """A connection that speaks just enough of the protocol (RESP2)."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))

    def add(self, places: list[list[float]]) -> None:
        """Put places by their number."""
        for first in range(0, len(places), AT_ONCE):
            some = places[first : first + AT_ONCE]
            parts = [b"GEOADD", KEY]
            for number, (lon, lat) in enumerate(some, first):
                parts += [b"%.7f" % lon, b"%.7f" % lat, b"%d" % number]
            self._ask(parts)

    def near(self, lon: float, lat: float, radius_m: float) -> bytes:
        """Return who is within so many metres and how far, nearest first, as the wire has it."""
        at = [b"FROMLONLAT", b"%.7f" % lon, b"%.7f" % lat, b"BYRADIUS", b"%.1f" % radius_m, b"m"]
        return self._ask([b"GEOSEARCH", KEY, *at, b"ASC", b"WITHDIST"])

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _ask(self, parts: list[bytes]) -> bytes:
        lines = [b"*%d\r\n" % len(parts), *(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)]
        self._socket.sendall(b"".join(lines))
        answer = self._socket.recv(READ_MOST)
        while not _whole(answer):
            answer += self._socket.recv(READ_MOST)
        return answer


def _whole(answer: bytes) -> bool:
    """Say whether an answer has come whole: a line, or a list of pairs of five lines each."""
    head, end, _ = answer.partition(b"\r\n")
    if not head.startswith(b"*"):
        return bool(end)
    return answer.count(b"\r\n") == 1 + 5 * int(head[1:])


def _server() -> str | None:
    """Return the server's program; install Debian's where that is allowed, else None."""
    if shutil.which(SERVER) is None and os.geteuid() == 0 and shutil.which(INSTALL[0]):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(
            INSTALL, capture_output=True, check=False, timeout=INSTALL_WITHIN_S, env=quiet
        )
    return shutil.which(SERVER)


@contextmanager
def redis() -> Iterator[Redis | None]:
    """Run a server without a port and without a file, and a connection to it; None without one."""
    program = _server()
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "redis.sock"
        options = ("--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder)
        server = subprocess.Popen((program, *options), stdout=subprocess.DEVNULL)
        try:
            for _ in range(START_TRIES):
                if path.exists():
                    break
                sleep(0.05)
            connection = Redis(path)
            yield connection
            connection.close()
        finally:
            server.terminate()
            server.wait()
