"""The report of the long campaign: when it fails, and what it names."""

import pytest
from msgspec.structs import replace

from tests.faults.outcome import ALL_RULES, Options, Outcome

pytestmark = pytest.mark.faults

DONE = Outcome(seed=1, options=Options(kills=50, messages=1000), kills=50, messages=1000)


@pytest.mark.parametrize(
    "outcome",
    [
        replace(DONE, kills=49),
        replace(DONE, messages=999),
        replace(DONE, violations={"two_active": ["a unit"]}),
        replace(DONE, broken_off=["crowds: nobody answered"]),
    ],
    ids=["too few kills", "too few messages", "a broken rule", "an act broken off"],
)
def test_a_campaign_fails_where_anything_is_wrong_or_left_out(outcome: Outcome) -> None:
    """And only there."""
    assert outcome.failed
    assert not DONE.failed


def test_the_table_names_every_rule_and_what_was_left_out() -> None:
    """A rule that holds is a line, too."""
    table = replace(DONE, not_run=["two hosts"], broken_off=["crowds"]).table()
    assert all(f"wrong: {rule} " in table for rule in ALL_RULES)
    assert [line.split()[:2] for line in table.splitlines() if "wrong" not in line][-2:] == [
        ["not", "run"],
        ["broken", "off"],
    ]
