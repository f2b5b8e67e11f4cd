"""A connection between a phone and a server: frames take their time, and it may break.

Within one connection frames keep their order, and none is lost before the line itself is: that is
what TCP promises. So a lost frame takes all that follow it this way with it, and the line breaks
some time after. What TCP does not promise happens too, where the protocol has to bear it: frames
come twice, and those of a phone overtake each other.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from dispatch.gateway.connection import Message
from dispatch.phone.link import Listener
from schemas.wire import SUBPROTOCOL
from tests.simulation.dice import Dice
from tests.simulation.weather import Weather

BREAKS_AFTER_S: Final = (0.5, 40.0)
SWAP_S: Final = 1.5
APART_S: Final = 1e-6
"""Timers of one instant ring in any order."""
Then = Callable[[], None]


class Way:
    """One direction of a line."""

    def __init__(self, dice: Dice, weather: Callable[[], Weather]) -> None:
        self._dice, self._weather = dice, weather
        self._loop = asyncio.get_running_loop()
        self._last_s = 0.0
        self.hole = False
        self.under_way = 0

    def carry(self, deliver: Then, *, may_swap: bool = False, may_double: bool = False) -> None:
        """Deliver after a while, in order; nothing arrives where there is a hole."""
        if self.hole:
            return
        weather, dice = self._weather(), self._dice
        self._at(self._when(weather, swap=may_swap and dice.chance(weather.swapped)), deliver)
        if may_double and dice.chance(weather.doubled):
            self._at(self._when(weather, swap=False), deliver)

    def _when(self, weather: Weather, *, swap: bool) -> float:
        delay_s = weather.delay_s + weather.jitter_s * self._dice.roll() ** 4
        at_s = max(self._last_s + APART_S, self._loop.time() + delay_s)
        if swap:
            return at_s + self._dice.between(0.0, SWAP_S)
        self._last_s = at_s
        return at_s

    def _at(self, at_s: float, deliver: Then) -> None:
        self.under_way += 1
        self._loop.call_at(at_s, self._arrive, deliver)

    def _arrive(self, deliver: Then) -> None:
        self.under_way -= 1
        deliver()


class Line:
    """What the phone holds as its link, and the server as its ASGI channel."""

    def __init__(
        self, device: str, phone: Listener, dice: Dice, weather: Callable[[], Weather]
    ) -> None:
        self._device, self._phone = device, phone
        self._dice, self._weather = dice, weather
        self._loop = asyncio.get_running_loop()
        self.up, self.down = Way(dice, weather), Way(dice, weather)
        self._heard: asyncio.Queue[Message] = asyncio.Queue()
        self._heard.put_nowait({"type": "websocket.connect"})
        self._phone_there = self._server_there = True
        self._opened = False
        self.doomed = False

    @property
    def open(self) -> bool:
        """Tell whether either side still holds it."""
        return self._phone_there or self._server_there

    # The phone's end. ----------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Send a text frame."""
        first, self._opened = not self._opened, True
        message = {"type": "websocket.receive", "text": frame.decode()}
        self.up.carry(lambda: self._hear(message), may_swap=not first, may_double=not first)
        self._suffer(self.up)

    def close(self) -> None:
        """Hang up."""
        self.abort()

    def abort(self) -> None:
        """Hang up without a word; the server hears of it unless there is a hole."""
        self.up.carry(lambda: self._hang_up_server(1006))
        self._loop.call_soon(self._hang_up_phone, None, "")

    def let_go(self) -> None:
        """Lose the phone's end: its process was killed."""
        self._phone_there = False
        self.up.carry(lambda: self._hang_up_server(1006))

    # The server's end. ---------------------------------------------------------------------------

    @property
    def scope(self) -> Message:
        """Return what the server is told of the connection."""
        return {
            "type": "websocket",
            "subprotocols": [SUBPROTOCOL],
            "headers": [],
            "client": (self._device, 0),
        }

    async def receive(self) -> Message:
        """Return what the phone says."""
        return await self._heard.get()

    async def say(self, message: Message) -> None:
        """Say something to the phone; what a broken line drops is not known here."""
        if not self._server_there:
            raise OSError("the peer is gone")
        match message["type"]:
            case "websocket.accept":
                self.down.carry(self._accepted)
            case "websocket.close":
                code, reason = message["code"], message.get("reason", "")
                self.down.carry(lambda: self._hang_up_phone(code, reason))
                self._hang_up_server(1000)
            case _:
                frame = message["text"].encode()
                self.down.carry(lambda: self._tell(frame), may_double=True)
        self._suffer(self.down)

    def die(self) -> None:
        """Lose the server's end: its process was killed."""
        self._server_there = False
        self.down.carry(lambda: self._hang_up_phone(None, ""))

    # What happens to it. -------------------------------------------------------------------------

    def break_off(self) -> None:
        """Break for both ends, each at its own time."""
        self._loop.call_later(self._dice.between(0, 1), self._hang_up_phone, None, "")
        self._loop.call_later(self._dice.between(0, 5), self._hang_up_server, 1006)

    def _suffer(self, way: Way) -> None:
        weather = self._weather()
        if self.doomed:
            return
        if self._dice.chance(weather.cut):
            self.doomed = True
            self.break_off()
        elif self._dice.chance(weather.hole):
            self.doomed = way.hole = True
            self.up.hole |= self._dice.chance(0.5)
            self._loop.call_later(self._dice.between(*BREAKS_AFTER_S), self.break_off)

    def _accepted(self) -> None:
        if self._phone_there:
            self._phone.line_open()

    def _tell(self, frame: bytes) -> None:
        if self._phone_there:
            self._phone.line_heard(frame)

    def _hear(self, message: dict[str, Any]) -> None:
        if self._server_there:
            self._heard.put_nowait(message)

    def _hang_up_phone(self, code: int | None, reason: str) -> None:
        if self._phone_there:
            self._phone_there = False
            self._phone.line_lost(code, reason)

    def _hang_up_server(self, code: int) -> None:
        if self._server_there:
            self._server_there = False
            self._heard.put_nowait({"type": "websocket.disconnect", "code": code})
