"""What every store promises about processes and the phones they hold, tried on each of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Final

import asyncpg
import pytest
import pytest_asyncio

from dispatch.core.events import Entry, Event
from dispatch.ports import LIVE_S, Beat, Binding, Node, NodeId, Store
from dispatch.store.memory import MemoryStore
from dispatch.store.postgres import PostgresStore
from schemas.base import DeviceId, UnitId
from schemas.unit import Position, Unit
from tests.contract.stores import register
from tests.contract.town import OK, Town, devices, members, once, places, units
from tests.fakes import START, ManualClock

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

Wait = Callable[[float], Awaitable[None]]
A, B, C = NodeId("node-a"), NodeId("node-b"), NodeId("node-c")
D1, D2, D3 = DeviceId("d1"), DeviceId("d2"), DeviceId("d3")
MINUTE: Final = timedelta(minutes=1)
NOBODY: Final = DeviceId("unknown")


class Site:
    """A store with six phones, its clock, and how its time passes."""

    def __init__(self, store: Store, wait: Wait, now: datetime) -> None:
        self.store, self.wait, self.now = store, wait, now

    async def beat(self, *nodes: NodeId) -> list[NodeId]:
        """Let processes say that they are alive; return whom the last of them hears of."""
        beats = [await self.store.beat(node(n)) for n in nodes]
        return ids(beats[-1])

    async def bind(self, node_id: NodeId, *phones: DeviceId, s: float = 0) -> list[DeviceId]:
        """Bind phones to a process `s` seconds from now; return those lost."""
        return await self.store.bind(node_id, [self.hello(phone, s) for phone in phones])

    def hello(self, phone: DeviceId, s: float = 0) -> Binding:
        """Return what a phone said, a minute ago and `s` seconds."""
        return Binding(device_id=phone, at=self.now + timedelta(seconds=s - 60))

    async def elsewhere(self, node_id: NodeId, s: float = -60) -> list[DeviceId]:
        """Return which phones others hold since then."""
        since = self.now + timedelta(seconds=s - 60)
        return [b.device_id for b in await self.store.moved(node_id, since)]


def node(node_id: NodeId, host: str = "boot-1", pid: int = 7, build: str = "1.2.3") -> Node:
    """Return a process as it describes itself."""
    return Node(id=node_id, host=host, pid=pid, started_at=START, build=build)


def ids(beat: Beat) -> list[NodeId]:
    """Return whom a beat told of."""
    return [n.id for n in beat.others]


@pytest_asyncio.fixture
async def site(address: str | None) -> AsyncIterator[Site]:
    """A store, and a way to let its time pass."""
    if address is None:
        yield await _in_memory()
        return
    await register(address)
    store, keeper = await PostgresStore.open(address), await asyncpg.connect(address)

    async def wait(seconds: float) -> None:
        """Make all beats older."""
        age = timedelta(seconds=seconds)
        await keeper.execute("update node set seen_at = seen_at - $1::interval", age)

    yield Site(store, wait, (await store.time()).at)
    await keeper.close()
    await store.close()


async def _in_memory() -> Site:
    clock = ManualClock()
    store = MemoryStore(clock.now)
    await store.put_jurisdictions(places())
    await store.put_units(units())
    await store.put_members(members())
    await store.put_devices(devices())

    async def wait(seconds: float) -> None:
        clock.advance(seconds)

    return Site(store, wait, clock.now())


async def _nobody(units: Sequence[Unit]) -> None:
    """Register nothing."""


# Who is alive. -----------------------------------------------------------------------------------


async def test_a_process_hears_of_all_others_that_are_alive(site: Site) -> None:
    """In the order of their ids, as they described themselves, and never of itself."""
    assert await site.beat(C) == []
    await site.store.beat(node(B, host="boot-2", pid=8, build="1.3.0"))
    heard = await site.store.beat(node(A))
    assert heard.others == (node(B, host="boot-2", pid=8, build="1.3.0"), node(C))


async def test_a_beat_tells_the_epoch(site: Site) -> None:
    """The present one, as the store has it: also after a new one began."""
    first = await site.store.beat(node(A))
    assert first.epoch == await site.store.epoch()
    renewed = await site.store.renew_epoch(first.epoch, D1, 10_000)
    assert (await site.store.beat(node(A))).epoch == renewed != first.epoch


async def test_a_process_is_dead_when_its_last_beat_is_too_old(site: Site) -> None:
    """By the clock of the store; with its next beat it is alive again."""
    await site.beat(A, B)
    await site.wait(LIVE_S - 0.5)
    assert await site.beat(B) == [A]
    await site.wait(1)
    assert await site.beat(B) == []
    assert await site.beat(A) == [B]
    assert await site.beat(B) == [A]


async def test_a_beat_from_the_time_to_come_proves_nothing(site: Site) -> None:
    """A clock that was set back does not keep the dead alive; the living beat on."""
    await site.beat(A, B)
    await site.wait(-3600)
    assert await site.beat(B) == []
    assert await site.beat(A) == [B]


async def test_a_process_that_left_is_off_the_list_at_once(site: Site) -> None:
    """Leaving again, or for one that nobody knows, changes nothing."""
    await site.beat(A, B)
    await site.store.leave(A)
    await site.store.leave(A)
    await site.store.leave(NodeId("unknown"))
    assert await site.beat(B) == []


async def test_the_dead_are_forgotten_after_an_hour(site: Site) -> None:
    """Not before: what they held is theirs on the list until then."""
    await site.beat(A, B)
    await site.bind(A, D1, s=10)
    await site.wait(3590)
    await site.beat(B)
    assert await site.bind(B, D1) == [D1]
    await site.wait(20)
    await site.beat(B)
    assert await site.bind(B, D1) == []


async def test_a_process_outlives_its_own_silence(site: Site) -> None:
    """Who was away for hours is on the list again with one beat."""
    await site.beat(A, B)
    await site.wait(7200)
    assert await site.beat(A) == []
    assert await site.beat(B) == [A]


# Which phone is whose. ---------------------------------------------------------------------------


async def test_a_phone_is_bound_where_it_said_hello(site: Site) -> None:
    """Many at once, each to the one process."""
    await site.beat(A, B)
    assert await site.bind(A, D1, D2) == []
    assert await site.elsewhere(A) == []
    assert await site.elsewhere(B) == [D1, D2]


async def test_the_later_hello_wins(site: Site) -> None:
    """Whichever process writes first: the loser is told, and nothing is changed for it."""
    await site.beat(A, B)
    await site.bind(A, D1, D2, s=5)
    assert await site.bind(B, D1, s=6) == []
    assert await site.bind(B, D2, s=4) == [D2]
    assert await site.elsewhere(A) == [D1]
    assert await site.elsewhere(B) == [D2]


async def test_of_two_at_one_instant_the_greater_id_wins(site: Site) -> None:
    """In either order of writing."""
    await site.beat(A, B)
    await site.bind(A, D1)
    await site.bind(B, D2)
    assert await site.bind(B, D1) == []
    assert await site.bind(A, D2) == [D2]


async def test_a_hello_that_comes_late_loses_nothing_to_its_own_process(site: Site) -> None:
    """Repeated, or older than what the same process has written: the phone is still its own."""
    await site.beat(A, B)
    await site.bind(A, D1, s=5)
    assert await site.bind(A, D1, s=5) == []
    assert await site.bind(A, D1, s=1) == []
    assert await site.bind(B, D1, s=3) == [D1]


async def test_a_phone_twice_in_one_call_is_bound_by_its_last_hello(site: Site) -> None:
    """In whatever order they stand; a lost one is told once."""
    await site.beat(A, B)
    twice = [site.hello(D1, 5), site.hello(D1, 1)]
    assert await site.store.bind(A, twice) == []
    assert await site.bind(B, D1, s=3) == [D1]
    assert await site.store.bind(B, [site.hello(D1, 2), site.hello(D1, 3)]) == [D1]


async def test_a_phone_nobody_knows_is_lost(site: Site) -> None:
    """And the others of the call are bound; no phone at all is no error."""
    await site.beat(A, B)
    assert await site.bind(A, NOBODY, D1) == [NOBODY]
    assert await site.elsewhere(B) == [D1]
    assert await site.bind(A) == []


async def test_who_is_off_the_list_holds_no_phone(site: Site) -> None:
    """However late it said it had it: the phone comes to the living."""
    await site.beat(A, B)
    await site.bind(A, D1, s=30)
    assert await site.bind(B, D1) == [D1]
    await site.store.leave(A)
    assert await site.bind(B, D1) == []


async def test_a_hello_from_the_time_to_come_is_taken_as_of_now(site: Site) -> None:
    """A process whose clock is an hour ahead holds no phone for an hour."""
    await site.beat(A, B)
    await site.bind(A, D1, s=3600)
    (moved,) = await site.store.moved(B, site.now - timedelta(hours=1))
    assert moved.at <= (await site.store.time()).time


async def test_phones_that_moved_are_told_by_when_they_said_hello(site: Site) -> None:
    """From the instant on, the oldest first, none of one's own."""
    await site.beat(A, B, C)
    await site.bind(B, D1, s=8)
    await site.bind(C, D2, s=4)
    await site.bind(A, D3, s=9)
    assert await site.store.moved(A, site.hello(D2, 4).at) == [site.hello(D2, 4), site.hello(D1, 8)]
    assert await site.elsewhere(A, s=4.001) == [D1]
    assert await site.elsewhere(A, s=8.001) == []


