"""What every store promises about phones that sleep, tried on each of them."""

import asyncio
from datetime import timedelta
from typing import Final

import pytest
from msgspec.structs import replace

from dispatch.core.commands import Cancel
from dispatch.ports import Channel, Claimed, Push, PushAddress, PushState, Settled, Unheard
from schemas.base import DeviceId, UnitId
from schemas.incident import Case
from tests.contract.town import OFF, OK, ONE, TWO, Town, once

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

HERE: Final = PushAddress(kind="hook", a="vendor-token-1")
THERE: Final = PushAddress(kind="webpush", a="https://push.example.org/subscription")
D1, D2, D3 = DeviceId("d1"), DeviceId("d2"), DeviceId("d3")
LEASE_S: Final = 8.0
BUDGET: Final = 100


async def unheard(
    town: Town, *, asleep: tuple[DeviceId, ...] = (), patience_s: float = 3.0, own_s: float = 10.0
) -> list[Unheard]:
    """Return what is to be weighed now."""
    now = town.clock.now()
    return await town.store.unheard(
        asleep, now - timedelta(seconds=patience_s), now - timedelta(seconds=own_s), now, 100
    )


def push(row: Unheard, channel: Channel = Channel.PUSH, *, pri: int = 2) -> Push:
    """Return a push for a frame, due when the frame was written."""
    return Push(
        device_id=row.device_id,
        seq=row.seq,
        channel=channel,
        written_at=row.at,
        next_at=row.at,
        expires_at=row.expires_at,
        oid="o1",
        pri=pri,
        exp_ms=1_790_000_000_000.5,
    )


async def plan(town: Town, *channels: Channel, pri: int = 2) -> list[Push]:
    """Let all that is to be weighed mean a push by each channel."""
    rows = await unheard(town)
    planned = [push(row, channel, pri=pri) for row in rows for channel in channels]
    await town.store.plan_pushes([(row.device_id, row.seq) for row in rows], planned)
    return planned


async def claim(town: Town, limit: int = 100, budget: int = BUDGET) -> list[Claimed]:
    """Take what is due."""
    return await town.store.claim_pushes(limit, town.clock.now(), LEASE_S, budget)


async def opened(town: Town, asks: tuple[UnitId, ...] = (ONE,)) -> Case:
    """Give phones an address, open an incident that asks units, and let three seconds pass."""
    await town.store.put_push_addresses({D1: HERE, D2: THERE})
    case = await town.open(asks)
    town.clock.advance(3)
    return case


def states(claimed: list[Claimed]) -> list[str]:
    """Return what became of each push, by phone."""
    return [c.state for c in sorted(claimed, key=lambda c: c.push.device_id)]


# Addresses. --------------------------------------------------------------------------------------


async def test_an_address_is_kept_and_told_with_the_phones_identity(town: Town) -> None:
    """Only a change names the unit; nothing else costs anybody a look."""
    assert await town.store.put_push_addresses({D1: HERE, D3: None}) == [ONE]
    assert await town.store.put_push_addresses({D1: HERE}) == []
    found = {i.device_id: i.push for _, i in await town.store.identities()}
    assert (found[D1], found[D2]) == (HERE, None)
    assert await town.store.put_push_addresses({D1: None}) == [ONE]


async def test_a_unit_counts_the_on_duty_phones_that_can_be_woken(town: Town) -> None:
    """An address of somebody who went home wakes nobody for an offer."""
    await town.store.put_push_addresses({D1: HERE, D2: THERE, DeviceId("d4"): HERE})
    rows = {row.unit.id: row.pushable for row in await town.store.unit_rows(town.clock.now())}
    assert (rows[ONE], rows[TWO]) == (2, 0)
    await town.clock_in(1, OFF)
    [one] = await town.store.unit_rows(town.clock.now(), [ONE])
    assert one.pushable == 1


async def test_an_address_that_leads_nowhere_is_dropped_unless_it_is_another_by_now(
    town: Town,
) -> None:
    """A late word about the old address does not cost the new one."""
    await town.store.put_push_addresses({D1: THERE})
    assert await town.store.drop_push_address(D1, HERE) == []
    assert await town.store.drop_push_address(D1, THERE) == [ONE]
    assert await town.store.drop_push_address(D1, THERE) == []


# What nobody heard. ------------------------------------------------------------------------------


async def test_a_frame_is_found_when_it_was_not_heard_in_time(town: Town) -> None:
    """Three seconds after it was written, not a moment before; with all that decides on it."""
    await opened(town)
    town.clock.advance(-0.001)
    assert await unheard(town) == []
    town.clock.advance(0.001)
    first, second = await unheard(town)
    assert (first.device_id, first.seq, first.address, first.tel) == (D1, 1, HERE, True)
    assert (second.device_id, second.address, second.told) == (D2, THERE, False)
    assert b'"offer"' in bytes(first.frame)


