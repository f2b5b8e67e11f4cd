"""A free port that nobody's outgoing connection takes while its server is away for a moment."""

import secrets
import socket
from pathlib import Path
from typing import Final

LOWEST: Final = 10_000
HIGHEST: Final = 65_535
TRIES: Final = 100
RANGE_FILE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port(host: str, lowest: int = LOWEST, range_file: Path = RANGE_FILE) -> int:
    """Return a port outside the range that the system gives to outgoing connections.

    Raises:
        OSError: none was found.
    """
    candidates = _candidates(lowest, range_file)
    for _ in range(TRIES):
        port = secrets.choice(candidates)
        if _is_free(host, port):
            return port
    raise OSError(f"no free port on {host}")


def _candidates(lowest: int, range_file: Path) -> list[int]:
    first, last = (int(text) for text in range_file.read_text().split())
    ports = range(lowest, HIGHEST + 1)
    return [port for port in ports if not first <= port <= last] or list(ports)


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
