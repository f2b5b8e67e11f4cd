"""The bus over NATS: one connection at a time, replaced when it ends; nothing is kept for later.

Publishing puts into a bounded queue that one task empties. A ping follows everything sent before:
so we learn that subscriptions stand, that messages have gone out, and that the server is there.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from itertools import count
from math import inf
from typing import Final, NamedTuple, Self

import structlog
from nats.errors import Error as NatsError

from dispatch.bus.address import Address, address
from dispatch.bus.dial import Dial
from dispatch.bus.ending import ended
from dispatch.bus.link import Arrive, Link
from dispatch.bus.pending import Message, Pending, Ping
from dispatch.bus.subject import guard_body, guard_pattern, guard_subject
from dispatch.bus.tally import Tally
from dispatch.ports import BusAway, Nobody, Reply, Take

log = structlog.get_logger()

CONNECT_S: Final = 3.0
PULSE_S: Final = 0.5
ANSWER_S: Final = 1.0
TRIES: Final = 2
"""A server that is silent for so many answers is away: 2.5 s at most with the pulse. Two, since
after a stall of our own the first wait is over before what lies in the socket was read."""
INBOX: Final = "_INBOX."
TOLD_EVERY_S: Final = 10.0
"""A bus that stays away is told of again."""


class Listening(NamedTuple):
    """What every connection listens to anew."""

    pattern: str
    arrive: Arrive


class Question(NamedTuple):
    """What waits for an answer; None is the server's word that nobody listens."""

    reply: str
    answer: asyncio.Future[bytes | None]


