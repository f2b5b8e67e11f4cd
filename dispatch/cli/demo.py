"""`kapok demo`: a city, its phones and its calls on this machine, live on one screen."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from math import ceil
from pathlib import Path
from typing import Final

import click
import msgspec
import numpy as np
from msgspec.structs import replace
from rich.console import Console

from dispatch.auth import KEY_PREFIX, Role, token_hash
from dispatch.cli.bridge import Closing
from dispatch.cli.bus import bus
from dispatch.cli.calls import Caller
from dispatch.cli.city import IssuedPhone, register
from dispatch.cli.codes import Code
from dispatch.cli.database import run
from dispatch.cli.open_files import raise_open_files
from dispatch.cli.phone_fleet import DRAIN_S
from dispatch.cli.phone_fleets import PhoneFleets
from dispatch.cli.port import Port
from dispatch.cli.report import Report, written_report
from dispatch.cli.screen import Screen, Stages
from dispatch.cli.serve import database
from dispatch.cli.workers import Workers
from dispatch.clock import SystemClock, new_token
from dispatch.settings import WORKERS_MOST, Settings, read
from dispatch.store.ledger import Ledger, ledger
from dispatch.store.registry import registry
from dispatch.telemetry import configure_log
from geo.city import UNITS, City
from geo.city.roads import cached_roads
from geo.city.store import cached
from schemas.base import KeyId, Record

SEED: Final = 20241
FILES_SPARE: Final = 400
"""Files of the service that are not phones: database, REST clients, logs, a reserve."""
KEY_NAME: Final = "demo"
ROOT: Final = "gz"
"""The city's own jurisdiction: the demo key sees all of it."""
LAST_CALL_S: Final = 60.0
"""An incident has a minute to be accepted before it counts as unserved."""
LOOK_S: Final = 0.5
ONLINE_SHARE: Final = 0.999
CONNECT_MOST_S: Final = 180.0


class Wish(Record, frozen=True, kw_only=True):
    """What was asked for on the command line."""

    units: int
    per_minute: float
    seconds: float | None
    report: Path | None
    seed: int
    port: int
    workers: int


@click.command()
@click.option("--units", type=click.IntRange(20, UNITS), default=UNITS, show_default=True)
@click.option(
    "--incidents-per-minute",
    "per_minute",
    type=click.FloatRange(0.1, 6000),
    default=30.0,
    show_default=True,
)
@click.option(
    "--for", "seconds", type=click.FloatRange(1, 86_400), help="Seconds; without it until Ctrl-C."
)
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write JSON here.")
@click.option("--seed", type=click.IntRange(0), default=SEED, show_default=True)
@click.option("--port", type=click.IntRange(0, 65_535), help="Port.  [KAPOK_PORT; 8110]")
@click.option(
    "--workers",
    type=click.IntRange(1, WORKERS_MOST),
    help="Processes of the service.  [KAPOK_WORKERS; as many as the phones need]",
)
def demo(
    units: int,
    per_minute: float,
    seconds: float | None,
    report: Path | None,
    seed: int,
    port: int | None,
    workers: int | None,
) -> int:
    """Run the main job on a synthetic city with simulated phones.

    Ends with exit code 1 when a message or an incident was lost or a unit booked twice.
    """
    settings = read(os.environ, **({} if port is None else {"port": port}))
    wish = Wish(
        units=units,
        per_minute=per_minute,
        seconds=seconds,
        report=report,
        seed=seed,
        port=settings.port,
        workers=workers or max(settings.workers, workers_for(units)),
    )
    with warnings_to(settings.data / "demo.log"):
        outcome = run(Demo(settings, wish, Console()).run())
    return Code.FAILED if outcome.failed else Code.OK


def workers_for(phones: int) -> int:
    """Return how many processes are needed to hold so many phones."""
    return min(WORKERS_MOST, ceil(phones / (raise_open_files() - FILES_SPARE)))


