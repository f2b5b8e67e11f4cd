"""Every benchmark that runs a service, at the smallest size: it ends, says all, leaves nothing."""

import os
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from bench.__main__ import ALONE
from bench.harness.family import descendants
from bench.harness.result import NOT_RUN, Found

SCALE = 0.001
MARKS = {
    "bus": {"messages of ours that were not heard"},
    "city": {
        "POST to offer heard, to commit and round trip, median",
        "POST to offer heard, to commit and round trip, p99",
        "phones that were not online all the while",
        "lines lost",
        "incidents without an acknowledgement",
        "lost, doubled, out of order, booked twice",
        "MB of all server processes",
    },
    "decisions": {"ms a decision at 300 a second"},
    "fanout": {"readers that missed a change"},
    "push": {
        "offer committed until the webhook is called, ms, p99",
        "the same beside a notice to all, ms, p99",
    },
    "recovery": {
        "all of 60 phones back, s",
        "phones that did not come back",
        "first offer heard, s",
        "longest stall meanwhile, ms",
    },
    "start": {"seconds until ready"},
    "workers": {
        "a fix, two workers and their bus to bare websockets",
        "a fix, two workers to one",
    },
}
NEVER_MISSED = {
    "incidents without an acknowledgement",
    "lines lost",
    "lost, doubled, out of order, booked twice",
    "messages of ours that were not heard",
    "phones that did not come back",
    "phones that were not online all the while",
    "readers that missed a change",
}
"""What holds at any size, on any machine."""
UNSEEN = {"city": {"a ping, or a position that asks, until its pong", "the slowest pong"}}
"""What nobody waits for in so short a run."""


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """What a benchmark started is ended when it is over."""
    before = set(descendants(os.getpid()))
    yield
    assert set(descendants(os.getpid())) <= before


LONG = {"fanout", "workers"}
"""What starts several services: run with KAPOK_BENCHES=all."""


@pytest.mark.parametrize("name", sorted(MARKS))
def test_a_benchmark_runs_at_the_smallest_size(name: str) -> None:
    """All is measured; whether times are kept is another matter, what must never be is."""
    if name in LONG and os.environ.get("KAPOK_BENCHES") != "all":
        pytest.skip("starts several services: KAPOK_BENCHES=all runs it")
    module: Any = import_module(f"bench.{name}")
    found: Found = module.measure(SCALE)
    assert {row.what for row in found.rows if row.unit == NOT_RUN} <= UNSEEN.get(name, set())
    assert set(found.marks) == MARKS[name]
    assert all(mark.value is not None for mark in found.marks.values())
    assert all(mark.met for name, mark in found.marks.items() if name in NEVER_MISSED)
    assert all(value is not None for value in found.ratios.values())
    assert module.MOST_S <= 600 or name in ALONE
