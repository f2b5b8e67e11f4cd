"""What every bus promises, tried on each of them: memory, and a real NATS server."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Protocol

import pytest
import pytest_asyncio

from dispatch.bus.local import LocalBus, Wire
from dispatch.bus.nats import NatsBus
from dispatch.bus.server import NatsServer
from dispatch.ports import BODY_MOST, Bus, BusAway, Nobody
from tests.patience import until

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

BOUND_S: Final = 10.0
SOON_S: Final = 5.0
AT_ONCE_S: Final = 0.05


class Town(Protocol):
    """A place where processes meet on one bus."""

    async def member(self) -> LocalBus | NatsBus:
        """Return the bus of another process."""

    async def break_down(self) -> None:
        """Take the bus away from everybody; it is gone on return."""

    async def come_back(self) -> None:
        """Wait until everybody has it again."""


class LocalTown:
    """One process."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.members = list[LocalBus]()

    async def member(self) -> LocalBus:
        """Join the wire."""
        self.members.append(LocalBus(self.wire))
        return self.members[-1]

    async def break_down(self) -> None:
        """Cut everybody off."""
        for member in self.members:
            member.cut()

    async def come_back(self) -> None:
        """Heal."""
        for member in self.members:
            member.heal()


class NatsTown:
    """Some connections to a server that is killed, and brought back by whoever watches it."""

    def __init__(self, server: NatsServer, stack: AsyncExitStack) -> None:
        self.server = server
        self.stack = stack
        self.members = list[NatsBus]()
        self.watching: asyncio.Task[None] | None = None

    async def member(self) -> NatsBus:
        """Connect."""
        name = f"node-{len(self.members)}"
        bus = await self.stack.enter_async_context(NatsBus.open([self.server.url], name=name))
        self.members.append(bus)
        return bus

    async def break_down(self) -> None:
        """Kill the server, as a fault would."""
        os.kill(self.server.pid, signal.SIGKILL)
        await until(lambda: not any(member.here for member in self.members))

    async def come_back(self) -> None:
        """Watch the server, as the service does."""
        self.watching = asyncio.create_task(self.server.watch())
        await until(lambda: all(member.here for member in self.members))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """The one server of all towns, one after another."""
    running = NatsServer(tmp_path_factory.mktemp("nats"))
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(running.start())
        yield running
        runner.run(running.stop())


@asynccontextmanager
async def nats_town(server: NatsServer) -> AsyncIterator[NatsTown]:
    """Leave nobody connected."""
    async with AsyncExitStack() as stack:
        town = NatsTown(server, stack)
        yield town
        if town.watching is not None:
            town.watching.cancel()


@pytest_asyncio.fixture(params=["local", "nats"])
async def town(request: pytest.FixtureRequest, server: NatsServer) -> AsyncIterator[Town]:
    """One place for each kind of bus."""
    if request.param == "local":
        yield LocalTown()
        return
    async with nats_town(server) as town:
        yield town


class Heard:
    """What a taker was handed."""

    def __init__(self) -> None:
        self.all = list[tuple[str, bytes]]()

    def __call__(self, subject: str, body: bytes) -> None:
        """Keep it."""
        self.all.append((subject, body))

    @property
    def bodies(self) -> list[bytes]:
        """The bodies alone, in order."""
        return [body for _, body in self.all]


@pytest_asyncio.fixture
async def two(town: Town) -> tuple[LocalBus | NatsBus, LocalBus | NatsBus]:
    """Two processes on one bus."""
    return await town.member(), await town.member()


Two = tuple[LocalBus | NatsBus, LocalBus | NatsBus]


def numbers(most: int) -> Iterator[bytes]:
    """Return bodies that tell their order."""
    return (b"%d" % number for number in range(most))


async def test_a_bus_is_the_port(two: Two) -> None:
    """Whoever is handed one needs to know no more."""
    buses: tuple[Bus, Bus] = two
    assert [bus.here for bus in buses] == [True, True]


