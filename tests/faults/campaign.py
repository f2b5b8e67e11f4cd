"""The long campaign: a town under load, and everything that holds it killed over and over.

    python -m tests.faults.campaign --kills 50 --messages 100000 --for 600 --workers 2

Four acts on one disk, with the same phones: all parts on one host; the database elsewhere, over a
network of ours; two hosts with a bus between them, which are cut apart; crowds, that is all phones
gone and back at once, and phones that never read. At the end the disk is held against what callers
and phones were told. Exit code 0 only where nothing is wrong and all was done.
"""

import argparse
import asyncio
import os
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from traceback import print_exception
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import httpx
import msgspec
import numpy as np
from websockets.exceptions import WebSocketException

from dispatch.bus.server import NatsServer
from dispatch.cli.calls import Caller
from dispatch.clock import SystemClock
from dispatch.phone.fleet import require_files
from dispatch.store.embedded import EmbeddedPostgres
from dispatch.store.socket_folder import PORT
from schemas.wire import OfferReply, Progress
from tests.faults import crowds, strikes
from tests.faults.books import read
from tests.faults.checker import Evidence, Violation, evidence, settled
from tests.faults.hosts import HERE, MORE, PRIVATE, Host, hosts, in_private, possible
from tests.faults.outcome import Options, Outcome
from tests.faults.proxy import Proxy
from tests.faults.running import Running
from tests.faults.strikes import KILLS, Strike
from tests.faults.town import QUICK, Town, made
from tests.faults.witness import Witness
from tests.patience import until

PER_MINUTE: Final = 120.0
NEXT_CALLS: Final = 2
"""So many calls are taken after a strike before the next one falls."""
BACK_S: Final = 60.0
HOME_S: Final = 90.0
"""A phone's back-off ends after 30 s; so long they have to be all back at the end."""
HEALS_S: Final = 20.0
NOTICES_SHARE: Final = 0.5
HURRIED_S: Final = 0.2
"""Notices are spread over this share of the time; what is left when all acts are over, hurries."""
STARTS: Final = 20
START_PAUSE_S: Final = 0.5
REST_S: Final = 1.5
SERVE_PORT: Final = 8110
STORMS: Final = 2
BROKEN_OFF: Final = (OSError, AssertionError, httpx.HTTPError, WebSocketException)
"""What ends an act before its time; what was told until then is judged all the same."""