async def test_each_of_many_races_has_one_winner(site: Site) -> None:
    """Overlapping calls in opposite orders: nobody waits for another, none is lost by both."""
    await site.beat(A, B, C)
    phones = [d.id for d in devices()]
    at = count(1)
    calls = [
        site.store.bind(who, [site.hello(p, next(at) / 10) for p in order])
        for _ in range(5)
        for who, order in ((A, phones), (B, phones[::-1]), (C, phones[3:] + phones[:3]))
    ]
    await asyncio.gather(*calls)
    holders = [set(phones) - set(await site.elsewhere(n, s=-60)) for n in (A, B, C)]
    assert sorted(p for held in holders for p in held) == phones
    assert holders[2] == set(phones)
    assert await site.bind(A, *phones, s=0) == phones


async def test_the_answer_is_what_stands_after_the_call(site: Site) -> None:
    """Of two at once one is told that it has lost, and it is the one with the earlier hello."""
    await site.beat(A, B)
    for nth in range(10):
        await site.bind(A, D1, s=nth)
        lost = await asyncio.gather(site.bind(A, D1, s=nth + 0.2), site.bind(B, D1, s=nth + 0.4))
        assert lost[1] == []
        assert await site.elsewhere(A) == [D1]
        assert await site.bind(A, D1, s=nth + 0.3) == [D1]


