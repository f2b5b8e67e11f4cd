"""Several processes over one store: what one decides, the others show and hand to their phones."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest
import pytest_asyncio

from dispatch.bus.local import LocalBus, Wire
from dispatch.desk.peers import OtherBus, Peers
from dispatch.ports import Identity, Node, NodeId
from geo.datum import Datum
from schemas import wire
from schemas.base import DeviceId, UnitId
from schemas.notice import NoticeLevel
from schemas.notices import SendNotice
from schemas.unit import Duty, UnitState
from schemas.wire import Activity, Close
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.station import DISPATCHER, Station, sql
from tests.dispatch.desk.test_notices import sent
from tests.fakes import ManualClock
from tests.patience import until

pytestmark = [pytest.mark.asyncio, pytest.mark.postgres]
PREFIX = "kapok.test"


class Sockets:
    """What a hub is told beside frames."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self.sweeps = 0
        self.replacements: list[tuple[str, str]] = []
        self.late: list[tuple[str, int]] = []
        self.resyncs = 0

    def caught_up(self) -> None:
        """Note a sweep."""
        self.sweeps += 1

    def refresh(self, device_id: DeviceId, frame: wire.ServerFrame) -> None:
        """Leave it."""

    def close_unit(self, unit_id: UnitId, code: int) -> None:
        """Note a unit cut off."""
        self._station.lane.close_unit(unit_id, code)

    def close_device(self, device_id: DeviceId, code: int) -> None:
        """Note a phone cut off."""
        self._station.lane.close_device(device_id, code)

    def replaced(self, device_id: DeviceId, inst: str) -> None:
        """Note a phone that is elsewhere now."""
        self.replacements.append((device_id, inst))

    def overtaken(self, device_id: DeviceId, seq: int) -> None:
        """Note a row found out late."""
        self.late.append((device_id, seq))

    def resync(self) -> None:
        """Note that all phones were asked to come again."""
        self.resyncs += 1


class Process:
    """A station on a bus."""

    def __init__(
        self, station: Station, clock: ManualClock, bus: LocalBus, *, dead: bool, join_s: float
    ) -> None:
        self.station, self.bus = station, bus
        self.desk, self.phones = station.desk, station.phones
        self.sockets = Sockets(station)
        self.phones.presence.speak_through(self.sockets)
        self.node = Node(
            id=NodeId(clock.new_id()), host="here", pid=1, started_at=clock.now(), build="1"
        )
        self.peers = Peers(
            self.desk,
            self.phones,
            self.sockets,
            bus=bus,
            node=self.node,
            prefix=PREFIX,
            dead=lambda _: dead,
            join_s=join_s,
        )

    async def holds(self, unit_id: str, inst: str = "i1") -> Identity:
        """Let the phone of a unit say hello here, and tell the others."""
        identity = await self.station.phone(unit_id)
        self.phones.connected(identity, inst)
        await self.peers.speak()
        await self.peers.bind()
        return identity

    def pushed(self) -> list[tuple[str, int]]:
        """Return the frames handed to phones here: whose, and which."""
        return [(row.device_id, row.seq) for row in self.station.lane.pushed]


Begin = Callable[..., Awaitable[Process]]


@pytest.fixture
def joining() -> Wire:
    """What connects the processes."""
    return Wire()


@pytest_asyncio.fixture
async def begin(start: Start, clock: ManualClock, joining: Wire) -> AsyncIterator[Begin]:
    """Start a process that joins the others."""
    begun: list[Process] = []

    async def started(on: Wire = joining, *, dead: bool = False, join_s: float = 5.0) -> Process:
        process = Process(await start(), clock, LocalBus(on), dead=dead, join_s=join_s)
        await process.peers.join()
        begun.append(process)
        for other in begun:
            await other.peers.pulse()
            await other.peers.beat()
        await settled()
        return process

    yield started
    for process in begun:
        await process.peers.leave()


@pytest_asyncio.fixture
async def pair(begin: Begin) -> tuple[Process, Process]:
    """Two processes that know each other."""
    first, second = await begin(), await begin()
    await until(lambda: bool(first.peers.others()) and bool(second.peers.others()))
    await first.peers.look()
    await second.peers.look()
    return first, second


