"""What a benchmark found: rows, ratios, and marks that are met or not."""

from pathlib import Path
from typing import Final, Self

import msgspec
import numpy as np

from bench.harness.machine import Machine, commit, machine

NOT_RUN: Final = "not run"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of figures; no figures where a peer could not be had."""

    what: str
    median: float | None
    p99: float | None
    unit: str

    @classmethod
    def of(cls, what: str, samples: list[float], unit: str) -> Self:
        """Return the row of some samples; no samples: not run."""
        if not samples:
            return cls.missing(what)
        median, p99 = np.quantile(samples, [0.5, 0.99])
        return cls(what=what, median=float(median), p99=float(p99), unit=unit)

    @classmethod
    def missing(cls, what: str) -> Self:
        """Return the row of what could not be had."""
        return cls(what=what, median=None, p99=None, unit=NOT_RUN)

    @classmethod
    def count(cls, what: str, value: float, unit: str) -> Self:
        """Return the row of something counted once."""
        return cls(what=what, median=value, p99=None, unit=unit)


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A bound from above, and what came of it."""

    mark: float
    value: float | None
    met: bool

    @classmethod
    def at_most(cls, mark: float, value: float | None) -> Self:
        """Hold a value against its mark; what was not measured does not meet it."""
        return cls(mark=mark, value=value, met=value is not None and value <= mark)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of one benchmark, as it is written to its file."""

    name: str
    machine: Machine
    commit: str
    rows: list[Row]
    ratios: dict[str, float | None]
    marks: dict[str, Mark]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a benchmark hands over; where it ran is added to it."""

    rows: list[Row]
    ratios: dict[str, float | None] = {}
    marks: dict[str, Mark] = {}


def ratio(ours: Row, floor: Row) -> float | None:
    """Return how many times the floor's median ours is; None where either was not run."""
    if ours.median is None or not floor.median:
        return None
    return ours.median / floor.median


def result(name: str, found: Found) -> Result:
    """Return what was found, with the machine and the commit it was found on."""
    return Result(
        name=name,
        machine=machine(),
        commit=commit(),
        rows=found.rows,
        ratios=found.ratios,
        marks=found.marks,
    )


def write(result: Result, folder: Path) -> Path:
    """Write a result as `<name>.json`, over an earlier one; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    return path


def read(path: Path) -> Result:
    """Return the result of a file; raise msgspec.DecodeError when it is none."""
    return msgspec.json.decode(path.read_bytes(), type=Result)
