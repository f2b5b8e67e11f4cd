"""Where k more posts would help most."""

import sys
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.planning import (
    EXACT_PAIRS_MOST,
    GREEDY_SHARE,
    Covers,
    NoSolverError,
    TooLargeError,
    exact,
    greedy,
)


def covers(*sites: list[int], weights: list[float] | None = None, places: int = 6) -> Covers:
    """Return sites with the places each covers; all places count 1."""
    given = np.ones(places) if weights is None else np.array(weights)
    return Covers([np.array(site, dtype=np.int64) for site in sites], given)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Covers, int]:
    """Return at most seven sites over at most eight places, and how many may be chosen."""
    places = draw(st.integers(1, 8))
    names = st.lists(st.integers(0, places - 1), unique=True)
    sites = draw(st.lists(names, max_size=7))
    weights = draw(st.lists(st.integers(0, 9), min_size=places, max_size=places))
    made = covers(*sites, weights=[float(w) for w in weights], places=places)
    return made, draw(st.integers(0, 5))


def best(case: Covers, k: int) -> float:
    """Return what the best choice covers, by trying all."""
    chosen = combinations(range(len(case)), min(k, len(case)))
    return max(case.choice(sites).covered for sites in chosen)


@given(cases())
def test_greedy_covers_its_share_of_the_best_choice(given: tuple[Covers, int]) -> None:
    """At least 1 - 1/e of it; and no choice covers more than the bound that is told."""
    case, k = given
    found = greedy(case, k)
    assert found.covered >= GREEDY_SHARE * best(case, k) - 1e-9
    assert found.covered <= best(case, k) <= found.at_most
    assert len(found.sites) <= k


@given(cases())
def test_every_step_of_greedy_is_the_best_one(given: tuple[Covers, int]) -> None:
    """Being lazy changes nothing: what each adds is the most that any site would have added."""
    case, k = given
    found = greedy(case, k)
    for step, gain in enumerate(found.gains):
        before = found.sites[:step]
        assert gain == max(case.choice([*before, s]).gains[-1] for s in range(len(case)))
    assert list(found.gains) == sorted(found.gains, reverse=True)


@settings(deadline=None, max_examples=30)
@given(cases())
def test_the_exact_answer_is_the_best_choice(given: tuple[Covers, int]) -> None:
    """As trying all of them finds."""
    case, k = given
    found = exact(case, k)
    assert found.covered == pytest.approx(best(case, k))
    assert found.at_most == pytest.approx(found.covered)
    assert len(found.sites) <= k


def test_exact_does_better_where_greedy_is_led_astray() -> None:
    """The widest site first, and then two are too few."""
    case = covers([0, 1, 2, 3], [0, 1, 4], [2, 3, 5])
    assert (greedy(case, 2).sites, greedy(case, 2).covered) == ((0, 1), 5.0)
    assert (sorted(exact(case, 2).sites), exact(case, 2).covered) == ([1, 2], 6.0)


def test_sites_are_told_in_the_order_of_what_they_add() -> None:
    """Whoever can afford one only takes the first."""
    case = covers([0], [1, 2], [3, 4, 5])
    for found in (greedy(case, 3), exact(case, 3)):
        assert (found.sites, found.gains) == ((2, 1, 0), (3.0, 2.0, 1.0))


def test_a_place_that_counts_more_draws_a_site() -> None:
    """Weights are what is counted, not places."""
    case = covers([0, 1, 2], [3], weights=[1, 1, 1, 9], places=4)
    assert greedy(case, 1).sites == exact(case, 1).sites == (1,)


def test_nothing_is_chosen_that_adds_nothing() -> None:
    """More posts than are of use are not proposed."""
    case = covers([0, 1], [0], [])
    assert greedy(case, 3).sites == exact(case, 3).sites == (0,)
    assert exact(covers([], []), 2).sites == ()


def test_too_large_a_case_is_not_solved_exactly() -> None:
    """It would take until tomorrow; greedy takes it."""
    wide = list(range(EXACT_PAIRS_MOST // 2 + 1))
    case = covers(wide, wide, places=len(wide))
    with pytest.raises(TooLargeError, match="200,002 pairs"):
        exact(case, 1)
    assert greedy(case, 1).covered == len(wide)


def test_without_its_solver_the_exact_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install."""
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(NoSolverError, match=r"kapok\[plan\]"):
        exact(covers([0]), 1)


@pytest.mark.parametrize("within_s", [0.0, 0.02])
def test_out_of_time_the_best_that_is_known_is_told(within_s: float) -> None:
    """Never less than greedy finds; with a bound that holds."""
    dice = np.random.default_rng(7)
    case = covers(
        *(np.flatnonzero(dice.random(300) < 0.05).tolist() for _ in range(150)), places=300
    )
    found = exact(case, 20, within_s=within_s)
    assert greedy(case, 20).covered <= found.covered <= found.at_most <= 300