async def settled() -> None:
    """Let everything that was said be heard."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_decision_of_one_is_shown_by_the_other(pair: tuple[Process, Process]) -> None:
    """The case, who is asked, and the heads of streams are the same, without a query."""
    here, there = pair
    there.station.statements.clear()
    case = await here.station.open(0)
    await settled()
    assert there.desk.board.versions() == here.desk.board.versions()
    for offer in case.offers:
        assert there.desk.fleet.state(offer.unit_id) is UnitState.OFFERED
    assert [s for s in there.station.statements if "insert" in s] == []


async def test_a_phone_of_another_process_is_handed_its_frame(
    pair: tuple[Process, Process],
) -> None:
    """The frame is sealed here and written there, under the same seq."""
    here, there = pair
    case = await here.station.open(0)
    await settled()
    assert here.pushed() == there.pushed()
    assert {unit for unit, _ in there.pushed()} >= {
        (await here.station.phone(offer.unit_id)).device_id for offer in case.offers
    }


async def test_an_accept_said_to_one_ends_the_task_of_searching_for_both(
    pair: tuple[Process, Process],
) -> None:
    """A unit that accepted through one process is engaged for the other too."""
    here, there = pair
    case = await here.station.open(0)
    await settled()
    answer = await there.station.accept(case)
    await settled()
    assert isinstance(answer, wire.Ok)
    unit_id = case.offers[0].unit_id
    assert here.desk.fleet.state(unit_id) is UnitState.ENGAGED
    assert here.desk.board.tasks_of(unit_id)


async def test_word_of_an_earlier_version_wakes_no_case_that_is_over(
    pair: tuple[Process, Process], joining: Wire
) -> None:
    """Two processes' words may come in another order than they were decided in."""
    here, there = pair
    said: list[tuple[str, bytes]] = []
    witness = LocalBus(joining)
    await witness.subscribe(f"{PREFIX}.ev.>", lambda subject, body: said.append((subject, body)))
    case = await here.station.open(0)
    await settled()
    await there.station.cancel(case)
    witness.publish(*said[0])
    await settled()
    assert said[0][0].endswith(".decided")
    assert case.incident.id not in there.desk.board.versions()
    assert there.desk.fleet.state(case.offers[0].unit_id) is UnitState.AVAILABLE


async def test_positions_are_shown_by_all_and_written_down_by_one(
    pair: tuple[Process, Process], clock: ManualClock
) -> None:
    """A fix of a phone here is where its unit stands there, in the next tenth of a second."""
    here, there = pair
    unit_id = here.station.issued[0].unit
    identity = await here.holds(unit_id)
    now = clock.now()
    here.phones.fixes(identity, _loc(now.timestamp(), 113.3, 23.1))
    await here.peers.speak()
    await settled()
    await there.peers.speak()
    standing = there.desk.fleet.standing(UnitId(unit_id), now.timestamp())
    assert (standing.place.lon, standing.place.lat) == pytest.approx((113.3, 23.1))
    assert (here.desk.fleet.moved(), there.desk.fleet.moved()) == (1, 0)


async def test_who_is_held_elsewhere_is_awake_there_and_asleep_when_it_says_so(
    pair: tuple[Process, Process],
) -> None:
    """Whether a phone is pushed is decided by where it is, not by who decides."""
    here, there = pair
    identity = await here.holds(here.station.issued[0].unit)
    await settled()
    assert there.phones.presence.activity(identity.device_id) is Activity.FOREGROUND
    here.phones.mode(identity, wire.Mode(m=Activity.BACKGROUND))
    await here.peers.speak()
    await settled()
    assert there.phones.sleepers.asleep(identity.device_id)
    here.phones.disconnected(identity)
    await here.peers.speak()
    await settled()
    assert there.phones.presence.activity(identity.device_id) is None


async def test_a_phone_that_comes_to_another_process_is_closed_where_it_was(
    pair: tuple[Process, Process], clock: ManualClock
) -> None:
    """The older socket is closed by the process that holds it, and counts once for its unit."""
    here, there = pair
    identity = await here.holds(here.station.issued[0].unit)
    await settled()
    clock.advance(1)
    await there.holds(here.station.issued[0].unit, "i2")
    await settled()
    assert here.sockets.replacements == [(identity.device_id, "i2")]


async def test_of_two_hellos_the_one_bound_later_stays(
    pair: tuple[Process, Process], clock: ManualClock
) -> None:
    """The bus may be away: the binding on disk closes the loser with 4201."""
    here, there = pair
    here.bus.cut()
    identity = await here.holds(here.station.issued[0].unit)
    clock.advance(1)
    await there.holds(here.station.issued[0].unit, "i2")
    await here.peers.look_for_moved()
    assert here.station.lane.closed == [(identity.device_id, Close.MOVED)]
    assert there.station.lane.closed == []


