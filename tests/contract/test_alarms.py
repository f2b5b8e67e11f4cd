"""What every store promises about alarms, tried on each of them."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from dispatch.core.alarms import addressed, heard_entry, moved, step_entry
from dispatch.core.commands import Cancel, Escalate, Wake
from dispatch.core.events import Event
from dispatch.ports import StaleCase
from schemas.alarm import Alarm, AlarmId, AlarmKind
from schemas.base import KeyId
from schemas.incident import Case, Concern
from schemas.plan import Rung
from tests.contract.town import KEY, Town

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]


async def rung(town: Town) -> Case:
    """Return an incident for which the police were called, by a decision."""
    case = await town.open()
    return await town.act(case, Escalate(rung=Rung.POLICE, why="刀"))


async def climb(town: Town, *present: str) -> list[tuple[str | None, str]]:
    """Take what is due to its next desk; return from where to where."""
    now, steps = town.clock.now(), []
    for alarm in await town.store.claim_alarms(100, now):
        to = addressed(alarm, present, now)
        assert await town.store.address_alarm(alarm, to, step_entry(alarm, to, now))
        steps.append((alarm.addressee, to.addressee))
    return steps


async def alarms(town: Town, scope: str = "gz", **more: Any) -> list[Alarm]:
    """Return the open alarms."""
    return await town.store.alarms(scope, more.get("addressee"), more.get("before"), 100)


async def test_a_decision_raises_its_alarms_with_itself(town: Town) -> None:
    """Due at once; it is not yet known at which desk."""
    case = await rung(town)
    (found,) = await alarms(town)
    assert (found.kind, found.incident_id) == (AlarmKind.POLICE, case.incident.id)
    assert (found.addressee, found.next_at) == (None, town.clock.now())
    assert found == await town.store.alarm(found.id)


async def test_a_stale_decision_raises_nothing(town: Town) -> None:
    """All of it, or nothing."""
    case = await town.open()
    stale = town.decision(case, Escalate(rung=Rung.POLICE, why="刀"))
    await town.act(case, Wake())
    with pytest.raises(StaleCase):
        await town.commit(stale)
    assert await alarms(town) == []


async def test_an_alarm_is_claimed_by_one_for_ten_seconds(town: Town) -> None:
    """Whoever dies with it leaves it to others."""
    await rung(town)
    assert len(await town.store.claim_alarms(100, town.clock.now())) == 1
    assert await town.store.claim_alarms(100, town.clock.now()) == []
    town.clock.advance(11)
    assert len(await town.store.claim_alarms(100, town.clock.now())) == 1


async def test_it_climbs_every_half_minute_and_each_step_is_in_the_timeline(town: Town) -> None:
    """With its reason in words, under the incident's own numbers."""
    case = await rung(town)
    assert await climb(town, "gz.hp") == [(None, "gz.hp")]
    assert await climb(town) == []
    town.clock.advance(30)
    assert await climb(town, "gz.hp") == [("gz.hp", "gz")]
    town.clock.advance(3600)
    assert await climb(town, "gz.hp") == []
    log = await town.store.timeline(case.incident.id, 0, 100)
    assert [entry.n for entry in log] == list(range(1, len(log) + 1))
    steps = [entry.data for entry in log if entry.type is Event.ALARM_ADDRESSED]
    assert [(step["to"], step["level"]) for step in steps] == [
        ("gz.hp", "district"),
        ("gz", "city"),
    ]
    assert steps[1]["reason"].startswith("not acknowledged at gz.hp in 30 s")


async def test_of_two_that_ask_the_next_desk_one_does(town: Town) -> None:
    """The other finds that it was asked."""
    await rung(town)
    now = town.clock.now()
    (claimed,) = await town.store.claim_alarms(100, now)
    to = addressed(claimed, (), now)
    line = step_entry(claimed, to, now)
    assert await town.store.address_alarm(claimed, to, line)
    assert not await town.store.address_alarm(claimed, to, line)
    (found,) = await alarms(town)
    assert found == replace(moved(claimed, to), next_at=None)


async def test_an_acknowledged_alarm_climbs_no_further(town: Town) -> None:
    """Once; by whom, when, and in what words."""
    case = await rung(town)
    (found,) = await alarms(town)
    line = heard_entry(found, "key:k1", "我来", town.clock.now())
    assert await town.store.acknowledge_alarm(found.id, "key:k1", "我来", line)
    assert not await town.store.acknowledge_alarm(found.id, "key:k2", "", line)
    assert await town.store.claim_alarms(100, town.clock.now()) == []
    assert await alarms(town) == []
    kept = await town.store.alarm(found.id)
    assert kept is not None
    assert (kept.acknowledged_by, kept.acknowledged_at, kept.note) == (
        "key:k1",
        town.clock.now(),
        "我来",
    )
    assert (await town.events(case))[-1][1] == Event.ALARM_ACKNOWLEDGED