@contextmanager
def warnings_to(path: Path) -> Iterator[None]:
    """Keep our own log off the screen: it goes to a file beside the data."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", buffering=1) as file:
        configure_log(file)
        yield


class Demo:
    """One run: everything started in order, watched, stopped in the reverse order."""

    def __init__(self, settings: Settings, wish: Wish, console: Console) -> None:
        self._settings = settings
        self._wish = wish
        self._console = console
        self._stages = Stages(console)
        self._stop = asyncio.Event()
        self._clock = SystemClock()

    async def run(self) -> Report:
        """Return the report of the run; Ctrl-C ends it early, and is reported all the same."""
        self._listen_to_ctrl_c()
        async with AsyncExitStack() as stack:
            self._stages.begin("city")
            city = await asyncio.to_thread(
                cached, self._settings.data / "city", self._wish.seed, self._wish.units
            )
            self._stages.begin("database")
            roads = await asyncio.to_thread(cached_roads, self._settings.data / "city", city)
            dsn = await stack.enter_async_context(database(self._settings, self._stop))
            phones, key = await self._register(dsn, city)
            self._stages.begin("service")
            url = await stack.enter_async_context(self._service(dsn, roads))
            self._stages.begin("phones")
            fleet = await stack.enter_async_context(PhoneFleets.started(phones, url))
            book = await stack.enter_async_context(ledger(dsn, self._clock.now()))
            await self._connected(fleet)
            closing = await stack.enter_async_context(Closing(url, key, self._clock))
            return await self._play(city, url, key, fleet, book, closing)

    def _listen_to_ctrl_c(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)

    # Before. ---------------------------------------------------------------------------------

    async def _register(self, dsn: str, city: City) -> tuple[list[IssuedPhone], str]:
        """Put the city into the store; return the phones and a dispatcher's API key."""
        most = (raise_open_files() - FILES_SPARE) * self._wish.workers
        phones = min(len(city.units), most)
        key = new_token(KEY_PREFIX)
        async with registry(dsn) as registered:
            issued = await register(
                registered, city, phones, self._clock.new_id, self._stages.progress
            )
            for old in await registered.keys():
                if old.name == KEY_NAME and old.revoked_at is None:
                    await registered.revoke_key(old.id)
            await registered.put_key(
                KeyId(self._clock.new_id()), KEY_NAME, Role.DISPATCHER, ROOT, token_hash(key)
            )
        return issued, key

    @asynccontextmanager
    async def _service(self, dsn: str, roads: Path) -> AsyncIterator[str]:
        """Run the service on our port; a worker that ends is started again."""
        stop = asyncio.Event()
        settings = replace(self._settings, workers=self._wish.workers)
        async with bus(settings) as bus_url:
            with (
                Port.opened(settings.host, self._wish.port, settings.workers) as port,
                (settings.data / "service.log").open("ab") as log,
            ):
                workers = Workers(
                    dsn,
                    port,
                    roads=roads,
                    bus_url=bus_url,
                    room=None if settings.database_url else settings.data,
                    log_file=log,
                )
                running = asyncio.create_task(workers.run(stop))
                try:
                    await workers.ready.wait()
                    yield workers.url
                finally:
                    stop.set()
                    await running

    async def _connected(self, fleet: PhoneFleets) -> None:
        """Wait until the phones are online, but no longer than they may take."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + CONNECT_MOST_S
        while loop.time() < deadline and not self._stop.is_set():
            online = fleet.progress.tally.online
            self._stages.progress("phones online", online, fleet.phones)
            if online >= fleet.phones * ONLINE_SHARE:
                return
            await asyncio.sleep(LOOK_S)

    # The run. --------------------------------------------------------------------------------

    async def _play(
        self, city: City, url: str, key: str, fleet: PhoneFleets, book: Ledger, closing: Closing
    ) -> Report:
        dice = np.random.default_rng(self._wish.seed)
        caller = Caller(city, url, key, self._wish.per_minute, dice, self._clock.new_id)
        self._stages.invite(url, key, city)
        closed_bridge = await closing.close(city)
        self._stages.closed(closed_bridge)
        stop_calls = asyncio.Event()
        calling = asyncio.create_task(caller.run(stop_calls))
        with Screen(self._console) as screen:
            await self._watch(screen, fleet, book, caller, self._wish.seconds)
            stop_calls.set()
            await calling
            if not self._stop.is_set():
                await self._last_calls(screen, fleet, book, caller)
        diary = await fleet.stop()
        report = await written_report(book, diary, caller.acknowledged, DRAIN_S, closed_bridge)
        self._hand_over(report)
        return report

    async def _watch(
        self,
        screen: Screen,
        fleet: PhoneFleets,
        book: Ledger,
        caller: Caller,
        seconds: float | None,
    ) -> None:
        """Show the run until its time is over or Ctrl-C."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not self._stop.is_set() and (seconds is None or loop.time() - began < seconds):
            screen.show(loop.time() - began, fleet.progress, await book.counts(), caller.called)
            await asyncio.sleep(LOOK_S)

    async def _last_calls(
        self, screen: Screen, fleet: PhoneFleets, book: Ledger, caller: Caller
    ) -> None:
        """Give the last incidents their minute."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not self._stop.is_set() and loop.time() - began < LAST_CALL_S:
            if not await book.waiting():
                return
            screen.show(None, fleet.progress, await book.counts(), caller.called)
            await asyncio.sleep(LOOK_S)

    def _hand_over(self, report: Report) -> None:
        text = msgspec.json.format(msgspec.json.encode(report), indent=2).decode()
        if self._wish.report is not None:
            self._wish.report.write_text(text + "\n")
        self._console.print(text, highlight=False)
