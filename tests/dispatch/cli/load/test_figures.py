"""How stages are reckoned from what callers and phones noted."""

import pytest

from dispatch.cli.calls import Post
from dispatch.cli.load.figures import (
    FIGURES,
    first_offers,
    latencies,
    latency_figures,
    offered,
    unheard,
)
from dispatch.phone.diary import Diary, Tally
from dispatch.phone.latency import Latency, Quantiles, latency_of
from dispatch.phone.witness import Stage


def diary(firsts: dict[str, tuple[float, float]], skew_ms: float = 0.0, **taken: Latency) -> Diary:
    """Return the diary of a process that heard first offers."""
    return Diary(
        devices={},
        offers_first=firsts,
        arrivals=[],
        push_ms=Quantiles(),
        skew_ms=skew_ms,
        tally=Tally(),
        taken=taken,
    )


def test_the_stages_of_an_offer_follow_one_another() -> None:
    """POST 1000, written 1030, heard 1034, answered 1040; an incident nobody heard of has none."""
    posts = [Post("i1", 1_000.0, 1_040.0), Post("i2", 2_000.0, 2_060.0)]
    found = latencies(posts, [diary({"i1": (1_030.0, 1_034.0)})])
    assert found["post_to_answer"].n == 2
    assert found["post_to_answer"].most_ms == 60.0
    assert [found[stage].most_ms for stage in ("post_to_written", "written_to_received")] == [30, 4]
    assert (found["post_to_received"].n, found["post_to_received"].most_ms) == (1, 34.0)


def test_an_incident_without_anybody_to_ask_at_first_counts_in_no_stage_of_an_offer() -> None:
    """It is no matter of speed; one that somebody should have heard of is counted."""
    posts = [Post(iid, 1_000.0, 1_040.0) for iid in ("i1", "i2", "i3", "i4")]
    diaries = [diary({"i1": (1_030.0, 1_034.0), "i2": (9_000.0, 9_004.0)})]
    found = latencies(posts, diaries, later={"i2", "i3"})
    assert (found["post_to_answer"].n, found["post_to_received"].n) == (4, 1)
    assert unheard(posts, diaries, later={"i2", "i3"}) == 1


def test_of_incidents_those_count_that_this_run_called_in() -> None:
    """Phones hear of others too, where a run follows another."""
    posts = [Post("i1", 1_000.0, 1_040.0), Post("i2", 2_000.0, 2_060.0)]
    diaries = [diary({"i1": (1_030.0, 1_034.0), "earlier": (500.0, 504.0)})]
    assert offered(posts, diaries) == 1


def test_the_first_offer_of_all_processes_counts_by_our_own_clock() -> None:
    """Each process knows how far the server's clock is ahead of it."""
    near, far = (
        diary({"i1": (5_020.0, 1_030.0)}, skew_ms=4_000.0),
        diary({"i1": (1_025.0, 1_028.0)}),
    )
    assert first_offers([near, far]) == {"i1": (1_020.0, 1_030.0)}
    assert first_offers([far, near]) == {"i1": (1_020.0, 1_030.0)}


def test_what_processes_timed_adds_up() -> None:
    """Their latencies are those of one."""
    some, others = latency_of([1.0, 2.0]), latency_of([30.0])
    found = latencies([], [diary({}, pong=some), diary({}, pong=others)])
    assert found[Stage.PONG] == latency_of([1.0, 2.0, 30.0])
    assert found[Stage.PUSH].n == 0


def test_every_quantile_of_every_stage_is_a_figure_that_a_threshold_may_name() -> None:
    """None where nothing was measured."""
    stages = {name: taken.quantiles() for name, taken in latencies([], []).items()}
    figures = latency_figures(stages | {"pong": latency_of([7.0]).quantiles()})
    assert figures.keys() <= FIGURES.keys()
    assert figures["pong_p99_ms"] == pytest.approx(7.0, rel=0.01)
    assert figures["push_p50_ms"] is None
