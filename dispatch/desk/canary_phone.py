"""The canary's phone: says what a phone says, and waits for what it is told."""

from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec

from geo.datum import Datum
from schemas.base import ms
from schemas.wire import Ack, ClientFrame, Command, Hello

PROCESS: Final = "canary"


class Line(Protocol):
    """A phone's socket."""

    def say(self, frame: bytes) -> None:
        """Send a text frame."""

    async def hear(self) -> bytes:
        """Return the next text frame; raise `ConnectionError` when the socket is closed."""


class Refused(Exception):
    """The gateway answered a command with no."""


class CanaryPhone:
    """One socket from its hello on; every reliable frame is acknowledged as it is heard."""

    def __init__(self, line: Line, now: Callable[[], Any]) -> None:
        self._line = line
        self._now = now
        self._kept: list[dict[str, Any]] = []

    async def hello(self, token: str) -> None:
        """Come, and be welcomed."""
        self._say(Hello(tok=token, datum=Datum.WGS84, ts=ms(self._now()), inst=PROCESS))
        await self._heard(lambda frame: frame["t"] == "welcome")

    async def told(self, kind: str, ref: str, value: str | None = None) -> dict[str, Any]:
        """Wait for a frame of a kind, about a certain thing where one is named."""
        return await self._heard(lambda f: f["t"] == kind and (value is None or f[ref] == value))

    async def done(self, command: Command) -> dict[str, Any]:
        """Say a command, and wait for its yes; return the result."""
        self._say(command)
        answer = await self._heard(lambda frame: frame.get("re") == command.id)
        if answer["t"] != "ok":
            raise Refused(f"{command.__struct_config__.tag}: {answer['code']}")
        result: dict[str, Any] = answer.get("result", {})
        return result

    async def _heard(self, meant: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first frame that is meant; others are kept for whoever waits for them."""
        for earlier in self._kept:
            if meant(earlier):
                self._kept.remove(earlier)
                return earlier
        while True:
            frame: dict[str, Any] = msgspec.json.decode(await self._line.hear())
            if seq := frame.get("seq"):
                self._say(Ack(ack=seq))
            if meant(frame):
                return frame
            self._kept.append(frame)

    def _say(self, frame: ClientFrame) -> None:
        self._line.say(msgspec.json.encode(frame))
