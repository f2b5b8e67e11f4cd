"""A log that is whole, and logs with a planted fault."""

from typing import Any

from dispatch.cli.load.history import Entry, History, Incident, breaks, searched_again
from tests.fakes import START


def history(*entries: tuple[str, dict[str, Any]], numbers: list[int] | None = None) -> History:
    """Return an incident with these lines."""
    numbered = zip(numbers or range(1, len(entries) + 1), entries, strict=True)
    return History(
        incident=Incident(id="i1", opened_at=START),
        entries=[Entry(n=n, type=kind, data=data) for n, (kind, data) in numbered],
    )


def status(before: str, after: str) -> tuple[str, dict[str, Any]]:
    """Return a change of status."""
    return "status_changed", {"before": before, "after": after}


def reached(state: str, task: str = "a1") -> tuple[str, dict[str, Any]]:
    """Return a step of a task."""
    return "assignment_progressed", {"assignment": task, "state": state}


def test_a_whole_log_has_nothing_against_it() -> None:
    """Two tasks side by side, each going on; a step may be told twice."""
    lines: list[tuple[str, dict[str, Any]]] = [
        ("reported", {}),
        status("reported", "open"),
        status("open", "responding"),
        reached("en_route"),
        reached("en_route", "a2"),
        reached("arrived"),
        reached("arrived"),
        ("became_backup", {"assignment": "a2", "state": "en_route"}),
    ]
    assert list(breaks(history(*lines))) == []


def test_a_gap_in_the_numbers_is_found() -> None:
    """A line that is missing, or one that is there twice."""
    lines: list[tuple[str, dict[str, Any]]] = [("reported", {}), ("opened", {}), ("offered", {})]
    assert list(breaks(history(*lines, numbers=[1, 3, 4]))) == ["line 2 is numbered 3"]
    assert list(breaks(history(*lines, numbers=[1, 1, 2]))) == ["line 2 is numbered 1"]


def test_a_status_that_came_from_nowhere_is_found() -> None:
    """Each begins where the last one ended."""
    broken = history(status("reported", "open"), status("dispatching", "responding"))
    assert list(breaks(broken)) == ["status open became dispatching without a line"]


def test_a_task_that_goes_back_is_found() -> None:
    """On the way after it had arrived."""
    broken = history(reached("arrived"), reached("en_route"))
    assert list(breaks(broken)) == ["task a1 went back to en_route"]


def test_an_incident_is_searched_again_whose_log_tells_of_nobody_before_an_offer() -> None:
    """One that is short of a second unit has been offered at once; one that was not read is not."""
    at_once, later, never = (
        history(*[(kind, {}) for kind in kinds])
        for kinds in (
            ["reported", "offered", "shortfall"],
            ["reported", "ring_widened", "shortfall", "offered"],
            ["reported", "shortfall"],
        )
    )
    read: dict[str, History | str] = {
        "i1": at_once,
        "i2": later,
        "i3": never,
        "i4": "404",
        "i5": history(),
    }
    assert searched_again(read) == {"i2", "i3"}
