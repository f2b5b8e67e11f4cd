"""All units in memory: which there are, and who of those near may be asked."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dispatch.core.events import Entry
from dispatch.core.fixes import Fix
from dispatch.core.hidden import is_hidden
from dispatch.core.matching import (
    FREE,
    Bools,
    Candidate,
    Columns,
    Found,
    accept_rate,
    first_bars,
    mask,
)
from dispatch.live.checkpoint import Checkpoint
from dispatch.live.ground import FRESH_S, Ground, Standing
from dispatch.live.ledger import Ledger
from dispatch.live.links import Links
from dispatch.live.near import Near
from dispatch.live.sift import Best, Facts, Terms, columns, sift
from dispatch.live.table import Stayed
from dispatch.ports import UnitStates
from geo.eta import TURNOUT_S, EtaModel, MoveCodes
from geo.point import Box, Floats, Point
from geo.standing import Quality, Reach
from schemas.base import UnitId
from schemas.plan import Need
from schemas.unit import Link, Unit, UnitRow, UnitState

GRACE_S: Final = 60.0
"""After a start every on-duty phone counts as reachable this long (protocol, section 8)."""
MOST_CANDIDATES: Final = 50
REACH_S: Final = 1200.0
"""How far the one search of a decision goes; the rings are cut out of it."""
NOBODY: Final = np.zeros(0, np.int64)

_OF_LEDGER: Final = frozenset(Facts._fields) - {"fix_s", "online"}
_mask: Final = lru_cache(maxsize=256)(mask)
"""A plan names the same capabilities again and again."""


class Footing(NamedTuple):
    """All units by row: where they are found, how they move, how likely to accept, who is free.

    `later_s`: how much longer than the model's turnout each takes to set out.
    """

    lons: Floats
    lats: Floats
    moves: MoveCodes
    rates: Floats
    free: Bools
    later_s: Floats


class Fleet:
    """Units by row; every number is a column, so that a search is one pass over arrays.

    What is known of them is kept by the ground (where they stand), the ledger (what the store
    says), the links (what of their phones is heard) and the checkpoint (what was written down).
    """

    def __init__(self, model: EtaModel, *, wakes: bool = True) -> None:
        self.model = model
        self.wakes = wakes
        self._units: list[Unit] = []
        self._ids: list[UnitId] = []
        self._rows: dict[UnitId, int] = {}
        self._hidden: frozenset[UnitId] = frozenset()
        self._ledger = Ledger()
        self._ground = Ground(model)
        self._links = Links()
        self._checkpoint = Checkpoint()
        self._facts = self._at_hand()
        self._started_s = float("-inf")

    def __len__(self) -> int:
        """Return how many units are known."""
        return len(self._units)

    def __contains__(self, unit_id: object) -> bool:
        """Say whether a unit is known."""
        return unit_id in self._rows

    def __iter__(self) -> Iterator[Unit]:
        """Yield the units, ordered by id as loaded."""
        return iter(self._units)

    def after(self, unit_id: UnitId | None) -> Iterator[Unit]:
        """Yield the units whose id is greater, in order."""
        start = 0 if unit_id is None else bisect_right(self._units, unit_id, key=lambda u: u.id)
        return islice(self._units, start, None)

    # What the store says. --------------------------------------------------------------------

    def load(self, rows: Sequence[UnitRow], now_s: float) -> None:
        """Take the whole fleet as the store has it; what phones said of themselves stays."""
        before = self._rows
        self._units = [row.unit for row in rows]
        self._ids = [row.unit.id for row in rows]
        self._rows = {row.unit.id: i for i, row in enumerate(rows)}
        self._hidden = frozenset()
        self._renew(self._stayed(before))
        for row in rows:
            self.put(row)
        self._ground.stand_all(now_s)
        if self._started_s == float("-inf"):
            self._started_s = now_s

    def begins(self, rows: Sequence[UnitRow]) -> bool:
        """Say whether rows begin with all the units there are, in their order: others are new."""
        return bool(self._ids) and self._ids == [row.unit.id for row in rows[: len(self)]]

    def _stayed(self, before: dict[UnitId, int]) -> Stayed:
        pairs = [(i, before[unit_id]) for unit_id, i in self._rows.items() if unit_id in before]
        return Stayed(*np.array(pairs, np.intp).reshape(-1, 2).T)

    def _renew(self, stayed: Stayed) -> None:
        """Begin all columns anew, but for what phones said of units that stayed."""
        self._ledger = Ledger(len(self))
        for kept in (self._ground, self._links, self._checkpoint):
            kept.renew(len(self), stayed)
        self._facts = self._at_hand()

    def _at_hand(self) -> Facts:
        """Return the columns a match reads: they are others whenever there are other rows."""
        said = {name: self._ledger.table[name] for name in _OF_LEDGER}
        return Facts(fix_s=self._ground.table["fix_s"], online=self._links.table["online"], **said)

    def add(self, row: UnitRow) -> None:
        """Take a unit that is new; one whose id is not the greatest comes with the next load."""
        unit_id = row.unit.id
        if unit_id not in self._rows:
            if self._units and self._units[-1].id > unit_id:
                return
            self._rows[unit_id] = len(self._units)
            self._units.append(row.unit)
            self._ids.append(unit_id)
            self._grow()
        self.put(row)

    def _grow(self) -> None:
        for kept in (self._ledger.table, self._ground.table, self._links.table, self._checkpoint):
            kept.grow()
        self._facts = self._at_hand()

    def put(self, row: UnitRow) -> None:
        """Take what the store says of a known unit; a fix newer than the store's stays."""
        unit = row.unit
        i = self._rows[unit.id]
        self._units[i] = unit
        if is_hidden(unit.juris):
            self._hidden |= {unit.id}
        self._ledger.put(i, row)
        self._ground.put(i, unit, row.position)

    def fold(self, entries: Iterable[Entry]) -> None:
        """Apply committed entries: who is asked, who is engaged, who was asked how often."""
        for entry in entries:
            if entry.unit_id in self._rows:
                self._ledger.fold(self._rows[entry.unit_id], entry)

    def call_on(self, unit_id: UnitId, *, engaged: bool, ringing: int) -> None:
        """Take whether a unit is sent anywhere, and how many offers ring at it."""
        i = self._rows.get(unit_id)
        if i is not None:
            self._ledger.call_on(i, engaged=engaged, ringing=ringing)

    def busy(self) -> list[UnitId]:
        """Return the units thought to be asked or engaged: those worth reading again."""
        return [self._ids[i] for i in self._ledger.busy().tolist()]

    def unlike(self, states: UnitStates) -> list[UnitId]:
        """Return the units whose state memory reckons from other facts; unknown ones are none."""
        if not self._units:
            return []
        rows = np.fromiter((self._rows.get(u, -1) for u in states.unit_ids), np.intp)
        unlike = self._ledger.unlike(rows, states) & (rows >= 0)
        return [states.unit_ids[i] for i in np.flatnonzero(unlike).tolist()]

    def holds(self, row: UnitRow) -> bool:
        """Say whether a known unit is as the store says, but for what phones and time change."""
        i = self._rows[row.unit.id]
        return self._ledger.holds(i, row) and self._units[i] == row.unit

    # What phones say. ------------------------------------------------------------------------

    def fix(self, unit_id: UnitId, fix: Fix) -> None:
        """Take a position, unless a newer one is known."""
        i = self._rows.get(unit_id)
        if i is not None:
            self._ground.fix(i, fix)
            self._checkpoint.note(i)

    def hear(self, fixes: Mapping[UnitId, Fix]) -> None:
        """Take positions that other processes have taken, and write down."""
        for unit_id, fix in fixes.items():
            if (i := self._rows.get(unit_id)) is not None:
                self._ground.fix(i, fix)

    def grace(self, now_s: float) -> None:
        """Count every on-duty phone as reachable for `GRACE_S` from now: they are coming again."""
        self._started_s = now_s

    def forget(self, unit_id: UnitId) -> None:
        """Drop where a unit was: it stands at its home post, and nothing of it is written down."""
        i = self._rows.get(unit_id)
        if i is not None:
            self._ground.forget(i)
            self._checkpoint.forget(i)

    def connected(self, unit_id: UnitId, change: int) -> None:
        """Count a phone of the unit in (+1) or out (-1)."""
        i = self._rows.get(unit_id)
        if i is not None:
            self._links.connected(i, change)

    def recount(self, phones: Iterable[tuple[UnitId, bool]]) -> None:
        """Count all phones anew, each by its unit and whether it is not heard in time.

        One that came before its unit was known has not been counted.
        """
        rows = ((self._rows.get(unit_id), quiet) for unit_id, quiet in phones)
        self._links.recount((i, quiet) for i, quiet in rows if i is not None)

    def quiet(self, unit_id: UnitId, change: int) -> None:
        """Count a connected phone of the unit as not heard in time (+1), or as heard again (-1)."""
        i = self._rows.get(unit_id)
        if i is not None:
            self._links.quiet(i, change)

    def moved(self) -> int:
        """Return how many units have a fix that was not looked at for writing down."""
        return len(self._checkpoint)

    def to_keep(self, most: int = 1_000_000) -> list[tuple[UnitId, Point, float, float]]:
        """Return units whose position is worth writing down: moved far enough, or kept long ago.

        Each with its place, accuracy in metres and the instant of the fix in seconds. At most so
        many of those that `moved` counts are looked at; the others are left for the next time.
        """
        fixes = self._ground.table
        rows = self._checkpoint.take(fixes, most)
        lons, lats, accs, at_s = (
            fixes[name][rows].tolist() for name in ("lon", "lat", "acc_m", "fix_s")
        )
        ids = [self._ids[i] for i in rows.tolist()]
        return list(zip(ids, map(Point, lons, lats), accs, at_s, strict=True))

    # What the desk asks. ---------------------------------------------------------------------

    def fresh(self, now_s: float) -> Bools:
        """Return which units have a fix that still counts."""
        return self._ground.fresh(now_s)

    def reach(self, place: Point, now_s: float, limit_s: float = REACH_S) -> Near:
        """Return the ETAs to a place of all in time, from their fresh fix or else home post."""
        self._ground.stand_by(now_s)
        return Near(len(self), partial(self._ground.reach, place), limit_s)

    def warm(self) -> None:
        """Compile what searches run on, or load it from its cache: once at the start."""
        self.model.warm()
        none = np.zeros(0)
        near = np.zeros(0, np.int64), Reach(none, none)
        sift(near, 0.0, self._facts, self._terms(_mask(()), frozenset(), 0.0), 1)

    def settle(self) -> int:
        """Work off the positions that came since; return how many. A search does it by itself.

        To be called some times a second, so that no search has much to do.
        """
        return self._ground.settle()

    def columns(self, rows: NDArray[np.intp], excluded: frozenset[UnitId], now_s: float) -> Columns:
        """Return the facts matching needs, for some rows."""
        self._ground.take_in()
        return columns(rows, self._facts, self._terms(mask(()), excluded, now_s))

    def _terms(self, need: np.uint64, excluded: frozenset[UnitId], now_s: float) -> Terms:
        known = [self._rows[u] for u in excluded if u in self._rows] if excluded else None
        return Terms(
            need=need,
            barred=np.array(known, np.int64) if known else NOBODY,
            fresh_s=now_s - FRESH_S,
            wakes=self.wakes,
            grace=now_s < self._started_s + GRACE_S,
        )

    def candidate(self, i: int, reach: Near, now_s: float) -> Candidate:
        """Return one row as a candidate."""
        (eta_s, distance_m), facts = reach.of(i), self._facts
        rate = accept_rate(int(facts.accepts[i]), int(facts.offers[i]))
        fix_s, asked = float(facts.fix_s[i]), int(facts.asked[i])
        best = Best([i], [asked], [eta_s], [distance_m], [fix_s], [rate])
        return self._candidates(best, reach.quality, now_s)[0]

    def _candidates(self, best: Best, quality: Quality, now_s: float) -> tuple[Candidate, ...]:
        """Return some rows as candidates, in their order."""
        stale_s, ids = now_s - FRESH_S, self._ids
        return tuple(
            [
                Candidate(
                    unit_id=ids[i],
                    eta_s=eta,
                    distance_m=distance,
                    quality=quality,
                    accept_rate=rate,
                    asked_24h=asked,
                    at_home=fix_s < stale_s,
                )
                for i, asked, eta, distance, fix_s, rate in zip(*best, strict=True)
            ]
        )

    def find(
        self,
        reach: Near,
        need: Need,
        ring_s: int,
        excluded: frozenset[UnitId],
        now_s: float,
        most: int = MOST_CANDIDATES,
    ) -> Found:
        """Return who in the ring may be asked, best first, and how many may not, by reason."""
        near = reach.upto(ring_s)
        terms = self._terms(_mask(need.capabilities), excluded, now_s)
        best, left_out = sift(near, ring_s, self._facts, terms, most)
        candidates = self._candidates(best, near[1].quality, now_s)
        return Found(candidates=candidates, left_out=left_out)

    def capable(self, unit_id: UnitId, need: Need) -> bool:
        """Say whether a unit brings all that a need names."""
        i = self._rows.get(unit_id)
        return i is not None and self._ledger.capable(i, need)

    def row(self, unit_id: UnitId) -> int | None:
        """Return the row of a unit, for the arrays of a reach."""
        return self._rows.get(unit_id)

    def ids(self, rows: NDArray[np.int64]) -> frozenset[UnitId]:
        """Return the units of some rows."""
        return frozenset(self._ids[i] for i in rows.tolist())

    def footing(self, now_s: float) -> Footing:
        """Return where all units are found, by row, and who of them may be asked; all copies."""
        lons, lats = self._ground.places(now_s)
        every = np.arange(len(self))
        bars = first_bars(self.columns(every, self.hidden, now_s), mask(()))
        return Footing(
            lons=lons,
            lats=lats,
            moves=self._ground.table["moves"].copy(),
            rates=self._ledger.rates(),
            free=bars == FREE,
            later_s=self._ground.table["later_s"].copy(),
        )

    @property
    def hidden(self) -> frozenset[UnitId]:
        """Return the units that are the service's own: no real incident knows them."""
        return self._hidden

    def at_hand(self, unit_ids: frozenset[UnitId]) -> Near:
        """Return some units as standing at the place, wherever that is."""
        rows = np.array(sorted(self._rows[u] for u in unit_ids), np.int64)
        reach = Reach(np.full(len(rows), TURNOUT_S), np.zeros(len(rows)))
        return Near(len(self), lambda _: (rows, reach), TURNOUT_S)

    # What people see. ------------------------------------------------------------------------

    def unit(self, unit_id: UnitId) -> Unit | None:
        """Return a unit as it is kept."""
        i = self._rows.get(unit_id)
        return None if i is None else self._units[i]

    def state(self, unit_id: UnitId) -> UnitState:
        """Return what a unit is free for."""
        return self._ledger.state(self._rows[unit_id])

    def on_duty(self, unit_id: UnitId) -> int:
        """Return how many of a unit's members are on duty."""
        return int(self._facts.on_duty[self._rows[unit_id]])

    def link(self, unit_id: UnitId, now_s: float) -> Link:
        """Return how well a unit's phones are heard."""
        i = self._rows[unit_id]
        return self._links.of(i, fresh=self._ground.is_fresh(i, now_s))

    def standing(self, unit_id: UnitId, now_s: float) -> Standing:
        """Return where a unit is, and how old that is."""
        return self._ground.standing(self._rows[unit_id], now_s)

    def inside(self, box: Box, now_s: float) -> set[UnitId]:
        """Return the units that stand in a box."""
        within = box.contains_many(*self._ground.places(now_s))
        return {self._ids[i] for i in np.flatnonzero(within).tolist()}
