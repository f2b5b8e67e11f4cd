"""What stands behind every measured server: a fleet, its phones, and what a location means."""

from typing import Final, cast

import msgspec

from dispatch.auth import Keyring, token_hash
from dispatch.clock import SystemClock
from dispatch.core.fixes import Fix, judge
from dispatch.desk.desk import Desk
from dispatch.desk.phones import Phones
from dispatch.gateway import frames
from dispatch.live.board import Board
from dispatch.live.fleet import Fleet
from dispatch.live.roster import Roster
from dispatch.ports import Identity, Store
from dispatch.telemetry import Metrics
from geo.eta import StraightLine
from schemas.base import DeviceId, MemberId, UnitId, ms
from schemas.unit import Duty, Member, Unit, UnitKind, UnitRow
from schemas.wire import Hello, Loc, Pong

EPOCH: Final = "bench"
WELCOME: Final = '{"t":"welcome"}'
_encode: Final = msgspec.json.Encoder().encode


def token(number: int) -> str:
    """Return the token of a phone."""
    return f"kd_{number:040}"


def place(number: int) -> tuple[float, float]:
    """Return where a unit stands, longitude first: a grid of some 100 m."""
    return 113.3 + number % 150 * 0.001, 23.0 + number // 150 * 0.001


def phones(units: int) -> Phones:
    """Return the desk of a town of one-phone units, all on duty; it has no store."""
    desk = Desk(
        store=cast(Store, None),  # no command comes, so nothing is ever decided
        clock=SystemClock(),
        fleet=fleet(units),
        board=Board(),
        roster=roster(units),
        keyring=Keyring(),
        metrics=Metrics(),
    )
    return Phones(desk, EPOCH)


def fleet(units: int) -> Fleet:
    """Return the units at their places."""
    made = Fleet(StraightLine())
    made.load([_unit_row(number) for number in range(units)], SystemClock().now().timestamp())
    return made


def roster(units: int) -> Roster:
    """Return the phones and members."""
    made = Roster()
    made.load(
        [(token_hash(token(n)), _identity(n)) for n in range(units)],
        [_member(n) for n in range(units)],
    )
    return made


class BareDesk:
    """What a bare server does with a frame: the same decoding, judging and storing as ours."""

    def __init__(self, units: int) -> None:
        self._fleet = fleet(units)
        self._clock = SystemClock()
        self._numbers = {token(n): n for n in range(units)}
        self._last: dict[int, Fix] = {}

    def hello(self, text: str | bytes) -> int:
        """Return whose phone says hello."""
        hello = frames.read(text)
        assert isinstance(hello, Hello)
        return self._numbers[hello.tok]

    def take(self, number: int, text: str | bytes) -> str | None:
        """Take a location; return the pong that it asks for."""
        message = frames.read(text)
        assert isinstance(message, Loc)
        now = self._clock.now()
        bad: list[tuple[int, str]] = []
        for index, raw in enumerate(message.f):
            verdict = judge(raw, message.d, message.ts, now.timestamp(), self._last.get(number))
            if isinstance(verdict, Fix):
                self._last[number] = verdict
                self._fleet.fix(_unit_id(number), verdict)
            else:
                bad.append((index, verdict))
        if not message.p:
            return None
        pong = Pong(ts=ms(now), now=ms(now), n=len(message.f) - len(bad), bad=bad)
        return _encode(pong).decode()


def _unit_id(number: int) -> UnitId:
    return UnitId(f"u{number:06}")


def _identity(number: int) -> Identity:
    return Identity(
        device_id=DeviceId(f"d{number:06}"),
        unit_id=_unit_id(number),
        member_id=MemberId(f"m{number:06}"),
        juris="gz",
    )


def _member(number: int) -> Member:
    return Member(
        id=MemberId(f"m{number:06}"),
        unit_id=_unit_id(number),
        name=f"member {number}",
        leader=True,
        duty=Duty.ON,
    )


def _unit_row(number: int) -> UnitRow:
    lon, lat = place(number)
    unit = Unit(
        id=_unit_id(number),
        code=f"U{number}",
        name=f"unit {number}",
        kind=UnitKind.VILLAGE,
        juris="gz",
        lon=lon,
        lat=lat,
    )
    return UnitRow(unit=unit, on_duty=1)