async def test_messages_of_one_sender_come_in_their_order(two: Two) -> None:
    """On one subject, and over subjects that were subscribed to one by one."""
    one, other = two
    heard = Heard()
    await other.subscribe("ev.>", heard)
    await other.subscribe("here.a", heard)
    sent = [("here.a" if number % 3 else "ev.x.y", b"%d" % number) for number in range(2_000)]
    assert all(one.publish(*message) for message in sent)
    await until(lambda: len(heard.all) == len(sent))
    assert heard.all == sent
    assert (one.published, one.dropped, other.taken, other.failed) == (2_000, 0, 2_000, 0)


async def test_nobody_hears_himself(two: Two) -> None:
    """Neither what is told nor what is asked."""
    one, other = two
    mine, theirs = Heard(), Heard()
    await one.subscribe(">", mine)
    await other.subscribe("ev.a", theirs)
    await one.answer("gw.one", bytes)
    one.publish("ev.a", b"1")
    with pytest.raises(Nobody):
        await one.ask("gw.one", b"", SOON_S)
    await until(lambda: theirs.bodies == [b"1"])
    assert mine.all == []


async def test_nobody_is_handed_a_message_while_he_sends_one(two: Two) -> None:
    """Whoever publishes is back before anybody answers."""
    one, other = two
    heard = Heard()
    await one.subscribe("pong", heard)
    await other.subscribe("ping", lambda _, body: void(other.publish("pong", body)))
    one.publish("ping", b"1")
    assert heard.all == []
    await until(lambda: heard.bodies == [b"1"])


def void(_: object) -> None:
    """Take a result that nobody wants."""


@pytest.mark.parametrize(
    ("pattern", "fitting"),
    [
        ("loc.mh.a", ["loc.mh.a"]),
        ("loc.*.a", ["loc.mh.a", "loc.bs.a"]),
        ("loc.>", ["loc.mh.a", "loc.bs.a", "loc.bs", "loc.bs.a.b"]),
        ("*.bs", ["loc.bs"]),
    ],
)
async def test_a_pattern_takes_what_fits(two: Two, pattern: str, fitting: list[str]) -> None:
    """A star is one word, a last `>` one or more."""
    one, other = two
    heard = Heard()
    await other.subscribe(pattern, heard)
    await other.subscribe("end", heard)
    for subject in ("loc.mh.a", "loc.bs.a", "loc", "loc.bs", "loc.bs.a.b", "locs.bs.a", "end"):
        one.publish(subject, b"")
    await until(lambda: ("end", b"") in heard.all)
    assert [subject for subject, _ in heard.all] == [*fitting, "end"]


@pytest.mark.parametrize("subject", ["", ".", "a..b", "a b", "a.*", "a.>", "a\r\nPUB b 0"])
async def test_what_is_no_subject_is_refused(two: Two, subject: str) -> None:
    """Nothing gets between the lines of a protocol."""
    one, _ = two
    with pytest.raises(ValueError, match="subject"):
        one.publish(subject, b"")
    with pytest.raises(ValueError, match="subject"):
        await one.ask(subject, b"", SOON_S)
    with pytest.raises(ValueError, match="subject"):
        await one.answer(subject, bytes)


@pytest.mark.parametrize("pattern", ["", "a..b", "a b", "a.>.b", "a*"])
async def test_what_is_no_pattern_is_refused(two: Two, pattern: str) -> None:
    """Rather than subscribe to nothing."""
    with pytest.raises(ValueError, match="pattern"):
        await two[0].subscribe(pattern, Heard())


async def test_two_senders_are_heard_by_all_others(town: Town) -> None:
    """Each in his own order; how they interleave is nobody's promise."""
    one, other, third = [await town.member() for _ in range(3)]
    heard = Heard()
    await third.subscribe("*", heard)
    for body in numbers(100):
        one.publish("one", body)
        other.publish("other", body)
    await until(lambda: len(heard.all) == 200)
    for sender in ("one", "other"):
        assert [body for subject, body in heard.all if subject == sender] == list(numbers(100))


