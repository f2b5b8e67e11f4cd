"""How a peer begins: an open port, open files, a collector that keeps off; with few imports."""

import gc
import resource
import socket
from typing import Final

BACKLOG: Final = 4096
GC_THRESHOLDS: Final = (25_000, 200, 1_000)
"""Those of our worker, for all servers that are measured; a test holds the two together."""


def listener(port: int = 0) -> socket.socket:
    """Return an open port on loopback; the process may have as many files as the system lets it."""
    raise_open_files()
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind(("127.0.0.1", port))
    opened.listen(BACKLOG)
    opened.setblocking(False)
    return opened


def raise_open_files() -> None:
    """Take as many open files as the system lets us have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def settled() -> None:
    """Keep the collector off what is there now, as our worker does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
