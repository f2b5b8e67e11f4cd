"""Where members are, with and without their consent, over a real store."""

import asyncio
from typing import Any

import msgspec
import pytest

from dispatch.core.errors import ConsentRequired
from dispatch.desk import words
from dispatch.desk.register import Register
from dispatch.ports import Identity
from geo.datum import Datum
from geo.point import Point
from schemas import register as rest
from schemas import wire
from schemas.base import MemberId, UnitId, ms
from schemas.unit import Position
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.station import REGISTRAR, Station, sql
from tests.dispatch.desk.test_presence import Told, connected, loc

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]


class Someone:
    """A phone of one unit, a little east of its post, and what a test lets it say."""

    def __init__(self, station: Station, identity: Identity) -> None:
        self.station, self.identity = station, identity
        first = station.issued[0]
        self.post = Point(first.lon, first.lat)

    def report(self, east: float = 0.001) -> list[tuple[int, str]]:
        """Report a position."""
        frame = loc(self.station, self.post.lon + east, self.post.lat)
        return self.station.phones.fixes(self.identity, frame)

    async def consent(self, policy: str | None) -> wire.Ok | wire.Err:
        """Agree to a policy, or take it back."""
        said = wire.Consent(id=self.station.clock.new_id(), yes=policy is not None, policy=policy)
        return await self.station.phones.command(self.identity, said)

    def placed(self, east: float, **facts: Any) -> dict[str, Any]:
        """Return what a command brings along from a place."""
        now_ms = ms(self.station.clock.now())
        row = [now_ms, self.post.lon + east, self.post.lat, 5.0]
        fix = [msgspec.Raw(msgspec.json.encode(cell)) for cell in row]
        given: dict[str, Any] = {"id": self.station.clock.new_id(), "d": Datum.WGS84}
        return {**given, "ts": now_ms, "fix": fix, **facts}

    @property
    def east(self) -> float | None:
        """Return how far east of its post the unit is; None where it is thought to be there."""
        now_s = self.station.clock.now().timestamp()
        standing = self.station.desk.fleet.standing(self.identity.unit_id, now_s)
        return None if standing.age_s is None else round(standing.place.lon - self.post.lon, 6)

    async def kept(self) -> int:
        """Return how many positions of the unit are on disk."""
        statement = "select * from position where unit_id = $1"
        return len(await sql(self.station.dsn, statement, self.identity.unit_id))


@pytest.fixture
def told(station: Station) -> Told:
    """A lane to all phones of a station."""
    lane = Told()
    station.phones.presence.speak_through(lane)
    return lane


async def someone(station: Station) -> Someone:
    """Return the first phone, connected."""
    return Someone(station, await connected(station, station.issued[0].unit))


def registrar(station: Station) -> Register:
    """Return the registrar's part of the desk."""
    return Register(station.desk, new_code=lambda: "", new_token=lambda kind: kind)


async def written(station: Station, member_id: MemberId, consent: str | None) -> None:
    """Let a registrar write down a consent, or that there is none."""
    body = rest.ChangeMember(consent=consent)
    await registrar(station).change_member(member_id, body, REGISTRAR, station.once())


async def test_without_consent_no_position_is_taken_shown_or_kept(
    station: Station, told: Told
) -> None:
    """From the moment in which it is taken back; the unit stands at its home post."""
    one = await someone(station)
    assert one.report() == []
    await station.loops.keep_positions()
    assert (one.east, await one.kept()) == (0.001, 1)
    answer = await one.consent(None)
    assert isinstance(answer, wire.Ok)
    assert answer.result == {"consent": False}
    assert (one.east, await one.kept()) == (None, 0)
    with pytest.raises(ConsentRequired):
        one.report(0.002)
    await station.loops.keep_positions()
    assert (one.east, await one.kept()) == (None, 0)
    assert not station.phones.state(one.identity).consent
    await asyncio.sleep(0)
    assert told.closed == []


