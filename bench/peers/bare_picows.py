"""A peer of the gateway: a bare `picows` server that does the same with a location."""

from importlib import import_module
from typing import Any, Final

from bench.harness.answering import answer, run, say
from bench.peers.port import listener, settled
from bench.peers.town import WELCOME, BareDesk
from bench.peers.watch import Watch

Wire = Any
"""What is of picows: it is optional, so its types are not asked for."""
picows: Wire = import_module("picows")
WELCOMED: Final = WELCOME.encode()


def phone(desk: BareDesk) -> Wire:
    """Return a listener for one phone."""
    number: int | None = None

    class Phone(picows.WSListener):  # type: ignore[misc]  # its base has no types, see Wire
        """Takes the frames of one phone."""

        def on_ws_frame(self, transport: Wire, frame: Wire) -> None:
            """Take a frame."""
            nonlocal number
            if frame.msg_type != picows.WSMsgType.TEXT:
                transport.disconnect()
                return
            text = frame.get_payload_as_utf8_text()
            if number is None:
                number = desk.hello(text)
                transport.send(picows.WSMsgType.TEXT, WELCOMED)
                return
            pong = desk.take(number, text)
            if pong is not None:
                transport.send(picows.WSMsgType.TEXT, pong.encode())

    return Phone()


async def main(units: int) -> None:
    """Serve until the parent hangs up."""
    desk, watch, port = BareDesk(units), Watch(), listener()
    await picows.ws_create_server(lambda _request: phone(desk), sock=port)
    settled()
    say({"port": port.getsockname()[1]})
    await answer({"watch": watch.begin, "stall": watch.end})


if __name__ == "__main__":
    run(main)
