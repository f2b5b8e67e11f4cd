"""Half a request holds a connection for a while only: a header that never ends, a missing body.

uvicorn waits for ever for what was begun. A socket that was upgraded has bounds of its own.
"""

import asyncio
from typing import Any, Final

HALF_S: Final = 10.0


class Patience:
    """Looks at a connection now and then; drops one that is as half as it was at the look before.

    Before the first look nothing was said: that is half a request, too.
    """

    __slots__ = ("_before", "_half_s", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, half_s: float = HALF_S) -> None:
        self._transport = transport
        self._half_s = half_s
        self._loop = asyncio.get_running_loop()
        self._before: tuple[bool, object] = True, None
        self._later()

    def _later(self) -> None:
        self._loop.call_later(self._half_s, self._look)

    def _look(self) -> None:
        protocol: Any = self._transport.get_protocol()
        half = is_half(protocol)
        if half is None or self._transport.is_closing():
            return
        now = half, getattr(protocol, "cycle", None)
        if half and now == self._before:
            self._transport.abort()
            return
        self._before = now
        self._later()


def is_half(protocol: Any) -> bool | None:  # noqa: ANN401 - ours and uvicorn's share no type
    """Tell whether a request is awaited that is not here whole; None where it is no HTTP any more.

    A protocol of ours says so itself; uvicorn's have their request in `cycle`.
    """
    if hasattr(protocol, "is_half"):
        return bool(protocol.is_half)
    if not hasattr(protocol, "cycle"):
        return None
    cycle = protocol.cycle
    if cycle is None or cycle.response_complete:
        return protocol.timeout_keep_alive_task is None
    return bool(cycle.more_body)
