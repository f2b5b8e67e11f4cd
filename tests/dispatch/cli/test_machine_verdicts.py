"""Verdicts on a machine: what is enough, what is little, what is not enough."""

from pathlib import Path

import pytest

from dispatch.cli import machine_verdicts
from dispatch.cli.machine import Door, Folder
from dispatch.cli.verdict import Verdict
from schemas.rest import Readiness

URL = "http://127.0.0.1:8110"


@pytest.mark.parametrize(
    ("most", "verdict"),
    [(65_536, Verdict.OK), (23_534, Verdict.OK), (4_096, Verdict.WARN), (1_024, Verdict.FAIL)],
)
def test_open_files_say_how_many_phones_fit(most: int, verdict: Verdict) -> None:
    """A city, a town, or what a shell gives by default."""
    line = machine_verdicts.on_files(most, 200, running=False)
    assert line.verdict is verdict
    assert line.found.endswith(f": {most - 200:,} phones")


def test_two_workers_hold_twice_as_many_phones() -> None:
    """Each has files of its own, so that a city fits where one process would be too small."""
    assert machine_verdicts.on_files(20_000, 200, running=False).verdict is Verdict.WARN
    line = machine_verdicts.on_files(20_000, 200, running=False, workers=2)
    assert line.verdict is Verdict.OK
    assert line.found.endswith(": 39,600 phones in 2 workers")


@pytest.mark.parametrize(
    ("mb", "verdict"), [(4_000, Verdict.OK), (900, Verdict.WARN), (300, Verdict.FAIL)]
)
def test_memory_is_judged_before_the_service_takes_it(mb: int, verdict: Verdict) -> None:
    """What is left beside a running Kapok may be little."""
    assert machine_verdicts.on_memory(mb, running=False).verdict is verdict
    assert machine_verdicts.on_memory(mb, running=True).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("folder", "verdict"),
    [
        (Folder(path=Path("d"), free_mb=50_000), Verdict.OK),
        (Folder(path=Path("d"), free_mb=5_000), Verdict.WARN),
        (Folder(path=Path("d"), free_mb=500), Verdict.FAIL),
        (Folder(path=Path("d"), trouble="it is a file"), Verdict.FAIL),
    ],
)
def test_the_data_folder_has_to_take_data(folder: Folder, verdict: Verdict) -> None:
    """With an outside database none of it matters."""
    assert machine_verdicts.on_folder(folder, outside=False).verdict is verdict
    assert machine_verdicts.on_folder(folder, outside=True).verdict is Verdict.OK


def test_the_holder_of_the_lock_is_named() -> None:
    """Nobody is right too: Kapok is stopped."""
    assert "nobody holds" in machine_verdicts.on_lock(Path("d"), None).found
    assert machine_verdicts.on_lock(Path("d"), 42).found == "process 42 holds d"


READY = Readiness(ready=True, parts={"store": True})
UNREADY = Readiness(ready=False, parts={"store": False, "desk": True})


@pytest.mark.parametrize(
    ("door", "verdict", "found"),
    [
        (Door(url=URL), Verdict.OK, f"{URL} is free"),
        (
            Door(url=URL, taken=True, kapok="1.2", readiness=READY),
            Verdict.OK,
            f"Kapok (REST version 1.2) answers at {URL} and is ready",
        ),
        (
            Door(url=URL, taken=True, kapok="1.2", readiness=UNREADY),
            Verdict.FAIL,
            f"Kapok (REST version 1.2) answers at {URL} and is not ready: store",
        ),
        (
            Door(url=URL, taken=True),
            Verdict.FAIL,
            f"somebody answers at {URL}, and it is no Kapok",
        ),
        (
            Door(url=URL, trouble="Permission denied"),
            Verdict.FAIL,
            f"{URL} cannot be opened: Permission denied",
        ),
    ],
)
def test_the_port_is_free_or_a_ready_kapoks(door: Door, verdict: Verdict, found: str) -> None:
    """Anything else keeps Kapok out."""
    line = machine_verdicts.on_door(door)
    assert (line.verdict, line.found) == (verdict, found)


def test_a_clock_that_nobody_keeps_right_is_told() -> None:
    """It may be right all the same."""
    verdicts = [machine_verdicts.on_time(each).verdict for each in (True, False, None)]
    assert verdicts == [Verdict.OK, Verdict.WARN, Verdict.WARN]


def test_a_bus_answers_or_is_not_needed() -> None:
    """Each of its servers."""
    assert machine_verdicts.on_bus("a:4222", "").verdict is Verdict.OK
    assert machine_verdicts.on_bus("a:4222", "no answer").verdict is Verdict.FAIL
    assert "one process" in machine_verdicts.on_no_bus(1).found
    assert "our own" in machine_verdicts.on_no_bus(2).found