async def test_consent_is_given_to_a_version_of_the_policy(station: Station) -> None:
    """It is on disk with its line in the log, and counts at once."""
    one = await someone(station)
    await one.consent(None)
    unnamed = wire.Consent(id=station.clock.new_id(), yes=True)
    refused = await station.phones.command(one.identity, unnamed)
    assert isinstance(refused, wire.Err)
    assert (refused.code, refused.path) == (wire.ErrorCode.INVALID, "policy")
    await one.consent("2026-11")
    assert station.phones.state(one.identity).consent
    assert one.report() == []
    assert one.east == 0.001
    (member,) = await sql(
        station.dsn, "select consent from member where id = $1", one.identity.member_id
    )
    assert member["consent"] == "2026-11"
    lines = await sql(
        station.dsn, "select type, data ->> 'policy' as policy from event order by id"
    )
    assert [tuple(line) for line in lines] == [
        ("consent_withdrawn", None),
        ("consent_given", "2026-11"),
    ]


async def test_a_consent_resent_counts_once(station: Station) -> None:
    """The same id hears the same answer; what came after it stands."""
    one = await someone(station)
    said = wire.Consent(id=station.clock.new_id(), yes=False)
    first = await station.phones.command(one.identity, said)
    await one.consent("2026-11")
    assert await station.phones.command(one.identity, said) == first
    assert one.report() == []


async def test_a_registrar_writes_consent_down_and_the_phone_takes_the_state_anew(
    station: Station, told: Told
) -> None:
    """Its app has to stop reporting, or may begin."""
    one = await someone(station)
    one.report()
    await written(station, one.identity.member_id, None)
    assert one.east is None
    with pytest.raises(ConsentRequired):
        one.report()
    await asyncio.sleep(0)
    assert told.closed == [(one.identity.device_id, wire.Close.RESYNC)]
    await written(station, one.identity.member_id, "paper")
    assert one.report() == []
    await asyncio.sleep(0)
    assert len(told.closed) == 2
    (shown, *_) = (await registrar(station).members(one.identity.unit_id, REGISTRAR)).items
    assert shown.consent == "paper"


async def test_another_process_follows_as_soon_as_it_reads(start: Start) -> None:
    """What it held of the member is dropped, too."""
    here, there = await start(), await start()
    one, other = await someone(here), await someone(there)
    other.report()
    await one.consent(None)
    await there.loops.follow_registry()
    assert other.east is None
    with pytest.raises(ConsentRequired):
        other.report()
    await one.consent("2026-11")
    there.clock.advance(61.0)
    await there.desk.read_registered()
    assert other.report() == []


async def test_a_register_read_a_moment_before_does_not_undo_a_refusal(station: Station) -> None:
    """What comes last is not always the newest."""
    one = await someone(station)
    crews = await station.store.crews()
    await one.consent(None)
    station.desk.roster.put(crews)
    station.desk.reread_all()
    with pytest.raises(ConsentRequired):
        one.report()
    await one.consent("2026-11")
    station.desk.reread_all()
    assert one.report() == []


async def test_after_a_restart_consent_is_as_it_was(start: Start) -> None:
    """Of the last place nothing was left on disk."""
    one = await someone(await start())
    one.report()
    await one.station.loops.keep_positions()
    await one.consent(None)
    again = await someone(await start())
    assert again.east is None
    with pytest.raises(ConsentRequired):
        again.report()


async def test_a_position_of_before_the_refusal_is_not_kept_after_it(station: Station) -> None:
    """It was on its way to disk in that moment."""
    one = await someone(station)
    place = Position(
        unit_id=one.identity.unit_id, lon=113.3, lat=23.1, acc_m=5.0, at=station.clock.now()
    )
    station.clock.advance(0.5)
    await one.consent(None)
    await station.store.checkpoint([place])
    assert await one.kept() == 0


# Beside a command. -------------------------------------------------------------------------------


