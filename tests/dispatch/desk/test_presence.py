"""Which phones are here, what they are told of their situation, and whose position counts."""

from collections.abc import Sequence

import msgspec
import pytest

from dispatch.desk.presence import CADENCES
from dispatch.ports import Identity
from geo.datum import Datum
from schemas import wire
from schemas.base import DeviceId, MemberId, UnitId, ms
from schemas.unit import Duty, Link, Member
from schemas.wire import Close
from tests.dispatch.desk.station import DISPATCHER, Station, sql

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]


class Told:
    """What phones were told outside their streams."""

    def __init__(self) -> None:
        self.policies: list[tuple[str, str]] = []
        self.located: list[str] = []
        self.closed: list[tuple[str, int]] = []
        self.replacements: list[tuple[str, str]] = []
        self.resyncs = 0

    def refresh(self, device_id: DeviceId, frame: wire.ServerFrame) -> None:
        """Note the situation of a policy, or the question where the phone is."""
        if isinstance(frame, wire.Locate):
            self.located.append(device_id)
            return
        assert isinstance(frame, wire.Policy)
        self.policies.append((device_id, frame.s or ""))

    def close_unit(self, unit_id: UnitId, code: int) -> None:
        """Note a unit cut off."""
        self.closed.append((unit_id, code))

    def close_device(self, device_id: DeviceId, code: int) -> None:
        """Note a phone cut off."""
        self.closed.append((device_id, code))

    def replaced(self, device_id: DeviceId, inst: str) -> None:
        """Note a phone that is elsewhere now."""
        self.replacements.append((device_id, inst))

    def overtaken(self, device_id: DeviceId, seq: int) -> None:
        """Leave it."""

    def resync(self) -> None:
        """Note it."""
        self.resyncs += 1


@pytest.fixture
def told(station: Station) -> Told:
    """A lane to all phones of a station."""
    lane = Told()
    station.phones.presence.speak_through(lane)
    return lane


async def connected(station: Station, unit_id: str) -> Identity:
    """Let the phone of a unit come."""
    identity = await station.phone(unit_id)
    station.phones.connected(identity)
    return identity


def loc(station: Station, lon: float, lat: float, ago_s: float = 0.0) -> wire.Loc:
    """Return one fix."""
    now_ms = ms(station.clock.now())
    row = msgspec.Raw(msgspec.json.encode([now_ms - ago_s * 1000, lon, lat, 5.0]))
    return wire.Loc(d=Datum.WGS84, ts=now_ms, f=[row])


# The policy. -------------------------------------------------------------------------------------


async def test_a_phone_is_told_its_policy_by_what_its_unit_is_in_the_middle_of(
    station: Station, told: Told
) -> None:
    """Asked, going, at the scene, free again; each change once, to who is here."""
    unit_id = station.issued[0].unit
    await station.pass_by(61.0)
    identity = await connected(station, unit_id)
    assert station.phones.state(identity).policy.s == "fixed"
    case = await station.open()
    assert told.policies == [(identity.device_id, "offered")]
    await station.say(unit_id, wire.OfferSeen(id=station.clock.new_id(), oid=case.offers[0].id))
    await station.accept(case)
    task = station.phones.state(identity).assigns[0]
    for step in ("en_route", "arrived", "resolved"):
        await station.say(
            unit_id,
            wire.Progress(
                id=station.clock.new_id(),
                aid=task.aid,
                s=wire.Reached(step),
                at=ms(station.clock.now()),
            ),
        )
    assert [situation for _, situation in told.policies] == [
        "offered",
        "engaged",
        "on_scene",
        "fixed",
    ]


async def test_a_phone_inside_a_ring_reports_more_often_until_somebody_goes(
    station: Station, told: Told
) -> None:
    """Its unit was not asked; it may be next."""
    case = await station.open()
    asked = {offer.unit_id for offer in case.offers}
    others = [p.unit for p in station.issued if p.unit in station.desk.rings]
    bystander = next(unit_id for unit_id in others if unit_id not in asked)
    identity = await connected(station, bystander)
    assert station.phones.state(identity).policy.s == "ring"
    assert CADENCES["ring"].every_s == 10
    await station.accept(case)
    assert told.policies == [(identity.device_id, "fixed")]
    await station.cancel(case)
    assert len(station.desk.rings) == 0


