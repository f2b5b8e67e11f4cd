"""Who cannot pass a node: bollards by what fits through, gates by their access tags.

The rules:

- What fits through is a table. A barrier that is not in it lets walkers pass, and nobody else.
- A travel's own tag (bicycle=yes, motor_vehicle=no) decides before the table.
- `access` closes what is shut across the whole way: gates and doors. A bollard or a lifting arm
  with access=private still has room beside it for walkers and bicycles.
- A gate without a word about access is open: posts have the key or know who has. A locked one is
  closed, except to those whom a tag lets in.
"""

from typing import Final

from geo.osm.access import GENERAL, MEANINGS, Access, Tags, own
from geo.roads.classes import ALL, MUSCLES, WALKERS
from geo.roads.travel import TRAVELS, Travel

NARROW: Final = frozenset({Travel.FOOT, Travel.BICYCLE, Travel.MOTORBIKE})

PASS: Final[dict[str, frozenset[Travel]]] = {
    **dict.fromkeys(("gate", "lift_gate", "swing_gate", "sliding_gate", "hampshire_gate"), ALL),
    **dict.fromkeys(("entrance", "toll_booth", "border_control", "sally_port", "kerb"), ALL),
    **dict.fromkeys(("cattle_grid", "height_restrictor", "bump_gate", "sliding_beam"), ALL),
    **dict.fromkeys(("bollard", "block", "planter", "bus_trap", "sump_buster"), NARROW),
    **dict.fromkeys(("cycle_barrier", "motorcycle_barrier", "wicket_gate", "chain"), MUSCLES),
    **dict.fromkeys(("stile", "turnstile", "full-height_turnstile", "kissing_gate"), WALKERS),
}
BESIDE: Final = frozenset({"lift_gate", "swing_gate", "sliding_beam", "toll_booth"}) | {
    kind for kind, passing in PASS.items() if passing in {NARROW, MUSCLES}
}
"""Barriers with room beside them for those on foot or bicycle."""


def barred(tags: Tags) -> int:
    """Return a mask of the travels that cannot pass; 0 for no barrier at all."""
    kind = tags.get("barrier")
    if kind is None or kind == "no":
        return 0
    return sum(1 << bit for bit, travel in enumerate(TRAVELS) if not _passes(kind, tags, travel))


def _passes(kind: str, tags: Tags, travel: Travel) -> bool:
    mine = own(tags, travel)
    if mine is not Access.UNTOLD:
        return mine is not Access.CLOSED
    general = MEANINGS.get(tags.get(GENERAL, ""), Access.UNTOLD)
    if general is Access.CLOSED and not (kind in BESIDE and travel in MUSCLES):
        return False
    if tags.get("locked") == "yes" and general is not Access.OPEN:
        return False
    return travel in PASS.get(kind, WALKERS)
