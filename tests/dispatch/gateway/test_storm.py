"""Many phones at once: who is let in, who is told to come later, and over how long they come."""

import pytest

from dispatch.gateway.hub import Hub
from dispatch.gateway.limits import CHECKS_MAX
from schemas.wire import Close
from tests.dispatch.gateway.conftest import HELLO, Gateway

pytestmark = pytest.mark.asyncio


async def test_who_is_sent_away_in_a_storm_is_not_looked_up(gateway: Gateway) -> None:
    """4106 with the seconds to stay away, before the token is read: a wrong one hears the same."""
    for _ in range(CHECKS_MAX):
        assert gateway.hub.begin_check(busy=False)
    gateway.phones.free.clear()
    heard = []
    for token in ("d1", "never issued"):
        line = await gateway.phone()
        await line.say(HELLO | {"tok": token})
        heard.append(await line.parted())
    assert heard == [(Close.OVERLOADED, {"r": "overloaded", "ra": 5})] * 2
    assert gateway.hub.stats.phones == 0


async def test_who_is_sent_away_comes_back_at_a_time_of_his_own(gateway: Gateway) -> None:
    """By dice, up to a bound that grows with the number that waits."""
    thrown: list[float] = []

    def dice(most_s: float) -> float:
        thrown.append(most_s)
        return most_s / 2

    hub = Hub(gateway.phones, dice=dice)
    assert hub.later_s() == 2.5
    hub.stats.sockets, hub.stats.phones = 1_500, 500
    assert hub.later_s() == 10.0
    assert thrown == [5.0, 20.0]


async def test_the_busy_find_places_of_their_own_until_those_are_taken(gateway: Gateway) -> None:
    """As many again; then they, too, are told to come later."""
    for _ in range(2 * CHECKS_MAX - 1):
        assert gateway.hub.begin_check(busy=True)
    await gateway.known("d1", busy=True)
    assert gateway.hub.begin_check(busy=True)
    late = await gateway.phone()
    await late.say(HELLO | {"tok": "d2", "busy": True})
    assert (await late.parted())[0] == Close.OVERLOADED
    for _ in range(CHECKS_MAX + 1):
        gateway.hub.end_check()
    await gateway.known("d2")


@pytest.mark.parametrize(("online", "spread"), [(0, 1.0), (8_000, 20.0), (19_000, 47.5)])
async def test_the_more_phones_are_here_the_longer_they_take_to_come_back(
    gateway: Gateway, online: int, spread: float
) -> None:
    """400 a second, a minute at most; each welcome says so, and so does a farewell to all."""
    gateway.phones.online = lambda: online  # type: ignore[method-assign]  # so many are not opened
    line = await gateway.phone()
    assert (await line.hello("d1"))["spread"] == spread