# What a process reads again. ---------------------------------------------------------------------


async def test_heads_are_of_phones_with_mail_they_have_not_acknowledged(site: Site) -> None:
    """Every phone with a row that waits is among them; when all is acknowledged, none is."""
    town = Town(site.store, _nobody)
    await town.open(asks=(UnitId("u1"),))
    assert await site.store.heads() == [(D1, 1), (D2, 1)]
    await site.store.acknowledge({D1: 1}, town.clock.now())
    assert await site.store.heads() == [(D2, 1)]
    await town.open(asks=(UnitId("u1"),))
    assert await site.store.heads() == [(D1, 2), (D2, 2)]
    waiting = {d.id for d in devices() if await town.mail(d.id)}
    assert waiting == {device_id for device_id, _ in await site.store.heads()}
    await site.store.acknowledge({D1: 99, D2: 2}, town.clock.now())
    assert await site.store.heads() == []


async def test_a_revoked_phone_has_no_head(site: Site) -> None:
    """Nobody asks for its mail any more."""
    town = Town(site.store, _nobody)
    await town.open(asks=(UnitId("u1"),))
    revoked = Entry(type=Event.DEVICE_REVOKED, by="key:k1", via="rest", at=town.clock.now())
    await site.store.revoke_device(D1, revoked, once("r1"), OK)
    assert await site.store.heads() == [(D2, 1)]


async def test_positions_are_read_by_the_time_of_their_fix(site: Site) -> None:
    """From the instant on, by unit."""
    fixes = [
        Position(unit_id=UnitId(f"u{n}"), lon=113.4, lat=23.1, acc_m=8, at=START + n * MINUTE)
        for n in (3, 1, 2)
    ]
    await site.store.checkpoint(fixes)
    assert await site.store.positions(START + 2 * MINUTE) == [fixes[2], fixes[0]]
    assert await site.store.positions(START + 4 * MINUTE) == []


# Which installation. -----------------------------------------------------------------------------


async def test_an_installation_has_a_name_that_stays(site: Site) -> None:
    """Eight or more hexadecimal digits, whatever becomes of the epoch."""
    name = await site.store.installation()
    assert len(name) >= 8
    assert int(name, 16) >= 0
    await site.store.renew_epoch(await site.store.epoch(), D1, 10_000)
    assert await site.store.installation() == name
