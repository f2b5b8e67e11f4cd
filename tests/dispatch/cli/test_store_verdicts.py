"""Verdicts on a database: whether an acknowledged row is kept, and whose clock is right."""

from datetime import timedelta

import pytest

from dispatch.cli import store_verdicts
from dispatch.cli.verdict import Verdict
from dispatch.store.server_facts import Alive, ServerFacts

DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}


def judged(**given: object) -> dict[str, Verdict]:
    """The verdicts on a good server that differs in what is given, by subject."""
    durable = {**DURABLE, **{k: v for k, v in given.items() if k in DURABLE}}
    good = {
        "version": 160_004,
        "standbys": "",
        "is_standby": False,
        "read_only": False,
        "connections_most": 100,
    }
    others = {name: value for name, value in given.items() if name not in DURABLE}
    facts = ServerFacts(**{**good, **others, "durable": durable})  # type: ignore[arg-type]  # a table of facts
    return {line.subject: line.verdict for line in store_verdicts.on_server(facts)}


def test_a_good_server_is_good_in_all() -> None:
    """Five lines: its version, and what a commit is worth."""
    assert judged() == dict.fromkeys(["database", *DURABLE], Verdict.OK)


@pytest.mark.parametrize("switch", ["fsync", "full_page_writes"])
def test_a_server_that_forgets_fails(switch: str) -> None:
    """A power cut loses what was acknowledged."""
    assert judged(**{switch: "off"})[switch] is Verdict.FAIL


@pytest.mark.parametrize(
    ("commit", "standbys", "verdict"),
    [
        ("on", "", Verdict.OK),
        ("remote_apply", "b", Verdict.OK),
        ("local", "", Verdict.OK),
        ("local", "b", Verdict.WARN),
        ("remote_write", "b", Verdict.WARN),
        ("off", "", Verdict.FAIL),
    ],
)
def test_a_commit_waits_for_disks(commit: str, standbys: str, verdict: Verdict) -> None:
    """Those of a standby too, where there is one to wait for."""
    assert judged(synchronous_commit=commit, standbys=standbys)["synchronous_commit"] is verdict


def test_an_old_a_read_only_and_a_narrow_server_are_told() -> None:
    """None of them can be worked with for long."""
    assert judged(version=140_011)["database"] is Verdict.FAIL
    assert judged(is_standby=True)["writes"] is Verdict.FAIL
    assert judged(read_only=True)["writes"] is Verdict.FAIL
    assert judged(connections_most=10)["connections"] is Verdict.WARN


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(
    ("off_s", "verdict"), [(0.2, Verdict.OK), (5, Verdict.WARN), (3600, Verdict.FAIL)]
)
def test_clocks_may_differ_by_less_than_a_second(off_s: float, verdict: Verdict, side: int) -> None:
    """Ahead or behind."""
    line = store_verdicts.on_clock(timedelta(seconds=off_s * side), timedelta(milliseconds=1))
    assert line.verdict is verdict
    assert ("ahead of" if side > 0 else "behind") in line.found


def test_a_slow_line_is_no_wrong_clock() -> None:
    """What half the round trip explains is not held against the clock."""
    line = store_verdicts.on_clock(timedelta(seconds=2), timedelta(seconds=1.5))
    assert line.verdict is Verdict.OK


@pytest.mark.parametrize("side", [1, -1])
def test_what_is_left_of_a_step_is_told_with_when_it_is_over(side: int) -> None:
    """An hour is absorbed in twenty; less than a second is nothing."""
    line = store_verdicts.on_step(3600.0 * side)
    assert line.verdict is Verdict.WARN
    assert ("ahead of" if side > 0 else "behind") in line.found
    assert "20.0 h" in line.do
    assert store_verdicts.on_step(0.9 * side).verdict is Verdict.OK


def test_pending_migrations_are_no_failure() -> None:
    """The next start applies them; a history that parted keeps it from starting."""
    assert store_verdicts.on_migrations([]).verdict is Verdict.OK
    assert store_verdicts.on_migrations(["0002_x.sql"]).verdict is Verdict.WARN
    assert store_verdicts.parted("newer").verdict is Verdict.FAIL


def test_what_cannot_be_seen_is_not_called_right() -> None:
    """Stopped or another user's: a warning; not answering: a failure, with something to read."""
    assert store_verdicts.NO_DATABASE.verdict is Verdict.WARN
    assert "process 7" in store_verdicts.hidden_by(7).found
    assert store_verdicts.unreachable("").found == "cannot be reached: no answer"


def test_processes_of_two_versions_are_told() -> None:
    """As during a renewal, which has an end."""
    one = store_verdicts.on_alive(Alive(processes=4, machines=2, builds=1))
    two = store_verdicts.on_alive(Alive(processes=4, machines=2, builds=2))
    assert (one.verdict, two.verdict) == (Verdict.OK, Verdict.WARN)
