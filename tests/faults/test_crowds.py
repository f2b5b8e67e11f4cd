"""The rules for crowds find nothing where all is well, and each what was planted for it."""

import pytest
from msgspec.structs import replace

from dispatch.cli.calls import Called
from tests.faults.crowds import (
    PHONE_KB,
    RULES,
    SPARE_MB,
    Deaf,
    Storm,
    slow_in,
    wrong_of_deaf,
    wrong_of_storm,
)

pytestmark = pytest.mark.faults

SERVED = Called(sent=9, acknowledged=9)
WELL = Storm(calls=SERVED, back_s=4.0, slowest_answer_s=0.1)
QUIET = Deaf(phones=1024, dropped=1024, before_mb=200.0, most_mb=220.0, calls=SERVED, seconds=9.0)
MOST_MB = QUIET.before_mb + SPARE_MB + PHONE_KB

FAULTS = [
    ("not_served", replace(WELL, calls=replace(SERVED, repeated=1))),
    ("not_served", replace(WELL, calls=replace(SERVED, refused=1))),
    ("not_served", replace(WELL, calls=replace(SERVED, given_up=1))),
    ("not_served", replace(WELL, calls=Called())),
    ("not_served", replace(QUIET, calls=Called())),
    ("not_back", replace(WELL, back_s=None)),
    ("not_dropped", replace(QUIET, dropped=1023)),
    ("memory_unbounded", replace(QUIET, most_mb=MOST_MB + 1)),
]


def broken(seen: Storm | Deaf) -> set[str]:
    """Return the names of the rules that are broken."""
    found = wrong_of_storm(seen) if isinstance(seen, Storm) else wrong_of_deaf(seen)
    return {violation.rule for violation in found}


@pytest.mark.parametrize("seen", [WELL, QUIET, replace(QUIET, most_mb=MOST_MB)])
def test_where_all_is_well_nothing_is_found(seen: Storm | Deaf) -> None:
    """All served, all back; all dropped, within the memory that so many may cost."""
    assert broken(seen) == set()


@pytest.mark.parametrize(("rule", "seen"), FAULTS)
def test_a_planted_fault_is_found_by_its_name(rule: str, seen: Storm | Deaf) -> None:
    """Each breaks its own rule alone."""
    assert broken(seen) == {rule}


def test_every_rule_has_a_planted_fault() -> None:
    """A rule that never bites would be none."""
    assert {rule for rule, _ in FAULTS} == set(RULES)


def test_sockets_closed_for_not_reading_are_counted_over_all_workers() -> None:
    """By the code 4102 alone."""
    text = (
        'kapok_closes_total{worker="0",code="4102"} 3.0\n'
        'kapok_closes_total{worker="1",code="4102"} 4.0\n'
        'kapok_closes_total{worker="1",code="4100"} 9.0\n'
    )
    assert slow_in(text) == 7