async def test_a_question_is_answered(two: Two) -> None:
    """And what was published before it is heard before it."""
    one, other = two
    heard = Heard()
    await other.subscribe("ev", heard)
    await other.answer("gw.b", lambda body: b"%s after %d" % (body, len(heard.all)))
    for body in numbers(50):
        one.publish("ev", body)
    assert await one.ask("gw.b", b"well", SOON_S) == b"well after 50"
    answers = await asyncio.gather(*(one.ask("gw.b", body, SOON_S) for body in numbers(20)))
    assert answers == [b"%s after 50" % body for body in numbers(20)]


async def test_a_question_to_nobody_is_told_at_once(two: Two) -> None:
    """Not after a wait: the time given is far beyond this test's."""
    with pytest.raises(Nobody, match=r"gw\.gone"):
        await two[0].ask("gw.gone", b"", 1_000)


async def test_a_question_without_an_answer_ends(two: Two) -> None:
    """Whoever should answer has failed; he and others can be asked again."""
    one, other = two
    await other.answer("gw.b", lambda body: b"ok" if body else b"1" * (BODY_MOST + 1))
    with pytest.raises(BusAway):
        await one.ask("gw.b", b"", AT_ONCE_S)
    assert other.failed == 1
    assert await one.ask("gw.b", b"again", SOON_S) == b"ok"


async def test_the_largest_body_passes_and_a_larger_one_is_refused(two: Two) -> None:
    """Told to whoever sends, not to the connection that all use."""
    one, other = two
    heard = Heard()
    await other.subscribe("big", heard)
    with pytest.raises(ValueError, match=f"{BODY_MOST} is the most"):
        one.publish("big", b"1" * (BODY_MOST + 1))
    with pytest.raises(ValueError, match=f"{BODY_MOST} is the most"):
        await one.ask("big", b"1" * (BODY_MOST + 1), SOON_S)
    assert one.publish("big", b"1" * BODY_MOST)
    await until(lambda: heard.bodies == [b"1" * BODY_MOST])


async def test_a_taker_that_fails_harms_nobody(two: Two) -> None:
    """Neither other takers, nor itself at the next message."""
    one, other = two
    heard, late = Heard(), Heard()

    def fail(subject: str, body: bytes) -> None:
        late(subject, body)
        raise RuntimeError(body)

    await other.subscribe("ev", fail)
    await other.subscribe("ev", heard)
    for body in numbers(3):
        one.publish("ev", body)
    await until(lambda: len(heard.all) == 3)
    assert late.all == heard.all
    assert (other.taken, other.failed) == (3, 3)


async def test_a_bus_that_is_away_says_so_and_keeps_nothing(town: Town) -> None:
    """What was dropped does not come later, out of its time."""
    one, other = await town.member(), await town.member()
    heard = Heard()
    await other.subscribe("ev", heard)
    await town.break_down()
    assert not one.here
    assert not one.publish("ev", b"lost")
    assert one.dropped == 1
    with pytest.raises(BusAway):
        await one.ask("gw.b", b"", SOON_S)
    await town.come_back()
    assert one.publish("ev", b"kept")
    await until(lambda: len(heard.all) > 0)
    assert heard.bodies == [b"kept"]


async def test_subscriptions_outlive_a_bus_that_was_away(town: Town) -> None:
    """Those from before, and those made meanwhile."""
    one, other = await town.member(), await town.member()
    before, meanwhile = Heard(), Heard()
    await other.subscribe("ev.before", before)
    await town.break_down()
    await other.subscribe("ev.meanwhile", meanwhile)
    await other.answer("gw.b", bytes.upper)
    await town.come_back()
    assert one.publish("ev.before", b"1")
    assert one.publish("ev.meanwhile", b"2")
    assert await one.ask("gw.b", b"back", SOON_S) == b"BACK"
    assert (before.bodies, meanwhile.bodies) == ([b"1"], [b"2"])
