"""Thousands of phones in one process that say hello, then locations at an even rate."""

import asyncio
import gc
import random
from collections import deque
from typing import Any, Final

import msgspec
from websockets.uri import parse_uri

from bench.harness.answering import answer, run, say
from bench.peers import town
from dispatch.clock import SystemClock
from dispatch.gateway.server import UNIT_PATH
from dispatch.phone.fleet import loopback_sources, require_files
from dispatch.phone.link import Link, dial
from dispatch.phone.process import GC_THRESHOLDS
from dispatch.phone.reconnect import Loss, wait_s
from dispatch.phone.session import ACK_WITHIN_MS
from geo.datum import Datum
from schemas.wire import FixRow, Hello, Loc

TICK_S: Final = 0.001
"""As fine as the loop's timers: phones do not wait for one another to speak together."""
HEARD_S: Final = 0.1
PONG_EVERY: Final = 10
STEP_DEGREES: Final = 1e-5
_encode: Final = msgspec.json.Encoder().encode


class Call(msgspec.Struct):
    """The incident of an offer."""

    iid: str


class News(msgspec.Struct):
    """What is looked at of an offer or a notice."""

    t: str
    seq: int
    ts: float
    nid: str = ""
    inc: Call | None = None


class Diary:
    """When each notice was heard, by whom first to last; when each incident's first offer was."""

    def __init__(self) -> None:
        self._now = SystemClock().now
        self._notices: dict[str, list[float]] = {}
        self._offers: dict[str, tuple[float, float]] = {}

    def take(self, news: News) -> None:
        """Note when it was written and heard, in ms."""
        heard_ms = self._now().timestamp() * 1000
        if news.nid:
            self._notices.setdefault(news.nid, []).append(heard_ms)
        elif news.inc is not None:
            self._offers.setdefault(news.inc.iid, (news.ts, heard_ms))

    async def notice(self, nid: str) -> dict[str, Any]:
        """Return by how many phones a notice was heard, and when first and last."""
        heard = self._notices.get(nid, [])
        return {"phones": len(heard), "first": min(heard, default=0), "last": max(heard, default=0)}

    async def offers(self) -> dict[str, Any]:
        """Return when the first offer of each incident was written, and heard."""
        return {"offers": self._offers}


_reliable: Final = msgspec.json.Decoder(News)
RELIABLE: Final = (b'{"t":"offer"', b'{"t":"notice"')


class Talker:
    """One phone: a line, and counts of what it heard, kept by its host."""

    __slots__ = (
        "_hello",
        "_host",
        "_lat",
        "_link",
        "_lon",
        "counted",
        "losses",
        "source",
        "welcomed",
    )

    def __init__(self, host: "Talkers", hello: bytes, at: tuple[float, float], source: str) -> None:
        self._host, self._hello = host, hello
        self._lon, self._lat = at
        self._link: Link | None = None
        self.source = source
        self.welcomed = self.counted = False
        self.losses = 0

    def line_made(self, link: Link) -> None:
        """Take the line."""
        self._link = link

    def line_open(self) -> None:
        """Say hello."""
        if self._link is not None:
            self._link.send(self._hello)

    def line_heard(self, frame: bytes) -> None:
        """Take a welcome, else count a frame; a reliable one is acknowledged in time."""
        if self.welcomed:
            self._host.heard += 1
            if frame.startswith(RELIABLE):
                self._take(_reliable.decode(frame))
        else:
            self.welcomed = True
            self._host.arrived(self)

    def line_lost(self, code: int | None, reason: str) -> None:
        """Tell of a loss."""
        self._link = None
        self._host.lost(self, Loss(code=code, reason=reason, welcomed=self.welcomed))

    def _take(self, news: "News") -> None:
        self._host.news.take(news)
        if news.nid:
            self._host.acknowledge_later(self, news.seq)
        else:
            self.acknowledge(news.seq)

    def acknowledge(self, seq: int) -> None:
        """Say how far we have come."""
        if self._link is not None:
            self._link.send(b'{"t":"ack","ack":%d}' % seq)

    def say(self, now_ms: float, *, asks: bool) -> None:
        """Say where we are."""
        self._lon += STEP_DEGREES
        row = _encode(FixRow(now_ms, round(self._lon, 6), self._lat, 8.0))
        loc = Loc(d=Datum.WGS84, ts=now_ms, f=[msgspec.Raw(row)], p=1 if asks else None)
        if self._link is not None:
            self._link.send(_encode(loc))


