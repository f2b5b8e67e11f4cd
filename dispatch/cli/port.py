"""The port: a listening socket for each worker, kept by the parent while workers come and go.

Several sockets share one port (SO_REUSEPORT), and the kernel deals out who knocks among those that
listen. Who knocks where a worker has just died waits for the next one.
"""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final, Self

from dispatch.cli.codes import Failure

BACKLOG: Final = 4096


class Port:
    """One port of this machine, with so many sockets."""

    def __init__(self, first: socket.socket, sockets: int) -> None:
        self._closed = False
        self._address = first.getsockname()
        self._family = first.family
        self._sockets = [first, *(_bound(self._address, self._family) for _ in range(sockets - 1))]
        for each in self._sockets:
            each.listen(BACKLOG)

    @classmethod
    @contextmanager
    def opened(cls, host: str, port: int, sockets: int = 1) -> Iterator[Self]:
        """Listen until the end; port 0 takes a free one, the same for all sockets.

        Raises:
            Failure: somebody else listens there, or there is no such address.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            if sockets > 1:
                _guard_free((host, port), family)
            first = _bound((host, port), family, shared=sockets > 1)
        except OSError as error:
            raise Failure(f"cannot listen on {host} port {port}: {error.strerror}") from error
        opened = cls(first, sockets)
        try:
            yield opened
        finally:
            opened.close()

    @property
    def sockets(self) -> int:
        """How many sockets listen, or will."""
        return len(self._sockets)

    @property
    def url(self) -> str:
        """Where the service answers."""
        host, port = self._address[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def fileno(self, number: int) -> int:
        """Return the file of a socket, for the worker that inherits it."""
        return self._sockets[number].fileno()

    def turn_away(self, number: int) -> None:
        """Send who knocks to the other sockets, until a worker listens on this one again.

        Who waits there already is cut off. Nothing happens where there is no other socket: callers
        wait.
        """
        if self.sockets == 1 or self._closed:
            return
        self._sockets[number].close()
        self._sockets[number] = _bound(self._address, self._family)

    def close(self) -> None:
        """Let nobody in any more; workers still have what they inherited."""
        self._closed = True
        for each in self._sockets:
            each.close()


def _guard_free(address: tuple[str, int], family: socket.AddressFamily) -> None:
    """Refuse a port where somebody listens: shared sockets would take half of his callers."""
    with closing(_bound(address, family, shared=False)):
        return


def _bound(
    address: tuple[str, int], family: socket.AddressFamily, *, shared: bool = True
) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        opened.bind(address)
    except OSError:
        opened.close()
        raise
    return opened
