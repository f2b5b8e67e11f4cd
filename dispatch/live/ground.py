"""Where all units stand, by row: at their fix while that is fresh, else at their home post."""

from math import inf, nan
from typing import Final, NamedTuple

import numpy as np

from dispatch.core.fixes import Fix
from dispatch.core.matching import Bools
from dispatch.core.turnout import later_s
from dispatch.live.table import Stayed, Table
from geo.distance import metres_between
from geo.eta import MOVES, EtaModel, Moves
from geo.point import Floats, Point
from geo.standing import Courses, Reach, Rows
from schemas.unit import Position, Unit

FRESH_S: Final = 420.0
"""A fix counts this long: the same bound a late one is refused at (core.fixes.OLD_S)."""
COURSE_S: Final = 20.0
"""Two fixes no farther apart than this tell where a motor is heading, and how fast."""
COURSE_M: Final = 25.0
"""So far it must have come between them: what a fix is off by is no course."""
MOTORS: Final = frozenset(MOVES.index(moves) for moves in (Moves.MOTORBIKE, Moves.CAR))

_MOTOR: Final = np.array([code in MOTORS for code in range(len(MOVES))])
_FIX: Final = ("lon", "lat", "acc_m", "fix_s")
"""What only phones tell: kept when the store is read anew."""
_KINDS: Final = np.dtype(
    [
        ("lon", "f8"),
        ("lat", "f8"),
        ("fix_s", "f8"),
        ("acc_m", "f4"),
        ("home_lon", "f8"),
        ("home_lat", "f8"),
        ("moves", "u1"),
        ("later_s", "f8"),
    ]
)


class Standing(NamedTuple):
    """Where a unit stands; `age_s` is None where it is only thought to be at its home post."""

    place: Point
    age_s: float | None


