"""What every store promises a registrar, tried on each of them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from dispatch.core.events import Entry, Event
from dispatch.ports import (
    AlreadyAnswered,
    Code,
    CodeTaken,
    Cursor,
    DutyOrder,
    Enrolling,
    MemberChange,
    StaleCase,
    Store,
    UnitChange,
    UnitTaken,
    masked,
)
from dispatch.store.memory import MemoryStore
from dispatch.store.postgres import PostgresStore
from dispatch.store.registry import IssuedDevice, registry
from schemas.base import DeviceId, IncidentId, MemberId, UnitId
from schemas.unit import Duty, Position, Unit
from tests.contract.town import OK, ONE, THREE, TWO, Town, devices, members, once, places, units
from tests.fakes import START, ManualClock

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]


@pytest_asyncio.fixture
async def store(address: str | None) -> AsyncIterator[Store]:
    """Three units with their members and phones."""
    if address is None:
        memory = MemoryStore(ManualClock().now)
        await memory.put_jurisdictions(places())
        await memory.put_units(units())
        await memory.put_members(members())
        await memory.put_devices(devices())
        yield memory
        return
    async with registry(address) as known:
        await known.put_jurisdictions(places())
        await known.put_units(units())
        await known.put_members(members())
        await known.put_devices([_issued(d) for d in devices()])
    store = await PostgresStore.open(address)
    yield store
    await store.close()


def _issued(d: Any) -> IssuedDevice:
    return IssuedDevice(id=d.id, unit_id=d.unit_id, member_id=d.member_id, token_hash=d.token_hash)


def entry(event: Event, unit: UnitId = ONE) -> Entry:
    """Return a line of the log about a unit."""
    return Entry(type=event, by="key:k1", via="api", at=START, unit_id=unit, data={"x": 1})


async def unit_of(store: Store, unit_id: UnitId) -> Unit:
    """Return a unit as it is kept."""
    (row,) = await store.unit_rows(START, [unit_id])
    return row.unit


def change(before: Unit | None, after: Unit, event: Event = Event.UNIT_CHANGED) -> UnitChange:
    """Return a change of a unit."""
    return UnitChange(before=before, after=after, entry=entry(event, after.id))


async def test_a_unit_is_added_once_and_its_code_is_its_own(store: Store) -> None:
    """The command's answer is kept with it; the log has one line, about its jurisdiction."""
    new = replace(units()[0], id=UnitId("u9"), code="U9", capabilities=())
    await store.register_unit(change(None, new, Event.UNIT_CREATED), once("c1"), OK)
    assert await unit_of(store, UnitId("u9")) == new
    assert (await store.load(None, once("c1"))).answer is not None
    with pytest.raises(AlreadyAnswered):
        await store.register_unit(
            change(None, replace(new, id=UnitId("u8"), code="U8")), once("c1"), OK
        )
    with pytest.raises(CodeTaken):
        await store.register_unit(change(None, replace(new, id=UnitId("u8"))), once("c2"), OK)
    (line,) = await store.events(Cursor(), 10)
    assert (line.entry.type, line.entry.unit_id, line.juris) == ("unit_created", "u9", "gz.hp")
    assert (line.incident_id, line.ext_id) == (None, None)


async def test_a_unit_that_stands_otherwise_is_not_overwritten(store: Store) -> None:
    """Nothing is written, not even the answer."""
    seen, grown = await unit_of(store, ONE), await store.registered()
    await store.register_unit(change(seen, replace(seen, name="甲", lon=113.45)), once("c1"), OK)
    assert await store.registered() > grown
    with pytest.raises(StaleCase):
        await store.register_unit(change(seen, replace(seen, name="乙")), once("c2"), OK)
    assert (await unit_of(store, ONE)).name == "甲"
    assert (await store.load(None, once("c2"))).answer is None


async def test_a_disabled_unit_has_its_offers_withdrawn_and_its_crew_off(store: Store) -> None:
    """Each incident that asks it gets a moment; one on a call is not disabled."""
    town = Town(store, None)  # type: ignore[arg-type]  # nothing is registered by it here
    case = await town.open([ONE, TWO])
    seen = await unit_of(store, ONE)
    await store.register_unit(change(seen, replace(seen, disabled=True)), once("c1"), OK)
    due = await store.claim_due(10, START + timedelta(seconds=1))
    assert (case.incident.id, "unit_engaged", ONE) in {
        (d.incident_id, d.kind, d.unit_id) for d in due
    }
    assert {m.duty for m in await store.members(ONE)} == {Duty.OFF}
    await town.commit(town.acceptance(case, TWO))
    taken = await unit_of(store, TWO)
    with pytest.raises(UnitTaken):
        await store.register_unit(change(taken, replace(taken, disabled=True)), once("c3"), OK)