async def test_alarms_of_an_incident_that_is_over_ring_no_more(town: Town) -> None:
    """Nobody has to take note of them."""
    case = await rung(town)
    await town.act(case, Cancel(why="误报"))
    assert await alarms(town) == []
    assert await town.store.claim_alarms(100, town.clock.now()) == []


async def test_what_fails_again_and_again_rings_once(town: Town) -> None:
    """Until somebody has taken note."""
    case = await town.open()

    def failed(number: int, incident: bool) -> Alarm:
        return Alarm(
            id=AlarmId(f"al{number}"),
            kind=AlarmKind.CLOCK if incident else AlarmKind.LOST_ROWS,
            reason="x",
            juris="gz",
            raised_at=town.clock.now(),
            incident_id=case.incident.id if incident else None,
            next_at=town.clock.now(),
        )

    assert await town.store.raise_alarm(failed(1, incident=True))
    assert not await town.store.raise_alarm(failed(2, incident=True))
    assert await town.store.raise_alarm(failed(3, incident=False))
    assert not await town.store.raise_alarm(failed(4, incident=False))
    line = heard_entry(failed(3, incident=False), "key:k1", "", town.clock.now())
    assert await town.store.acknowledge_alarm(AlarmId("al3"), "key:k1", "", line)
    assert await town.store.raise_alarm(failed(5, incident=False))
    assert [a.id for a in await alarms(town)] == ["al5", "al1"]


async def test_alarms_are_listed_by_place_and_by_desk(town: Town) -> None:
    """Newest first, page by page."""
    first, second = await rung(town), await rung(town)
    await climb(town, "gz.hp")
    ids = [a.id for a in await alarms(town, "gz.hp")]
    assert [a.incident_id for a in await alarms(town)] == [second.incident.id, first.incident.id]
    assert [a.id for a in await alarms(town, before=ids[0])] == ids[1:]
    assert await alarms(town, addressee="gz") == []
    assert len(await alarms(town, addressee="gz.hp")) == 2
    assert await alarms(town, "gz.th") == []


async def test_somebody_is_at_a_desk_until_then(town: Town) -> None:
    """Said again it lasts longer."""
    now = town.clock.now()
    await town.store.attend(KeyId(KEY.id), "gz.hp", now + timedelta(seconds=60))
    assert await town.store.present(now) == {"gz.hp"}
    assert await town.store.present(now + timedelta(seconds=60)) == frozenset()
    await town.store.attend(KeyId(KEY.id), "gz.hp", now + timedelta(seconds=90))
    assert await town.store.present(now + timedelta(seconds=60)) == {"gz.hp"}


async def test_what_was_noticed_of_a_unit_stays_noticed(town: Town) -> None:
    """A watchdog barks once, whichever process looks next."""
    case = await town.accept(await town.open())
    before = town.decision(case, Wake())
    (task,) = before.case.assignments
    marked = replace(task, warned=(Concern.STILL, Concern.NO_SHOW))
    await town.commit(replace(before, case=replace(before.case, assignments=(marked,))))
    (kept,) = (await town.case(case.incident.id)).assignments
    assert kept.warned == (Concern.STILL, Concern.NO_SHOW)


async def test_a_partial_picture_rings_once_and_ends_when_nobody_says_so(town: Town) -> None:
    """Whoever else sees it only makes it last; and it rings no more when a person took note."""
    now, until = town.clock.now(), town.clock.now() + timedelta(seconds=10)
    assert not await town.store.end_partial(now)
    assert await town.store.say_partial([partial(town)], until)
    assert not await town.store.say_partial([partial(town)], until - timedelta(seconds=5))
    (alarm,) = await alarms(town)
    entry = heard_entry(alarm, "key:k", "I look", now)
    assert await town.store.acknowledge_alarm(alarm.id, "key:k", "I look", entry)
    assert not await town.store.say_partial([partial(town)], until + timedelta(seconds=5))
    assert not await town.store.end_partial(until)
    assert await town.store.end_partial(until + timedelta(seconds=5))
    assert not await town.store.end_partial(until + timedelta(seconds=5))


async def test_the_alarms_of_a_partial_picture_end_with_it_and_no_others(town: Town) -> None:
    """The next one rings again."""
    await rung(town)
    (police,) = await alarms(town)
    for _ in range(2):
        now = town.clock.now()
        assert await town.store.say_partial([partial(town)], now)
        assert [a.kind for a in await alarms(town)] == [AlarmKind.PARTIAL, AlarmKind.POLICE]
        assert await town.store.end_partial(now)
        assert await alarms(town) == [police]


def partial(town: Town) -> Alarm:
    """Return the alarm of a partial picture."""
    now = town.clock.now()
    return Alarm(
        id=AlarmId(town.clock.new_id()),
        kind=AlarmKind.PARTIAL,
        reason="x",
        juris="gz",
        raised_at=now,
        next_at=now,
    )
