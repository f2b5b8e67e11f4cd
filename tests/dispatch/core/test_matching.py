"""Who may be asked, in what order, with what chance: against slow, plain oracles."""

import math
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.core.matching import (
    BARS,
    FREE,
    PRIOR,
    STEP_S,
    Candidate,
    Columns,
    Reason,
    accept_rate,
    accept_rates,
    count_reasons,
    enough,
    first_bars,
    mask,
    p_arrived,
    p_somebody,
    ranked,
    smallest_set,
)
from geo.eta import Quality
from schemas.base import Record, UnitId
from schemas.unit import Capability


class Row(Record, frozen=True, kw_only=True):
    """The facts of one unit, as a person would write them down."""

    disabled: bool = False
    on_duty: int = 1
    min_crew: int = 1
    capabilities: frozenset[Capability] = frozenset()
    engaged: bool = False
    offered: int = 0
    excluded: bool = False
    fresh: bool = True
    reachable: bool = True


def columns(rows: list[Row]) -> Columns:
    """Return the rows as columns."""
    return Columns(
        disabled=np.array([row.disabled for row in rows], dtype=bool),
        on_duty=np.array([row.on_duty for row in rows], dtype=np.int16),
        min_crew=np.array([row.min_crew for row in rows], dtype=np.int16),
        capabilities=np.array([mask(row.capabilities) for row in rows], dtype=np.uint64),
        engaged=np.array([row.engaged for row in rows], dtype=bool),
        offered=np.array([row.offered for row in rows], dtype=np.int16),
        excluded=np.array([row.excluded for row in rows], dtype=bool),
        fresh=np.array([row.fresh for row in rows], dtype=bool),
        reachable=np.array([row.reachable for row in rows], dtype=bool),
    )


def first_bar(row: Row, need: frozenset[Capability]) -> Reason | None:
    """Say why a unit is not asked, one plain question after another."""
    questions = [
        (row.disabled, Reason.DISABLED),
        (row.on_duty < row.min_crew, Reason.OFF_DUTY),
        (not need <= row.capabilities, Reason.NOT_CAPABLE),
        (row.engaged, Reason.ENGAGED),
        (row.offered > 0, Reason.OFFERED),
        (row.excluded, Reason.ASKED_BEFORE),
        (not row.fresh, Reason.STALE_FIX),
        (not row.reachable, Reason.UNREACHABLE),
    ]
    return next((reason for barred, reason in questions if barred), None)


def bar_of(row: Row, *need: Capability) -> Reason | None:
    """Return the first bar of one unit, as the columns have it."""
    index = first_bars(columns([row]), mask(need))[0]
    return None if index == FREE else BARS[index][0]


some_capabilities = st.frozensets(st.sampled_from(Capability), max_size=4)
rows = st.builds(
    Row,
    disabled=st.booleans(),
    on_duty=st.integers(0, 3),
    min_crew=st.integers(0, 3),
    capabilities=some_capabilities,
    engaged=st.booleans(),
    offered=st.integers(0, 2),
    excluded=st.booleans(),
    fresh=st.booleans(),
    reachable=st.booleans(),
)
chances = st.floats(0, 1)
etas = st.floats(0, 600)


def candidate(eta_s: float, rate: float = PRIOR, number: int = 1) -> Candidate:
    """Return a candidate so far away, that says yes so often."""
    return Candidate(
        unit_id=UnitId(f"u{number}"),
        eta_s=eta_s,
        distance_m=eta_s,
        quality=Quality.STRAIGHT_LINE,
        accept_rate=rate,
    )


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, None),
        ({"disabled": True}, Reason.DISABLED),
        ({"on_duty": 0}, Reason.OFF_DUTY),
        ({"on_duty": 1, "min_crew": 2}, Reason.OFF_DUTY),
        ({"capabilities": frozenset()}, Reason.NOT_CAPABLE),
        ({"capabilities": frozenset({Capability.ROPE})}, Reason.NOT_CAPABLE),
        ({"engaged": True}, Reason.ENGAGED),
        ({"offered": 1}, Reason.OFFERED),
        ({"excluded": True}, Reason.ASKED_BEFORE),
        ({"fresh": False}, Reason.STALE_FIX),
        ({"reachable": False}, Reason.UNREACHABLE),
        ({"reachable": False, "engaged": True, "on_duty": 0}, Reason.OFF_DUTY),
    ],
)
def test_a_unit_is_stopped_by_the_first_of_its_bars(
    facts: dict[str, Any], reason: Reason | None
) -> None:
    """In the order of the reasons: the one that says most about the unit."""
    usual: dict[str, Any] = {"capabilities": frozenset({Capability.AED, Capability.RADIO})}
    assert bar_of(Row(**usual | facts), Capability.AED) is reason


def test_the_bars_are_tried_in_the_order_of_the_reasons() -> None:
    """Each reason has exactly one bar."""
    assert [bar[0] for bar in BARS] == list(Reason)
    assert len(BARS) < FREE