async def test_a_refusal_reaches_what_was_not_told_yet(station: Station) -> None:
    """Neither his fix of a moment ago is told, nor one shown that another process told of."""
    phone = await someone(station)
    whereabouts = station.phones.whereabouts
    phone.report()
    at_s = station.clock.now().timestamp()
    place = phone.identity.unit_id, phone.identity.member_id, phone.post.lon, phone.post.lat
    whereabouts.hear([words.Fix(*place, 5.0, at_s + 1)])
    await phone.consent(None)
    assert (whereabouts.news(), phone.east) == ([], None)


async def test_an_answer_is_judged_by_where_it_was_given(station: Station) -> None:
    """Its fix is the unit's newest when the accept is decided."""
    case = await station.open()
    one = await someone(station)
    offer = next(o for o in case.offers if o.unit_id == one.identity.unit_id)
    yes = wire.OfferReply(
        **one.placed(0.0005),
        oid=offer.id,
        rev=1,
        at=ms(station.clock.now()),
        r=wire.Answer.ACCEPT,
    )
    accepted = await station.phones.command(one.identity, yes)
    assert isinstance(accepted, wire.Ok)
    assert one.east == 0.0005
    station.clock.advance(30.0)
    go = wire.Progress(
        **one.placed(0.0004),
        aid=accepted.result["aid"],
        s=wire.Reached.EN_ROUTE,
        at=ms(station.clock.now()),
    )
    assert isinstance(await station.phones.command(one.identity, go), wire.Ok)
    assert one.east == 0.0004
    later = msgspec.structs.replace(go, ts=ms(station.clock.now()) + 5_000)
    assert isinstance(await station.phones.command(one.identity, later), wire.Ok)


@pytest.mark.parametrize(
    "facts", [{"fix": []}, {"d": None}, {"ts": None}, {"fix": [msgspec.Raw(b'"x"')]}]
)
async def test_a_bad_place_never_loses_the_command(station: Station, facts: dict[str, Any]) -> None:
    """It is left out, and nobody is told."""
    one = await someone(station)
    said = wire.SetDuty(**one.placed(0.001, **facts), s=wire.DutyCall.ON)
    assert isinstance(await station.phones.command(one.identity, said), wire.Ok)
    assert one.east is None


async def test_who_clocks_on_is_located_by_it_and_who_clocks_off_is_not(station: Station) -> None:
    """Off duty nothing is kept."""
    one = await someone(station)
    off = wire.SetDuty(**one.placed(0.001), s=wire.DutyCall.OFF)
    await station.phones.command(one.identity, off)
    assert one.east is None
    on = wire.SetDuty(**one.placed(0.002), s=wire.DutyCall.ON)
    await station.phones.command(one.identity, on)
    assert one.east == 0.002


async def test_a_place_beside_a_command_needs_consent_too(station: Station) -> None:
    """The command is carried out all the same."""
    one = await someone(station)
    await one.consent(None)
    pause = wire.SetDuty(**one.placed(0.001), s=wire.DutyCall.ON)
    assert isinstance(await station.phones.command(one.identity, pause), wire.Ok)
    assert one.east is None


# Rings, after a restart. -------------------------------------------------------------------------


async def test_after_a_restart_a_phone_inside_a_ring_is_told_so(start: Start) -> None:
    """Its welcome and its heartbeat go by the ring that the last process drew."""
    before = await start()
    case = await before.open()
    asked = {offer.unit_id for offer in case.offers}
    bystander = next(
        p.unit for p in before.issued if p.unit in before.desk.rings and p.unit not in asked
    )
    after = await start()
    phone = await after.phone(UnitId(bystander))
    assert after.phones.state(phone).policy.s == "ring"
    assert after.phones.presence.cadence(phone).every_s == 10
    assert set(_inside(after)) == set(_inside(before))


def _inside(station: Station) -> list[str]:
    return [p.unit for p in station.issued if p.unit in station.desk.rings]
