"""All simulated phones of the demo: in as many processes as open files need, counted together."""

from asyncio import gather
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import reduce
from math import ceil
from typing import Self

from msgspec.structs import replace

from dispatch.cli.city import IssuedPhone
from dispatch.cli.load.fleets import added
from dispatch.cli.phone_fleet import DRAIN_S, USUAL, PhoneFleet
from dispatch.phone.behaviour import Habits
from dispatch.phone.diary import Diary
from dispatch.phone.fleet import CONNECT_PER_S, FleetOptions, phones_most
from dispatch.phone.process import FleetProgress


class PhoneFleets:
    """Several fleets that are asked as one."""

    def __init__(self, fleets: Sequence[PhoneFleet]) -> None:
        self._fleets = fleets
        self.phones = sum(fleet.phones for fleet in fleets)

    @classmethod
    @asynccontextmanager
    async def started(
        cls,
        phones: Sequence[IssuedPhone],
        url: str,
        habits: Habits = USUAL,
        most: int | None = None,
    ) -> AsyncIterator[Self]:
        """Start the processes, each with `most` phones: as many as it may open files."""
        processes = max(1, ceil(len(phones) / (most or phones_most())))
        async with AsyncExitStack() as stack:
            fleets = [
                await stack.enter_async_context(
                    PhoneFleet.started(
                        phones[n::processes], url, options=_options(habits, n, processes)
                    )
                )
                for n in range(processes)
            ]
            yield cls(fleets)

    @property
    def progress(self) -> FleetProgress:
        """All counts, added up; latencies of the process that fares worst."""
        said = [fleet.progress for fleet in self._fleets]
        return FleetProgress(
            tally=added([each.tally for each in said]),
            push_ms=max((each.push_ms for each in said), key=lambda quantiles: quantiles.p99),
        )

    async def stop(self) -> Diary:
        """Let all phones drain; return what they have seen, in one diary."""
        return reduce(together, await gather(*(fleet.stop() for fleet in self._fleets)))


def _options(habits: Habits, number: int, processes: int) -> FleetOptions:
    """Return what one process does: its part of the storm, and addresses of its own."""
    return FleetOptions(
        seed=1 + number,
        habits=habits,
        connect_per_s=max(1, CONNECT_PER_S // processes),
        block=number,
        drain_s=DRAIN_S,
    )


def together(one: Diary, other: Diary) -> Diary:
    """Return what both have seen; latencies of the one that fared worse."""
    return replace(
        one,
        devices={**one.devices, **other.devices},
        offers_first={
            **other.offers_first,
            **{
                incident: min(first, other.offers_first.get(incident, first))
                for incident, first in one.offers_first.items()
            },
        },
        arrivals=[*one.arrivals, *other.arrivals],
        push_ms=max(one.push_ms, other.push_ms, key=lambda quantiles: quantiles.p99),
        tally=added([one.tally, other.tally]),
    )