async def test_phones_of_a_unit_whose_fix_is_too_old_are_asked_where_they_are(
    station: Station, told: Told
) -> None:
    """Fifteen seconds after it was sent, and at every look; who is not here is not asked."""
    case = await station.open()
    identity = await connected(station, case.offers[0].unit_id)
    await station.accept(case)
    await station.pass_by(15)
    assert told.located == [identity.device_id]
    here = station.issued[0]
    station.phones.fixes(identity, loc(station, here.lon, here.lat))
    await station.pass_by(15)
    assert told.located == [identity.device_id]
    station.phones.disconnected(identity)
    await station.pass_by(40)
    assert told.located == [identity.device_id]


async def test_a_phone_that_clocks_out_is_told_to_report_nothing(
    station: Station, told: Told
) -> None:
    """And one that pauses to report seldom."""
    unit_id = station.issued[0].unit
    await connected(station, unit_id)
    for call in (wire.DutyCall.PAUSE, wire.DutyCall.OFF, wire.DutyCall.ON):
        await station.say(unit_id, station.clock_out(call))
    assert [situation for _, situation in told.policies] == ["paused", "off", "fixed"]
    assert CADENCES["off"].every_s == 0


async def test_who_is_not_here_is_told_by_the_welcome(station: Station, told: Told) -> None:
    """Nothing is said to nobody, and a process without sockets says nothing at all."""
    unit_id = station.issued[0].unit
    identity = await connected(station, unit_id)
    station.phones.disconnected(identity)
    await station.say(unit_id, station.clock_out())
    assert told.policies == []
    assert station.phones.state(identity).policy.s == "off"


async def test_without_a_lane_nothing_is_said(station: Station) -> None:
    """The welcome tells it."""
    unit_id = station.issued[0].unit
    identity = await connected(station, unit_id)
    await station.say(unit_id, station.clock_out())
    station.phones.presence.resync()
    station.phones.presence.locate([UnitId(unit_id)])
    assert station.phones.state(identity).policy.s == "off"


# Here, quiet, gone. ------------------------------------------------------------------------------


async def test_a_phone_that_is_not_heard_in_time_makes_its_unit_stale(station: Station) -> None:
    """Until it is heard again, or gone; said twice it counts once."""
    identity = await connected(station, station.issued[0].unit)
    home = station.issued[0]
    station.phones.fixes(identity, loc(station, home.lon, home.lat))

    def link() -> Link:
        return station.desk.unit(identity.unit_id, DISPATCHER).link

    assert link() is Link.ONLINE
    for _ in range(2):
        station.phones.quiet(identity, quiet=True)
    assert link() is Link.STALE
    station.phones.quiet(identity, quiet=False)
    assert link() is Link.ONLINE
    station.phones.quiet(identity, quiet=True)
    station.phones.disconnected(identity)
    assert link() is Link.OFFLINE
    station.phones.connected(identity)
    assert link() is Link.ONLINE


async def test_what_an_app_can_do_is_known_while_it_is_here(station: Station) -> None:
    """In the foreground until it says otherwise."""
    identity = await connected(station, station.issued[0].unit)
    presence = station.phones.presence
    assert presence.activity(identity.device_id) is wire.Activity.FOREGROUND
    station.phones.mode(identity, wire.Mode(m=wire.Activity.SLEEP))
    assert presence.activity(identity.device_id) is wire.Activity.SLEEP
    station.phones.disconnected(identity)
    station.phones.mode(identity, wire.Mode(m=wire.Activity.SLEEP))
    assert presence.activity(identity.device_id) is None
    station.phones.connected(identity)
    assert presence.activity(identity.device_id) is wire.Activity.FOREGROUND


async def test_a_unit_that_is_disabled_is_cut_off(station: Station, told: Told) -> None:
    """A second after it is on disk; its phones are not let in again."""
    one = await connected(station, station.issued[0].unit)
    other = await connected(station, station.issued[1].unit)
    await sql(station.dsn, "update unit set disabled = true where id = $1", one.unit_id)
    await station.loops.follow_registry()
    assert told.closed == [(one.unit_id, Close.UNIT_DISABLED)]
    assert station.phones.barred(one) is Close.UNIT_DISABLED
    assert station.phones.barred(other) is None


async def test_rows_that_were_lost_send_everybody_to_come_again(
    station: Station, told: Told
) -> None:
    """Once; a row the store knows sends nobody."""
    identity = await connected(station, station.issued[0].unit)
    station.phones._epoch.name = await station.store.epoch()
    before = station.phones.epoch
    await station.phones.lost(identity, 0)
    assert (station.phones.epoch, told.resyncs) == (before, 0)
    await station.phones.lost(identity, 7)
    await station.phones.lost(identity, 7)
    assert station.phones.epoch == await station.store.epoch() != before
    assert told.resyncs == 1


# Whose position. ---------------------------------------------------------------------------------


