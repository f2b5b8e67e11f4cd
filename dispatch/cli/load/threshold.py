"""Thresholds: NAME>NUMBER on the command line, and whether a run is beyond one."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from dispatch.cli.load.figures import FIGURES
from schemas.base import Record

GRAMMAR: Final = re.compile(r"\s*([a-z0-9_]+)\s*(<=|>=|<|>)\s*(-?\d+(?:\.\d+)?)\s*")
SIGNS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class BadThreshold(ValueError):
    """A text that is no threshold; says what is wrong with it."""


class Threshold(Record, frozen=True, kw_only=True):
    """A run fails if `figure` is, say, greater than the limit; so it does if it has none."""

    figure: str
    sign: str
    limit: float

    def __str__(self) -> str:
        """Return it as it is written."""
        return f"{self.figure}{self.sign}{self.limit:g}"


class Judged(Record, frozen=True, kw_only=True):
    """What came of a threshold; `value` is None where nothing was measured."""

    fail_if: str
    value: float | None
    met: bool


def parse(text: str) -> Threshold:
    """Return the threshold of a text such as `post_to_received_p99_ms>500`.

    Raises:
        BadThreshold: it is none, or names no figure; then all names are told.
    """
    found = GRAMMAR.fullmatch(text)
    if found is None:
        raise BadThreshold(f"{text!r} is not NAME>NUMBER (or <, >=, <=)")
    figure, sign, limit = found.groups()
    if figure not in FIGURES:
        raise BadThreshold(f"there is no figure {figure!r}; there are: {', '.join(FIGURES)}")
    return Threshold(figure=figure, sign=sign, limit=float(limit))


USUAL: Final = tuple(
    Threshold(figure=figure, sign=">", limit=0.0)
    for figure in (
        "lost_incidents",
        "lost_messages",
        "lost_commands",
        "broken_histories",
        "doubled",
        "disordered",
        "rewound",
        "double_booked",
        "dead_processes",
    )
)
"""What is wrong at any load."""


def held(given: Sequence[Threshold]) -> list[Threshold]:
    """Return what a run is held to: the usual, and what is given; a figure's own goes before."""
    named = {threshold.figure for threshold in given}
    return [usual for usual in USUAL if usual.figure not in named] + list(given)


def judge(threshold: Threshold, figures: Mapping[str, float | None]) -> Judged:
    """Return whether a run met a threshold."""
    value = figures.get(threshold.figure)
    beyond = value is None or SIGNS[threshold.sign](value, threshold.limit)
    return Judged(fail_if=str(threshold), value=value, met=not beyond)