async def test_a_process_that_joins_learns_who_is_where(begin: Begin) -> None:
    """Phones that were there before it are held elsewhere for it too."""
    first = await begin()
    identity = await first.holds(first.station.issued[0].unit)
    second = await begin()
    await until(lambda: second.phones.presence.activity(identity.device_id) is not None)
    assert second.phones.presence.holders([identity.device_id]) == {
        first.node.id: [identity.device_id]
    }


async def test_a_missed_word_is_read_from_the_store(pair: tuple[Process, Process]) -> None:
    """The next pulse shows a number too many: the case and its heads are read."""
    here, there = pair
    there.bus.cut()
    case = await here.station.open(0)
    there.bus.heal()
    assert case.incident.id not in there.desk.board.versions()
    await here.peers.pulse()
    await settled()
    await there.peers.look()
    assert there.desk.board.versions() == here.desk.board.versions()
    device = (await here.station.phone(case.offers[0].unit_id)).device_id
    assert there.phones.head(device) == here.phones.head(device) > 0
    assert there.sockets.sweeps > 0


async def test_a_process_that_says_farewell_is_done_without(pair: tuple[Process, Process]) -> None:
    """Its phones are nowhere, and yet within reach: they are coming again."""
    here, there = pair
    identity = await here.holds(here.station.issued[0].unit)
    await settled()
    await here.peers.leave()
    await settled()
    assert there.phones.presence.activity(identity.device_id) is None
    assert there.peers.others() == []


async def test_nobody_answers_for_a_dead_process_at_once(pair: tuple[Process, Process]) -> None:
    """The first offer to a phone it held tells: it is asleep, and pushed."""
    here, there = pair
    unit_id = here.station.issued[0].unit
    identity = await here.holds(unit_id)
    await settled()
    here.bus.cut()
    there.peers.assign([identity.device_id])
    await until(lambda: there.phones.sleepers.asleep(identity.device_id))
    assert there.peers.others() == []


async def test_a_phone_that_left_meanwhile_is_found_out(pair: tuple[Process, Process]) -> None:
    """Its process answers without it."""
    here, there = pair
    identity = await here.holds(here.station.issued[0].unit)
    await settled()
    here.phones.disconnected(identity)
    there.peers.assign([identity.device_id])
    await until(lambda: there.phones.sleepers.asleep(identity.device_id))
    assert there.peers.others() == [here.node.id]


async def test_a_bus_that_is_away_makes_the_picture_partial(
    pair: tuple[Process, Process], clock: ManualClock
) -> None:
    """Positions come from what is written down, decisions from the store, until it is back."""
    here, there = pair
    identity = await here.holds(here.station.issued[0].unit)
    there.bus.cut()
    await there.peers.beat()
    assert there.desk.partial
    now = clock.now()
    here.phones.fixes(identity, _loc(now.timestamp(), 113.3, 23.1))
    await here.station.loops.keep_positions()
    case = await here.station.open(0)
    await there.peers.look()
    standing = there.desk.fleet.standing(identity.unit_id, now.timestamp())
    assert (standing.place.lon, standing.place.lat) == pytest.approx((113.3, 23.1))
    assert case.incident.id in there.desk.board.versions()
    there.bus.heal()
    await there.peers.beat()
    assert not there.desk.partial


async def test_a_clock_out_said_to_one_is_known_to_the_other(
    pair: tuple[Process, Process],
) -> None:
    """The unit is read again there."""
    here, there = pair
    identity = await here.station.phone(here.station.issued[0].unit)
    await here.station.say(identity.unit_id, here.station.clock_out())
    await settled()
    await there.station.loops.reread_freed()
    assert there.desk.roster.duty(identity.unit_id, identity.member_id) is Duty.OFF


async def test_a_new_epoch_is_everybodys(pair: tuple[Process, Process], database: str) -> None:
    """Phones of all processes come again when one finds rows lost."""
    here, there = pair
    await there.peers.beat()
    resyncs = there.sockets.resyncs
    await sql(database, "update meta set nonce = 'new'")
    await there.peers.beat()
    assert there.sockets.resyncs == resyncs + 1
    assert there.phones.epoch == await here.station.store.epoch()


async def test_a_process_on_another_bus_may_not_start(begin: Begin) -> None:
    """It finds a live one that does not hear it."""
    await begin()
    with pytest.raises(OtherBus, match="BUS_URL"):
        await begin(Wire(), join_s=0.3)