class Crew:
    """The phones of one unit: its first member, whom the city registered, and two more."""

    def __init__(self, station: Station, first: Identity) -> None:
        self.station = station
        self.first = first
        self.others = [
            Identity(
                device_id=DeviceId(f"x{n}"),
                unit_id=first.unit_id,
                member_id=MemberId(f"x{n}"),
                juris=first.juris,
            )
            for n in (1, 2)
        ]
        self.clock((Duty.ON, Duty.ON))

    def clock(self, duties: Sequence[Duty], leader: int | None = None) -> None:
        """Let the two others clock; one of them may be the leader."""
        self.station.desk.roster.put(
            Member(
                id=other.member_id,
                unit_id=other.unit_id,
                name=other.member_id,
                leader=n == leader,
                duty=duty,
            )
            for n, (other, duty) in enumerate(zip(self.others, duties, strict=True))
        )

    def report(self, identity: Identity, east: float) -> None:
        """Let a member report a place some metres east of the post."""
        self.station.clock.advance(1.0)
        home = self.station.issued[0]
        assert not self.station.phones.fixes(
            identity, loc(self.station, home.lon + east / 100_000, home.lat)
        )

    @property
    def east(self) -> float:
        """Return where the unit stands, likewise."""
        now_s = self.station.clock.now().timestamp()
        place = self.station.desk.fleet.standing(self.first.unit_id, now_s).place
        return round((place.lon - self.station.issued[0].lon) * 100_000)


@pytest.fixture
def unled(station: Station) -> Station:
    """A station that knows no leaders yet."""
    for unit in station.desk.fleet:
        crew = station.desk.roster.crew(unit.id)
        station.desk.roster.put(msgspec.structs.replace(m, leader=False) for m in crew)
    return station


async def test_a_unit_stands_where_its_leader_is(unled: Station) -> None:
    """Another member's position counts when the leader's is old: two reports and a minute."""
    crew = Crew(unled, await unled.phone(unled.issued[0].unit))
    crew.clock((Duty.ON, Duty.ON), leader=0)
    leader, other = crew.others
    crew.report(leader, 1)
    crew.report(other, 2)
    assert crew.east == 1
    old_s = 2 * CADENCES["fixed"].every_s + 60
    unled.clock.advance(old_s - 3)
    crew.report(other, 3)
    assert crew.east == 1
    unled.clock.advance(2)
    crew.report(other, 4)
    assert crew.east == 4
    crew.report(leader, 5)
    crew.report(other, 6)
    assert crew.east == 5
    assert [c.lead for c in unled.phones.state(leader).crew] == [
        c.member == leader.member_id for c in unled.phones.state(leader).crew
    ]


async def test_on_a_task_the_accepter_leads(unled: Station) -> None:
    """Where no leader is clocked in; the lead's position is old sooner than at rest."""
    crew = Crew(unled, await unled.phone(unled.issued[0].unit))
    other = crew.others[0]
    crew.report(other, 1)
    case = await unled.open()
    mine = next(o for o in case.offers if o.unit_id == crew.first.unit_id)
    await unled.say(crew.first.unit_id, unled.yes(mine.id))
    crew.report(crew.first, 2)
    crew.report(other, 3)
    assert crew.east == 2
    unled.clock.advance(2 * CADENCES["engaged"].every_s + 60)
    crew.report(other, 4)
    assert crew.east == 4


async def test_who_is_at_home_is_not_where_the_unit_is(unled: Station) -> None:
    """His fixes are taken while the unit is on a call, and help him when he calls for help."""
    crew = Crew(unled, await unled.phone(unled.issued[0].unit))
    case = await unled.open()
    mine = next(o for o in case.offers if o.unit_id == crew.first.unit_id)
    await unled.say(crew.first.unit_id, unled.yes(mine.id))
    at_home = crew.others[0]
    crew.clock((Duty.OFF, Duty.ON))
    crew.report(at_home, 9)
    assert crew.east != 9
    answer = await unled.phones.command(at_home, wire.Sos(id=unled.clock.new_id()))
    assert isinstance(answer, wire.Ok)
    (opened,) = await sql(unled.dsn, "select lon from incident where title like '%SOS%'")
    assert round((opened["lon"] - unled.issued[0].lon) * 100_000) == 9


async def test_a_crew_is_of_the_unit(station: Station) -> None:
    """Nobody is sent who belongs elsewhere."""
    case = await station.open()
    offer = case.offers[0]
    yes = msgspec.structs.replace(station.yes(offer.id), crew=["stranger"])
    refused = await station.say(offer.unit_id, yes)
    assert isinstance(refused, wire.Err)
    assert (refused.code, refused.path) == ("invalid", "crew")