async def test_a_phone_known_to_sleep_is_found_at_once(town: Town) -> None:
    """Its colleague, who is awake, has three seconds."""
    await town.open()
    assert [row.device_id for row in await unheard(town, asleep=(D2,))] == [D2]


async def test_what_was_heard_superseded_or_is_over_is_not_found(town: Town) -> None:
    """Nobody is woken for nothing: the acknowledged, the withdrawn and the expired are gone."""
    case = await opened(town)
    await town.told("d1", 1)
    assert [row.device_id for row in await unheard(town)] == [D2]
    await town.act(case, Cancel(why="false alarm"))
    town.clock.advance(3)
    assert {(row.device_id, row.seq) for row in await unheard(town)} == {(D1, 2), (D2, 2)}
    town.clock.advance(60 * 60 * 25)
    assert await unheard(town) == []


async def test_an_expired_offer_is_not_found(town: Town) -> None:
    """Its hard end is the end of every push for it."""
    case = await opened(town)
    town.clock.at = town.offer(case).exp_at
    assert await unheard(town) == []


async def test_what_a_phone_caused_itself_waits_ten_seconds(town: Town) -> None:
    """Whoever accepted holds the phone in his hand; the colleague does not."""
    case = await opened(town)
    await town.told("d1", 1)
    await town.told("d2", 1)
    yes = town.acceptance(case, ONE, "d1")
    await town.store.commit(yes, once("tap-1"), OK, town.clock.now())
    town.clock.advance(9.999)
    assert {row.device_id for row in await unheard(town)} == {D2}
    town.clock.advance(0.001)
    assert {row.device_id for row in await unheard(town)} == {D1, D2}


async def test_the_end_of_an_offer_tells_who_had_heard_of_it(town: Town) -> None:
    """By its acknowledgement, or because a push for it was tried."""
    case = await opened(town)
    await town.told("d2", 1)
    await town.act(case, Cancel(why="false alarm"))
    town.clock.advance(3)
    assert {row.device_id: row.told for row in await unheard(town)} == {D1: False, D2: True}


async def test_a_push_that_was_tried_counts_as_told(town: Town) -> None:
    """Something rings there: the end has to take it away."""
    case = await opened(town)
    await plan(town, Channel.PUSH)
    await claim(town)
    await town.act(case, Cancel(why="false alarm"))
    town.clock.advance(3)
    assert {row.device_id: row.told for row in await unheard(town)} == {D1: True, D2: True}


async def test_a_frame_is_weighed_once(town: Town) -> None:
    """Whoever plans the same again changes nothing."""
    await opened(town)
    planned = await plan(town, Channel.PUSH)
    assert await unheard(town) == []
    again = [replace(one, oid="other") for one in planned]
    await town.store.plan_pushes([], again)
    assert {c.push.oid for c in await claim(town)} == {"o1"}


async def test_no_more_rows_are_read_than_asked_for(town: Town) -> None:
    """The oldest first."""
    await opened(town)
    now = town.clock.now()
    found = await town.store.unheard((), now, now, now, 1)
    assert [row.device_id for row in found] == [D1]


# Taking and settling. ----------------------------------------------------------------------------


async def test_a_push_is_taken_with_everything_it_needs(town: Town) -> None:
    """As it was planned; with the address, and the try counted."""
    await opened(town)
    planned = await plan(town, Channel.PUSH, Channel.SMS)
    taken = {(c.push.device_id, c.push.channel): c for c in await claim(town)}
    assert set(taken) == {(p.device_id, p.channel) for p in planned}
    by_push, by_sms = taken[D1, Channel.PUSH], taken[D1, Channel.SMS]
    assert (by_push.to, by_push.tries, by_push.state) == (HERE, 1, PushState.WAITING)
    assert by_sms.to == PushAddress(kind="tel", a="13800000000")
    assert replace(by_push.push, next_at=planned[0].next_at) in planned


async def test_a_push_that_was_taken_comes_again_when_its_taker_died(town: Town) -> None:
    """The lease is the taker's word that it lives; the try stays counted."""
    await opened(town)
    await plan(town, Channel.PUSH)
    assert len(await claim(town)) == 2
    town.clock.advance(LEASE_S - 0.001)
    assert await claim(town) == []
    town.clock.advance(0.001)
    assert [c.tries for c in await claim(town)] == [2, 2]


