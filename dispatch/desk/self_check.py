"""Asks the store whether what must be true is true, and heals what a command can heal."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

import structlog

from dispatch.core.commands import Command, UnitGone, Wake
from dispatch.core.decision import Actor
from dispatch.core.errors import Refusal
from dispatch.desk.desk import Desk
from dispatch.ports import Broken

log = structlog.get_logger()

SYSTEM: Final = Actor(by="system", via="self_check")
WORK: Final = "self_check"
LEASE: Final = timedelta(seconds=9)
"""Less than the ten seconds between two looks: whoever checked last may check again."""
MOST_A_RULE: Final = 100


def _wake(_: Broken) -> Command | None:
    """Decide the case once more, as its clock would."""
    return Wake()


def _gone(broken: Broken) -> Command | None:
    """End the offers of a unit that has no time for them."""
    return UnitGone(unit_id=broken.unit_id, engaged=True) if broken.unit_id else None


def _left(broken: Broken) -> Command | None:
    """End the offers of a unit without enough of a crew."""
    return UnitGone(unit_id=broken.unit_id, engaged=False) if broken.unit_id else None


HEALED_BY: Final[Mapping[str, Callable[[Broken], Command | None]]] = {
    "no_clock_nor_owner": _wake,
    "clock_overdue": _wake,
    "assignment_on_final_incident": _wake,
    "offer_on_final_incident": _wake,
    "offer_to_engaged_unit": _gone,
    "offer_to_unit_off_duty": _left,
}
"""Rule → the command that settles it. What no command settles is counted until a person does."""


class SelfCheck:
    """One process of an installation asks; what is broken is counted, and healed if it can be."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._rules: set[str] = set()

    async def run(self) -> None:
        """Check once, unless another process does."""
        now = self._desk.clock.now()
        if await self._desk.store.claim_turn(WORK, now + LEASE, now):
            found = await self._desk.store.broken(MOST_A_RULE)
            self._tell(Counter(one.rule for one in found))
            for one in found:
                await self._heal(one)
        else:
            self._tell(Counter())

    def _tell(self, counts: Counter[str]) -> None:
        self._rules |= counts.keys()
        for rule in self._rules:
            self._desk.metrics.broken.labels(rule).set(counts[rule])
        for rule, rows in counts.items():
            log.warning("invariant_broken", rule=rule, rows=rows)

    async def _heal(self, broken: Broken) -> None:
        heals = HEALED_BY.get(broken.rule)
        command = heals(broken) if heals else None
        if command is None or broken.incident_id is None:
            return
        try:
            await self._desk.heal(broken.incident_id, command, SYSTEM)
        except Refusal as refusal:
            log.warning("not_healed", rule=broken.rule, code=refusal.code)