async def test_a_process_known_to_be_dead_is_not_waited_for(
    begin: Begin, start: Start, clock: ManualClock
) -> None:
    """Whoever was killed on this machine a moment ago is taken off the list."""
    killed = Node(id=NodeId("killed"), host="here", pid=1, started_at=clock.now())
    await (await start()).store.beat(killed)
    late = await begin(dead=True, join_s=0.0)
    assert late.peers.others() == []


def _loc(at_s: float, lon: float, lat: float) -> wire.Loc:
    row = f"[{at_s * 1000}, {lon}, {lat}, 5]".encode()
    return wire.Loc(d=Datum.WGS84, ts=at_s * 1000, f=[msgspec.Raw(row)])


# What the bus loses. -----------------------------------------------------------------------------


async def missed(here: Process, there: Process) -> None:
    """Let a process notice by a pulse that it missed something, and do about it what it does."""
    there.bus.heal()
    await here.peers.pulse()
    await settled()
    await there.peers.look()
    await settled()


async def test_who_came_while_nothing_was_heard_is_asked_for(pair: tuple[Process, Process]) -> None:
    """A gap may have been word of phones: the process is asked which it holds."""
    here, there = pair
    there.bus.cut()
    identity = await here.holds(here.station.issued[0].unit)
    await missed(here, there)
    assert there.phones.presence.holders([identity.device_id]) == {
        here.node.id: [identity.device_id]
    }


async def test_a_decision_that_nobody_could_tell_of_is_read_by_the_others(
    pair: tuple[Process, Process], start: Start
) -> None:
    """Its commit had no answer: once it is known, a gap makes the others read too."""
    here, there = pair
    case = await (await start()).open(0)
    here.desk.unsure.add(case.incident.id)
    await here.station.loops.reread_freed()
    await missed(here, there)
    assert there.desk.board.versions() == here.desk.board.versions() != {}


async def test_a_clock_out_that_was_missed_is_read(pair: tuple[Process, Process]) -> None:
    """Crews are compared, each member."""
    here, there = pair
    identity = await here.station.phone(here.station.issued[0].unit)
    there.bus.cut()
    await here.station.say(identity.unit_id, here.station.clock_out())
    await missed(here, there)
    assert there.desk.roster.duty(identity.unit_id, identity.member_id) is Duty.OFF


async def test_who_waited_for_the_end_of_a_task_to_leave_is_off_duty_for_all(
    pair: tuple[Process, Process],
) -> None:
    """The release says nothing of him: the unit is read again by all who hear of it."""
    here, there = pair
    case = await here.station.open(0)
    await here.station.accept(case)
    identity = await here.station.phone(case.offers[0].unit_id)
    await here.station.say(identity.unit_id, here.station.clock_out())
    await settled()
    await there.station.loops.reread_freed()
    assert there.desk.roster.duty(identity.unit_id, identity.member_id) is Duty.ON
    await here.station.cancel(case)
    await settled()
    await there.station.loops.reread_freed()
    assert there.desk.roster.duty(identity.unit_id, identity.member_id) is Duty.OFF


async def test_a_phone_whose_welcome_stood_above_what_was_missed_comes_again(
    pair: tuple[Process, Process],
) -> None:
    """Its stream's head was known before the offer: no frame would ever tell it."""
    here, there = pair
    there.bus.cut()
    case = await here.station.open(0)
    identity = await there.station.phone(case.offers[0].unit_id)
    assert not await there.phones.lost(identity, 1)
    there.phones.connected(identity)
    assert there.phones.state(identity).offers == []
    await missed(here, there)
    assert (identity.device_id, Close.RESYNC) in there.station.lane.closed


async def test_a_phone_that_was_welcomed_before_it_was_decided_need_not_come_again(
    pair: tuple[Process, Process],
) -> None:
    """All was known when it came: the frame follows."""
    here, there = pair
    identity = await there.holds(here.station.issued[0].unit)
    await there.peers.read_again()
    there.bus.cut()
    await here.station.open(0)
    await missed(here, there)
    assert there.phones.head(identity.device_id) == 1
    assert there.station.lane.closed == []


async def test_words_that_overtake_one_another_close_no_phone(
    pair: tuple[Process, Process],
) -> None:
    """A decision made here by a version whose word is still under way: all heads were known."""
    here, there = pair
    for process in pair:
        await process.peers.read_again()
    there.bus.cut()
    case = await here.station.open(0)
    identity = await there.holds(case.offers[0].unit_id)
    await there.station.accept(case)
    assert there.desk.board.versions() == {case.incident.id: 2}
    assert there.station.lane.closed == []
    there.bus.heal()
    await missed(here, there)
    assert there.phones.head(identity.device_id) == 2
    assert there.station.lane.closed == []


