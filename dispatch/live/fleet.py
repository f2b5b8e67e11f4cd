"""All units in memory, one row each: where they are, and whether they may be asked."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import islice
from math import atan2, cos, degrees, nan, radians, remainder
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from dispatch.core.events import Entry, Event
from dispatch.core.fixes import Fix
from dispatch.core.hidden import is_hidden
from dispatch.core.lifecycle import unit_state
from dispatch.core.matching import (
    FREE,
    Bools,
    Candidate,
    Columns,
    Found,
    accept_rate,
    accept_rates,
    first_bars,
    mask,
)
from dispatch.core.turnout import later_s
from dispatch.live.near import Near
from dispatch.live.sift import Best, Facts, Terms, columns, sift
from dispatch.live.table import Table
from dispatch.ports import UnitStates
from geo.distance import metres
from geo.eta import MOVES, TURNOUT_S, EtaModel, MoveCodes, Moves
from geo.point import Box, Floats, Point
from geo.standing import Quality, Reach, Rows
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
DEGREE_M: Final = 111_195.08
"""Of a great circle, by the IUGG mean radius of 6,371,008.8 m."""
KEPT_S: Final = 60.0
COURSE_S: Final = 20.0
"""Two fixes no farther apart than this tell where a motor is heading, and how fast."""
MOTORS: Final = frozenset(MOVES.index(moves) for moves in (Moves.MOTORBIKE, Moves.CAR))

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
        ("later_s", "f8"),
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


_FACTS: Final = (
    *("disabled", "on_duty", "min_crew", "capabilities", "engaged", "offered"),
    *("fix_s", "fixed", "online", "pushable", "asked", "accepts", "offers"),
)
"""What a match asks of a unit, in the order of `Facts`."""
_STANDING: Final = {
    "engaged": "engaged",
    "disabled": "disabled",
    "offered": "open_offers",
    "on_duty": "on_duty",
    "paused": "paused",
}
"""What a unit's state is reckoned from, by the columns of the store's word on it."""
_KEPT: Final = {**_STANDING, "offers": "offers", "accepts": "accepts", "pushable": "pushable"}
"""What of a unit changes with what is decided and registered, and with nothing else."""
_LIVE: Final = (
    "lon", "lat", "acc_m", "fix_s", "online", "quiet", "kept_lon", "kept_lat", "kept_s"
)  # fmt: skip
"""What only phones tell: kept when the store is read anew."""

_PLACED: Final = ("lon", "lat", "acc_m", "fix_s", "kept_lon", "kept_lat", "kept_s")
"""What is known of a unit's place."""

NOBODY: Final = np.zeros(0, np.int64)
_mask: Final = lru_cache(maxsize=256)(mask)
"""A plan names the same capabilities again and again."""


