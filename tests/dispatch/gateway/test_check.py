"""Who says hello is checked before it is let in, over a real server."""

import pytest

from dispatch.core.errors import Unavailable
from dispatch.gateway.limits import CHECKS_MAX
from schemas.wire import Close
from tests.dispatch.gateway.conftest import HELLO, PING, Gateway, reason

pytestmark = pytest.mark.asyncio


async def test_a_token_nobody_knows_closes_for_good(gateway: Gateway) -> None:
    """Only after a look-up that said no: 4001."""
    line = await gateway.phone()
    await line.say(HELLO | {"tok": "stolen"})
    assert await line.parted() == reason(Close.AUTH_INVALID)


async def test_a_token_that_cannot_be_checked_is_no_wrong_token(gateway: Gateway) -> None:
    """The phone comes again: 4106."""
    gateway.phones.refusals["d1"] = Unavailable("the store is away")
    line = await gateway.phone()
    await line.say(HELLO | {"tok": "d1"})
    assert await line.parted() == reason(Close.OVERLOADED, 5)


@pytest.mark.parametrize("where", ["d1", "connected"])
async def test_a_fault_of_ours_is_called_so(gateway: Gateway, where: str) -> None:
    """4105, and the phone comes again."""
    gateway.phones.refusals[where] = ZeroDivisionError()
    line = await gateway.phone()
    await line.say(HELLO | {"tok": "d1"})
    assert await line.parted() == reason(Close.INTERNAL, 5)


async def test_in_a_storm_the_busy_come_in_first(gateway: Gateway) -> None:
    """Whoever holds no task waits when too many tokens are being looked up."""
    for _ in range(CHECKS_MAX):
        assert gateway.hub.begin_check(busy=False)
    idle = await gateway.phone()
    await idle.say(HELLO | {"tok": "d1"})
    assert await idle.parted() == reason(Close.OVERLOADED, 5)
    await gateway.known("d2", busy=True)
    gateway.hub.end_check()
    await gateway.known("d1")


async def test_an_ack_above_the_head_of_its_epoch_is_an_alarm(gateway: Gateway) -> None:
    """The phone holds rows that the store has lost."""
    line = await gateway.phone()
    welcome = await line.hello("d1", epoch="epoch-1", ack=4)
    assert (welcome["rec"], welcome["head"]) == (False, 0)
    assert gateway.hub.stats.lost_rows == 1
    assert gateway.phones.lost_rows == [4]


async def test_a_new_epoch_is_everybodys(gateway: Gateway) -> None:
    """Who is here is asked to come again (4202); who found it out is welcomed in it."""
    others = [await gateway.known(name) for name in ("d2", "d3")]

    def renew() -> None:
        gateway.phones.epoch = "epoch-2"
        gateway.hub.resync()

    gateway.phones.lose = renew
    line = await gateway.phone()
    welcome = await line.hello("d1", epoch="epoch-1", ack=4)
    assert (welcome["epoch"], welcome["rec"]) == ("epoch-2", False)
    assert [await other.parted() for other in others] == [reason(Close.RESYNC, 1)] * 2
    assert (await line.ask(PING))["t"] == "pong"


async def test_a_unit_that_is_disabled_does_not_come_in(gateway: Gateway) -> None:
    """4006, whatever the token."""
    gateway.phones.barring = Close.UNIT_DISABLED
    line = await gateway.phone()
    await line.say(HELLO | {"tok": "d1"})
    assert await line.parted() == reason(Close.UNIT_DISABLED)
    assert gateway.phones.seen == []
