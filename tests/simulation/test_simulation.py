"""Thousands of bad hours: whatever is lost, doubled, late or killed, what must be true stays true.

Each seed is one schedule. A seed that fails is named with its story; alone it runs by
`SIMULATION_SEED=123 pytest tests/simulation/test_simulation.py`, and tells the same again.
"""

import os
from collections import Counter
from collections.abc import Iterator, MutableMapping
from typing import Any, Final

import pytest
import structlog
from msgspec.structs import replace

from dispatch.core.decision import Decision
from dispatch.desk.desk import Desk
from dispatch.desk.elsewhere import Elsewhere
from dispatch.desk.peers import Peers
from dispatch.desk.phones import Phones
from dispatch.gateway.hub import Hub
from dispatch.live.board import Board
from dispatch.ports import NodeId, Once, Sealed
from dispatch.store.memory import MemoryStore
from schemas.incident import Case
from tests.simulation.ledger import Broken
from tests.simulation.schedule import run
from tests.simulation.weather import Weather

SEEDS: Final = 2_000
CHUNK: Final = 100
"""Seeds a test: so many run in a few seconds, and workers can share them out."""
FEW: Final = 120
"""A planted fault has to show within so many seeds."""

ALONE: Final = os.environ.get("SIMULATION_SEED")
CHUNKS: Final = (
    [range(int(ALONE), int(ALONE) + 1)]
    if ALONE
    else [range(first, first + CHUNK) for first in range(0, SEEDS, CHUNK)]
)


@pytest.fixture(autouse=True)
def faults() -> Iterator[list[str]]:
    """What was logged as a fault of ours; nothing is printed."""
    found: list[str] = []

    def keep(_: object, name: str, facts: MutableMapping[str, Any]) -> str:
        if name in {"exception", "critical"}:
            found.append(str(facts))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[structlog.processors.format_exc_info, keep])
    yield found
    structlog.configure(**before)


@pytest.mark.parametrize("seeds", CHUNKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_whatever_happens_what_must_be_true_is_true(seeds: range, faults: list[str]) -> None:
    """Every seed comes to rest with every check passed, and with no fault logged."""
    for seed in seeds:
        run(seed)
        assert not faults, f"seed {seed} logged a fault: {faults[0]}"


def test_the_same_seed_tells_the_same_story() -> None:
    """What failed once can be looked at again."""
    assert run(7).trace == run(7).trace


def test_a_few_schedules_see_every_kind_of_end() -> None:
    """The weather is bad enough: offers and tasks end in all ways that a minute holds."""
    seen: Counter[str] = sum((run(seed).seen for seed in range(40)), Counter())
    wanted = {f"offer {s}" for s in ("accepted", "declined", "lapsed", "taken", "withdrawn")}
    wanted |= {f"task {s}" for s in ("arrived", "overtaken", "released", "resolved", "cancelled")}
    assert wanted <= seen.keys()


# The checks bite. --------------------------------------------------------------------------------


class DoubleBooking(MemoryStore):
    """Forgets the guard on units: nobody looks whether one has a task already."""

    def _taken(self, *_: object) -> list[Any]:
        return []


class Forgetful(MemoryStore):
    """Forgets what it answered: a command that comes again is carried out again."""

    def _reply(self, once: Once | None) -> None:
        return None


class Overwriting(MemoryStore):
    """Forgets to look whether somebody else decided first."""

    async def commit(self, decision: Decision, *rest: Any, **facts: Any) -> list[Sealed]:
        """Say that it was decided on what is there now."""
        known = self._incidents.get(decision.case.incident.id)
        if known is not None and decision.before is not None:
            incident = replace(decision.before.incident, version=known.version)
            before = replace(decision.before, incident=incident)
            decision = replace(decision, before=before)
        return await super().commit(decision, *rest, **facts)


class Dropping(Hub):
    """Counts a frame as handed over that was not: the first of every stream."""

    def push(self, sealed: list[Sealed]) -> None:  # type: ignore[override]  # it is a list
        """Drop what comes first."""
        for row in sealed:
            seat = self._seats.get(row.device_id)
            if row.seq == 1 and seat is not None:
                seat.queued = max(seat.queued, 1)
        super().push([row for row in sealed if row.seq > 1])


class Believing(Board):
    """Takes every word for the latest, whatever its version."""

    def put(self, case: Case) -> bool:
        """Take it."""
        self._over.pop(case.incident.id, None)
        self._forget(self._cases.pop(case.incident.id, None))
        super().put(case)
        return True

    def _forget(self, case: Case | None) -> None:
        if case is not None:
            self._cases[case.incident.id] = case
        super()._forget(case)


class Careless(Peers):
    """Does not read again after a gap."""

    async def read_again(self) -> None:
        """Go on with what was heard."""


class Unasked(Elsewhere):
    """Asks nobody which phones he holds."""

    def ask_whom(self, node_id: NodeId) -> None:
        """Go on with what was heard."""


class Incurious(Peers):
    """Knows of phones elsewhere only what it happens to hear."""

    def __init__(self, desk: Desk, phones: Phones, hub: Hub, **more: Any) -> None:
        super().__init__(desk, phones, hub, **more)
        self.elsewhere = Unasked(phones, self._questions, self._gone)


SLOW: Final = Weather(bus_s=3.0, roams=1.0)
"""Words come late, and phones speak to several processes about one case."""


def first_broken(**parts: Any) -> str:
    """Return what the checks say of the first seed that shows a planted fault."""
    for seed in range(FEW):
        try:
            run(seed, **parts)
        except Broken as broken:
            return str(broken)
    return "nothing"


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        ({"make_store": DoubleBooking}, "a unit is active twice"),
        ({"make_store": Forgetful}, "clockings"),
        ({"make_store": Overwriting}, "a decision was written over another"),
        ({"make_hub": Dropping}, "a row was never received"),
        ({"make_board": Believing, "weather": SLOW, "processes": 3}, "the board differs"),
        ({"make_peers": Careless}, "a row was never received"),
        ({"make_peers": Incurious}, "differs"),
    ],
    ids=[
        "double booking",
        "no answer kept",
        "lost update",
        "lost frame",
        "older word believed",
        "gap not read",
        "phones not asked for",
    ],
)
def test_a_planted_fault_is_found(parts: dict[str, Any], verdict: str) -> None:
    """Within a few seeds, and named for what it is."""
    assert verdict in first_broken(**parts)