class Standing(NamedTuple):
    """Where a unit stands; `age_s` is None where it is only thought to be at its home post."""

    place: Point
    age_s: float | None


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
    """Units by row; every number is a column, so that a search is one pass over arrays."""

    def __init__(self, model: EtaModel, *, wakes: bool = True) -> None:
        self.model = model
        self.wakes = wakes
        self._units: list[Unit] = []
        self._ids: list[UnitId] = []
        self._rows: dict[UnitId, int] = {}
        self._take_table(Table(_DTYPE, 0))
        self._standings = model.standings()
        self._seen_s = float("-inf")
        self._stale_s = float("inf")
        self._moved: set[int] = set()
        self._hidden: frozenset[UnitId] = frozenset()
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
        self._ids = [row.unit.id for row in rows]
        self._rows = {row.unit.id: i for i, row in enumerate(rows)}
        self._take_table(Table(_DTYPE, len(rows)))
        self._standings = self.model.standings()
        self._moved = {self._rows[u] for u in before if u in self._rows}
        self._hidden = frozenset()
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

    def _take_table(self, table: Table) -> None:
        """Keep the columns a match reads at hand: they are new ones whenever the table is."""
        self._table = table
        self._facts = Facts(*(table[name] for name in _FACTS))

    def add(self, row: UnitRow) -> None:
        """Take a unit that is new; one whose id is not the greatest comes with the next load."""
        unit_id = row.unit.id
        if unit_id not in self._rows:
            if self._units and self._units[-1].id > unit_id:
                return
            self._rows[unit_id] = len(self._units)
            self._units.append(row.unit)
            self._ids.append(unit_id)
            self._table.grow()
            self._take_table(self._table)
        self.put(row)

    def put(self, row: UnitRow) -> None:
        """Take what the store says of a known unit; a fix newer than the store's stays."""
        i = self._rows[row.unit.id]
        self._units[i] = row.unit
        unit, cells = row.unit, self._table
        if is_hidden(unit.juris):
            self._hidden |= {unit.id}
        cells["home_lon"][i], cells["home_lat"][i] = unit.lon, unit.lat
        cells["moves"][i] = MOVES.index(unit.moves)
        cells["later_s"][i] = later_s(unit.kind)
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
        return [self._ids[i] for i in rows]

    def unlike(self, states: UnitStates) -> list[UnitId]:
        """Return the units whose state memory reckons from other facts; unknown ones are none."""
        if not self._units:
            return []
        rows = np.fromiter((self._rows.get(u, -1) for u in states.unit_ids), np.intp)
        known, cells = rows >= 0, self._table
        unlike = np.zeros(len(rows), np.bool_)
        for name, column in _STANDING.items():
            unlike |= cells[name][rows] != np.array(getattr(states, column))
        return [states.unit_ids[i] for i in np.flatnonzero(unlike & known).tolist()]

    def holds(self, row: UnitRow) -> bool:
        """Say whether a known unit is as the store says, but for what phones and time change."""
        i, cells = self._rows[row.unit.id], self._table
        kept = {**msgspec.structs.asdict(row), "disabled": row.unit.disabled}
        same = all(cells[name][i] == kept[fact] for name, fact in _KEPT.items())
        return same and self._units[i] == row.unit

    # What phones say. ------------------------------------------------------------------------

    def fix(self, unit_id: UnitId, fix: Fix) -> None:
        """Take a position, unless a newer one is known."""
        i = self._rows.get(unit_id)
        if i is None or fix.at_s <= self._table["fix_s"][i]:
            return
        course = self._course(i, fix)
        self._place(i, fix.lon, fix.lat, fix.acc_m)
        self._table["fix_s"][i] = fix.at_s
        self._stand(i, *course)
        self._moved.add(i)

    def forget(self, unit_id: UnitId) -> None:
        """Drop where a unit was: it stands at its home post, and nothing of it is written down."""
        i = self._rows.get(unit_id)
        if i is None:
            return
        for name in _PLACED:
            self._table[name][i] = 0
        self._moved.discard(i)
        self._stand(i)

    def _course(self, i: int, fix: Fix) -> tuple[float, float]:
        """Return where a motor is heading (degrees from north) and how fast; NaN where unknown."""
        cells = self._table
        passed_s = fix.at_s - float(cells["fix_s"][i])
        if int(cells["moves"][i]) not in MOTORS or passed_s > COURSE_S:
            return nan, nan
        before = Point(float(cells["lon"][i]), float(cells["lat"][i]))
        moved_m = metres(before, Point(fix.lon, fix.lat))
        if moved_m < MOVED_M:
            return nan, nan
        east = remainder(fix.lon - before.lon, 360.0) * cos(radians(fix.lat))
        return degrees(atan2(east, fix.lat - before.lat)), moved_m / passed_s

    def _place(self, i: int, lon: float, lat: float, acc_m: float) -> None:
        self._table["lon"][i], self._table["lat"][i] = lon, lat
        self._table["acc_m"][i] = acc_m

    def _stand(self, i: int, heading_deg: float = nan, speed_mps: float = nan) -> None:
        """Let a unit stand where it is found: at its fix while that is fresh, else at home."""
        cells = self._table
        fix_s = float(cells["fix_s"][i])
        fresh = fix_s >= self._seen_s - FRESH_S
        self._stale_s = min(self._stale_s, fix_s + FRESH_S) if fresh else self._stale_s
        lon, lat = ("lon", "lat") if fresh else ("home_lon", "home_lat")
        place = float(cells[lon][i]), float(cells[lat][i])
        self._standings.put(i, *place, int(cells["moves"][i]), heading_deg, speed_mps)

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

    def moved(self) -> int:
        """Return how many units have a fix that was not looked at for writing down."""
        return len(self._moved)

    def to_keep(self, most: int = 1_000_000) -> list[tuple[UnitId, Point, float, float]]:
        """Return units whose position is worth writing down: moved far enough, or kept long ago.

        Each with its place, accuracy in metres and the instant of the fix in seconds. At most so
        many of those that `moved` counts are looked at; the others are left for the next time.
        """
        looked_at = sorted(self._moved)[:most]
        self._moved.difference_update(looked_at)
        rows = np.array(looked_at, np.intp)
        rows = rows[self._worth_keeping(rows)]
        for kept, now in (("kept_lon", "lon"), ("kept_lat", "lat"), ("kept_s", "fix_s")):
            self._table[kept][rows] = self._table[now][rows]
        lons, lats, accs, fixes = (
            self._table[name][rows].tolist() for name in ("lon", "lat", "acc_m", "fix_s")
        )
        places = map(Point, lons, lats)
        ids = [self._ids[i] for i in rows.tolist()]
        return list(zip(ids, places, accs, fixes, strict=True))

    def _worth_keeping(self, rows: NDArray[np.intp]) -> Bools:
        """Say which moved far enough, on a plane: a tenth of a metre off at `MOVED_M`."""
        lon, lat, kept_lon, kept_lat, fix_s, kept_s = (
            self._table[name][rows]
            for name in ("lon", "lat", "kept_lon", "kept_lat", "fix_s", "kept_s")
        )
        east = (lon - kept_lon) * np.cos(np.radians(lat))
        moved_m = np.hypot(east, lat - kept_lat) * DEGREE_M
        worth: Bools = (fix_s - kept_s >= KEPT_S) | (moved_m > MOVED_M)
        return worth

    # What the desk asks. ---------------------------------------------------------------------

    def fresh(self, now_s: float) -> Bools:
        """Return which units have a fix that still counts."""
        flags: Bools = self._table["fix_s"] >= now_s - FRESH_S
        return flags

    def reach(self, place: Point, now_s: float, limit_s: float = REACH_S) -> Near:
        """Return the ETAs to a place of all in time, from their fresh fix or else home post."""
        if not self._seen_s <= now_s <= self._stale_s:
            self._stand_all(now_s)
        return Near(len(self), partial(self._search, place), limit_s)

    def _search(self, place: Point, limit_s: float) -> tuple[Rows, Reach]:
        """Search, and let those who take longer to set out arrive later."""
        rows, reach = self._standings.reach(place, limit_s)
        return rows, reach._replace(eta_s=reach.eta_s + self._table["later_s"][rows])

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
        return self._standings.settle()

    def columns(self, rows: NDArray[np.intp], excluded: frozenset[UnitId], now_s: float) -> Columns:
        """Return the facts matching needs, for some rows."""
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
        (eta_s, distance_m), cells = reach.of(i), self._table
        rate = accept_rate(int(cells["accepts"][i]), int(cells["offers"][i]))
        fix_s, asked = float(cells["fix_s"][i]), int(cells["asked"][i])
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
        wanted = mask(need.capabilities)
        return i is not None and bool(self._table["capabilities"][i] & wanted == wanted)

    def row(self, unit_id: UnitId) -> int | None:
        """Return the row of a unit, for the arrays of a reach."""
        return self._rows.get(unit_id)

    def ids(self, rows: NDArray[np.int64]) -> frozenset[UnitId]:
        """Return the units of some rows."""
        return frozenset(self._ids[i] for i in rows.tolist())

    def footing(self, now_s: float) -> Footing:
        """Return where all units are found, by row, and who of them may be asked; all copies."""
        fresh, cells = self.fresh(now_s), self._table
        every = np.arange(len(self))
        bars = first_bars(self.columns(every, self.hidden, now_s), mask(()))
        return Footing(
            lons=np.where(fresh, cells["lon"], cells["home_lon"]),
            lats=np.where(fresh, cells["lat"], cells["home_lat"]),
            moves=cells["moves"].copy(),
            rates=accept_rates(cells["accepts"], cells["offers"]),
            free=bars == FREE,
            later_s=cells["later_s"].copy(),
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
        return {self._ids[i] for i in np.flatnonzero(box.contains_many(lons, lats))}