class Campaign:
    """A town under load, and what is struck at now: the `Scene` of every strike."""

    def __init__(
        self, town: Town, options: Options, front: Proxy, fleet: Witness, caller: Caller
    ) -> None:
        self.town, self.options = town, options
        self.front, self.fleet, self.caller = front, fleet, caller
        self.services: list[Running] = []
        self.store_lines: list[Proxy] = []
        self.bus_lines: list[Proxy] = []
        self.server: EmbeddedPostgres | None = None
        self.struck: Counter[str] = Counter()
        self.kills = 0
        self.slowest_back_s: dict[str, float] = {}
        self.notified = list[str]()
        self.callers = [caller]
        self.storms: list[crowds.Storm] = []
        self.deaf: list[crowds.Deaf] = []
        self.healing = False
        self._dice = np.random.default_rng(options.seed)
        self._berths: list[Berth] = []
        self._loop = asyncio.get_running_loop()
        self.ends_s = self._loop.time() + options.for_s

    # What strikes ask for (`tests.faults.strikes.Scene`). ----------------------------------------

    def pick(self, most: int) -> int:
        """Return a number from 0 to below `most`."""
        return int(self._dice.integers(most))

    @property
    def database(self) -> int | None:
        """The pid of the database's first process: ours, or the service's, if it is there."""
        if self.server is not None:
            return self.server.pid
        found = [pid for pid in self.services[0].children if "postgres" in strikes.program(pid)]
        return found[0] if found else None

    # Acts. ---------------------------------------------------------------------------------------

    async def act(self, kills: int, others: Mapping[str, Strike]) -> None:
        """Strike in turn by all that is there, until so many are dead, or time is over."""
        names = list[str]()
        before = self.kills
        while self.kills - before < kills and self._loop.time() < self.ends_s:
            if not names:
                names = [*KILLS, *KILLS, *others]
            name = names.pop(self.pick(len(names)))
            await asyncio.sleep(self._dice.random() * REST_S)
            self.struck[name] += 1
            self.kills += await {**KILLS, **others}[name](self)
            await self._back(name)

    async def _back(self, name: str) -> None:
        """Start again what ended, and wait until calls are taken again."""
        began_s = self._loop.time()
        known = len(self.caller.acknowledged)
        async with asyncio.timeout(BACK_S):
            await self._restarted()
            while len(self.caller.acknowledged) < known + NEXT_CALLS:
                await self._restarted()
                await asyncio.sleep(0.1)
        back_s = round(self._loop.time() - began_s, 1)
        self.slowest_back_s[name] = max(back_s, self.slowest_back_s.get(name, 0.0))

    async def _restarted(self) -> None:
        if self.server is not None:
            await self.server.ensure()
        for berth in self._berths:
            if berth.ended:
                await berth.start()
        self.services = [berth.running for berth in self._berths]

    @asynccontextmanager
    async def serving(self, *berths: "Berth") -> AsyncIterator[None]:
        """Let these services run, and phones reach them."""
        self._berths = list(berths)
        try:
            for berth in berths:
                await berth.start()
            self.services = [berth.running for berth in berths]
            self.front.to = [berth.place for berth in berths]
            yield
        finally:
            self._berths, self.services = [], []
            for berth in berths:
                await berth.stop()

    # Load. ---------------------------------------------------------------------------------------

    def one_more_caller(self, url: str) -> Caller:
        """Return somebody who calls at a service itself, whatever the network of phones does."""
        seed = self.options.seed + len(self.callers)
        caller = self.town.caller(url, crowds.PER_MINUTE, seed)
        self.callers.append(caller)
        return caller

    def evidence(self) -> Evidence:
        """Return what callers and phones were told so far."""
        told = evidence(self.caller, self.fleet, self.notified)
        return told._replace(acknowledged=[i for c in self.callers for i in c.acknowledged])

    async def notify(self) -> None:
        """Send notices to all phones, evenly over the time, until they make up the messages."""
        wanted = -(-self.options.messages // len(self.town.phones))
        every_s = self.options.for_s * NOTICES_SHARE / wanted
        while len(self.notified) < wanted:
            with suppress(httpx.HTTPError, AssertionError):
                await self.tell(self.url, f"notice {len(self.notified)}")
            await asyncio.sleep(HURRIED_S if self.healing else every_s)

    async def tell(self, url: str, text: str) -> None:
        """Send a notice to all phones."""
        self.notified.append(await self.town.notify(url, text))

    @property
    def url(self) -> str:
        """Where phones and callers find the service, wherever it is."""
        return f"http://127.0.0.1:{self.front.port}"


class Berth:
    """One service, started again in its place."""

    def __init__(
        self, data: Path, port: int, workers: int, host: Host | None = None, **environment: str
    ) -> None:
        self.place = (host.address if host else "127.0.0.1", port)
        self._data, self._workers, self._host = data, workers, host
        self._environment = environment
        self._stack = AsyncExitStack()
        self._running: Running | None = None

    @property
    def running(self) -> Running:
        """The service that runs."""
        assert self._running is not None
        return self._running

    @property
    def ended(self) -> bool:
        """Tell whether it is dead."""
        return self._running is None or self._running.process.returncode is not None

    async def start(self) -> None:
        """Start it as a supervisor does: again, where what was there still holds the port."""
        for left in reversed(range(STARTS)):
            await self.stop()
            try:
                await self._start()
                break
            except AssertionError:
                if not left:
                    raise
                await asyncio.sleep(START_PAUSE_S)

    async def _start(self) -> None:
        started = Running.started(
            self._data,
            self.place[1],
            self._workers,
            self._host.command() if self._host else (),
            KAPOK_HOST=self.place[0],
            **self._environment,
        )
        self._running = await self._stack.enter_async_context(started)

    async def stop(self) -> None:
        """End it."""
        self._running = None
        await self._stack.aclose()


# The acts. ----------------------------------------------------------------------------------------


async def one_host(campaign: Campaign, kills: int, port: int) -> None:
    """Everything on one host, the database and the bus under the service's own hand."""
    berth = Berth(campaign.town.data, port, campaign.options.workers)
    async with campaign.serving(berth):
        await campaign.act(kills, strikes.ON_ONE_HOST)


async def far_store(campaign: Campaign, kills: int, port: int) -> None:
    """The database over a network of ours."""
    async with _database(campaign) as place, Proxy.started(place) as line:
        campaign.store_lines = [line]
        berth = Berth(
            campaign.town.data, port, campaign.options.workers, DATABASE_URL=_dsn(line.port)
        )
        async with campaign.serving(berth):
            await campaign.act(kills, strikes.FAR_STORE)


async def two_hosts(campaign: Campaign, kills: int, _: int) -> None:
    """A service on each of two hosts, database and bus on a third; cables are pulled."""
    folder = campaign.town.data.parent
    async with (
        _database(campaign) as place,
        NatsServer(folder / "bus") as nats,
        hosts(["east", "west"]) as both,
        AsyncExitStack() as stack,
    ):
        berths = list[Berth]()
        at = urlsplit(nats.url)
        for host in both:
            store = await stack.enter_async_context(Proxy.started(place, at=(HERE, 0)))
            bus = await stack.enter_async_context(
                Proxy.started((str(at.hostname), at.port or 0), at=(HERE, 0))
            )
            campaign.store_lines.append(store)
            campaign.bus_lines.append(bus)
            netloc = f"{at.username}:{at.password}@{HERE}:{bus.port}"
            berths.append(
                Berth(
                    folder / host.name,
                    SERVE_PORT,
                    1,
                    host,
                    DATABASE_URL=_dsn(store.port, HERE),
                    BUS_URL=urlunsplit(at._replace(netloc=netloc)),
                )
            )
        cables = Cables(both)
        async with campaign.serving(*berths):
            await campaign.act(kills, {**strikes.FAR_BUS, "pull_cable": cables.pull})


class Cables:
    """The cables of hosts."""

    def __init__(self, hosts_: Sequence[Host]) -> None:
        self._hosts = hosts_

    async def pull(self, scene: strikes.Scene) -> int:
        """One host hears nobody and is heard by nobody; the other goes on alone."""
        host = self._hosts[scene.pick(len(self._hosts))]
        await host.cut()
        await asyncio.sleep(strikes.STOPPED_S)
        await host.join()
        return 0


@asynccontextmanager
async def _database(campaign: Campaign) -> AsyncIterator[Path]:
    """Run the town's database outside the service; yield its socket."""
    async with EmbeddedPostgres(campaign.town.postgres) as server:
        campaign.server = server
        try:
            yield server.socket_folder / f".s.PGSQL.{PORT}"
        finally:
            campaign.server = None
            campaign.store_lines, campaign.bus_lines = [], []


def _dsn(port: int, host: str = "127.0.0.1") -> str:
    return f"postgresql://kapok@{host}:{port}/kapok"


async def crowded(campaign: Campaign, _: int, port: int) -> None:
    """All phones gone and back at once, over and over; then phones that never read."""
    town, fleet, url = campaign.town, campaign.fleet, f"http://127.0.0.1:{port}"
    tokens = await crowds.enrolled(town, campaign.options.deaf)
    berth = Berth(town.data, port, campaign.options.workers)
    async with campaign.serving(berth):
        for _ in range(STORMS):
            await crowds.all_back(fleet, HOME_S)
            caller = campaign.one_more_caller(url)
            campaign.storms.append(await crowds.storm(campaign.front, fleet, caller))
        caller = campaign.one_more_caller(url)
        workers = berth.running.workers
        deaf = await crowds.never_read(campaign.tell, url, tokens, workers, fleet, caller)
        campaign.deaf.append(deaf)


ACTS: Final = {
    "one_host": one_host,
    "far_store": far_store,
    "two_hosts": two_hosts,
    "crowds": crowded,
}
SHARES: Final = {"one_host": 0.5, "far_store": 0.25, "two_hosts": 0.25, "crowds": 0.0}


def _shares(options: Options) -> list[tuple[str, int]]:
    """Return how many kills each act has; none is left out by rounding."""
    whole = sum(SHARES[name] for name in options.acts) or 1.0
    kills = [round(options.kills * SHARES[name] / whole) for name in options.acts]
    kills[0] += options.kills - sum(kills)
    return list(zip(options.acts, kills, strict=True))


async def run(town: Town, options: Options) -> Outcome:
    """Play the acts, let everything heal, and judge."""
    require_files(4 * options.phones + 4 * options.deaf)
    outcome = Outcome(seed=options.seed, options=options)
    loop = asyncio.get_running_loop()
    began_s, stop, port = loop.time(), asyncio.Event(), _free_port()
    sources = [*(f"127.0.1.{n}" for n in range(1, 33)), *MORE]
    async with Proxy.started(("127.0.0.1", port), sources=sources, seed=options.seed) as front:
        url = f"http://127.0.0.1:{front.port}"
        async with Witness.started(town.lines(), url, QUICK, options.seed) as fleet:
            caller = town.caller(url, PER_MINUTE, options.seed)
            campaign = Campaign(town, options, front, fleet, caller)
            calling = asyncio.create_task(caller.run(stop))
            notifying = asyncio.create_task(campaign.notify())
            for name, kills in _shares(options):
                if name == "two_hosts" and PRIVATE not in os.environ:
                    outcome.not_run.append("two hosts: no network namespaces here")
                    continue
                print(f"{loop.time() - began_s:6.1f} s  {name}, {kills} kills", flush=True)
                try:
                    await ACTS[name](campaign, kills, port)
                except BROKEN_OFF as error:
                    print_exception(error)
                    outcome.broken_off.append(f"{name}: {error!r}")
            print(f"{loop.time() - began_s:6.1f} s  healing", flush=True)
            async with campaign.serving(Berth(town.data, port, options.workers)):
                campaign.healing = True
                await until(notifying.done, options.for_s)
                stop.set()
                await calling
                found = await _healed(campaign)
                await _count(campaign, outcome, found)
    if found:
        diary = town.data.with_name("diary.txt")
        diary.write_text("\n".join(campaign.fleet.notes.trace), encoding="utf-8")
    outcome.seconds = loop.time() - began_s
    return outcome


async def _healed(campaign: Campaign) -> list[Violation]:
    """Let everybody rest, come back and hear all; return what is wrong then."""
    fleet, town = campaign.fleet, campaign.town
    fleet.rest()
    came = await crowds.all_back(fleet, HOME_S)
    with suppress(TimeoutError):  # an answer that got too old is never sent again
        await until(fleet.settled, HEALS_S)
    found = await settled(town.dsn, town.since, campaign.evidence, HOME_S)
    if not came:
        found.append(Violation("not_back", "phones are still away when all is well"))
    for one in campaign.storms:
        found += crowds.wrong_of_storm(one)
    for deaf in campaign.deaf:
        found += crowds.wrong_of_deaf(deaf)
    return found


async def _count(campaign: Campaign, outcome: Outcome, found: Sequence[Violation]) -> None:
    books = await read(campaign.town.dsn, campaign.town.since, SystemClock().now())
    notes, called = campaign.fleet.notes, [caller.called for caller in campaign.callers]
    outcome.strikes, outcome.kills = dict(campaign.struck), campaign.kills
    outcome.slowest_back_s = campaign.slowest_back_s
    devices = [phone.device for phone in campaign.fleet.phones]
    outcome.messages = sum(books.heads.get(device, 0) for device in devices)
    outcome.messages_heard = notes.reliable()
    outcome.storms, outcome.deaf = campaign.storms, campaign.deaf
    outcome.notices = len(campaign.notified)
    outcome.incidents = sum(one.acknowledged for one in called)
    outcome.given_up = sum(one.given_up for one in called)
    outcome.accepts_answered = notes.answered(OfferReply)
    outcome.steps_answered = notes.answered(Progress)
    outcome.lines_lost = dict(campaign.fleet.tally.losses)
    for rule, what in found:
        outcome.violations.setdefault(rule, []).append(what)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _asked() -> tuple[Options, Path | None, Path | None]:
    usual = Options()
    parser = argparse.ArgumentParser(description="Kill everything over and over, then judge.")
    parser.add_argument("--kills", type=int, default=usual.kills)
    parser.add_argument("--messages", type=int, default=usual.messages)
    parser.add_argument("--for", dest="for_s", type=float, default=usual.for_s)
    parser.add_argument("--phones", type=int, default=usual.phones)
    parser.add_argument("--workers", type=int, default=usual.workers)
    parser.add_argument("--deaf", type=int, default=usual.deaf, help="phones that never read")
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--acts", nargs="+", choices=ACTS, default=usual.acts)
    parser.add_argument("--json", type=Path, help="write the report here")
    parser.add_argument("--keep", type=Path, help="leave disk, logs and diaries in this new folder")
    asked = vars(parser.parse_args())
    file: Path | None = asked.pop("json")
    keep: Path | None = asked.pop("keep")
    return Options(**{**asked, "acts": tuple(asked["acts"])}), file, keep


async def _played(options: Options, folder: Path) -> Outcome:
    return await run(await made(folder / "data", options.phones), options)


def main() -> int:
    """Play what is asked for; print and write what came of it."""
    options, file, keep = _asked()
    print(f"seed {options.seed}", flush=True)
    with (
        nullcontext(keep) if keep else tempfile.TemporaryDirectory(prefix="kapok-faults-") as folder
    ):
        outcome = asyncio.run(_played(options, Path(folder)))
    print(outcome.table())
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(msgspec.json.format(msgspec.json.encode(outcome)))
    return int(outcome.failed)


if __name__ == "__main__":
    if possible():
        in_private("tests.faults.campaign", *sys.argv[1:])
    sys.exit(main())
