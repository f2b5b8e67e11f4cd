"""Memory and CPU of processes that really run."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatch.cli.load.processes import Processes, Sum, Watched, _resident_kb, descendants

PARENT = """
import subprocess, sys
held = "x = bytearray(30_000_000); print('up', flush=True); input()"
pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
child = subprocess.Popen([sys.executable, "-c", held], **pipes)
child.stdout.readline()
for line in sys.stdin:
    if line == "work\\n":
        sum(range(6_000_000))
    if line == "end\\n":
        child.communicate(b"\\n")
    print(child.pid, flush=True)
"""


class Family:
    """A process, and one that it started."""

    def __init__(self, parent: "subprocess.Popen[str]") -> None:
        self._parent = parent
        self.pid = parent.pid
        self.child = self.ask("who")

    def ask(self, what: str) -> int:
        """Let it do something; return its child's pid."""
        assert self._parent.stdin
        assert self._parent.stdout
        self._parent.stdin.write(f"{what}\n")
        self._parent.stdin.flush()
        return int(self._parent.stdout.readline())


@pytest.fixture
def family() -> Iterator[Family]:
    """Start the two, and end them."""
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        yield Family(parent)


def test_a_process_is_watched_with_all_it_has_started(family: Family) -> None:
    """Its memory, and the CPU since the first look."""
    watched = Processes([family.pid])
    watched.look(0.0)
    family.ask("work")
    watched.look(2.0)
    uses = {use.pid: use for use in watched.uses()}
    assert uses.keys() == {family.pid, family.child}
    assert uses[family.child].rss_mb > 28
    assert uses[family.child].pss_mb is not None
    assert uses[family.pid].name.startswith("python")
    assert watched.cpu_s
    assert watched.seconds == 2.0
    assert (watched.pss_mb_max or 0) > 28
    assert (watched.rss_mb_max or 0) >= (watched.pss_mb_max or 0)


def test_one_that_ended_still_counts(family: Family) -> None:
    """With the most memory there was; what is there now is without it."""
    watched = Processes([family.pid])
    watched.look(0.0)
    family.ask("end")
    watched.look(1.0)
    ended = {use.pid: use.ended for use in watched.uses()}
    assert ended == {family.pid: False, family.child: True}
    assert watched.sums[1].rss_mb < watched.sums[0].rss_mb
    assert watched.rss_mb_max == watched.sums[0].rss_mb


def test_nobody_to_watch_is_nothing_measured() -> None:
    """Neither is a process that is not there."""
    for watched in (Processes([]), Processes([2**22 + 1])):
        watched.look(0.0)
        assert watched.cpu_s is None
        assert watched.uses() == []
    assert Processes([]).seconds == 0.0
    assert Processes([]).pss_mb_max is None


def test_memory_of_who_may_not_be_looked_at_is_its_rss(family: Family, tmp_path: Path) -> None:
    """Another user's process shows how much it holds, not how much of it is shared."""
    folder = tmp_path / str(family.child)
    folder.mkdir()
    (folder / "stat").write_bytes(Path(f"/proc/{family.child}/stat").read_bytes())
    gone = Watched(family.child, tmp_path)
    gone.look(fresh=True)
    assert not gone.alive
    assert gone.use().pss_mb is None
    assert list(descendants([family.child], tmp_path)) == [family.child]
    rss_kb, pss_kb = _resident_kb(folder) or (0, 0)
    assert rss_kb > 28_000
    assert pss_kb is None


def test_growth_counts_after_five_minutes() -> None:
    """What is loaded in the beginning is no leak; a shorter run tells nothing."""
    watched = Processes([os.getpid()])
    watched.sums = [Sum(0.0, 1.0, 100.0), Sum(299.0, 1.0, 180.0), Sum(301.0, 1.0, 200.0)]
    assert watched.growth_percent is None
    watched.sums.append(Sum(600.0, 1.0, 210.0))
    assert watched.growth_percent == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["python", "-m", "dispatch", "worker", "--fd", "3"], "kapok worker"),
        (["python", "-m", "dispatch.cli.phones", "--file"], "dispatch.cli.phones"),
        (["postgres: writer "], "postgres"),
        (["/usr/bin/nats-server", "-p", "1"], "nats-server"),
    ],
)
def test_processes_are_named_as_people_know_them(
    words: list[str], name: str, tmp_path: Path
) -> None:
    """By their command, not by their interpreter."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cmdline").write_bytes(b"\0".join(word.encode() for word in words))
    assert Watched(7, tmp_path).name == name