class Talkers:
    """The host of all of them."""

    def __init__(
        self,
        hellos: list[bytes],
        places: list[tuple[float, float]],
        port: int,
        at_once: int,
        spread_s: float | None = None,
    ) -> None:
        sources = loopback_sources("127.0.0.1", len(hellos), at_once)
        self._uri = parse_uri(f"ws://127.0.0.1:{port}{UNIT_PATH}")
        self._clock = SystemClock()
        self._places = asyncio.Semaphore(at_once)
        self._all = [
            Talker(self, hello, at, sources[n % len(sources)])
            for n, (hello, at) in enumerate(zip(hellos, places, strict=True))
        ]
        self._online: list[Talker] = []
        self._waiting: dict[Talker, asyncio.Event] = {}
        self._next = 0
        self._talking: asyncio.Task[int] | None = None
        self.heard = 0
        self.news = Diary()
        self._unsaid: deque[tuple[float, Talker, int]] = deque()
        self.failures: dict[str, int] = {}
        self._spread_s = spread_s
        self._dice = random.Random(1)
        self._returning: set[asyncio.Task[None]] = set()
        self._back_ms: list[float] = []

    def arrived(self, talker: Talker) -> None:
        """Count a phone in, for the first time or again."""
        if talker.losses:
            self._back_ms.append(self._clock.now().timestamp() * 1000)
        if not talker.counted:
            talker.counted = True
            self._online.append(talker)
        self._waiting.pop(talker).set()

    def lost(self, talker: Talker, loss: Loss) -> None:
        """Count a loss; let the phone come back as the reference client does, if they do here."""
        if self._spread_s is None:
            self.failed(f"{loss.code} {loss.reason}")
            return
        loss = msgspec.structs.replace(loss, attempt=talker.losses, spread_s=self._spread_s)
        talker.welcomed = False
        talker.losses += 1
        if (come := self._waiting.pop(talker, None)) is not None:
            come.set()
        if (after_s := wait_s(loss, self._dice.random())) is None:
            self.failed(f"{loss.code} {loss.reason}")
        else:
            asyncio.get_running_loop().call_later(after_s, self._again, talker)

    def _again(self, talker: Talker) -> None:
        task = asyncio.create_task(self._dial(talker))
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    def failed(self, why: str) -> None:
        """Count a phone out."""
        self.failures[why] = self.failures.get(why, 0) + 1

    def acknowledge_later(self, talker: Talker, seq: int) -> None:
        """Acknowledge a notice as phones do: in a few seconds."""
        at = asyncio.get_running_loop().time() + ACK_WITHIN_MS / 1000
        self._unsaid.append((at, talker, seq))

    def _acknowledge(self, now: float) -> None:
        while self._unsaid and self._unsaid[0][0] <= now:
            _, talker, seq = self._unsaid.popleft()
            talker.acknowledge(seq)

    async def dial(self, within_s: float) -> dict[str, Any]:
        """Let all dial, each as soon as there is a place among those under way."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(within_s):
                await asyncio.gather(*map(self._dial, self._all))
        except TimeoutError:
            self.failed("no welcome in time")
        return {
            "online": len(self._online),
            "failures": self.failures,
            "seconds": loop.time() - began,
        }

    async def _dial(self, talker: Talker) -> None:
        async with self._places:
            welcomed = self._waiting[talker] = asyncio.Event()
            try:
                await dial(self._uri, talker, talker.source)
            except (OSError, TimeoutError) as error:
                self.lost(talker, Loss(reason=type(error).__name__))
            else:
                await welcomed.wait()

    async def returns(self) -> dict[str, Any]:
        """Return how many phones are still out."""
        return {"out": sum(not talker.welcomed for talker in self._all)}

    async def came_back(self) -> dict[str, Any]:
        """Return when phones that had been lost came back (ms)."""
        return {"ms": self._back_ms, "failures": self.failures}

    async def talk(self, per_s: float, seconds: float) -> dict[str, Any]:
        """Talk for some seconds; return how many locations were said, and pongs heard."""
        before = self.heard
        sent = await self._talk(per_s, seconds)
        await asyncio.sleep(HEARD_S)
        return {"sent": sent, "pongs": self.heard - before}

    async def begin(self, per_s: float) -> dict[str, Any]:
        """Talk from now on."""
        self._talking = asyncio.create_task(self._talk(per_s, float("inf")))
        return {}

    async def count(self) -> dict[str, Any]:
        """Return how many locations were said so far, and what was lost."""
        return {"sent": self._next, "failures": self.failures}

    async def _talk(self, per_s: float, seconds: float) -> int:
        """Say locations in turn, at an even rate: those that are late are said all the same."""
        loop = asyncio.get_running_loop()
        began, first = loop.time(), self._next
        while (passed_s := loop.time() - began) < seconds:
            self._say(int(passed_s * per_s) - (self._next - first))
            self._acknowledge(began + passed_s)
            await asyncio.sleep(TICK_S)
        return self._next - first

    def _say(self, count: int) -> None:
        now_ms = self._clock.now().timestamp() * 1000
        for number in range(self._next, self._next + count):
            talker = self._online[number % len(self._online)]
            talker.say(now_ms, asks=number % PONG_EVERY == 0)
        self._next += max(0, count)


def hello(token: str) -> bytes:
    """Return the first frame of a phone."""
    now_ms = SystemClock().now().timestamp() * 1000
    return _encode(Hello(tok=token, datum=Datum.WGS84, ts=now_ms, inst=token[-16:]))


async def main(
    port: int,
    phones: int = 0,
    at_once: int = 200,
    tokens: list[str] | None = None,
    places: list[tuple[float, float]] | None = None,
    spread_s: float | None = None,
) -> None:
    """Answer until the parent hangs up; without tokens the phones are those of the town.

    `spread_s`: lost phones come back, spread over that many seconds, as their server has told them.
    """
    names = tokens or [town.token(number) for number in range(phones)]
    require_files(len(names))
    at = places or [town.place(number) for number in range(len(names))]
    talkers = Talkers([hello(name) for name in names], at, port, at_once, spread_s)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    say({"phones": len(names)})
    await answer(
        {
            "dial": talkers.dial,
            "talk": talkers.talk,
            "begin": talkers.begin,
            "count": talkers.count,
            "returns": talkers.returns,
            "came_back": talkers.came_back,
            "notice": talkers.news.notice,
            "offers": talkers.news.offers,
        }
    )


if __name__ == "__main__":
    run(main)
