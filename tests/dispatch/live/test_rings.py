"""Which units stand inside the ring of an incident that looks for units."""

from hypothesis import given
from hypothesis import strategies as st

from dispatch.live.rings import NOBODY, Rings
from schemas.base import IncidentId, UnitId

I1, I2 = IncidentId("i1"), IncidentId("i2")


def units(names: str) -> frozenset[UnitId]:
    """Return units by the letters of a word."""
    return frozenset(UnitId(name) for name in names)


def test_whose_situation_changes_is_told() -> None:
    """Not who stands in two rings and leaves one."""
    rings = Rings()
    assert rings.put(I1, units("ab")) == units("ab")
    assert rings.put(I2, units("bc")) == units("c")
    assert "b" in rings
    assert rings.put(I1, NOBODY) == units("a")
    assert "a" not in rings
    assert "b" in rings
    assert rings.put(I2, units("cd")) == units("bd")
    assert len(rings) == 1
    assert rings.put(I2, NOBODY) == units("cd")
    assert len(rings) == 0


@given(st.lists(st.tuples(st.sampled_from([I1, I2]), st.text("abcd", max_size=3)), max_size=12))
def test_a_unit_is_inside_while_it_is_inside_any(history: list[tuple[IncidentId, str]]) -> None:
    """Against sets kept the plain way; every change is told, and nothing else."""
    rings, plain = Rings(), dict[IncidentId, frozenset[UnitId]]()
    for incident_id, names in history:
        before = NOBODY.union(*plain.values())
        plain[incident_id] = units(names)
        after = NOBODY.union(*plain.values())
        assert rings.put(incident_id, units(names)) == before ^ after
        assert {name for name in units("abcd") if name in rings} == after
