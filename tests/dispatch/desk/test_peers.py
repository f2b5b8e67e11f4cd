"""Several processes over one store: what one decides, the others show and hand to their phones."""

import msgspec
import pytest

from dispatch.bus.local import LocalBus, Wire
from dispatch.core import commands
from dispatch.core.decision import ENGINE
from geo.datum import Datum
from schemas import wire
from schemas.base import UnitId, ms
from schemas.incident import Assignment, AssignmentState, Role
from schemas.notice import NoticeLevel
from schemas.notices import SendNotice
from schemas.unit import Duty, UnitState
from schemas.wire import Close
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.processes import PREFIX, Process, missed, settled
from tests.dispatch.desk.station import DISPATCHER, sql
from tests.dispatch.desk.test_notices import sent
from tests.fakes import ManualClock

pytestmark = [pytest.mark.asyncio, pytest.mark.postgres]


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


async def test_whom_a_whole_picture_calls_back_is_called_back_once_it_is_whole(
    pair: tuple[Process, Process],
) -> None:
    """Not while it is partial, and not only when something else happens to the incident."""
    here, there = pair
    case = await here.station.open(0)
    far = commands.Order(unit_id=UnitId(here.station.issued[-1].unit))
    await here.desk.heal(case.incident.id, far, ENGINE)
    await here.station.accept(case)
    overtaken, sooner = (await here.station.case(case.incident.id)).assignments
    assert overtaken.role is Role.BACKUP
    there.bus.cut()
    await there.peers.beat()
    await there.peers.look()
    step = wire.Progress(
        id=there.station.clock.new_id(),
        aid=sooner.id,
        s=wire.Reached.ARRIVED,
        at=ms(there.station.clock.now()),
    )
    await there.station.say(sooner.unit_id, step)
    await there.peers.look()
    await there.station.loops.run_due()
    assert (await _task(there, overtaken)).ended_at is None
    there.bus.heal()
    await there.peers.beat()
    await there.peers.look()
    await there.station.loops.run_due()
    assert (await _task(there, overtaken)).state is AssignmentState.OVERTAKEN
    assert there.desk.put_off == set()


async def test_what_was_put_off_in_an_incident_that_is_over_is_let_be(
    pair: tuple[Process, Process],
) -> None:
    """There is nobody left to call back."""
    here, _ = pair
    case = await here.station.open(0)
    here.desk.put_off.add(case.incident.id)
    await here.station.cancel(case)
    await here.peers.look()
    assert (here.desk.put_off, here.desk.soon) == (set(), set())


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


async def _task(process: Process, task: Assignment) -> Assignment:
    case = await process.station.case(task.incident_id)
    return next(a for a in case.assignments if a.id == task.id)


def _loc(at_s: float, lon: float, lat: float) -> wire.Loc:
    row = f"[{at_s * 1000}, {lon}, {lat}, 5]".encode()
    return wire.Loc(d=Datum.WGS84, ts=at_s * 1000, f=[msgspec.Raw(row)])


# What the bus loses. -----------------------------------------------------------------------------


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
