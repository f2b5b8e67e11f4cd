"""How often a phone reports and lives, by the situation it is in."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from schemas.wire import Cadence


class Situation(StrEnum):
    """What a phone is in the middle of; the keys of a policy's `state`.

    Only the centre knows of `RING`: this phone is free, and close to where somebody is needed.
    """

    OFF = "off"
    FIXED = "fixed"
    AVAILABLE = "available"
    PAUSED = "paused"
    OFFERED = "offered"
    ENGAGED = "engaged"
    ON_SCENE = "on_scene"
    RING = "ring"


FREE: Final = frozenset({Situation.AVAILABLE, Situation.FIXED})
URGENT: Final = frozenset({Situation.OFFERED, Situation.ENGAGED, Situation.ON_SCENE})
HB_S: Final = 30
ENGAGED_HB_S: Final = 5
HB_MIN_S: Final = 1
DEFAULTS: Final[Mapping[str, Cadence]] = {
    Situation.OFF: Cadence(0, 0, HB_S),
    Situation.FIXED: Cadence(300, 0, HB_S),
    Situation.AVAILABLE: Cadence(60, 50, HB_S),
    Situation.PAUSED: Cadence(180, 0, HB_S),
    Situation.OFFERED: Cadence(3, 0, ENGAGED_HB_S),
    Situation.ENGAGED: Cadence(3, 0, ENGAGED_HB_S),
    Situation.ON_SCENE: Cadence(15, 0, ENGAGED_HB_S),
    Situation.RING: Cadence(10, 0, HB_S),
}
"""Until a server says otherwise; 0 means: not for this reason."""

_BY_WORD: Final = {situation.value: situation for situation in Situation}
SHARED_MAX: Final = 64
_shared: dict[tuple[tuple[str, Cadence], ...], Mapping[str, Cadence]] = {}


def shared(state: Mapping[str, Cadence]) -> Mapping[str, Cadence]:
    """Return one mapping for all equal ones, so that thousands of phones hold one policy."""
    key = tuple(sorted(state.items()))
    if key not in _shared and len(_shared) >= SHARED_MAX:
        _shared.clear()
    return _shared.setdefault(key, state)


def told(word: str | None) -> Situation | None:
    """Return the situation that a server names; `None` for one of a newer server."""
    return _BY_WORD.get(word or "")


def faster(own: Cadence, other: Cadence) -> Cadence:
    """Return the one with the shorter heartbeat; ours when there is none."""
    return other if other.hb < own.hb else own


def cadence(policy: Mapping[str, Cadence], situation: Situation) -> Cadence:
    """Return what the policy says for the situation; the default where it is silent."""
    return policy.get(situation) or DEFAULTS[situation]