async def test_members_are_added_and_changed_and_shown_masked(store: Store) -> None:
    """What is not given stays."""
    added = MemberChange(
        member_id=MemberId("m9"),
        new=True,
        changes={"name": "陈", "tel": "13812341234", "leader": False},
        entry=entry(Event.MEMBER_ADDED),
    )
    await store.register_member(added, once("c1"), OK)
    changed = MemberChange(
        member_id=MemberId("m9"),
        new=False,
        changes={"leader": True},
        entry=entry(Event.MEMBER_CHANGED),
    )
    await store.register_member(changed, once("c2"), OK)
    found = await store.member(MemberId("m9"))
    assert found is not None
    assert (found.name, found.tel, found.leader, found.duty) == ("陈", "138****1234", True, "off")
    assert [m.id for m in await store.members(ONE)] == ["m1", "m2", "m9"]
    assert await store.member(MemberId("nobody")) is None


def consent(policy: str | None, seconds: float = 0.0, **more: Any) -> MemberChange:
    """Return what member 1 says about being located."""
    line = entry(Event.CONSENTED if policy else Event.REFUSED)
    return MemberChange(
        member_id=MemberId("m1"),
        new=False,
        changes={"consent": policy, **more},
        entry=replace(line, at=START + timedelta(seconds=seconds)),
    )


async def test_consent_is_on_paper_until_it_is_taken_back(store: Store) -> None:
    """Whoever was registered before anybody asked has signed; the crew is read with it."""
    assert {m.consent for m in await store.crews([ONE])} == {"paper"}
    known = await store.registered()
    await store.register_member(consent("2026-11"), once("c1"), OK)
    assert await store.registered() == known
    assert [m.consent for m in await store.crews([ONE])] == ["2026-11", "paper"]
    await store.register_member(consent(None, name="陈"), once("c2"), OK)
    assert await store.registered() > known
    found = await store.member(MemberId("m1"))
    assert found is not None
    assert (found.consent, found.name, found.leader) == (None, "陈", True)
    with pytest.raises(AlreadyAnswered):
        await store.register_member(consent("2026-11"), once("c2"), OK)
    new = MemberChange(
        member_id=MemberId("m9"),
        new=True,
        changes={"name": "李", "tel": "", "leader": False, "consent": None},
        entry=entry(Event.MEMBER_ADDED),
    )
    await store.register_member(new, once("c3"), OK)
    assert [m.consent for m in await store.members(ONE)] == [None, "paper", None]


async def test_who_takes_his_consent_back_takes_the_units_place_with_him(store: Store) -> None:
    """One of before is not kept any more; his colleague's next one is."""

    async def place() -> float | None:
        (row,) = await store.unit_rows(START, [ONE])
        return row.position.lon if row.position else None

    first = Position(unit_id=ONE, lon=113.5, lat=23.1, acc_m=5.0, at=START)
    await store.checkpoint([first])
    await store.register_member(consent("2026-11", 1.0), once("c1"), OK)
    assert await place() == 113.5
    await store.register_member(consent(None, 2.0), once("c2"), OK)
    assert await place() is None
    await store.checkpoint([replace(first, at=START + timedelta(seconds=2))])
    assert await place() is None
    await store.checkpoint([replace(first, lon=113.6, at=START + timedelta(seconds=3))])
    assert await place() == 113.6


async def test_members_are_clocked_together(store: Store) -> None:
    """A line of the log each, by whoever said so; one command, one answer."""
    order = DutyOrder(
        unit_id=THREE,
        member_ids=(MemberId("m5"), MemberId("m6")),
        duty=Duty.ON,
        by="key:k1",
        via="operator",
        at=START,
    )
    await store.clock_members(order, once("c1"), OK)
    assert [m.duty for m in await store.members(THREE)] == [Duty.ON, Duty.ON]
    lines = await store.events(Cursor(), 10)
    assert [(e.entry.by, e.entry.via, e.entry.data["member"]) for e in lines] == [
        ("key:k1", "operator", "m5"),
        ("key:k1", "operator", "m6"),
    ]
    with pytest.raises(AlreadyAnswered):
        await store.clock_members(replace(order, duty=Duty.OFF), once("c1"), OK)


