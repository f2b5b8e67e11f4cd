"""A Redis server of our own on a socket of its own, and as much of a client as is needed."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Final

from bench.peers.debian import had
from geo.point import Point

SERVER: Final = "redis-server"
START_TRIES: Final = 100
KEY: Final = b"units"
READ_MOST: Final = 1 << 20
AT_ONCE: Final = 1_000


class Redis:
    """A connection that speaks just enough of the protocol (RESP2)."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))

    def add(
        self, places: list[list[float]], numbers: list[int] | None = None, key: bytes = KEY
    ) -> None:
        """Put places by their number: the given ones, else in turn from 0."""
        named = list(zip(numbers or range(len(places)), places, strict=True))
        for first in range(0, len(named), AT_ONCE):
            parts = [b"GEOADD", key]
            for number, (lon, lat) in named[first : first + AT_ONCE]:
                parts += [b"%.7f" % lon, b"%.7f" % lat, b"%d" % number]
            self._ask(parts)

    def near(
        self, place: Point, radius_m: float, most: int | None = None, key: bytes = KEY
    ) -> bytes:
        """Return who is within so many metres and how far, nearest first, as the wire has it."""
        lon, lat = place
        at = [b"FROMLONLAT", b"%.7f" % lon, b"%.7f" % lat, b"BYRADIUS", b"%.1f" % radius_m, b"m"]
        count = [] if most is None else [b"COUNT", b"%d" % most]
        return self._ask([b"GEOSEARCH", key, *at, b"ASC", *count, b"WITHDIST"])

    def move(self, number: int, lon: float, lat: float, key: bytes = KEY) -> None:
        """Put one place anew."""
        self._ask([b"GEOADD", key, b"%.7f" % lon, b"%.7f" % lat, b"%d" % number])

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


@contextmanager
def redis(*, install: bool = True) -> Iterator[Redis | None]:
    """Run a server without a port and without a file, and a connection to it; None without one."""
    program = had(lambda: shutil.which(SERVER), SERVER, install=install)
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
