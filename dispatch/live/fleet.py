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
from dispatch.live.cells import Cells
from dispatch.live.near import Near
from dispatch.live.table import Row, Table
from geo.distance import metres
from geo.eta import MOVES, Bounded, EtaModel
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
        ("at_lon", "f8"),
        ("at_lat", "f8"),
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
        ("pushable", "i2"),
        ("quiet", "i2"),
        ("kept_lon", "f8"),
        ("kept_lat", "f8"),
        ("kept_s", "f8"),
    ]
)


_MATCHED: Final = (
    *("disabled", "on_duty", "min_crew", "capabilities", "engaged", "offered"),
    *("fix_s", "fixed", "online", "pushable"),
)
"""What a match asks of a unit."""
_TOLD: Final = ("accepts", "offers", "asked", "fix_s")
"""What a candidate tells of itself."""
_LIVE: Final = (
    "lon", "lat", "acc_m", "fix_s", "online", "quiet", "kept_lon", "kept_lat", "kept_s"
)  # fmt: skip
"""What only phones tell: kept when the store is read anew."""


class Standing(NamedTuple):
    """Where a unit stands; `age_s` is None where it is only thought to be at its home post."""

    place: Point
    age_s: float | None


class Fleet:
    """Units by row; every number is a column, so that a search is one pass over arrays."""

    def __init__(self, model: EtaModel, *, wakes: bool = True) -> None:
        self.model = model
        self.wakes = wakes
        self._units: list[Unit] = []
        self._rows: dict[UnitId, int] = {}
        self._table = Table(_DTYPE, 0)
        self._cells = Cells()
        self._seen_s = float("-inf")
        self._stale_s = float("inf")
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
        self._table = Table(_DTYPE, len(rows))
        self._cells = Cells()
        self._moved = {self._rows[u] for u in before if u in self._rows}
        stayed = [(i, before[u]) for u, i in self._rows.items() if u in before]
        if stayed:
            here, there = np.array(stayed).T
            for name in _LIVE:
                self._table[name][here] = was[name][there]
        for row in rows:
            self.put(row)
        self._stand_all(now_s)
        if self._started_s == float("-inf"):
            self._started_s = now_s

    def add(self, row: UnitRow) -> None:
        """Take a unit that is new; one whose id is not the greatest comes with the next load."""
        unit_id = row.unit.id
        if unit_id not in self._rows:
            if self._units and self._units[-1].id > unit_id:
                return
            self._rows[unit_id] = len(self._units)
            self._units.append(row.unit)
            self._table.grow()
        self.put(row)

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
        cells["pushable"][i] = row.pushable
        if row.position and row.position.at.timestamp() > cells["fix_s"][i]:
            self._place(i, row.position.lon, row.position.lat, row.position.acc_m)
            cells["fix_s"][i] = row.position.at.timestamp()
        self._stand(i)

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
        self._stand(i)
        self._moved.add(i)

    def _place(self, i: int, lon: float, lat: float, acc_m: float) -> None:
        self._table["lon"][i], self._table["lat"][i] = lon, lat
        self._table["acc_m"][i] = acc_m

    def _stand(self, i: int) -> None:
        """Let a unit stand where it is found: at its fix while that is fresh, else at home."""
        cells = self._table
        fix_s = float(cells["fix_s"][i])
        fresh = fix_s >= self._seen_s - FRESH_S
        self._stale_s = min(self._stale_s, fix_s + FRESH_S) if fresh else self._stale_s
        lon, lat = ("lon", "lat") if fresh else ("home_lon", "home_lat")
        at_lon, at_lat = float(cells[lon][i]), float(cells[lat][i])
        cells["at_lon"][i], cells["at_lat"][i] = at_lon, at_lat
        self._cells.put(i, at_lon, at_lat)

    def _stand_all(self, now_s: float) -> None:
        """Let all units stand where they are found at an instant, and note till when that holds."""
        before, self._seen_s, self._stale_s = self._seen_s, now_s, float("inf")
        fix_s = self._table["fix_s"]
        bounds = sorted((before - FRESH_S, now_s - FRESH_S))
        for i in np.flatnonzero((fix_s >= bounds[0]) & (fix_s < bounds[1])).tolist():
            self._stand(i)
        fresh = fix_s[fix_s >= now_s - FRESH_S]
        self._stale_s = float(fresh.min()) + FRESH_S if len(fresh) else float("inf")

    def connected(self, unit_id: UnitId, change: int) -> None:
        """Count a phone of the unit in (+1) or out (-1)."""
        i = self._rows.get(unit_id)
        if i is not None:
            self._table["online"][i] += change

    def quiet(self, unit_id: UnitId, change: int) -> None:
        """Count a connected phone of the unit as not heard in time (+1), or as heard again (-1)."""
        i = self._rows.get(unit_id)
        if i is not None:
            self._table["quiet"][i] += change

    def to_keep(self) -> list[tuple[UnitId, Point, float, float]]:
        """Return units whose position is worth writing down: moved far enough, or kept long ago.

        Each with its place, accuracy in metres and the instant of the fix in seconds.
        """
        kept = []
        for i in sorted(self._moved):
            row = self._table.row(i)
            if self._worth_keeping(row):
                place = Point(float(row["lon"]), float(row["lat"]))
                self._table["kept_lon"][i], self._table["kept_lat"][i] = place
                self._table["kept_s"][i] = row["fix_s"]
                kept.append((self._units[i].id, place, float(row["acc_m"]), float(row["fix_s"])))
        self._moved.clear()
        return kept

    def _worth_keeping(self, row: Row) -> bool:
        if row["fix_s"] - row["kept_s"] >= KEPT_S:
            return True
        here = Point(float(row["lon"]), float(row["lat"]))
        return metres(here, Point(float(row["kept_lon"]), float(row["kept_lat"]))) > MOVED_M

    # What the desk asks. ---------------------------------------------------------------------

    def fresh(self, now_s: float) -> Bools:
        """Return which units have a fix that still counts."""
        flags: Bools = self._table["fix_s"] >= now_s - FRESH_S
        return flags

    def reach(self, place: Point, now_s: float, limit_s: float = REACH_S) -> Near:
        """Return the ETAs to a place of all in time, from their fresh fix or else home post."""
        if not self._seen_s <= now_s <= self._stale_s:
            self._stand_all(now_s)
        rows, cells = self._around(place, limit_s), self._table
        lons, lats = cells["at_lon"][rows], cells["at_lat"][rows]
        reach = self.model.etas(place, lons, lats, cells["moves"][rows], limit_s)
        return Near(len(self), rows, reach)

    def _around(self, place: Point, limit_s: float) -> NDArray[np.int64]:
        """Return the rows of all that could be in time, where the model knows such a bound."""
        if isinstance(self.model, Bounded):
            return self._cells.near(Box.around(place, self.model.within_m(limit_s)))
        return np.arange(len(self))

    def columns(self, rows: NDArray[np.intp], excluded: frozenset[UnitId], now_s: float) -> Columns:
        """Return the facts matching needs, for some rows."""
        part = {name: self._table[name][rows] for name in _MATCHED}
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
            excluded=np.isin(rows, barred) if barred else np.zeros(len(rows), np.bool_),
            fresh=fresh | part["fixed"],
            reachable=(part["online"] > 0) | (self.wakes & (part["pushable"] > 0)) | grace,
        )

    def candidate(self, i: int, reach: Near, now_s: float) -> Candidate:
        """Return one row as a candidate."""
        eta_s, distance_m = reach.of(i)
        return self._candidates([i], [eta_s], [distance_m], now_s)[0]

    def _candidates(
        self, rows: list[int], eta_s: list[float], distance_m: list[float], now_s: float
    ) -> tuple[Candidate, ...]:
        """Return some rows as candidates, in their order."""
        facts = (self._table[name][rows].tolist() for name in _TOLD)
        stale_s, quality = now_s - FRESH_S, self.model.quality
        return tuple(
            Candidate(
                unit_id=self._units[i].id,
                eta_s=eta,
                distance_m=distance,
                quality=quality,
                accept_rate=accept_rate(accepts, offers),
                asked_24h=asked,
                at_home=fix_s < stale_s,
            )
            for i, eta, distance, accepts, offers, asked, fix_s in zip(
                rows, eta_s, distance_m, *facts, strict=True
            )
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
        rows, eta_s, distance_m = reach.within(ring_s)
        stopped = first_bars(self.columns(rows, excluded, now_s), mask(need.capabilities))
        free = np.flatnonzero(stopped == FREE)
        order = ranked(eta_s[free], self._table["asked"][rows[free]], most)
        best = free[order]
        return Found(
            candidates=self._candidates(
                rows[best].tolist(), eta_s[best].tolist(), distance_m[best].tolist(), now_s
            ),
            left_out=count_reasons(stopped),
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
        row = self._table.row(self._rows[unit_id])
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
        row = self._table.row(self._rows[unit_id])
        if row["online"] <= 0:
            return Link.OFFLINE
        if row["quiet"] >= row["online"]:
            return Link.STALE
        return Link.ONLINE if row["fix_s"] >= now_s - FRESH_S else Link.STALE

    def standing(self, unit_id: UnitId, now_s: float) -> Standing:
        """Return where a unit is, and how old that is."""
        row = self._table.row(self._rows[unit_id])
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
