"""The unit socket without a socket."""

from typing import Any, Final

import msgspec
import pytest

from dispatch.core.errors import (
    ConsentRequired,
    Forbidden,
    NotOnDuty,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from dispatch.gateway.limits import LOC_BURST, RATE_BURST, TWIN_ROWS
from dispatch.gateway.twin import Twin
from dispatch.ports import StoreAway
from geo.datum import Datum, point_from_wgs84
from geo.point import Point
from schemas import wire
from schemas.base import DeviceId, ms
from schemas.device import DeviceLocation, DeviceReplies
from schemas.wire import Close, Err, ErrorCode, Ok, Pong
from tests.memory_phones import MemoryPhones, offer, phone

pytestmark = pytest.mark.asyncio

PING: Final = {"t": "ping", "ts": 1}
SEEN: Final = {"t": "offer.seen", "id": "0123456789abcdef", "oid": "o1"}
ROW: Final = [1, 113.4, 23.1, 5]
LOC: Final = {"t": "loc", "d": "wgs84", "ts": 1, "f": [ROW]}


class Said:
    """A twin over one phone, and what a test says by it."""

    def __init__(self) -> None:
        self.phones = MemoryPhones([phone()])
        self.twin = Twin(self.phones, {"old": (2,)})

    async def say(
        self, *said: Any, epoch: str | None = "epoch-1", datum: Datum = Datum.WGS84
    ) -> DeviceReplies:
        """Post frames."""
        raw = [msgspec.Raw(msgspec.json.encode(frame)) for frame in said]
        return await self.twin.messages(phone(), raw, datum, epoch)

    def locate(self, rows: int = 1) -> Any:
        """Report positions."""
        row = msgspec.Raw(msgspec.json.encode(ROW))
        return self.twin.location(phone(), DeviceLocation(d=Datum.WGS84, ts=1, f=[row] * rows))


@pytest.fixture
def here() -> Said:
    """A twin."""
    return Said()


def codes(found: DeviceReplies) -> list[str]:
    """Return ok, pong, or the code of each reply."""
    names: dict[type, str] = {Ok: "ok", Pong: "pong"}
    return [
        str(reply.code) if isinstance(reply, Err) else names[type(reply)] for reply in found.replies
    ]


# Who. --------------------------------------------------------------------------------------------


async def test_who_may_come_in_by_socket_may_come_in_here(here: Said) -> None:
    """And who may not, may not."""
    assert await here.twin.identify("d1", None) == phone()
    with pytest.raises(Unauthenticated):
        await here.twin.identify("d9", None)
    with pytest.raises(Forbidden) as old:
        await here.twin.identify("d1", wire.App(n="old", v="1"))
    here.phones.barring = Close.UNIT_DISABLED
    with pytest.raises(Forbidden) as barred:
        await here.twin.identify("d1", wire.App(n="old", v="2"))
    assert (old.value.state, barred.value.state) == ("upgrade_app", "unit_disabled")


# Frames. -----------------------------------------------------------------------------------------


async def test_every_frame_is_answered(here: Said) -> None:
    """Also those that a socket would not answer."""
    found = await here.say(
        PING, {"t": "ack", "ack": 0}, {"t": "mode", "m": "sleep"}, LOC, SEEN, {"t": "dance"}, []
    )
    assert codes(found) == ["pong", "pong", "pong", "pong", "ok", "unknown_type", "invalid"]
    assert [mode.m for mode in here.phones.modes] == [wire.Activity.SLEEP]
    assert all(reply.ts == ms(here.phones.clock.now()) for reply in found.replies)


async def test_hello_is_for_the_socket(here: Said) -> None:
    """Here the token is in a header."""
    hello = {"t": "hello", "tok": "d1", "datum": "wgs84", "ts": 1, "inst": "x"}
    assert codes(await here.say(hello)) == ["invalid"]


async def test_an_acknowledgement_counts_in_its_epoch_only(here: Said) -> None:
    """And never above the head; what it covers is not told again."""
    for number in (1, 2, 3):
        here.phones.seal("d1", offer(number))
    assert len((await here.say(PING | {"ack": 1}, epoch=None)).out) == 3
    assert len((await here.say(PING | {"ack": 1}, epoch="epoch-0")).out) == 3
    assert here.phones.acked == {}
    found = await here.say(PING | {"ack": 2}, PING | {"ack": 1}, PING | {"ack": 9})
    assert [frame.seq for frame in found.out] == [3]
    assert here.phones.lost_rows == [9]


async def test_an_ack_above_the_head_begins_a_new_epoch(here: Said) -> None:
    """As on the socket: what was told before counts no more, and all is told again."""
    for number in (1, 2):
        here.phones.seal("d1", offer(number))
    here.phones.lose = lambda: setattr(here.phones, "epoch", "epoch-2")
    found = await here.say(PING | {"ack": 1}, PING | {"ack": 5}, PING | {"ack": 2})
    assert (found.epoch, [frame.seq for frame in found.out]) == ("epoch-2", [1, 2])
    assert (here.phones.lost_rows, here.phones.acked) == ([5], {"d1": 1})


async def test_an_inbox_read_from_above_the_head_is_the_same_proof(here: Said) -> None:
    """It is told from the beginning; in another epoch the number means nothing."""
    here.phones.seal("d1", offer())
    await here.twin.inbox(phone(), 7, Datum.WGS84, "epoch-0")
    assert here.phones.lost_rows == []
    here.phones.lose = lambda: setattr(here.phones, "epoch", "epoch-2")
    found = await here.twin.inbox(phone(), 7, Datum.WGS84, "epoch-1")
    assert (found.epoch, [frame.seq for frame in found.out]) == ("epoch-2", [1])


async def test_without_consent_positions_are_refused(here: Said) -> None:
    """As a frame, and as a request of its own."""
    here.phones.refusals["Loc"] = ConsentRequired("not agreed")
    assert codes(await here.say(LOC)) == ["consent_required"]
    with pytest.raises(ConsentRequired):
        here.locate()


async def test_what_waits_comes_as_it_would_be_written(here: Said) -> None:
    """In the datum asked for, with its seq, and with what is left to answer."""
    here.phones.seal("d1", offer())
    here.phones.clock.advance(4.0)
    (frame,) = (await here.say(PING, datum=Datum.BD09)).out
    assert isinstance(frame, wire.OfferFrame)
    there = point_from_wgs84(Point(offer().inc.lon, offer().inc.lat), Datum.BD09)
    assert (frame.seq, frame.d, frame.ttl_ms) == (1, Datum.BD09, 16_000.0)
    assert frame.ts == ms(here.phones.clock.now())
    assert (frame.inc.lon, frame.inc.lat) == pytest.approx(there, abs=1e-7)
    here.phones.clock.advance(60.0)
    (late,) = (await here.say(PING)).out
    assert isinstance(late, wire.OfferFrame)
    assert late.ttl_ms == 0.0


async def test_a_long_inbox_comes_in_pages(here: Said) -> None:
    """The head tells that there is more."""
    for number in range(TWIN_ROWS + 1):
        here.phones.seal("d1", offer(number))
    found = await here.twin.inbox(phone(), 0, Datum.WGS84, "epoch-1")
    assert (len(found.out), found.head) == (TWIN_ROWS, TWIN_ROWS + 1)
    rest = await here.twin.inbox(phone(), found.out[-1].seq, Datum.WGS84, "epoch-1")
    assert [frame.seq for frame in rest.out] == [TWIN_ROWS + 1]


async def test_a_store_that_is_away_is_told(here: Said) -> None:
    """The phone posts the same again; what was done is answered the same."""
    here.phones.refusals["mail"] = StoreAway()
    with pytest.raises(Unavailable):
        await here.say(SEEN)


async def test_a_fault_in_a_command_is_answered(here: Said) -> None:
    """`internal`, worth another try; its neighbours are done."""
    here.phones.refusals["OfferSeen"] = ZeroDivisionError()
    found = await here.say(SEEN, {"t": "duty", "id": SEEN["id"], "s": "on"})
    assert codes(found) == ["internal", "ok"]


async def test_commands_are_counted_over_requests(here: Said) -> None:
    """A burst, then two a second, each phone for itself; what only asks costs nothing."""
    burst = int(RATE_BURST)
    assert set(codes(await here.say(*[SEEN] * burst))) == {"ok"}
    refused = await here.say(SEEN, PING)
    assert codes(refused) == [ErrorCode.RATE_LIMITED, "pong"]
    assert isinstance(refused.replies[0], Err)
    assert (refused.replies[0].re, refused.replies[0].retry_ms) == (SEEN["id"], 500)
    here.phones.clock.advance(0.5)
    assert codes(await here.say(SEEN, SEEN)) == ["ok", ErrorCode.RATE_LIMITED]


# Positions. --------------------------------------------------------------------------------------


async def test_positions_are_taken_by_either_route(here: Said) -> None:
    """Rows are judged one by one."""
    here.phones.bad = [(1, "old")]
    found = await here.say({**LOC, "f": [ROW, ROW]})
    assert isinstance(found.replies[0], Pong)
    assert (found.replies[0].n, found.replies[0].bad) == (1, [(1, "old")])
    stored = here.locate(2)
    assert (stored.stored, stored.bad, stored.why) == (1, [(1, "old")], None)


async def test_off_duty_nothing_is_stored(here: Said) -> None:
    """A frame is refused; a location service is only told why."""
    here.phones.refusals["Loc"] = NotOnDuty("off duty")
    assert codes(await here.say(LOC)) == ["not_on_duty"]
    assert (here.locate().stored, here.locate().why) == (0, "not_on_duty")


async def test_positions_have_a_rate_of_their_own(here: Said) -> None:
    """One a second, a few at once."""
    for _ in range(int(LOC_BURST)):
        here.locate()
    assert codes(await here.say(LOC)) == ["rate_limited"]
    with pytest.raises(RateLimited):
        here.locate()
    here.phones.clock.advance(1.0)
    assert here.locate().stored == 1


# The state. --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("epoch", "recovered"), [("epoch-1", True), ("epoch-0", False), (None, False)]
)
async def test_the_state_is_a_welcome(here: Said, epoch: str | None, recovered: bool) -> None:
    """Nothing is connected by it."""
    here.phones.seal("d1", offer())
    found = here.twin.state(phone(), Datum.GCJ02, epoch)
    assert (found.rec, found.head, found.epoch) == (recovered, 1, "epoch-1")
    assert (found.now, found.ts) == (ms(here.phones.clock.now()),) * 2
    assert [shown.d for shown in found.state.offers] == [Datum.GCJ02]
    assert here.phones.online() == 0
    assert here.phones.acked.get(DeviceId("d1")) is None
