"""The load processes together: started, told, watched; one that dies is told, not hidden."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from msgspec.structs import asdict

from dispatch.cli.codes import Failure
from dispatch.cli.load.phone_file import shares
from dispatch.cli.load.wish import Wish
from dispatch.cli.phone_fleet import PhoneFleet
from dispatch.phone.diary import Diary, Tally
from dispatch.phone.fleet import FleetOptions, PhoneLine, phones_most
from dispatch.phone.latency import Quantiles


class Fleets:
    """Every process of phones, their counts added up."""

    def __init__(self, fleets: Sequence[PhoneFleet]) -> None:
        self._fleets = fleets
        self.phones = sum(fleet.phones for fleet in fleets)

    @classmethod
    @asynccontextmanager
    async def started(cls, phones: Sequence[PhoneLine], wish: Wish) -> AsyncIterator[Self]:
        """Start as many processes as open files need, or as were asked for."""
        processes = wish.processes or math.ceil(len(phones) / phones_most())
        async with AsyncExitStack() as stack:
            fleets = [
                await stack.enter_async_context(
                    PhoneFleet.started(
                        share, numeric(wish.url), options=_options(wish, n, processes)
                    )
                )
                for n, share in enumerate(shares(phones, processes))
            ]
            yield cls(fleets)

    @property
    def pids(self) -> list[int]:
        """Return the processes."""
        return [fleet.pid for fleet in self._fleets]

    @property
    def tally(self) -> Tally:
        """Return all counts, added up; of a dead process the last there were, and none online."""
        alive = [fleet for fleet in self._fleets if fleet.exit_code is None]
        total = added([fleet.progress.tally for fleet in self._fleets])
        total.phones = self.phones
        total.online = sum(fleet.progress.tally.online for fleet in alive)
        return total

    @property
    def push_ms(self) -> Quantiles:
        """Return the pushes of the process that fares worst."""
        return max((fleet.progress.push_ms for fleet in self._fleets), key=lambda q: q.p99)

    @property
    def pong_ms(self) -> Quantiles:
        """Return the pongs of the process that fares worst."""
        return max((fleet.progress.pong_ms for fleet in self._fleets), key=lambda q: q.p99)

    @property
    def dead(self) -> list[str]:
        """Return which processes ended though nobody told them to."""
        return [
            f"load process {fleet.pid} with {fleet.phones} phones ended by code {fleet.exit_code}"
            for fleet in self._fleets
            if fleet.exit_code is not None
        ]

    async def begin(self) -> None:
        """Measure from here on."""
        await asyncio.gather(*(fleet.begin() for fleet in self._fleets))

    async def stop(self) -> tuple[list[Diary], list[str]]:
        """Let all phones leave in order; return their diaries, and why some are missing."""
        ended = await asyncio.gather(*map(_stopped, self._fleets))
        diaries = [each for each in ended if isinstance(each, Diary)]
        return diaries, [each for each in ended if isinstance(each, str)]


async def _stopped(fleet: PhoneFleet) -> Diary | str:
    if fleet.exit_code is not None:
        return (
            f"load process {fleet.pid} with {fleet.phones} phones ended by code {fleet.exit_code}"
        )
    try:
        return await fleet.stop()
    except Failure as error:
        return f"load process {fleet.pid} with {fleet.phones} phones: {error.message}"


def _options(wish: Wish, number: int, processes: int) -> FleetOptions:
    """Return what one process does: its part of all rates, and addresses of its own."""
    return FleetOptions(
        seed=wish.seed + number,
        habits=wish.habits,
        connect_per_s=max(1, wish.connect_per_s // processes),
        block=number,
        fixes_per_s=wish.fixes_per_s / processes,
        drops_per_min=wish.drops_per_min / processes,
        drain_s=wish.drain_s,
    )


def added(tallies: Sequence[Tally]) -> Tally:
    """Return the sum of all counts, and of all counts by name."""
    total = Tally()
    for tally in tallies:
        for name, value in asdict(tally).items():
            known = getattr(total, name)
            setattr(total, name, _sum(known, value) if isinstance(value, dict) else known + value)
    return total


def _sum(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    return {key: first.get(key, 0) + second.get(key, 0) for key in {**first, **second}}


def numeric(url: str) -> str:
    """Return the address with `localhost` as 127.0.0.1, so that phones may have addresses too."""
    parts = urlsplit(url)
    if parts.hostname != "localhost":
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.replace("localhost", "127.0.0.1", 1)))
