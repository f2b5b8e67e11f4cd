"""A process that loads a road graph from its file and searches it: compiled, or plain Python."""

from pathlib import Path
from time import perf_counter, perf_counter_ns, process_time
from typing import Any, Final

import numpy as np

from bench.harness.answering import Handler, answer, run, say
from geo.point import Point
from geo.road_eta import RoadNetwork
from geo.road_standing import RoadStandings
from geo.roads.file import load

ROUND: Final = 230
"""Fixes of a tenth of a second."""
MOTORBIKE: Final = 3


class Searcher:
    """A fleet of motorbikes on a graph, and its questions."""

    def __init__(self, graph: str, places: str, questions: str, *, compiled: bool) -> None:
        self._graph, self._compiled = Path(graph), compiled
        self._places, self._questions = (np.load(path) for path in (places, questions))
        self._network, self._standings = self._load()

    def _load(self) -> tuple[RoadNetwork, RoadStandings]:
        network = RoadNetwork(load(self._graph), compiled=self._compiled)
        network.warm()
        return network, network.standings()

    def start(self) -> float:
        """Load the graph once more and be ready to search; return the seconds that took."""
        began = perf_counter()
        self._network, self._standings = self._load()
        return perf_counter() - began

    def place(self) -> None:
        """Let all units stand where they do."""
        for row, (lon, lat) in enumerate(self._places.tolist()):
            self._standings.put(row, lon, lat, MOTORBIKE)
        self._standings.settle()

    async def touch(self) -> dict[str, Any]:
        """Read the whole graph, so that all of it counts as memory."""
        graph = self._network.graph
        for name in graph.__dataclass_fields__:
            if isinstance(array := getattr(graph, name), np.ndarray):
                np.asarray(array).max(initial=0)
        return {}

    async def reach(self, first: int, calls: int, limit_s: float) -> dict[str, Any]:
        """Return the microseconds of some searches, and how many units each found."""
        asked = [Point(*place) for place in self._questions[first : first + calls].tolist()]
        taken, found = [], []
        for place in asked:
            began = perf_counter_ns()
            rows, _ = self._standings.reach(place, limit_s + self._network.turnout_s)
            taken.append((perf_counter_ns() - began) / 1000)
            found.append(len(rows))
        return {"us": taken, "found": found}

    async def move(self, seconds: int) -> dict[str, Any]:
        """Take 2,300 fixes a second, settled ten times in it; return the shares of a core."""
        dice, shares = np.random.default_rng(7), []
        for _ in range(seconds):
            rows = dice.integers(0, len(self._places), (10, ROUND))
            places = self._places[rows] + dice.normal(0, 1e-4, (*rows.shape, 2))
            began = process_time()
            for some, at in zip(rows.tolist(), places.tolist(), strict=True):
                for row, (lon, lat) in zip(some, at, strict=True):
                    self._standings.put(row, lon, lat, MOTORBIKE)
                self._standings.settle()
            shares.append(process_time() - began)
        return {"shares": shares}


async def main(graph: str, places: str, questions: str, plain: bool) -> None:
    """Answer until the parent hangs up."""
    began = perf_counter()
    searcher = Searcher(graph, places, questions, compiled=not plain)
    first_s = perf_counter() - began
    facts = {"first_s": first_s, "start_s": searcher.start()}
    searcher.place()
    say(facts)
    handlers: dict[str, Handler] = {
        "reach": searcher.reach,
        "move": searcher.move,
        "touch": searcher.touch,
    }
    await answer(handlers)


if __name__ == "__main__":
    run(main)
