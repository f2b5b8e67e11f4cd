"""Who may be asked, in what order, with what chance: eligibility, ranking, reasons.

Works on columns (one numpy array a fact, one row a unit), so that a whole city costs one pass.
Ranking is by arrival in steps of 20 s, and only inside a step by who was asked less lately
(mission, rules 10 and 14). The steps divide 180 and 300 exactly, so fairness never trades an
arrival inside a ring for one outside.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from math import erf, prod, sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.eta import Quality
from schemas.base import Record, UnitId
from schemas.unit import Capability

STEP_S: Final = 20
PRIOR: Final = 0.4
"""Accept rate of a unit nothing is known of; published volunteer rates are 17 to 47 %."""
PRIOR_WEIGHT: Final = 4
SPREAD: Final = 0.2
"""Standard deviation of an arrival as a share of its ETA; at least `SPREAD_MIN_S`."""
SPREAD_MIN_S: Final = 10.0
GAIN_P: Final = 0.02
"""Who adds less to the chance of an arrival in time is not asked for its sake."""
CAPABILITIES: Final = tuple(Capability)

Bools = NDArray[np.bool_]


class Reason(StrEnum):
    """Why a unit is not asked, in the order the bars are tried."""

    DISABLED = "disabled"
    OFF_DUTY = "off_duty"
    NOT_CAPABLE = "not_capable"
    ENGAGED = "engaged"
    OFFERED = "offered"
    ASKED_BEFORE = "asked_before"
    STALE_FIX = "stale_fix"
    UNREACHABLE = "unreachable"


class Columns(NamedTuple):
    """The facts of all units that matter to a match, one row a unit."""

    disabled: Bools
    on_duty: NDArray[np.int16]
    min_crew: NDArray[np.int16]
    capabilities: NDArray[np.uint64]
    engaged: Bools
    offered: NDArray[np.int16]
    excluded: Bools
    fresh: Bools
    reachable: Bools


BARS: Final[tuple[tuple[Reason, Callable[[Columns, np.uint64], Bools]], ...]] = (
    (Reason.DISABLED, lambda c, _: c.disabled),
    (Reason.OFF_DUTY, lambda c, _: c.on_duty < c.min_crew),
    (Reason.NOT_CAPABLE, lambda c, need: (c.capabilities & need) != need),
    (Reason.ENGAGED, lambda c, _: c.engaged),
    (Reason.OFFERED, lambda c, _: c.offered > 0),
    (Reason.ASKED_BEFORE, lambda c, _: c.excluded),
    (Reason.STALE_FIX, lambda c, _: ~c.fresh),
    (Reason.UNREACHABLE, lambda c, _: ~c.reachable),
)
FREE: Final = np.uint8(255)


class Candidate(Record, frozen=True, kw_only=True):
    """A unit that may be asked.

    `at_home`: no fresh fix says otherwise; `told_by`: the router whose ETA it is, none for ours.
    """

    unit_id: UnitId
    eta_s: float
    distance_m: float
    quality: Quality
    accept_rate: float = PRIOR
    asked_24h: int = 0
    at_home: bool = False
    told_by: str = ""

    def p_by(self, seconds: float) -> float:
        """Return the chance that this unit accepts and is there by then."""
        return self.accept_rate * p_arrived(self.eta_s, seconds)


class Found(Record, frozen=True, kw_only=True):
    """The ranked candidates of one search; how many in the ring were left out, by reason."""

    candidates: tuple[Candidate, ...] = ()
    left_out: dict[Reason, int] = {}


def mask(capabilities: Iterable[Capability]) -> np.uint64:
    """Return the capabilities as bits, in the order of the enumeration."""
    return np.uint64(sum(1 << CAPABILITIES.index(c) for c in set(capabilities)))


def first_bars(columns: Columns, need: np.uint64) -> NDArray[np.uint8]:
    """Return for every unit the index of the first bar that stops it, or `FREE`."""
    stopped = np.full(len(columns.disabled), FREE, dtype=np.uint8)
    for index in range(len(BARS) - 1, -1, -1):
        np.putmask(stopped, BARS[index][1](columns, need), index)
    return stopped


def count_reasons(stopped: NDArray[np.uint8]) -> dict[Reason, int]:
    """Return how many units each bar stopped first."""
    counts = np.bincount(stopped, minlength=len(BARS)).tolist()
    return {bar[0]: n for bar, n in zip(BARS, counts, strict=False) if n}


def ranked(eta_s: NDArray[np.float64], asked_24h: NDArray[np.int32], most: int) -> NDArray[np.intp]:
    """Return the rows of the `most` best, best first: 20-second step, then asked less, then ETA."""
    order = np.lexsort((eta_s, asked_24h, eta_s // STEP_S))
    return order[:most]


def accept_rate(accepts: int, offers: int) -> float:
    """Return a unit's own acceptance rate, smoothed (mission, rule 2)."""
    return (accepts + PRIOR_WEIGHT * PRIOR) / (offers + PRIOR_WEIGHT)


def accept_rates(accepts: NDArray[np.int32], offers: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return what `accept_rate` does, for many units."""
    rates: NDArray[np.float64] = (accepts + PRIOR_WEIGHT * PRIOR) / (offers + PRIOR_WEIGHT)
    return rates


def p_arrived(eta_s: float, seconds: float) -> float:
    """Return the chance that somebody expected after `eta_s` is there after `seconds`.

    A normal spread around the ETA: an assumption, to be replaced by measured arrivals.
    """
    spread_s = max(SPREAD_MIN_S, SPREAD * eta_s)
    return 0.5 * (1 + erf((seconds - eta_s) / (spread_s * sqrt(2))))


def p_somebody(chances: Iterable[float]) -> float:
    """Return 1 - prod(1 - p): the chance that at least one comes (mission, rule 2)."""
    return 1 - prod(1 - p for p in chances)


def smallest_set(candidates: Sequence[Candidate], aim_p: float, by_s: float, held: float) -> int:
    """Return how many of the best are needed so that somebody arrives by then with `aim_p`.

    `held` is the chance already out there. All of them, where even all do not reach it.
    """
    missing = 1 - held
    for n, candidate in enumerate(candidates):
        if 1 - missing >= aim_p:
            return n
        missing *= 1 - candidate.p_by(by_s)
    return len(candidates)


def enough(
    candidates: Sequence[Candidate],
    aim_p: float,
    horizons_s: Iterable[float],
    held: Callable[[float], float],
) -> int:
    """Return how many of the best to ask so that somebody arrives with `aim_p`.

    By the first horizon at which all of them together can. For one at which they cannot: as many
    as each add `GAIN_P`, or what the next one asks for. `held(by_s)` is the chance already out
    there.
    """
    most = 0
    for by_s in horizons_s:
        out, chances = held(by_s), [c.p_by(by_s) for c in candidates]
        if p_somebody((out, *chances)) >= aim_p:
            return max(most, smallest_set(candidates, aim_p, by_s, out))
        most = max(most, _worth_asking(chances, out))
    return most


def _worth_asking(chances: Sequence[float], held: float) -> int:
    """Return how many, of the first, each still add `GAIN_P` to what is held."""
    missing = 1 - held
    for n, chance in enumerate(chances):
        if missing * chance < GAIN_P:
            return n
        missing *= 1 - chance
    return len(chances)
