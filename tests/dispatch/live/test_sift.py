"""Who may be asked, in one pass, against the rules of matching."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.core.matching import BARS, FREE, Reason, accept_rate, first_bars, ranked
from dispatch.live.sift import Best, Facts, Terms, columns, sieve, sift
from geo.standing import Reach

UNITS = 40


def facts(dice: np.random.Generator) -> Facts:
    """Return units of all sorts, most of them free."""

    def seldom() -> Any:
        return dice.random(UNITS) < 0.15

    return Facts(
        disabled=seldom(),
        on_duty=dice.integers(0, 4, UNITS).astype(np.int16),
        min_crew=dice.integers(0, 2, UNITS).astype(np.int16),
        capabilities=dice.integers(0, 4, UNITS).astype(np.uint64),
        engaged=seldom(),
        offered=dice.choice([0, 0, 0, 1], UNITS).astype(np.int16),
        fix_s=dice.choice([100.0, 200.0, 300.0], UNITS),
        fixed=dice.random(UNITS) < 0.5,
        online=dice.integers(0, 2, UNITS).astype(np.int16),
        pushable=dice.integers(0, 2, UNITS).astype(np.int16),
        asked=dice.integers(0, 3, UNITS).astype(np.int32),
        accepts=dice.integers(0, 9, UNITS).astype(np.int32),
        offers=dice.integers(9, 20, UNITS).astype(np.int32),
    )


def terms(dice: np.random.Generator) -> Terms:
    """Return what counts at some moment."""
    wakes, grace = (dice.random(2) < 0.5).tolist()
    return Terms(
        need=np.uint64(dice.integers(0, 3)),
        barred=dice.choice(UNITS, dice.integers(0, 4), replace=False),
        fresh_s=200.0,
        wakes=wakes,
        grace=grace,
    )


def near(dice: np.random.Generator) -> tuple[np.ndarray, Reach]:
    """Return some of them in no order, some as far as others."""
    rows = dice.permutation(UNITS)[: dice.integers(0, UNITS + 1)]
    eta_s = dice.choice([30.0, 39.5, 40.0, 44.0, 59.0, 61.5, 120.0, 180.0, 181.0], len(rows))
    return rows, Reach(eta_s, eta_s * 8.0)


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**32), st.integers(0, 50))
def test_the_best_are_those_of_matching(seed: int, most: int) -> None:
    """By its bars and in its order, of those inside the ring; compiled, plain, and pass by pass."""
    dice = np.random.default_rng(seed)
    units, moment, (rows, reach) = facts(dice), terms(dice), near(dice)
    inside = np.flatnonzero(reach.eta_s <= 180.0)
    stopped = first_bars(columns(rows[inside], units, moment), moment.need)
    free = inside[stopped == FREE]
    best = free[ranked(reach.eta_s[free], units.asked[rows[free]], most)]
    left_out = {bar: int((stopped == n).sum()) for n, (bar, _) in enumerate(BARS)}

    for compiled in (True, False):
        found = sift((rows, reach), 180, units, moment, most, compiled=compiled)
        assert found.best.rows == rows[best].tolist()
        assert found.best.eta_s == reach.eta_s[best].tolist()
        assert found.best.distance_m == reach.distance_m[best].tolist()
        for name in ("asked", "fix_s"):
            assert getattr(found.best, name) == getattr(units, name)[rows[best]].tolist()
        counts = zip(units.accepts[rows[best]], units.offers[rows[best]], strict=True)
        assert found.best.rates == [accept_rate(int(a), int(o)) for a, o in counts]
        assert found.left_out == {bar: n for bar, n in left_out.items() if n}
    places, steps = np.zeros(most, np.int64), np.zeros(most)
    out = np.zeros((2, most), np.int64), np.zeros((4, most)), np.zeros(len(BARS), np.int64)
    run: Callable[..., int] = sieve.py_func
    kept = run(rows, *reach[:2], 180.0, *units, *moment, places, steps, *out)
    assert out[0][0, :kept].tolist() == rows[best].tolist()
    assert out[1][0, :kept].tolist() == reach.eta_s[best].tolist()
    assert out[2].tolist() == list(left_out.values())


@pytest.mark.parametrize("compiled", [False, True])
def test_nobody_is_left_out_where_nobody_is(compiled: bool) -> None:
    """An empty ring is no error."""
    dice, none = np.random.default_rng(1), np.zeros(0)
    empty = none.astype(np.int64), Reach(none, none)
    found = sift(empty, 180, facts(dice), terms(dice), 5, compiled=compiled)
    assert found == (Best([], [], [], [], [], []), {})


@pytest.mark.parametrize("compiled", [False, True])
def test_who_was_asked_before_is_counted_as_that(compiled: bool) -> None:
    """Whatever else would stop him later."""
    dice = np.random.default_rng(1)
    ready = facts(dice)._replace(
        disabled=np.zeros(UNITS, np.bool_),
        on_duty=np.ones(UNITS, np.int16),
        engaged=np.zeros(UNITS, np.bool_),
        offered=np.zeros(UNITS, np.int16),
        fixed=np.zeros(UNITS, np.bool_),
        fix_s=np.zeros(UNITS),
    )
    moment = Terms(np.uint64(0), np.array([3]), 200.0, wakes=False, grace=False)
    one = np.array([3]), Reach(np.array([50.0]), np.array([1.0]))
    found = sift(one, 180, ready, moment, 5, compiled=compiled)
    assert found.left_out == {Reason.ASKED_BEFORE: 1}
