"""Quantiles to one percent, of any number of durations from any number of processes."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.phone.latency import LEAST_MS, STEP, Latency, Quantiles, latency_of


def test_nothing_measured_has_no_latency() -> None:
    """Zeros, and n tells why."""
    assert Latency().quantiles() == Quantiles()


@given(st.lists(st.floats(0.02, 600_000), min_size=1, max_size=200))
def test_quantiles_are_those_of_all_durations_to_one_percent(ms: list[float]) -> None:
    """Oracle: numpy's lower value of the sorted list; the largest is exact."""
    found = latency_of(ms).quantiles()
    wanted = np.quantile(ms, [0.5, 0.9, 0.99], method="inverted_cdf")
    assert [found.p50, found.p90, found.p99] == pytest.approx(wanted, rel=STEP - 1, abs=0.001)
    assert (found.n, found.max) == (len(ms), round(max(ms), 3))


@given(st.lists(st.floats(0, 1_000)), st.lists(st.floats(0, 1_000)))
def test_two_processes_add_up_to_one(first: list[float], second: list[float]) -> None:
    """As if one had measured all, on a way over JSON as well."""
    both = latency_of(first)
    text = msgspec.json.encode(latency_of(second))
    both.take(msgspec.json.decode(text, type=Latency))
    assert both == latency_of([*first, *second])


def test_what_two_clocks_make_negative_counts_as_next_to_nothing() -> None:
    """It happened, and took no time that can be told."""
    assert latency_of([-3.0]).quantiles().n == 1
    assert latency_of([-3.0, -1.0]).quantiles().p99 <= LEAST_MS