class Ground:
    """The newest fix and the home post of each unit, and where a model's search finds it."""

    def __init__(self, model: EtaModel) -> None:
        self._model = model
        self._table = Table(_KINDS, 0)
        self._coming: dict[int, Fix] = {}
        self._standings = model.standings()
        self._seen_s = float("-inf")
        self._stale_s = float("inf")

    @property
    def table(self) -> Table:
        """Return all facts by row, with every fix that came."""
        self.take_in()
        return self._table

    def renew(self, rows: int, stayed: Stayed) -> None:
        """Begin anew with so many rows; those that stayed have the fix they had."""
        before, self._table = self.table, Table(_KINDS, rows)
        self._table.carry(before, _FIX, stayed)
        self._standings = self._model.standings()

    def put(self, i: int, unit: Unit, position: Position | None) -> None:
        """Take what the store says of a unit; a fix newer than the store's stays."""
        cells = self.table
        cells["home_lon"][i], cells["home_lat"][i] = unit.lon, unit.lat
        cells["moves"][i] = MOVES.index(unit.moves)
        cells["later_s"][i] = later_s(unit.kind)
        if position and position.at.timestamp() > cells["fix_s"][i]:
            self._place(i, position.lon, position.lat, position.acc_m, position.at.timestamp())
        self._stand(i)

    def fix(self, i: int, fix: Fix) -> None:
        """Take a position, unless a newer one is known, once somebody looks: see `take_in`."""
        if i in self._coming:
            self.take_in()
        self._coming[i] = fix

    def take_in(self) -> None:
        """Let units stand where they have said since: together cost less than one by one."""
        if not self._coming:
            return
        coming, self._coming = self._coming, {}
        rows = np.fromiter(coming, np.int64, len(coming))
        fixes = np.array([(f.lon, f.lat, f.acc_m, f.at_s) for f in coming.values()])
        self._place_many(rows, *fixes.T)

    def _place_many(
        self, rows: Rows, lons: Floats, lats: Floats, accs_m: Floats, at_s: Floats
    ) -> None:
        """Place units, each named once, but where a newer fix is known."""
        newer = at_s > self._table["fix_s"][rows]
        rows, lons, lats = rows[newer], lons[newer], lats[newer]
        accs_m, at_s = accs_m[newer], at_s[newer]
        ways, cells = self._courses(rows, lons, lats, at_s), self._table
        cells["lon"][rows], cells["lat"][rows] = lons, lats
        cells["acc_m"][rows], cells["fix_s"][rows] = accs_m, at_s
        fresh = at_s >= self._seen_s - FRESH_S
        self._stale_s = min(self._stale_s, float(at_s[fresh].min(initial=inf)) + FRESH_S)
        lons = np.where(fresh, lons, cells["home_lon"][rows])
        lats = np.where(fresh, lats, cells["home_lat"][rows])
        self._standings.put_many(rows, lons, lats, cells["moves"][rows], ways)

    def forget(self, i: int) -> None:
        """Drop where a unit was: it stands at its home post."""
        for name in _FIX:
            self.table[name][i] = 0
        self._stand(i)

    def _courses(self, rows: Rows, lons: Floats, lats: Floats, at_s: Floats) -> Courses:
        """Return where motors are heading (degrees from north) and how fast; NaN where unknown."""
        courses = Courses(*np.full((2, len(rows)), nan))
        cells = self._table
        passed_s = at_s - cells["fix_s"][rows]
        some = np.flatnonzero(_MOTOR[cells["moves"][rows]] & (passed_s <= COURSE_S))
        if not len(some):
            return courses
        before_lons, before_lats = cells["lon"][rows[some]], cells["lat"][rows[some]]
        lons, lats = lons[some], lats[some]
        moved_m = metres_between(before_lons, before_lats, lons, lats)
        turn = lons - before_lons
        east = (turn - 360.0 * np.round(turn / 360.0)) * np.cos(np.radians(lats))
        on_the_move = moved_m >= COURSE_M
        far = some[on_the_move]
        headings_deg = np.degrees(np.arctan2(east, lats - before_lats))
        courses.headings_deg[far] = headings_deg[on_the_move]
        courses.speeds_mps[far] = (moved_m / passed_s[some])[on_the_move]
        return courses

    def _place(self, i: int, lon: float, lat: float, acc_m: float, at_s: float) -> None:
        cells = self._table
        cells["lon"][i], cells["lat"][i] = lon, lat
        cells["acc_m"][i], cells["fix_s"][i] = acc_m, at_s

    def _stand(self, i: int) -> None:
        """Let a unit stand where it is found: at its fix while that is fresh, else at home."""
        cells = self._table
        fix_s = float(cells["fix_s"][i])
        fresh = fix_s >= self._seen_s - FRESH_S
        self._stale_s = min(self._stale_s, fix_s + FRESH_S) if fresh else self._stale_s
        lon, lat = ("lon", "lat") if fresh else ("home_lon", "home_lat")
        place = float(cells[lon][i]), float(cells[lat][i])
        self._standings.put(i, *place, int(cells["moves"][i]), nan, nan)

    def stand_all(self, now_s: float) -> None:
        """Let all units stand where they are found at an instant, and note till when that holds."""
        fix_s = self.table["fix_s"]
        before, self._seen_s, self._stale_s = self._seen_s, now_s, float("inf")
        bounds = sorted((before - FRESH_S, now_s - FRESH_S))
        for i in np.flatnonzero((fix_s >= bounds[0]) & (fix_s < bounds[1])).tolist():
            self._stand(i)
        fresh = fix_s[fix_s >= now_s - FRESH_S]
        self._stale_s = float(fresh.min()) + FRESH_S if len(fresh) else float("inf")

    def stand_by(self, now_s: float) -> None:
        """Let all units stand where they are found at an instant, unless they do already."""
        self.take_in()
        if not self._seen_s <= now_s <= self._stale_s:
            self.stand_all(now_s)

    def settle(self) -> int:
        """Work off the positions that came since; return how many. A search does it by itself."""
        self.take_in()
        return self._standings.settle()

    def reach(self, place: Point, limit_s: float) -> tuple[Rows, Reach]:
        """Return who can be at a place within the limit, of those who set out as the model has it.

        Those who take longer to set out arrive later, and perhaps beyond the limit.
        """
        self.take_in()
        rows, reach = self._standings.reach(place, limit_s)
        return rows, reach._replace(eta_s=reach.eta_s + self._table["later_s"][rows])

    def fresh(self, now_s: float) -> Bools:
        """Return which units have a fix that still counts."""
        flags: Bools = self.table["fix_s"] >= now_s - FRESH_S
        return flags

    def places(self, now_s: float) -> tuple[Floats, Floats]:
        """Return the longitudes and the latitudes at which all units are found; copies."""
        fresh, cells = self.fresh(now_s), self.table
        lons = np.where(fresh, cells["lon"], cells["home_lon"])
        return lons, np.where(fresh, cells["lat"], cells["home_lat"])

    def is_fresh(self, i: int, now_s: float) -> bool:
        """Say whether a unit's fix still counts."""
        return bool(self.table["fix_s"][i] >= now_s - FRESH_S)

    def standing(self, i: int, now_s: float) -> Standing:
        """Return where a unit is, and how old that is."""
        row = self.table.row(i)
        if row["fix_s"] < now_s - FRESH_S:
            return Standing(Point(float(row["home_lon"]), float(row["home_lat"])), None)
        place = Point(float(row["lon"]), float(row["lat"]))
        return Standing(place, round(now_s - float(row["fix_s"]), 1))
