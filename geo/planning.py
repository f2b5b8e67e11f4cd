"""Where k more posts would help most: maximal covering location, greedy or exact.

Given candidate sites, the places each would cover, and how much each place counts, choose k sites
that cover most (Church and ReVelle, 1974). What a set of sites covers is monotone and submodular:
a site adds less, never more, to a larger set. So taking the best next site k times covers at least
1 - 1/e, 63 %, of what the best k sites would (Nemhauser, Wolsey and Fisher, 1978), and no method
that is quick on every case does better (Feige, 1998). Each answer comes with a bound of its own,
mostly far above that.
"""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.point import Floats

GREEDY_SHARE: Final = 1 - 1 / np.e
"""What greedy covers at least, of what the best choice would."""
EXACT_PAIRS_MOST: Final = 200_000
"""Pairs of a site and a place it covers, beyond which nobody should ask for the exact answer."""
EXACT_WITHIN_S: Final = 60.0

Numbers = NDArray[np.int64]


class NoSolverError(RuntimeError):
    """The exact answer needs scipy: install `kapok[plan]`."""


class TooLargeError(ValueError):
    """So large a case is not solved exactly."""

    def __init__(self, pairs: int) -> None:
        """Keep how many pairs of a site and a place there are."""
        super().__init__(f"{pairs:,} pairs of site and place, and {EXACT_PAIRS_MOST:,} is the most")
        self.pairs = pairs


class Choice(NamedTuple):
    """Chosen sites in the order of what each adds, the weight they cover, and what is possible.

    No k sites cover more than `at_most`; where it is `covered`, the choice is the best there is.
    """

    sites: tuple[int, ...]
    gains: tuple[float, ...]
    covered: float
    at_most: float


class Covers:
    """Which places each site covers; `weights` says how much each place counts, 0 or more."""

    def __init__(self, covers: Sequence[Numbers], weights: Floats) -> None:
        """Take for each site the numbers of its places, each named once."""
        self._covers = covers
        self.weights = weights
        self.pairs = sum(len(places) for places in covers)

    def __len__(self) -> int:
        """Return how many sites there are."""
        return len(self._covers)

    def of(self, site: int) -> Numbers:
        """Return the places of a site."""
        return self._covers[site]

    def choice(self, sites: Sequence[int], at_most: float = np.inf) -> Choice:
        """Return what sites cover, each counted for what it adds to all before it."""
        left, gains = self.weights.copy(), []
        for site in sites:
            gains.append(float(left[self.of(site)].sum()))
            left[self.of(site)] = 0.0
        covered = float(sum(gains))
        return Choice(tuple(sites), tuple(gains), covered, max(covered, min(at_most, self._all())))

    def _all(self) -> float:
        """Return the weight of everything that some site covers."""
        seen = np.zeros(len(self.weights), dtype=np.bool_)
        for places in self._covers:
            seen[places] = True
        return float(self.weights[seen].sum())


def greedy(covers: Covers, k: int) -> Choice:
    """Return at most k sites, each the one that adds most to those before; none that adds nothing.

    At least `GREEDY_SHARE` of the best is covered. Of sites that add as much the first is taken.
    Lazy: a gain only ever shrinks, so a site is looked at again only when it leads the queue
    (Minoux, 1978).
    """
    left, chosen = covers.weights.copy(), list[int]()
    queue = [(-float(left[covers.of(site)].sum()), site, 0) for site in range(len(covers))]
    heapify(queue)
    while queue and len(chosen) < k:
        gain, site, seen = heappop(queue)
        if gain == 0.0:
            break
        if seen < len(chosen):
            heappush(queue, (-float(left[covers.of(site)].sum()), site, len(chosen)))
            continue
        chosen.append(site)
        left[covers.of(site)] = 0.0
    choice = covers.choice(chosen)
    bounds = choice.at_most, choice.covered + _still(covers, left, k), _by_guarantee(choice, k)
    return choice._replace(at_most=max(choice.covered, min(bounds)))


def _by_guarantee(choice: Choice, k: int) -> float:
    """Return what the best k sites cover at most, where greedy took k: 1 - (1 - 1/k)^k of it."""
    return choice.covered / (1 - (1 - 1 / k) ** k) if k > 0 else 0.0


def _still(covers: Covers, left: Floats, k: int) -> float:
    """Return what k sites would add, were each of them alone: nobody adds more."""
    gains = np.array([left[covers.of(site)].sum() for site in range(len(covers))])
    return float(np.sort(gains)[::-1][:k].sum())


def exact(covers: Covers, k: int, within_s: float = EXACT_WITHIN_S) -> Choice:
    """Return the best at most k sites; after `within_s`, the best known and how much more may be.

    Never less than greedy covers.

    Raises:
        NoSolverError: scipy is not installed.
        TooLargeError: there are more than `EXACT_PAIRS_MOST` pairs of site and place.
    """
    if covers.pairs > EXACT_PAIRS_MOST:
        raise TooLargeError(covers.pairs)
    if covers.pairs == 0 or k < 1:
        return covers.choice((), at_most=0.0)
    try:
        from scipy import optimize, sparse  # noqa: PLC0415 - half a second, and mostly not needed
    except ImportError as error:
        raise NoSolverError("the exact answer needs scipy: install kapok[plan]") from error
    sites, places = len(covers), len(covers.weights)
    rows = np.concatenate([covers.of(site) for site in range(sites)])
    columns = np.repeat(np.arange(sites), [len(covers.of(site)) for site in range(sites)])
    covering = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(places, sites))
    solved = optimize.milp(
        np.concatenate([np.zeros(sites), -covers.weights]),
        integrality=np.concatenate([np.ones(sites), np.zeros(places)]),
        bounds=optimize.Bounds(0, 1),
        constraints=[
            # A place counts only where one of its sites is chosen; at most k are.
            optimize.LinearConstraint(sparse.hstack([covering, -sparse.eye_array(places)]), lb=0),
            optimize.LinearConstraint(
                sparse.csr_array(np.concatenate([np.ones(sites), np.zeros(places)])[None]), ub=k
            ),
        ],
        options={"time_limit": within_s},
    )
    quick = greedy(covers, k)
    if solved.x is None:
        return quick
    found = covers.choice(_best_first(covers, np.flatnonzero(solved.x[:sites] > 0.5).tolist()))
    # Stopped early, the solver may not have come as far as greedy.
    better = max(found, quick, key=lambda choice: choice.covered)
    at_most = min(quick.at_most, -float(solved.mip_dual_bound))
    return better._replace(at_most=max(better.covered, at_most))


def _best_first(covers: Covers, sites: list[int]) -> list[int]:
    """Return chosen sites in the order greedy would take them; those that add nothing are left."""
    some = Covers([covers.of(site) for site in sites], covers.weights)
    return [sites[number] for number in greedy(some, len(sites)).sites]
