"""Where the incidents of a load run happen: near the posts of its own phones."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from dispatch.phone.fleet import PhoneLine
from geo.city import IncidentPlace
from geo.point import Box, Point

ASIDE_M: Final = 150.0


class BesidePosts:
    """Places beside posts, each as likely as any other; none on a bank, for no map is known."""

    def __init__(self, phones: Sequence[PhoneLine]) -> None:
        self._posts = [Point(phone.lon, phone.lat) for phone in phones]

    def incident_places(self, rng: np.random.Generator, count: int) -> list[IncidentPlace]:
        """Return so many places."""
        picked = rng.integers(len(self._posts), size=count)
        return [IncidentPlace(self._beside(self._posts[n], rng), on_bank=False) for n in picked]

    def _beside(self, post: Point, rng: np.random.Generator) -> Point:
        box = Box.around(post, ASIDE_M)
        return Point(rng.uniform(box.west, box.east), rng.uniform(box.south, box.north))