@given(units=st.lists(rows, max_size=30), need=some_capabilities)
def test_a_whole_city_is_judged_as_one_unit_at_a_time(
    units: list[Row], need: frozenset[Capability]
) -> None:
    """The columns agree with the plain questions, and so do the counts."""
    stopped = first_bars(columns(units), mask(need))
    by_hand = [first_bar(row, need) for row in units]
    found = [None if index == FREE else BARS[index][0] for index in stopped]
    assert found == by_hand
    counts = {reason: by_hand.count(reason) for reason in Reason if reason in by_hand}
    assert count_reasons(stopped) == counts


@given(one=some_capabilities, other=some_capabilities)
def test_capabilities_are_bits_that_keep_sets_apart(
    one: frozenset[Capability], other: frozenset[Capability]
) -> None:
    """A set holds another exactly when its bits hold the other's."""
    assert (mask(one) & mask(other) == mask(other)) == (other <= one)
    assert mask([*one, *one]) == mask(one)


@given(
    units=st.lists(st.tuples(etas, st.integers(0, 5)), max_size=40),
    most=st.integers(0, 50),
)
def test_ranking_agrees_with_sorting_by_hand(units: list[tuple[float, int]], most: int) -> None:
    """Step of twenty seconds, then asked less, then sooner; equal ones stay in their order."""
    eta_s = np.array([eta for eta, _ in units], dtype=np.float64)
    asked = np.array([count for _, count in units], dtype=np.int32)
    by_hand = sorted(
        range(len(units)), key=lambda i: (units[i][0] // STEP_S, units[i][1], units[i][0])
    )
    assert ranked(eta_s, asked, most).tolist() == by_hand[:most]


def test_among_units_within_a_step_the_one_asked_less_goes_first() -> None:
    """Mission, rule 14; a step sooner counts more than being asked less."""
    eta_s = np.array([101.0, 119.0, 99.0, 121.0])
    asked = np.array([5, 0, 9, 0], dtype=np.int32)
    assert ranked(eta_s, asked, 4).tolist() == [2, 1, 0, 3]


@given(units=st.lists(st.tuples(etas, st.integers(0, 9)), min_size=2, max_size=30))
@pytest.mark.parametrize("ring_s", [180, 300])
def test_fairness_never_trades_an_arrival_inside_a_ring(
    ring_s: int, units: list[tuple[float, int]]
) -> None:
    """The steps divide the rings: whoever is inside goes before whoever is not."""
    eta_s = np.array([eta for eta, _ in units])
    order = ranked(eta_s, np.array([asked for _, asked in units], dtype=np.int32), len(units))
    inside = [bool(eta_s[i] < ring_s) for i in order]
    assert inside == sorted(inside, reverse=True)


@given(accepts=st.integers(0, 100), others=st.integers(0, 100))
def test_an_acceptance_rate_is_drawn_to_the_prior(accepts: int, others: int) -> None:
    """(accepts + 4 · 0.4) / (offers + 4): between the prior and what was seen."""
    rate = accept_rate(accepts, accepts + others)
    assert 0 < rate < 1
    seen = accepts / (accepts + others) if accepts + others else PRIOR
    assert min(PRIOR, seen) - 1e-9 <= rate <= max(PRIOR, seen) + 1e-9


@pytest.mark.parametrize(
    ("accepts", "offers", "rate"), [(0, 0, 0.4), (1, 1, 0.52), (0, 4, 0.2), (46, 96, 0.476)]
)
def test_a_unit_nothing_is_known_of_has_the_prior(accepts: int, offers: int, rate: float) -> None:
    """And a hundred answers outweigh it."""
    assert accept_rate(accepts, offers) == pytest.approx(rate)
    many = accept_rates(np.array([accepts, 0], np.int32), np.array([offers, 0], np.int32))
    assert many.tolist() == pytest.approx([rate, accept_rate(0, 0)])


@pytest.mark.parametrize(
    ("eta_s", "seconds", "p"),
    [(100, 100, 0.5), (100, 120, 0.8413), (100, 80, 0.1587), (10, 20, 0.8413), (300, 180, 0.0228)],
)
def test_an_arrival_is_spread_around_its_eta(eta_s: float, seconds: float, p: float) -> None:
    """By a fifth of the ETA, at least ten seconds."""
    assert p_arrived(eta_s, seconds) == pytest.approx(p, abs=1e-4)


@given(eta_s=etas, seconds=etas, more=st.floats(0, 600))
def test_the_chance_of_an_arrival_grows_with_the_time_given(
    eta_s: float, seconds: float, more: float
) -> None:
    """It is a probability, and a longer wait never lowers it."""
    p = p_arrived(eta_s, seconds)
    assert 0 <= p <= p_arrived(eta_s, seconds + more) <= 1


@given(eta_s=etas, rate=chances, seconds=etas)
def test_a_candidate_has_to_accept_and_to_arrive(eta_s: float, rate: float, seconds: float) -> None:
    """Its chance is the product of the two."""
    assert candidate(eta_s, rate).p_by(seconds) == rate * p_arrived(eta_s, seconds)


@given(known=st.lists(chances, max_size=12), more=chances)
def test_the_chance_that_somebody_comes_grows_with_everybody_asked(
    known: list[float], more: float
) -> None:
    """It is a probability, at least the best single one, and never lowered by one more."""
    p = p_somebody(known)
    assert 0 <= p <= 1
    assert p >= max(known, default=0) - 1e-12
    assert p <= p_somebody([*known, more]) + 1e-12


@pytest.mark.parametrize(
    ("known", "p"), [([], 0), ([0.4], 0.4), ([0.4, 0.4], 0.64), ([0.5, 1], 1), ([0, 0], 0)]
)
def test_the_chance_that_somebody_comes(known: list[float], p: float) -> None:
    """1 - (1 - p1)(1 - p2)…"""
    assert p_somebody(known) == pytest.approx(p)


@given(
    known=st.lists(st.tuples(etas, chances), max_size=10),
    aim_p=chances,
    held=chances,
)
def test_no_fewer_of_the_best_would_do(
    known: list[tuple[float, float]], aim_p: float, held: float
) -> None:
    """The set reaches the aim, unless all do not; one less would not reach it."""
    candidates = [candidate(eta_s, rate) for eta_s, rate in known]

    def p_of(n: int) -> float:
        return p_somebody([held, *(c.p_by(180) for c in candidates[:n])])

    n = smallest_set(candidates, aim_p, 180, held)
    assert p_of(n) >= aim_p - 1e-9 or n == len(candidates)
    assert n == 0 or p_of(n - 1) < aim_p + 1e-9


@given(distances=st.lists(etas, max_size=7), aim_p=st.floats(0.01, 0.99), held=chances)
def test_no_smaller_set_of_equally_willing_units_would_do(
    distances: list[float], aim_p: float, held: float
) -> None:
    """By brute force over all sets: nearest first is best first."""
    candidates = [candidate(eta_s) for eta_s in sorted(distances)]
    n = smallest_set(candidates, aim_p, 180, held)
    for size in range(n):
        for chosen in combinations(candidates, size):
            assert p_somebody([held, *(c.p_by(180) for c in chosen)]) < aim_p + 1e-9


def test_the_smallest_set_of_sure_arrivals() -> None:
    """At .4 each, six make .95; four are enough when half of it is out there already."""
    at_hand = [candidate(30, number=n) for n in range(10)]
    assert smallest_set(at_hand, 0.95, 180, 0.0) == 6
    assert smallest_set(at_hand, 0.95, 180, 0.7) == 4
    assert smallest_set(at_hand, 0.95, 180, 0.95) == 0
    assert smallest_set(at_hand[:2], 0.95, 180, 0.0) == 2


def test_a_set_grows_with_its_aim() -> None:
    """More certainty never asks fewer."""
    at_hand = [candidate(30 * n, number=n) for n in range(1, 10)]
    sizes = [smallest_set(at_hand, aim / 100, 180, 0.0) for aim in range(100)]
    assert all(less <= more for less, more in pairwise(sizes))


def test_a_place_in_the_middle_of_nowhere_has_no_chance() -> None:
    """Nobody asked, nobody comes; math.prod of nothing is one."""
    assert math.isclose(p_somebody([]), 0)
    assert count_reasons(first_bars(columns([]), mask([]))) == {}


# Where the aim is too high. ----------------------------------------------------------------------


def needed(eta_s: float, most: int = 12, held: float = 0.0) -> int:
    """Return how many of so many units as far away as this are asked for life at stake."""
    there = [candidate(eta_s, number=n) for n in range(most)]
    return enough(there, 0.95, (180, 300), lambda _: held)


@pytest.mark.parametrize(
    ("eta_s", "asked"), [(60, 6), (150, 8), (175, 12), (230, 12), (270, 9), (299, 11), (600, 0)]
)
def test_who_adds_nothing_to_an_arrival_in_time_is_not_asked_for_it(
    eta_s: float, asked: int
) -> None:
    """The near reach the aim by 180 s; the far count by 300 s; who is too far counts nowhere."""
    assert needed(eta_s) == asked


def test_what_is_out_there_already_is_not_asked_for_twice() -> None:
    """By every horizon."""
    assert needed(60, held=0.95) == needed(270, held=0.96) == needed(150, most=0) == 0
    assert needed(150, most=3) == 3


@given(distances=st.lists(etas, max_size=12), held=chances)
def test_the_aim_is_reached_where_all_together_reach_it(
    distances: list[float], held: float
) -> None:
    """By the first horizon at which they can."""
    units = [candidate(eta_s) for eta_s in sorted(distances)]
    n = enough(units, 0.95, (180, 300), lambda _: held)
    for by_s in (180, 300):
        if p_somebody([held, *(c.p_by(by_s) for c in units)]) >= 0.95:
            assert p_somebody([held, *(c.p_by(by_s) for c in units[:n])]) >= 0.95 - 1e-9
            return
    assert n <= len(units)
