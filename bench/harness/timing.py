"""Timing of calls in turn: what is compared is measured in the same seconds."""

from collections.abc import Callable, Mapping
from time import perf_counter_ns
from typing import Final

Call = Callable[[int], object]
US: Final = "us"


def in_turn(contenders: Mapping[str, Call], *, rounds: int, calls: int) -> dict[str, list[float]]:
    """Return the microseconds of every call, by contender.

    Each contender gets the same numbers 0, 1, 2 ... in the same rounds; the first round warms up
    and is not counted.
    """
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, call in contenders.items():
            taken = [_once(call, n) for n in range(turn * calls, (turn + 1) * calls)]
            samples[name] += taken if turn else []
    return samples


def _once(call: Call, number: int) -> float:
    began = perf_counter_ns()
    call(number)
    return (perf_counter_ns() - began) / 1000
