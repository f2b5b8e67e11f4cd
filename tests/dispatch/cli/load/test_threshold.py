"""Thresholds as they are written on a command line, and what meets them."""

import pytest

from dispatch.cli.load.figures import FIGURES
from dispatch.cli.load.threshold import USUAL, BadThreshold, held, judge, parse


@pytest.mark.parametrize(
    ("text", "value", "met"),
    [
        ("post_to_received_p99_ms>500", 500.0, True),
        ("post_to_received_p99_ms>500", 500.1, False),
        ("post_to_received_p99_ms >= 500", 500.0, False),
        ("phones_online<23334", 23_334.0, True),
        ("phones_online<23334", 23_333.0, False),
        ("fixes_per_s<=2299.5", 2_299.5, False),
        ("server_growth_percent>-1", -2.0, True),
    ],
)
def test_a_run_fails_when_the_text_is_true(text: str, value: float, met: bool) -> None:
    """A name, a sign, a number."""
    threshold = parse(text)
    assert judge(threshold, {threshold.figure: value}).met is met


def test_what_was_not_measured_is_not_met() -> None:
    """Nobody can say that it was kept."""
    judged = judge(parse("server_pss_mb_max>1600"), {"server_pss_mb_max": None})
    assert (judged.met, judged.value, judged.fail_if) == (False, None, "server_pss_mb_max>1600")


@pytest.mark.parametrize(
    "text", ["", "lost", "lost_messages", ">5", "lost_messages=0", "doubled>x"]
)
def test_what_is_no_threshold_is_refused(text: str) -> None:
    """With the form that one has."""
    with pytest.raises(BadThreshold, match="is not NAME>NUMBER"):
        parse(text)


def test_an_unknown_name_is_refused_with_all_names() -> None:
    """So that the right one is found."""
    with pytest.raises(BadThreshold) as refused:
        parse("p99>5")
    assert all(name in str(refused.value) for name in FIGURES)


def test_losses_are_held_to_without_being_named() -> None:
    """One that is named goes before the usual one of its figure."""
    assert held([]) == list(USUAL)
    mine = parse("double_booked>3")
    assert mine in held([mine])
    assert [each.figure for each in held([mine])].count("double_booked") == 1
    assert {usual.figure for usual in USUAL} <= set(FIGURES)