async def test_a_word_that_cannot_be_done_is_read_instead(
    pair: tuple[Process, Process], joining: Wire
) -> None:
    """As one that was lost: what it tells is on disk."""
    here, there = pair
    said: list[tuple[str, bytes]] = []
    witness = LocalBus(joining)
    await witness.subscribe(f"{PREFIX}.ev.>", lambda subject, body: said.append((subject, body)))
    there.bus.cut()
    case = await here.station.open(0)
    await settled()
    there.bus.heal()
    subject, body = said[0]
    word = msgspec.json.decode(body)
    word["rows"] = [["nobody", 1, 99]]
    witness.publish(subject, msgspec.json.encode(word))
    await settled()
    await there.peers.look()
    await settled()
    assert there.phones.head((await here.station.phone(case.offers[0].unit_id)).device_id) == 1


async def test_a_picture_that_comes_after_the_end_of_its_process_counts_no_more(
    pair: tuple[Process, Process],
) -> None:
    """Nobody would ever take its phones out again."""
    here, there = pair
    identity = await here.holds(here.station.issued[0].unit)
    await settled()
    there.peers._ask_whom(here.node.id)
    await here.peers.leave()
    await settled()
    await settled()
    assert there.phones.presence.activity(identity.device_id) is None


async def test_who_was_away_for_long_finds_all_that_moved_meanwhile(
    pair: tuple[Process, Process], clock: ManualClock
) -> None:
    """It looks back to its last look, not only half a minute."""
    here, there = pair
    await here.peers.look_for_moved()
    identity = await here.holds(here.station.issued[0].unit)
    here.bus.cut()
    clock.advance(1)
    await there.holds(here.station.issued[0].unit, "i2")
    clock.advance(120)
    await here.peers.look_for_moved()
    assert here.station.lane.closed == [(identity.device_id, Close.MOVED)]


async def test_processes_of_one_machine_are_asked_together(pair: tuple[Process, Process]) -> None:
    """What each answers to a question more; one that does not is left out."""
    here, there = pair
    await here.peers.beat()
    assert await here.peers.ask_near("there") == [f'"{there.node.id}"'.encode()]
    assert await here.peers.ask_near("colour") == []


async def test_a_notice_that_was_missed_waits_for_its_phone(pair: tuple[Process, Process]) -> None:
    """It is replayed to who comes; one that was heard through another process waits no more."""
    here, there = pair
    identity = await here.station.phone(here.station.issued[0].unit)
    there.bus.cut()
    await sent(here.station)
    await missed(here, there)
    assert there.desk.notices.till(identity.device_id) == 1
    here.phones.acknowledge(identity.device_id, 1)
    await here.phones.flush_acks()
    await there.peers.read_again()
    assert there.desk.notices.till(identity.device_id) == 0


async def test_a_phone_whose_welcome_stood_above_a_missed_notice_comes_again(
    pair: tuple[Process, Process],
) -> None:
    """Its head was known, and not that a notice waits: nobody would ever replay it."""
    here, there = pair
    identity = await here.station.phone(here.station.issued[0].unit)
    there.bus.cut()
    await sent(here.station)
    assert not await there.phones.lost(identity, 1)
    there.phones.connected(identity)
    await missed(here, there)
    assert (identity.device_id, 1) in there.sockets.late


async def test_a_notice_of_one_that_died_is_learnt_with_the_hello(
    pair: tuple[Process, Process],
) -> None:
    """It was written for the phone, and nobody was told: the next offer's seq stands above it."""
    here, there = pair
    identity = await here.station.phone(here.station.issued[0].unit)
    here.bus.cut()
    body = SendNotice(level=NoticeLevel.INFO, text="注意", drill=False)
    await here.desk.notices.send(body, DISPATCHER, here.station.once())
    await here.desk.notices.send_waiting()
    assert there.phones.notices_till(identity.device_id) == 0
    await there.phones.learn_notices(identity.device_id, 0)
    assert there.phones.notices_till(identity.device_id) == 1
    await there.phones.learn_notices(identity.device_id, 1)
    assert there.phones.notices_till(identity.device_id) == 1


async def test_what_is_swept_raises_the_head(pair: tuple[Process, Process]) -> None:
    """Else its acknowledgement would be taken for one of a row that was never given."""
    here, there = pair
    here.bus.cut()
    case = await here.station.open(0)
    identity = await there.station.phone(case.offers[0].unit_id)
    rows = await there.phones.mail(identity.device_id, 0, 10)
    assert there.phones.acknowledge(identity.device_id, rows[-1].seq)
