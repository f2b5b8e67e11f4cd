"""Who of those near may be asked, and the best of them: `core.matching` in one pass.

The bars and the order are those of `dispatch.core.matching`, whose functions do the same where
nothing is compiled; tests hold the two together.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dispatch.core.matching import (
    BARS,
    FREE,
    PRIOR,
    PRIOR_WEIGHT,
    STEP_S,
    Bools,
    Columns,
    Reason,
    accept_rates,
    first_bars,
    ranked,
)
from geo.compiled import COMPILED, Array, compiled, part
from geo.point import Floats
from geo.standing import Reach, Rows

_REASONS: Final = tuple(reason for reason, _ in BARS)


class Facts(NamedTuple):
    """What a match asks of units: a column a fact, a row a unit of the fleet."""

    disabled: Bools
    on_duty: NDArray[np.int16]
    min_crew: NDArray[np.int16]
    capabilities: NDArray[np.uint64]
    engaged: Bools
    offered: NDArray[np.int16]
    fix_s: Floats
    fixed: Bools
    online: NDArray[np.int16]
    pushable: NDArray[np.int16]
    asked: NDArray[np.int32]
    accepts: NDArray[np.int32]
    offers: NDArray[np.int32]


class Terms(NamedTuple):
    """What they must bring, and what counts at this moment."""

    need: np.uint64
    barred: Rows
    """Who was asked before, and may not be again."""
    fresh_s: float
    """The instant since when a fix is fresh."""
    wakes: bool
    """Whether a phone that is not connected can be woken."""
    grace: bool
    """Whether every phone counts as reachable."""


class Best(NamedTuple):
    """The best, best first, and what they tell of themselves."""

    rows: list[int]
    asked: list[int]
    eta_s: list[float]
    distance_m: list[float]
    fix_s: list[float]
    rates: list[float]
    """How likely each is to accept, as `core.matching.accept_rate` has it."""


class Sifted(NamedTuple):
    """Who may be asked, and how many others were stopped by what."""

    best: Best
    left_out: dict[Reason, int]


def sift(
    near: tuple[Rows, Reach],
    ring_s: float,
    facts: Facts,
    terms: Terms,
    most: int,
    *,
    compiled: bool = COMPILED,
) -> Sifted:
    """Return who inside a ring may be asked, at most so many, and count who may not."""
    if not compiled:
        return _sifted(near, ring_s, facts, terms, most)
    rows, (eta_s, distance_m, _) = near
    places, steps = np.empty(most, np.int64), np.empty(most)
    numbers, ways = np.empty((2, most), np.int64), np.empty((4, most))
    counts = np.zeros(len(_REASONS), np.int64)
    found = (rows, eta_s, distance_m, float(ring_s), *facts, *terms)
    kept = sieve.ready(*found, places, steps, numbers, ways, counts)
    return Sifted(Best(*numbers[:, :kept].tolist(), *ways[:, :kept].tolist()), _told(counts))


def _sifted(
    near: tuple[Rows, Reach], ring_s: float, facts: Facts, terms: Terms, most: int
) -> Sifted:
    """Do it pass by pass."""
    inside = np.flatnonzero(near[1].eta_s <= ring_s)
    rows, eta_s = near[0][inside], near[1].eta_s[inside]
    stopped = first_bars(columns(rows, facts, terms), terms.need)
    free = np.flatnonzero(stopped == FREE)
    best = free[ranked(eta_s[free], facts.asked[rows[free]], most)]
    counts = np.bincount(stopped[stopped != FREE], minlength=len(_REASONS))
    of = rows[best]
    numbers = (of, facts.asked[of])
    rates = accept_rates(facts.accepts[of], facts.offers[of])
    ways = (eta_s[best], near[1].distance_m[inside[best]], facts.fix_s[of], rates)
    return Sifted(Best(*(each.tolist() for each in (*numbers, *ways))), _told(counts))


def _told(counts: NDArray[np.int64]) -> dict[Reason, int]:
    return {reason: n for reason, n in zip(_REASONS, counts.tolist(), strict=True) if n}


def columns(rows: Rows, facts: Facts, terms: Terms) -> Columns:
    """Return the facts of some rows as matching takes them."""
    woken = (facts.online[rows] > 0) | (terms.wakes & (facts.pushable[rows] > 0)) | terms.grace
    return Columns(
        disabled=facts.disabled[rows],
        on_duty=facts.on_duty[rows],
        min_crew=facts.min_crew[rows],
        capabilities=facts.capabilities[rows],
        engaged=facts.engaged[rows],
        offered=facts.offered[rows],
        excluded=np.isin(rows, terms.barred),
        fresh=(facts.fix_s[rows] >= terms.fresh_s) | facts.fixed[rows],
        reachable=woken,
    )


@part
def let_through(  # noqa: PLR0912 - a branch a bar: a call for each row would cost more than they do
    rows: Array,
    eta_s: Array,
    ring_s: float,
    facts: Facts,
    terms: Terms,
    free: Array,
    counts: Array,
) -> int:
    """Write which inside the ring may be asked, count what stopped the others; return how many."""
    through = 0
    for i in range(len(rows)):
        if not eta_s[i] <= ring_s:
            continue
        row = rows[i]
        stopped = -1
        if facts.disabled[row]:
            stopped = 0
        elif facts.on_duty[row] < facts.min_crew[row]:
            stopped = 1
        elif facts.capabilities[row] & terms.need != terms.need:
            stopped = 2
        elif facts.engaged[row]:
            stopped = 3
        elif facts.offered[row] > 0:
            stopped = 4
        else:
            for one in terms.barred:
                if one == row:
                    stopped = 5
            fresh = facts.fix_s[row] >= terms.fresh_s or facts.fixed[row]
            if stopped < 0 and not fresh:
                stopped = 6
            woken = facts.online[row] > 0 or (terms.wakes and facts.pushable[row] > 0)
            if stopped < 0 and not (woken or terms.grace):
                stopped = 7
        if stopped >= 0:
            counts[stopped] += 1
        else:
            free[through] = i
            through += 1
    return through


@part
def best_of(free: Array, rows: Array, eta_s: Array, asked: Array, best: Array, steps: Array) -> int:
    """Write the best of the free, best first, and the step of each; return how many these are.

    Each is put where it belongs among the best so far, which it shifts down; the last falls off.
    """
    kept = 0
    for i in free:
        row = rows[i]
        step = eta_s[i] // STEP_S
        place = kept
        while place > 0:
            other = best[place - 1]
            if steps[place - 1] < step:
                break
            if steps[place - 1] == step:
                if asked[rows[other]] < asked[row]:
                    break
                if asked[rows[other]] == asked[row] and eta_s[other] <= eta_s[i]:
                    break
            if place < len(best):
                best[place] = other
                steps[place] = steps[place - 1]
            place -= 1
        if place < len(best):
            best[place] = i
            steps[place] = step
            kept = min(kept + 1, len(best))
    return kept


@part
def tell(
    best: Array,
    rows: Array,
    eta_s: Array,
    distance_m: Array,
    facts: Facts,
    numbers: Array,
    ways: Array,
) -> None:
    """Write what the best tell of themselves, in the order of `Best`."""
    for place in range(len(best)):
        i = best[place]
        row = rows[i]
        numbers[0, place] = row
        numbers[1, place] = facts.asked[row]
        ways[0, place] = eta_s[i]
        ways[1, place] = distance_m[i]
        ways[2, place] = facts.fix_s[row]
        yes = facts.accepts[row] + PRIOR_WEIGHT * PRIOR
        ways[3, place] = yes / (facts.offers[row] + PRIOR_WEIGHT)


@compiled
def sieve(
    rows: Array,
    eta_s: Array,
    distance_m: Array,
    ring_s: float,
    disabled: Array,
    on_duty: Array,
    min_crew: Array,
    capabilities: Array,
    engaged: Array,
    offered: Array,
    fix_s: Array,
    fixed: Array,
    online: Array,
    pushable: Array,
    asked: Array,
    accepts: Array,
    offers: Array,
    need: Array,
    barred: Array,
    fresh_s: float,
    wakes: bool,
    grace: bool,
    best: Array,
    steps: Array,
    numbers: Array,
    ways: Array,
    counts: Array,
) -> int:
    """Write the best in order, and how many each bar stopped first; return how many are best.

    Facts and terms come one by one: a tuple of them costs two microseconds more to hand over.
    """
    facts = Facts(
        *(disabled, on_duty, min_crew, capabilities, engaged, offered),
        *(fix_s, fixed, online, pushable, asked, accepts, offers),
    )
    terms = Terms(need, barred, fresh_s, wakes, grace)
    free = np.empty(len(rows), np.int64)
    through = let_through(rows, eta_s, ring_s, facts, terms, free, counts)
    kept = best_of(free[:through], rows, eta_s, asked, best, steps)
    tell(best[:kept], rows, eta_s, distance_m, facts, numbers, ways)
    return kept
