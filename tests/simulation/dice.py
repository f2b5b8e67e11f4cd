"""Seeded dice, one cup for each thing that happens: what one thing does never shifts another's."""

from collections.abc import Sequence
from typing import TypeVar
from zlib import crc32

import numpy as np

Face = TypeVar("Face")
AHEAD = 64


class Dice:
    """Numbers that a seed and a name determine."""

    def __init__(self, seed: int, name: str) -> None:
        self._rng = np.random.default_rng([seed, crc32(name.encode())])
        self._cup: list[float] = []

    def roll(self) -> float:
        """Return a number in [0, 1)."""
        if not self._cup:
            self._cup = self._rng.random(AHEAD).tolist()
        return self._cup.pop()

    def chance(self, share: float) -> bool:
        """Say yes in this share of all cases; nothing is rolled where it is none."""
        return share > 0 and self.roll() < share

    def between(self, least: float, most: float) -> float:
        """Return a number in [least, most)."""
        return least + self.roll() * (most - least)

    def pick(self, faces: Sequence[Face]) -> Face:
        """Return one of them."""
        return faces[int(self.roll() * len(faces))]

    def generator(self) -> np.random.Generator:
        """Return dice for whoever wants numpy's."""
        return self._rng
