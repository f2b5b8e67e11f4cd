"""All units in memory, one row each: where they are, and whether they may be asked."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dispatch.core.events import Entry, Event
from dispatch.core.fixes import Fix
from dispatch.core.lifecycle import unit_state
from dispatch.core.matching import (
    FREE,
    Bools,
    Candidate,
    Columns,
    Found,
    accept_rate,
    count_reasons,
    first_bars,
    mask,
    ranked,
)
from geo.distance import metres
from geo.eta import MOVES, EtaModel, Reach
from geo.point import Box, Point
from schemas.base import UnitId
from schemas.incident import OfferState
from schemas.plan import Need
from schemas.unit import Link, Unit, UnitRow, UnitState

FRESH_S: Final = 420.0
"""A fix counts this long: the same bound a late one is refused at (core.fixes.OLD_S)."""
GRACE_S: Final = 60.0
"""After a start every on-duty phone counts as reachable this long (protocol, section 8)."""
MOST_CANDIDATES: Final = 50
REACH_S: Final = 1200.0
"""How far the one search of a decision goes; the rings are cut out of it."""
MOVED_M: Final = 25.0
KEPT_S: Final = 60.0

_OFFER_OVER: Final = frozenset(
    {
        Event.LAPSED,
        Event.ACCEPTED,
        Event.DECLINED,
        Event.EXPIRED,
        Event.WITHDRAWN,
        Event.TAKEN,
        Event.OFFER_CANCELLED,
    }
)
_DTYPE: Final = np.dtype(
    [
        ("lon", "f8"),
        ("lat", "f8"),
        ("fix_s", "f8"),
        ("acc_m", "f4"),
        ("home_lon", "f8"),
        ("home_lat", "f8"),
        ("moves", "u1"),
        ("capabilities", "u8"),
        ("min_crew", "i2"),
        ("on_duty", "i2"),
        ("paused", "i2"),
        ("disabled", "?"),
        ("fixed", "?"),
        ("engaged", "?"),
        ("offered", "i2"),
        ("offers", "i4"),
        ("accepts", "i4"),
        ("asked", "i4"),
        ("online", "i2"),
        ("kept_lon", "f8"),
        ("kept_lat", "f8"),
        ("kept_s", "f8"),
    ]
)


_LIVE: Final = ("lon", "lat", "acc_m", "fix_s", "online", "kept_lon", "kept_lat", "kept_s")
"""What only phones tell: kept when the store is read anew."""


class Standing(NamedTuple):
    """Where a unit stands; `age_s` is None where it is only thought to be at its home post."""

    place: Point
    age_s: float | None


class Fleet:
    """Units by row; every number is a column, so that a search is one pass over arrays."""

    def __init__(self, model: EtaModel) -> None:
        self.model = model
        self._units: list[Unit] = []
        self._rows: dict[UnitId, int] = {}
        self._table: NDArray[np.void] = np.zeros(0, _DTYPE)
        self._moved: set[int] = set()
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
        before, was = self._rows, self._table
        self._units = [row.unit for row in rows]
        self._rows = {row.unit.id: i for i, row in enumerate(rows)}
        self._table = np.zeros(len(rows), _DTYPE)
        self._moved = {self._rows[u] for u in before if u in self._rows}
        stayed = [(i, before[u]) for u, i in self._rows.items() if u in before]
        if stayed:
            here, there = np.array(stayed).T
            for name in _LIVE:
                self._table[name][here] = was[name][there]
        for row in rows:
            self.put(row)
        if self._started_s == float("-inf"):
            self._started_s = now_s

    def put(self, row: UnitRow) -> None:
        """Take what the store says of a known unit; a fix newer than the store's stays."""
        i = self._rows[row.unit.id]
        self._units[i] = row.unit
        unit, cells = row.unit, self._table
        cells["home_lon"][i], cells["home_lat"][i] = unit.lon, unit.lat
        cells["moves"][i] = MOVES.index(unit.moves)
        cells["capabilities"][i] = mask(unit.capabilities)
        cells["min_crew"][i] = unit.min_crew
        cells["fixed"][i], cells["disabled"][i] = unit.fixed, unit.disabled
        cells["on_duty"][i], cells["paused"][i] = row.on_duty, row.paused
        cells["engaged"][i], cells["offered"][i] = row.engaged, row.open_offers
        cells["offers"][i], cells["accepts"][i] = row.offers, row.accepts
        cells["asked"][i] = row.asked_24h
        if row.position and row.position.at.timestamp() > cells["fix_s"][i]:
            self._place(i, row.position.lon, row.position.lat, row.position.acc_m)
            cells["fix_s"][i] = row.position.at.timestamp()

    def fold(self, entries: Iterable[Entry]) -> None:
        """Apply committed entries: who is asked, who is engaged, who was asked how often."""
        for entry in entries:
            if entry.unit_id in self._rows:
                self._fold(self._rows[entry.unit_id], entry)

    def _fold(self, i: int, entry: Entry) -> None:
        cells = self._table
        if entry.type is Event.OFFERED:
            cells["offered"][i] += 1
            cells["offers"][i] += 1
            cells["asked"][i] += 1
        elif entry.type in _OFFER_OVER and entry.data["before"] == OfferState.OPEN:
            cells["offered"][i] = max(0, cells["offered"][i] - 1)
        elif entry.type is Event.ASSIGNED:
            cells["engaged"][i] = True
        elif entry.type is Event.ASSIGNMENT_ENDED:
            cells["engaged"][i] = False
        if entry.type is Event.ACCEPTED:
            cells["accepts"][i] += 1

    def busy(self) -> list[UnitId]:
        """Return the units thought to be asked or engaged: those worth reading again."""
        cells = self._table
        rows = np.flatnonzero(cells["engaged"] | (cells["offered"] > 0))
        return [self._units[i].id for i in rows]

    # What phones say. ------------------------------------------------------------------------

    def fix(self, unit_id: UnitId, fix: Fix) -> None:
        """Take a position, unless a newer one is known."""
        i = self._rows.get(unit_id)
        if i is None or fix.at_s <= self._table["fix_s"][i]:
            return
        self._place(i, fix.lon, fix.lat, fix.acc_m)
        self._table["fix_s"][i] = fix.at_s
        self._moved.add(i)

    def _place(self, i: int, lon: float, lat: float, acc_m: float) -> None:
        self._table["lon"][i], self._table["lat"][i] = lon, lat
        self._table["acc_m"][i] = acc_m

    def connected(self, unit_id: UnitId, change: int) -> None:
        """Count a phone of the unit in (+1) or out (-1)."""
        i = self._rows.get(unit_id)
        if i is not None:
            self._table["online"][i] += change

    def to_keep(self) -> list[tuple[UnitId, Point, float, float]]:
        """Return units whose position is worth writing down: moved far enough, or kept long ago.

        Each with its place, accuracy in metres and the instant of the fix in seconds.
        """
        kept = []
        for i in sorted(self._moved):
            row = self._table[i]
            if self._worth_keeping(row):
                place = Point(float(row["lon"]), float(row["lat"]))
                self._table["kept_lon"][i], self._table["kept_lat"][i] = place
                self._table["kept_s"][i] = row["fix_s"]
                kept.append((self._units[i].id, place, float(row["acc_m"]), float(row["fix_s"])))
        self._moved.clear()
        return kept

    def _worth_keeping(self, row: np.void) -> bool:
        if row["fix_s"] - row["kept_s"] >= KEPT_S:
            return True
        here = Point(float(row["lon"]), float(row["lat"]))
        return metres(here, Point(float(row["kept_lon"]), float(row["kept_lat"]))) > MOVED_M

    # What the desk asks. ---------------------------------------------------------------------

    def fresh(self, now_s: float) -> Bools:
        """Return which units have a fix that still counts."""
        flags: Bools = self._table["fix_s"] >= now_s - FRESH_S
        return flags

    def reach(self, place: Point, now_s: float, limit_s: float = REACH_S) -> Reach:
        """Return every unit's ETA to a place, from its fresh fix or else its home post."""
        fresh, cells = self.fresh(now_s), self._table
        lons = np.where(fresh, cells["lon"], cells["home_lon"])
        lats = np.where(fresh, cells["lat"], cells["home_lat"])
        return self.model.etas(place, lons, lats, cells["moves"], limit_s)

    def columns(self, rows: NDArray[np.intp], excluded: frozenset[UnitId], now_s: float) -> Columns:
        """Return the facts matching needs, for some rows."""
        part = self._table[rows]
        barred = [self._rows[u] for u in excluded if u in self._rows]
        fresh = part["fix_s"] >= now_s - FRESH_S
        grace = now_s < self._started_s + GRACE_S
        return Columns(
            disabled=part["disabled"],
            on_duty=part["on_duty"],
            min_crew=part["min_crew"],
            capabilities=part["capabilities"],
            engaged=part["engaged"],
            offered=part["offered"],
            excluded=np.isin(rows, barred),
            fresh=fresh | part["fixed"],
            reachable=(part["online"] > 0) | grace,
        )

    def candidate(self, i: int, reach: Reach, now_s: float) -> Candidate:
        """Return one row as a candidate."""
        row = self._table[i]
        return Candidate(
            unit_id=self._units[i].id,
            eta_s=float(reach.eta_s[i]),
            distance_m=float(reach.distance_m[i]),
            quality=self.model.quality,
            accept_rate=accept_rate(int(row["accepts"]), int(row["offers"])),
            asked_24h=int(row["asked"]),
            at_home=bool(row["fix_s"] < now_s - FRESH_S),
        )

    def find(
        self,
        reach: Reach,
        need: Need,
        ring_s: int,
        excluded: frozenset[UnitId],
        now_s: float,
        most: int = MOST_CANDIDATES,
    ) -> Found:
        """Return who in the ring may be asked, best first, and how many may not, by reason."""
        rows = np.flatnonzero(reach.eta_s <= ring_s)
        stopped = first_bars(self.columns(rows, excluded, now_s), mask(need.capabilities))
        free = rows[stopped == FREE]
        order = ranked(reach.eta_s[free], self._table["asked"][free], most)
        return Found(
            candidates=tuple(self.candidate(int(i), reach, now_s) for i in free[order]),
            left_out=count_reasons(stopped[stopped != FREE]),
        )

    def capable(self, unit_id: UnitId, need: Need) -> bool:
        """Say whether a unit brings all that a need names."""
        i = self._rows.get(unit_id)
        wanted = mask(need.capabilities)
        return i is not None and bool(self._table["capabilities"][i] & wanted == wanted)

    def row(self, unit_id: UnitId) -> int | None:
        """Return the row of a unit, for the arrays of a reach."""
        return self._rows.get(unit_id)

    # What people see. ------------------------------------------------------------------------

    def unit(self, unit_id: UnitId) -> Unit | None:
        """Return a unit as it is kept."""
        i = self._rows.get(unit_id)
        return None if i is None else self._units[i]

    def state(self, unit_id: UnitId) -> UnitState:
        """Return what a unit is free for."""
        row = self._table[self._rows[unit_id]]
        return unit_state(
            disabled=bool(row["disabled"]),
            engaged=bool(row["engaged"]),
            open_offers=int(row["offered"]),
            on_duty=int(row["on_duty"]),
            paused=int(row["paused"]),
            min_crew=int(row["min_crew"]),
        )

    def on_duty(self, unit_id: UnitId) -> int:
        """Return how many of a unit's members are on duty."""
        return int(self._table["on_duty"][self._rows[unit_id]])

    def link(self, unit_id: UnitId, now_s: float) -> Link:
        """Return how well a unit's phones are heard."""
        row = self._table[self._rows[unit_id]]
        if row["online"] <= 0:
            return Link.OFFLINE
        return Link.ONLINE if row["fix_s"] >= now_s - FRESH_S else Link.STALE

    def standing(self, unit_id: UnitId, now_s: float) -> Standing:
        """Return where a unit is, and how old that is."""
        row = self._table[self._rows[unit_id]]
        if row["fix_s"] < now_s - FRESH_S:
            return Standing(Point(float(row["home_lon"]), float(row["home_lat"])), None)
        place = Point(float(row["lon"]), float(row["lat"]))
        return Standing(place, round(now_s - float(row["fix_s"]), 1))

    def inside(self, box: Box, now_s: float) -> set[UnitId]:
        """Return the units that stand in a box."""
        fresh, cells = self.fresh(now_s), self._table
        lons = np.where(fresh, cells["lon"], cells["home_lon"])
        lats = np.where(fresh, cells["lat"], cells["home_lat"])
        return {self._units[i].id for i in np.flatnonzero(box.contains_many(lons, lats))}