async def test_a_sent_push_is_over(town: Town) -> None:
    """It never comes again."""
    await opened(town)
    await plan(town, Channel.PUSH)
    for taken in await claim(town):
        await settle(town, taken, PushState.SENT)
    town.clock.advance(60)
    assert await claim(town) == []


async def test_a_push_to_be_tried_again_comes_when_it_said(town: Town) -> None:
    """Not with the lease, but with its own pause."""
    await opened(town)
    await plan(town, Channel.PUSH)
    first, *_ = await claim(town)
    await settle(town, first, PushState.WAITING, again_in_s=2.0)
    town.clock.advance(2)
    assert [(c.push.device_id, c.tries) for c in await claim(town)] == [(first.push.device_id, 2)]


async def test_a_yes_that_comes_late_is_still_a_yes(town: Town) -> None:
    """What another taker gave up meanwhile is sent all the same; nothing else changes an end."""
    await opened(town)
    await plan(town, Channel.PUSH)
    first, *_ = await claim(town)
    await settle(town, first, PushState.SENT)
    await settle(town, first, PushState.WAITING, again_in_s=1.0)
    town.clock.advance(LEASE_S)
    assert first.push.device_id not in {c.push.device_id for c in await claim(town)}


async def test_what_was_heard_meanwhile_is_settled_not_sent(town: Town) -> None:
    """The phone woke by itself."""
    await opened(town)
    await plan(town, Channel.PUSH)
    await town.told("d1", 1)
    assert states(await claim(town)) == ["heard", "waiting"]
    assert states(await claim(town)) == []


async def test_what_is_over_meanwhile_is_settled_not_sent(town: Town) -> None:
    """An offer past its hard end rings nowhere."""
    case = await opened(town)
    await plan(town, Channel.PUSH)
    town.clock.at = town.offer(case).exp_at
    assert states(await claim(town)) == ["expired", "expired"]


async def test_what_leads_nowhere_by_now_is_settled_not_sent(town: Town) -> None:
    """The address was taken back between planning and sending."""
    await opened(town)
    await plan(town, Channel.PUSH)
    await town.store.put_push_addresses({D2: None})
    assert states(await claim(town)) == ["waiting", "nowhere"]


async def test_the_urgent_go_first(town: Town) -> None:
    """However long the others have waited."""
    await opened(town)
    await plan(town, Channel.PUSH, pri=4)
    await town.open((TWO,))
    town.clock.advance(3)
    await town.store.put_push_addresses({D3: HERE})
    await plan(town, Channel.PUSH, pri=1)
    assert [c.push.device_id for c in await claim(town, limit=1)] == [D3]


async def test_sms_end_with_the_hours_budget(town: Town) -> None:
    """What is over it is dropped and said to be; pushes have no budget."""
    await opened(town)
    await plan(town, Channel.PUSH, Channel.SMS)
    by_channel: dict[str, list[str]] = {"push": [], "sms": []}
    for one in await claim(town, budget=1):
        by_channel[one.push.channel].append(one.state)
    assert by_channel["push"] == ["waiting", "waiting"]
    assert sorted(by_channel["sms"]) == ["over_budget", "waiting"]


async def test_every_try_counts_for_the_hour_and_no_longer(town: Town) -> None:
    """A try that failed may have cost an SMS all the same."""
    await opened(town)
    await plan(town, Channel.SMS)
    first, second = await claim(town, budget=2)
    await settle(town, second, PushState.SENT)
    town.clock.advance(LEASE_S)
    assert states(await claim(town, budget=2)) == ["over_budget"]
    town.clock.advance(3601)
    await town.open((TWO,))
    town.clock.advance(3)
    await plan(town, Channel.SMS)
    assert states(await claim(town, budget=1)) == ["waiting"]
    assert first.push.device_id == D1


async def settle(
    town: Town, taken: Claimed, state: PushState, again_in_s: float | None = None
) -> None:
    """Say how a try went."""
    now = town.clock.now()
    again = None if again_in_s is None else now + timedelta(seconds=again_in_s)
    settled = Settled(
        device_id=taken.push.device_id,
        seq=taken.push.seq,
        channel=taken.push.channel,
        state=state,
        next_at=again,
        note="503",
    )
    await town.store.settle_push(settled, now)


async def test_two_workers_never_take_the_same_push(town: Town) -> None:
    """Whoever comes second takes what is left."""
    await opened(town, (ONE, TWO))
    await town.store.put_push_addresses({D3: HERE})
    await plan(town, Channel.PUSH)
    one, other = await asyncio.gather(claim(town, limit=2), claim(town, limit=2))
    taken = [(c.push.device_id, c.push.seq) for c in [*one, *other]]
    assert len(taken) == len(set(taken))
    assert 2 <= len(taken) <= 4
