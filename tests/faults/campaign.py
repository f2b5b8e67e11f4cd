"""The long campaign: a town under load, and everything that holds it killed over and over.

    python -m tests.faults.campaign --kills 50 --messages 100000 --for 600 --workers 2

Three acts on one disk, with the same phones: all parts on one host; the database elsewhere, over a
network of ours; two hosts with a bus between them, which are cut apart. At the end the disk is held
against what callers and phones were told. Exit code 0 only where nothing is wrong and all was done.
"""

import argparse
import asyncio
import os
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import httpx
import msgspec
import numpy as np

from dispatch.bus.server import NatsServer
from dispatch.cli.calls import Caller
from dispatch.phone.fleet import require_files
from dispatch.store.embedded import EmbeddedPostgres
from dispatch.store.socket_folder import PORT
from schemas.wire import OfferReply, Progress
from tests.faults import strikes
from tests.faults.books import read
from tests.faults.checker import RULES, Violation, evidence, settled
from tests.faults.hosts import HERE, MORE, PRIVATE, Host, hosts, in_private, possible
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


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How much of it."""

    kills: int = 50
    messages: int = 100_000
    for_s: float = 600.0
    phones: int = 400
    workers: int = 2
    seed: int = 20241
    acts: tuple[str, ...] = ("one_host", "far_store", "two_hosts")


class Outcome(msgspec.Struct, kw_only=True):
    """What came of it; written as JSON."""

    seed: int
    options: Options
    seconds: float = 0.0
    strikes: dict[str, int] = {}
    kills: int = 0
    not_run: list[str] = []
    slowest_back_s: dict[str, float] = {}
    messages: int = 0
    messages_heard: int = 0
    notices: int = 0
    incidents: int = 0
    given_up: int = 0
    accepts_answered: int = 0
    steps_answered: int = 0
    lines_lost: dict[str, int] = {}
    violations: dict[str, list[str]] = {}

    @property
    def failed(self) -> bool:
        """Whether anything is wrong, or something was left out."""
        return bool(
            self.violations
            or self.kills < self.options.kills
            or self.messages < self.options.messages
        )

    def table(self) -> str:
        """Return it for people."""
        rows: list[tuple[str, object]] = [
            ("seed", self.seed),
            ("seconds", round(self.seconds)),
            ("kills -9", f"{self.kills} of {self.options.kills}"),
            *((f"  {name}", n) for name, n in sorted(self.strikes.items())),
            ("slowest back, s", max(self.slowest_back_s.values(), default=0.0)),
            ("reliable messages", f"{self.messages} of {self.options.messages}"),
            ("  heard by phones", self.messages_heard),
            ("notices", self.notices),
            ("incidents acknowledged", self.incidents),
            ("  calls given up", self.given_up),
            ("accepts answered", self.accepts_answered),
            ("steps answered", self.steps_answered),
            ("lines lost", sum(self.lines_lost.values())),
            *(("not run", what) for what in self.not_run),
            *((f"wrong: {rule}", len(self.violations.get(rule, ()))) for rule in RULES),
        ]
        wide = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:{wide}}  {value}" for name, value in rows)


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
        self.notices = 0
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
    def database(self) -> int:
        """The pid of the database's first process: ours, or the service's."""
        if self.server is not None:
            return self.server.pid
        found = [pid for pid in self.services[0].children if "postgres" in strikes.program(pid)]
        return found[0] if found else 0

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

    async def notify(self) -> None:
        """Send notices to all phones, evenly over the time, until they make up the messages."""
        wanted = -(-self.options.messages // len(self.town.phones))
        every_s = self.options.for_s * NOTICES_SHARE / wanted
        while self.notices < wanted:
            with suppress(httpx.HTTPError, AssertionError):
                await self.town.notify(self.url, f"notice {self.notices}")
                self.notices += 1
            await asyncio.sleep(HURRIED_S if self.healing else every_s)

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


ACTS: Final = {"one_host": one_host, "far_store": far_store, "two_hosts": two_hosts}
SHARES: Final = {"one_host": 0.5, "far_store": 0.25, "two_hosts": 0.25}


def _shares(options: Options) -> list[tuple[str, int]]:
    """Return how many kills each act has; none is left out by rounding."""
    whole = sum(SHARES[name] for name in options.acts)
    kills = [round(options.kills * SHARES[name] / whole) for name in options.acts]
    kills[0] += options.kills - sum(kills)
    return list(zip(options.acts, kills, strict=True))


async def run(town: Town, options: Options) -> Outcome:
    """Play the acts, let everything heal, and judge."""
    require_files(4 * options.phones)
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
                await ACTS[name](campaign, kills, port)
            print(f"{loop.time() - began_s:6.1f} s  healing", flush=True)
            async with campaign.serving(Berth(town.data, port, options.workers)):
                campaign.healing = True
                await until(notifying.done, options.for_s)
                stop.set()
                await calling
                found = await _healed(campaign)
                await _count(campaign, outcome, found)
    outcome.seconds = loop.time() - began_s
    return outcome


async def _healed(campaign: Campaign) -> list[Violation]:
    """Let everybody rest, come back and hear all; return what is wrong then."""
    fleet, town = campaign.fleet, campaign.town
    fleet.rest()
    await until(lambda: len(fleet.here()) == len(town.phones), HOME_S)
    with suppress(TimeoutError):  # an answer that got too old is never sent again
        await until(fleet.settled, HEALS_S)
    return await settled(town.dsn, town.since, lambda: evidence(campaign.caller, fleet), HOME_S)


async def _count(campaign: Campaign, outcome: Outcome, found: Sequence[Violation]) -> None:
    books = await read(campaign.town.dsn, campaign.town.since, 0.0)
    notes, called = campaign.fleet.notes, campaign.caller.called
    outcome.strikes, outcome.kills = dict(campaign.struck), campaign.kills
    outcome.slowest_back_s = campaign.slowest_back_s
    outcome.messages, outcome.messages_heard = sum(books.heads.values()), notes.reliable()
    outcome.notices = campaign.notices
    outcome.incidents, outcome.given_up = called.acknowledged, called.given_up
    outcome.accepts_answered = notes.answered(OfferReply)
    outcome.steps_answered = notes.answered(Progress)
    outcome.lines_lost = dict(campaign.fleet.tally.losses)
    for rule, what in found:
        outcome.violations.setdefault(rule, []).append(what)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _asked() -> tuple[Options, Path | None]:
    usual = Options()
    parser = argparse.ArgumentParser(description="Kill everything over and over, then judge.")
    parser.add_argument("--kills", type=int, default=usual.kills)
    parser.add_argument("--messages", type=int, default=usual.messages)
    parser.add_argument("--for", dest="for_s", type=float, default=usual.for_s)
    parser.add_argument("--phones", type=int, default=usual.phones)
    parser.add_argument("--workers", type=int, default=usual.workers)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--acts", nargs="+", choices=ACTS, default=usual.acts)
    parser.add_argument("--json", type=Path)
    asked = vars(parser.parse_args())
    file: Path | None = asked.pop("json")
    return Options(**{**asked, "acts": tuple(asked["acts"])}), file


async def _played(options: Options) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="kapok-faults-") as folder:
        town = await made(Path(folder) / "data", options.phones)
        return await run(town, options)


def main() -> int:
    """Play what is asked for; print and write what came of it."""
    options, file = _asked()
    print(f"seed {options.seed}", flush=True)
    outcome = asyncio.run(_played(options))
    print(outcome.table())
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(msgspec.json.format(msgspec.json.encode(outcome)))
    return int(outcome.failed)


if __name__ == "__main__":
    if possible():
        in_private("tests.faults.campaign", *sys.argv[1:])
    sys.exit(main())