def code(name: str = "ABC", member: str = "m1", secret: bytes = b"s" * 32) -> Code:
    """Return a code that lives ten minutes."""
    return Code(
        name=name,
        hash=secret,
        member_id=MemberId(member),
        expires_at=START + timedelta(minutes=10),
        entry=entry(Event.CODE_ISSUED),
    )


def coming(secret: bytes = b"s" * 32, after_s: int = 0, name: str = "ABC") -> Enrolling:
    """Return a phone that comes with a code, three tries allowed."""
    return Enrolling(
        name=name,
        hash=secret,
        device_id=DeviceId("d9"),
        token_hash=b"t" * 32,
        at=START + timedelta(seconds=after_s),
        most=3,
    )


async def test_a_code_enrols_one_phone(store: Store) -> None:
    """The member's device gets the new token; the old one opens nothing, the code neither."""
    assert await store.put_code(code())
    phone = await store.enrol(coming())
    assert phone is not None
    assert (phone.id, phone.member_id, phone.enrolled_at) == ("d1", "m1", START)
    known = await store.identify(b"t" * 32)
    assert known is not None
    assert known.device_id == "d1"
    assert await store.identify(bytes([1]) * 32) is None
    assert await store.enrol(coming()) is None


async def test_wrong_guesses_are_counted_and_time_runs_out(store: Store) -> None:
    """Whichever comes first; a name in use is another member's until then."""
    assert await store.put_code(code())
    assert not await store.put_code(code(member="m2"))
    for _ in range(3):
        assert await store.enrol(coming(b"w" * 32)) is None
    assert await store.enrol(coming()) is None
    assert await store.put_code(code(member="m2"))
    assert await store.enrol(coming(after_s=600)) is None
    assert await store.enrol(coming(name="XYZ")) is None


async def test_a_revoked_phone_opens_nothing_and_is_still_shown(store: Store) -> None:
    """Revoking it again changes nothing."""
    for command in ("c1", "c2"):
        await store.revoke_device(DeviceId("d1"), entry(Event.DEVICE_REVOKED), once(command), OK)
    assert await store.identify(bytes([1]) * 32) is None
    assert [(d.id, d.revoked_at) for d in await store.devices(ONE)] == [
        ("d1", START),
        ("d2", None),
    ]
    assert len(await store.events(Cursor(), 10)) == 1
    assert await store.device(DeviceId("nothing")) is None


async def test_what_changed_since_a_version_is_told(store: Store) -> None:
    """The entries of later decisions, oldest first, the last where they are many; no other fact."""
    town = Town(store, None)  # type: ignore[arg-type]  # nothing is registered by it here
    case = await town.open([ONE, TWO])
    first = await store.timeline(case.incident.id, 0, 100)
    await store.acknowledge({DeviceId("d1"): 1}, START)
    (delivered,) = await store.timeline(case.incident.id, len(first), 100)
    case = await town.accept(case)
    later = await store.timeline(case.incident.id, delivered.n, 100)
    about = case.incident.id
    assert later
    assert await store.since(about, 0, 100) == [*first, *later]
    assert await store.since(about, case.incident.version - 1, 100) == later
    assert await store.since(about, 0, 2) == [*first, *later][-2:]
    assert await store.since(about, case.incident.version, 100) == []
    assert await store.since(IncidentId("none"), 0, 100) == []


async def test_the_ends_of_the_log_are_told(store: Store) -> None:
    """The end, above which is what comes later."""
    assert await store.tail() == Cursor()
    town = Town(store, None)  # type: ignore[arg-type]  # nothing is registered by it here
    await town.open([ONE, TWO])
    end = await store.tail()
    assert await store.events(end, 10) == []
    await store.put_code(code())
    assert [e.entry.type for e in await store.events(end, 10)] == ["enrol_code_issued"]


@pytest.mark.parametrize(
    ("tel", "shown"),
    [("13812341234", "138****1234"), ("+8613812341234", "+86****1234"), ("110", "***"), ("", "")],
)
async def test_a_number_is_masked(tel: str, shown: str) -> None:
    """Never so that it could be dialled."""
    assert masked(tel) == shown