class NatsBus(Tally):
    """One member of a bus over NATS; made by `open`.

    What a server still held for a connection that broke may come after newer messages of the same
    sender: whoever counts messages takes a lower number for one that is too late. Whoever listens
    to the subject of a question, without answering it, keeps the server from saying `Nobody`.
    """

    def __init__(self, addresses: Sequence[Address], name: str) -> None:
        super().__init__()
        self._dial = Dial(addresses, name)
        self._numbers = count(1)
        self._pending = Pending()
        self._listening = list[Listening]()
        self._asked = dict[str, asyncio.Future[bytes | None]]()
        self._link: Link | None = None
        self._inbox = ""
        self._told_s = inf

    @classmethod
    @asynccontextmanager
    async def open(
        cls, urls: Sequence[str], *, name: str, within_s: float = CONNECT_S
    ) -> AsyncIterator[Self]:
        """Connect to one of several servers of a cluster; `name` is what they show of us.

        Raises:
            BusAway: none took us within `within_s`; the message says why, without passwords.
            ValueError: an address is none, or there is none.
        """
        bus = cls([address(url) for url in urls], name)
        if not urls:
            raise ValueError("no address of a bus")
        connecting = asyncio.create_task(bus._connect())
        try:
            await asyncio.wait({connecting}, timeout=within_s)
            if not connecting.done():
                raise BusAway(f"no bus within {within_s:g} s: {bus._dial.why}")
            connecting.result()
        finally:
            await ended(connecting)
        log.info("bus_connected", servers=len(urls))
        keeper = asyncio.create_task(bus._keep(), name="bus")
        try:
            yield bus
        finally:
            await bus._settle()
            await ended(keeper)

    # --- the port -----------------------------------------------------------------------------

    @property
    def here(self) -> bool:
        """Whether messages go out now."""
        return self._link is not None and self._link.is_connected

    def publish(self, subject: str, body: bytes) -> bool:
        """Send to all who listen; False while the bus is away, or when its queue is full."""
        guard_subject(subject)
        guard_body(body)
        return self.count_sent(self._send(Message(subject, body)))

    async def subscribe(self, pattern: str, take: Take) -> None:
        """Hand every message that fits to `take`; the server has it on return, if it is here."""
        guard_pattern(pattern)
        await self._listen(Listening(pattern, partial(self._taken, take)))

    async def answer(self, subject: str, reply: Reply) -> None:
        """Answer questions put to a subject; the server knows on return, if it is here."""
        guard_subject(subject)
        await self._listen(Listening(subject, partial(self._questioned, reply)))

    async def ask(self, subject: str, body: bytes, within_s: float) -> bytes:
        """Return the first answer; what was published before is heard before the question."""
        guard_subject(subject)
        guard_body(body)
        with self._question() as question:
            if not self.count_sent(self._send(Message(subject, body, question.reply))):
                raise BusAway("the bus is not here, or its queue is full")
            try:
                async with asyncio.timeout(within_s):
                    answer = await question.answer
            except TimeoutError:
                raise BusAway(f"no answer within {within_s:g} s") from None
        if answer is None:
            raise Nobody(subject)
        return answer

    # --- sending and asking -------------------------------------------------------------------

    def _send(self, message: Message | Ping) -> bool:
        return self.here and self._pending.put(message)

    @contextmanager
    def _question(self) -> Iterator[Question]:
        question = Question(f"{self._inbox}.{next(self._numbers)}", asyncio.Future())
        self._asked[question.reply] = question.answer
        try:
            yield question
        finally:
            del self._asked[question.reply]

    async def _settle(self, tries: int = 1) -> bool:
        """Wait until the server has read all that was sent so far; False where it does not.

        A queue that is full counts as a try, and alone ends nothing.
        """
        ping, is_sent = Ping(asyncio.Future()), False
        for _ in range(tries if self.here else 0):
            is_sent = is_sent or self._send(ping)
            await asyncio.wait({ping.pong}, timeout=ANSWER_S)
            if ping.pong.done():
                return True
        return False

    # --- receiving ----------------------------------------------------------------------------

    async def _listen(self, one: Listening) -> None:
        self._listening.append(one)
        if self._link is None:
            return
        with suppress(NatsError):  # it just ended: the next one listens to everything
            await self._link.listen(*one)
            await self._settle()

    def _taken(self, take: Take, subject: str, to: str, body: bytes, nobody: bool) -> None:
        """Hand over what was published; questions and answers fit wide patterns, and are not."""
        if nobody:
            self._answered(subject, to, body, nobody)
        elif not to and not subject.startswith(INBOX):
            self.hand(take, subject, body)

    def _questioned(self, reply: Reply, subject: str, to: str, body: bytes, _: bool) -> None:
        answer = self.answer_of(reply, subject, body)
        if answer is not None and to:
            self.count_sent(self._send(Message(to, answer)))

    def _answered(self, subject: str, _: str, body: bytes, nobody: bool) -> None:
        waiting = self._asked.get(subject)
        if waiting is not None and not waiting.done():
            waiting.set_result(None if nobody else body)

    # --- one connection after another ---------------------------------------------------------

    async def _keep(self) -> None:
        """Use the connection until it ends, then another one, for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            try:
                why = await self._use()
            finally:
                await self._leave()
            left_s = clock()
            self._tell(why)
            await self._connect()
            log.info("bus_back", away_s=round(clock() - left_s, 3))
            self._told_s = inf

    async def _use(self) -> str:
        """Return why it ended."""
        link = self._link
        assert link is not None  # noqa: S101 -- whoever keeps it has just connected
        tasks = {
            asyncio.create_task(self._carry(link)),
            asyncio.create_task(self._feel()),
            asyncio.create_task(link.ended.wait()),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return "silence" if link.why is None else type(link.why).__name__
        finally:
            link.cut()  # nothing waits for the network any more
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=ANSWER_S)

    async def _carry(self, link: Link) -> None:
        """Send what waits, in order; the library holds us back while the network does."""
        with suppress(NatsError, OSError):
            while link.is_connected:
                one = await self._pending.take()
                if isinstance(one, Ping):
                    await link.ping(one.pong)
                else:
                    await link.publish(one.subject, one.body, one.reply)

    async def _feel(self) -> None:
        """Return once the server is silent."""
        is_there = True
        while is_there:
            await asyncio.sleep(PULSE_S)
            is_there = await self._settle(TRIES)

    async def _leave(self) -> None:
        link, self._link = self._link, None
        self.dropped += self._pending.clear()
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(BusAway("the bus went away"))
        if link is not None:
            await link.leave()

    async def _connect(self) -> None:
        self._link = await self._dial.link(self._take_up, self._remind)

    async def _take_up(self, link: Link) -> None:
        """Listen to everything, and wait until the server does."""
        self._inbox = link.new_inbox()
        await link.listen(f"{self._inbox}.*", self._answered)
        await self._pong(link)
        listened = 0
        while listened < len(self._listening):  # some are added while we wait
            for one in self._listening[listened:]:
                await link.listen(*one)
                listened += 1
            await self._pong(link)
        self._link = link  # from here on, whoever subscribes does it himself

    async def _pong(self, link: Link) -> None:
        pong = asyncio.get_running_loop().create_future()
        await link.ping(pong)
        await asyncio.wait({pong})

    # --- what is written down, never an address -----------------------------------------------

    def _tell(self, why: str) -> None:
        self._told_s = asyncio.get_running_loop().time()
        log.warning("bus_away", why=why)

    def _remind(self) -> None:
        if asyncio.get_running_loop().time() > self._told_s + TOLD_EVERY_S:
            self._tell(self._dial.kind)
