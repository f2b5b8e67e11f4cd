"""How much waits, in memory and in the store, told to the metrics."""

from collections.abc import Awaitable, Callable, Mapping

from dispatch.desk.desk import Desk
from dispatch.desk.phones import Phones
from schemas.base import Instant

Backlog = Callable[[Instant], Awaitable[Mapping[str, int]]]


class Queues:
    """Those of memory are looked at whenever somebody asks, the store's every so often."""

    def __init__(self, desk: Desk, phones: Phones, backlog: Backlog) -> None:
        self._desk = desk
        self._backlog = backlog
        lengths: dict[str, Callable[[], int]] = {
            "acks": phones.acks_waiting,
            "push_addresses": phones.sleepers.waiting,
            "notices_unheard": desk.notices.unheard,
            "positions": desk.fleet.moved,
            "searches": lambda: len(desk.soon),
            "units_to_read": lambda: len(desk.reread),
            "cases_to_read": lambda: len(desk.unsure),
        }
        for name, length in lengths.items():
            desk.metrics.queue(name, length)

    async def look(self) -> None:
        """Ask the store what waits in it: due rows, frames not acknowledged, notices, pushes."""
        for name, count in (await self._backlog(self._desk.clock.now())).items():
            self._desk.metrics.queues.labels(f"store_{name}").set(count)
