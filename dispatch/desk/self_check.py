"""Asks the store whether what must be true is true, and heals what a clock can heal."""

from collections import Counter
from typing import Final

import structlog

from dispatch.desk.desk import Desk

log = structlog.get_logger()

MOST_A_RULE: Final = 100
HEALED_BY_WAKING: Final = frozenset(
    {
        "no_clock_nor_owner",
        "clock_overdue",
        "assignment_on_final_incident",
        "offer_on_final_incident",
    }
)
"""Deciding the case once more, as its clock would, settles these."""


class SelfCheck:
    """What is broken is counted; what a normal decision can mend is woken for it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._rules: set[str] = set()

    async def run(self) -> None:
        """Check once."""
        found = await self._desk.store.broken(MOST_A_RULE)
        counts = Counter(one.rule for one in found)
        self._rules |= counts.keys()
        for rule in self._rules:
            self._desk.metrics.broken.labels(rule).set(counts[rule])
        for rule, rows in counts.items():
            log.warning("invariant_broken", rule=rule, rows=rows)
        self._desk.soon.update(
            one.incident_id for one in found if one.incident_id and one.rule in HEALED_BY_WAKING
        )
        if self._desk.soon:
            self._desk.poke.set()
