"""A process of a benchmark that answers questions, one JSON line each, and ends with its parent."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final

import msgspec

from bench.harness.machine import ROOT

END_S: Final = 5.0
TASKS: Final = "/proc/{}/task"


class ChildFailed(Exception):
    """A process ended instead of answering."""


class Child:
    """One such process; `facts` is what it said first."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._turn = Lock()
        self.pid = process.pid
        self.facts: dict[str, Any] = {}

    def begin(self, options: Mapping[str, Any]) -> None:
        """Hand over the options; wait until it says what it is ready with."""
        self._write(options)
        self.facts = self._answer()

    def ask(self, question: str, **more: Any) -> dict[str, Any]:
        """Ask, and wait for the answer; several threads take turns."""
        with self._turn:
            self._write({"ask": question, **more})
            return self._answer()

    def _write(self, line: Mapping[str, Any]) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(BrokenPipeError):  # it has ended: the answer that is missing tells
            stdin.write(msgspec.json.encode(line) + b"\n")
            stdin.flush()

    def _answer(self) -> dict[str, Any]:
        stdout = self._process.stdout
        assert stdout is not None
        line = stdout.readline()
        if not line:
            raise ChildFailed(f"{self._process.args!r} ended with {self._process.wait()}")
        answer: dict[str, Any] = msgspec.json.decode(line)
        return answer

    def cpu_s(self) -> float:
        """Return the processor time of all its threads so far."""
        return cpu_s(self.pid)

    def pss_kb(self) -> float:
        """Return its proportional share of memory."""
        return pss_kb(self.pid)

    def kill(self) -> None:
        """Kill it as it stands."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Let it end, or end it."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def child(module: str, /, **options: Any) -> Iterator[Child]:
    """Run `python -m module` with options as its first line, for as long as this lasts."""
    with inheriting((), module, **options) as started:
        yield started


@contextmanager
def inheriting(files: tuple[int, ...], module: str, /, **options: Any) -> Iterator[Child]:
    """Run a child that keeps open some files of ours, by their numbers."""
    process = subprocess.Popen(
        (sys.executable, "-m", module),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        pass_fds=files,
    )
    started = Child(process)
    try:
        started.begin(options)
        yield started
    finally:
        started.end()


def cpu_s(pid: int) -> float:
    """Return the processor time of all threads of a process, to the nanosecond."""
    spent = 0
    for task in Path(TASKS.format(pid)).iterdir():
        spent += int((task / "schedstat").read_text().split()[0])
    return spent / 1e9


def pss_kb(pid: int) -> float:
    """Return the proportional set size of a process."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return float(line.split()[1])
    raise LookupError(f"the system tells no PSS of process {pid}")
