"""What every store promises about the tokens of phones and the epoch, tried on each of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import pytest
import pytest_asyncio

from dispatch.ports import Identity, Store
from dispatch.store.memory import MemoryStore
from dispatch.store.postgres import PostgresStore
from dispatch.store.registry import IssuedDevice, registry
from schemas.base import DeviceId
from schemas.unit import Device
from tests.contract.town import devices, members, places, units
from tests.fakes import ManualClock

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

D1, D2 = DeviceId("d1"), DeviceId("d2")
FIRST: Final = bytes([1]) * 32
DAY: Final = timedelta(days=1)
Enrol = Callable[[Device], Awaitable[None]]


class Tokens:
    """A store with six phones, and how a phone is enrolled anew."""

    def __init__(self, store: Store, enrol: Enrol, now: datetime) -> None:
        self.store, self.enrol, self.now = store, enrol, now

    async def add(self, number: int, device: DeviceId = D1) -> datetime | None:
        """Give a phone token n; return when its old one ends."""
        return await self.store.add_token(
            device, _hash(number), self.now + 90 * DAY, self.now + 7 * DAY
        )

    async def use(self, number: int) -> None:
        """Let d1 come with token n."""
        await self.store.use_token(D1, _hash(number), self.now)

    async def of(self, device: DeviceId = D1) -> dict[bytes, Identity]:
        """Return a phone's tokens."""
        return dict(await self.store.identities(device))

    async def open_now(self) -> set[bytes]:
        """Return the tokens of d1 that have not ended."""
        return {h for h, i in (await self.of()).items() if i.expires_at and i.expires_at > self.now}


def _hash(number: int) -> bytes:
    return bytes([number]) * 32


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
def address(request: pytest.FixtureRequest) -> str | None:
    """Where the store is: a database of the test's own, or nowhere but in memory."""
    found: str | None = request.getfixturevalue("database") if request.param == "postgres" else None
    return found


@pytest_asyncio.fixture
async def tokens(address: str | None) -> AsyncIterator[Tokens]:
    """Six enrolled phones."""
    if address is None:
        memory = MemoryStore(ManualClock().now)
        await memory.put_units(units())
        await memory.put_members(members())
        await memory.put_devices(devices())

        async def again(device: Device) -> None:
            await memory.put_devices([device])

        yield Tokens(memory, again, (await memory.time()).at)
        return
    async with registry(address) as known:
        await known.put_jurisdictions(places())
        await known.put_units(units())
        await known.put_members(members())
        await known.put_devices([_issued(d) for d in devices()])
    store = await PostgresStore.open(address)

    async def enrol(device: Device) -> None:
        async with registry(address) as known:
            await known.put_devices([_issued(device)])

    yield Tokens(store, enrol, (await store.time()).at)
    await store.close()


def _issued(device: Device) -> IssuedDevice:
    return IssuedDevice(
        id=device.id,
        unit_id=device.unit_id,
        member_id=device.member_id,
        token_hash=device.token_hash,
    )


async def test_an_enrolled_token_lives_ninety_days(tokens: Tokens) -> None:
    """And every phone's tokens are told, or one phone's."""
    (identity,) = (await tokens.of()).values()
    assert identity.expires_at is not None
    assert abs(identity.expires_at - (tokens.now + 90 * DAY)) < timedelta(minutes=1)
    assert not identity.unused
    assert len(await tokens.store.identities()) == 6


async def test_a_fetched_token_opens_and_the_old_one_goes_on_for_a_week(tokens: Tokens) -> None:
    """Until the new one is used."""
    assert await tokens.add(10) == tokens.now + 7 * DAY
    found = await tokens.store.identify(_hash(10))
    assert found is not None
    assert (found.device_id, found.unused) == (D1, True)
    assert found.expires_at == tokens.now + 90 * DAY
    assert await tokens.open_now() == {FIRST, _hash(10)}
    assert (await tokens.of())[FIRST].expires_at == tokens.now + 7 * DAY


async def test_a_used_token_is_the_only_one(tokens: Tokens) -> None:
    """Whatever else the phone was given before."""
    for number in (10, 11):
        await tokens.add(number)
    await tokens.use(11)
    assert await tokens.open_now() == {_hash(11)}
    assert not (await tokens.of())[_hash(11)].unused
    assert await tokens.store.identify(_hash(10)) is None


async def test_using_a_token_again_changes_nothing(tokens: Tokens) -> None:
    """Not even one that was fetched meanwhile; nor does a token nobody gave."""
    await tokens.add(10)
    await tokens.use(10)
    await tokens.add(11)
    await tokens.use(10)
    await tokens.use(99)
    assert await tokens.open_now() == {_hash(10), _hash(11)}


async def test_the_second_round_is_as_the_first(tokens: Tokens) -> None:
    """The used token ends in a week, and at once when the next is used."""
    await tokens.add(10)
    await tokens.use(10)
    assert await tokens.add(11) == tokens.now + 7 * DAY
    await tokens.use(11)
    assert await tokens.open_now() == {_hash(11)}


async def test_only_so_many_unused_tokens_are_kept(tokens: Tokens) -> None:
    """The newest: answers are lost on their way, but not for ever."""
    for number in range(10, 20):
        tokens.now += timedelta(seconds=1)
        await tokens.add(number)
    fetched = set(await tokens.of()) - {FIRST}
    assert fetched == {_hash(number) for number in range(16, 20)}


async def test_the_week_begins_with_the_first_request(tokens: Tokens) -> None:
    """Asking again does not keep the old token alive."""
    till = await tokens.add(10)
    tokens.now += DAY
    assert await tokens.add(11) == till


async def test_enrolment_ends_every_token_before_it(tokens: Tokens) -> None:
    """Used or not."""
    await tokens.add(10)
    await tokens.use(10)
    await tokens.add(11)
    (first, *_) = devices()
    await tokens.enrol(
        Device(id=D1, unit_id=first.unit_id, member_id=first.member_id, token_hash=_hash(50))
    )
    assert await tokens.open_now() == {_hash(50)}
    assert set(await tokens.of(D2)) == {_hash(2)}


async def test_a_phone_nobody_knows_gets_no_token(tokens: Tokens) -> None:
    """It was revoked meanwhile."""
    assert await tokens.add(10, DeviceId("d9")) is None
    assert await tokens.store.identify(_hash(10)) is None


# The epoch. --------------------------------------------------------------------------------------


async def test_a_seq_that_was_never_given_begins_a_new_epoch(tokens: Tokens) -> None:
    """Once: who comes with the old one finds it done."""
    before = await tokens.store.epoch()
    after = await tokens.store.renew_epoch(before, D1, 1)
    assert after != before
    assert await tokens.store.epoch() == after
    assert await tokens.store.renew_epoch(before, D1, 5) == after


async def test_a_seq_that_was_given_proves_nothing(tokens: Tokens) -> None:
    """The database looks itself: memory may be behind."""
    before = await tokens.store.epoch()
    assert await tokens.store.renew_epoch(before, D1, 0) == before
