"""Barriers: what fits through, and whom a gate's tags let in."""

import pytest

from geo.osm.barrier import barred
from geo.roads.travel import TRAVELS, Travel

F, B, M, C = TRAVELS
ALL = {F, B, M, C}

# Tags, and who passes.
TABLE = [
    ({}, ALL),
    ({"access": "no"}, ALL),
    ({"barrier": "no"}, ALL),
    ({"barrier": "bollard"}, {F, B, M}),
    ({"barrier": "block"}, {F, B, M}),
    ({"barrier": "bollard", "access": "no"}, {F, B}),
    ({"barrier": "bollard", "access": "no", "foot": "yes", "bicycle": "no"}, {F}),
    ({"barrier": "bollard", "motor_vehicle": "no"}, {F, B}),
    ({"barrier": "bollard", "motorcar": "yes"}, ALL),
    ({"barrier": "cycle_barrier"}, {F, B}),
    ({"barrier": "turnstile"}, {F}),
    ({"barrier": "kissing_gate", "bicycle": "yes"}, {F, B}),
    ({"barrier": "gate"}, ALL),
    ({"barrier": "gate", "access": "private"}, set()),
    ({"barrier": "gate", "access": "no", "foot": "yes"}, {F}),
    ({"barrier": "gate", "motor_vehicle": "private"}, {F, B}),
    ({"barrier": "gate", "vehicle": "no"}, {F}),
    ({"barrier": "gate", "locked": "yes"}, set()),
    ({"barrier": "gate", "locked": "yes", "foot": "yes"}, {F}),
    ({"barrier": "gate", "locked": "yes", "access": "yes"}, ALL),
    ({"barrier": "lift_gate"}, ALL),
    ({"barrier": "lift_gate", "access": "private"}, {F, B}),
    ({"barrier": "swing_gate", "motor_vehicle": "private", "motorcycle": "yes"}, {F, B, M}),
    ({"barrier": "toll_booth"}, ALL),
    ({"barrier": "entrance"}, ALL),
    ({"barrier": "chain", "access": "no"}, {F, B}),
    ({"barrier": "yes"}, {F}),
    ({"barrier": "unheard of"}, {F}),
    ({"barrier": "wall", "access": "no"}, set()),
    ({"barrier": "gate", "bicycle": "dismount"}, ALL),
]


@pytest.mark.parametrize(("tags", "passing"), TABLE, ids=[str(tags) for tags, _ in TABLE])
def test_who_fits_passes(tags: dict[str, str], passing: set[Travel]) -> None:
    """Row by row of the table."""
    mask = barred(tags)
    assert {travel for bit, travel in enumerate(TRAVELS) if not mask >> bit & 1} == passing
