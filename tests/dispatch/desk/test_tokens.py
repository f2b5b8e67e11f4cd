"""Tokens of phones: when they end, and how a phone fetches a new one."""

from datetime import timedelta
from itertools import count

import pytest

from dispatch.core.errors import Forbidden, Unauthenticated, Unavailable
from dispatch.desk.phones import Phones
from dispatch.desk.tokens import no_new_tokens
from dispatch.ports import Identity
from schemas import wire
from schemas.base import ms
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.line import Line
from tests.dispatch.desk.station import Station, sql

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]

DAY = timedelta(days=1)


class Issuing:
    """A station whose phones fetch tokens kd_1, kd_2, …"""

    def __init__(self, station: Station) -> None:
        numbers = count(1)
        self.station = station
        self.phones = Phones(
            station.desk, "epoch", new_token=lambda prefix: f"{prefix}_{next(numbers)}"
        )
        self.old = station.issued[0].token

    async def refresh(self, identity: Identity) -> wire.Ok | wire.Err:
        """Fetch a token for a phone."""
        frame = wire.Refresh(id=self.station.clock.new_id())
        return await self.phones.command(identity, frame)

    async def known(self, token: str) -> bool:
        """Say whether a token opens the door."""
        try:
            await self.phones.identify(token)
        except Unauthenticated:
            return False
        return True


@pytest.fixture
def issuing(station: Station) -> Issuing:
    """A process that issues tokens."""
    return Issuing(station)


async def test_a_token_ends(issuing: Issuing) -> None:
    """Ninety days after it was issued; then it opens nothing."""
    identity = await issuing.phones.identify(issuing.old)
    assert identity.expires_at is not None
    issuing.station.clock.at = identity.expires_at - timedelta(seconds=1)
    assert await issuing.known(issuing.old)
    issuing.station.clock.advance(1.0)
    with pytest.raises(Unauthenticated, match="ended"):
        await issuing.phones.identify(issuing.old)


async def test_a_fetched_token_opens_for_the_same_phone(issuing: Issuing) -> None:
    """It lives ninety days; the answer says so, and how long the old one goes on."""
    identity = await issuing.phones.identify(issuing.old)
    answer = await issuing.refresh(identity)
    now = issuing.station.clock.now()
    assert isinstance(answer, wire.Ok)
    assert answer.result == {
        "tok": "kd_1",
        "exp": ms(now + 90 * DAY),
        "till": ms(now + 7 * DAY),
    }
    assert (await issuing.phones.identify("kd_1")).device_id == identity.device_id


async def test_the_old_token_lives_until_the_new_one_is_used(issuing: Issuing) -> None:
    """Memory and store agree, and a process that starts later does, too."""
    identity = await issuing.phones.identify(issuing.old)
    await issuing.refresh(identity)
    assert await issuing.known(issuing.old)
    assert await issuing.known("kd_1")
    assert not await issuing.known(issuing.old)
    assert await issuing.known("kd_1")
    rows = await sql(issuing.station.dsn, "select used from device_token")
    assert [row["used"] for row in rows] == [True]
    await issuing.station.desk.recover()
    assert not await issuing.known(issuing.old)
    assert await issuing.known("kd_1")
    assert issuing.station.lane.closed == []


async def test_the_old_token_lives_a_week_at_most(issuing: Issuing) -> None:
    """Also when the new one never comes."""
    identity = await issuing.phones.identify(issuing.old)
    await issuing.refresh(identity)
    issuing.station.clock.advance(7 * 86_400.0)
    assert not await issuing.known(issuing.old)
    assert await issuing.known("kd_1")


async def test_an_answer_that_is_lost_is_asked_for_anew(issuing: Issuing) -> None:
    """The same id, another token: nobody but the phone keeps one. Both open until one is used."""
    identity = await issuing.phones.identify(issuing.old)
    frame = wire.Refresh(id=issuing.station.clock.new_id())
    for _ in range(2):
        assert isinstance(await issuing.phones.command(identity, frame), wire.Ok)
    assert await sql(issuing.station.dsn, "select * from reply") == []
    assert await issuing.known("kd_1")
    assert not await issuing.known("kd_2")


async def test_a_phone_that_is_revoked_fetches_nothing(issuing: Issuing) -> None:
    """Its socket may be open a second longer."""
    identity = await issuing.phones.identify(issuing.old)
    await sql(issuing.station.dsn, "update device set revoked_at = now()")
    answer = await issuing.refresh(identity)
    assert isinstance(answer, wire.Err)
    assert answer.code == "unauthenticated"


async def test_without_dice_no_token_is_made() -> None:
    """Only the clock throws them."""
    with pytest.raises(Forbidden):
        no_new_tokens("kd")


async def test_without_the_store_a_new_token_is_to_be_fetched_again(
    start: Start, line: Line
) -> None:
    """And one that was fetched opens all the same; that it was used is kept by the next time."""
    issuing = Issuing(await start(line.dsn))
    identity = await issuing.phones.identify(issuing.old)
    await issuing.refresh(identity)
    await line.cut()
    answer = await issuing.refresh(identity)
    assert isinstance(answer, wire.Err)
    assert (answer.code, bool(answer.retry_ms)) == ("overloaded", True)
    assert (await issuing.phones.identify("kd_1")).unused
    with pytest.raises(Unavailable):
        await issuing.phones.identify("kd_nobody")
    await line.mend()
    assert await issuing.known("kd_1")
    assert not await issuing.known(issuing.old)
