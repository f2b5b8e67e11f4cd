"""What is told to whoever follows."""

from datetime import UTC, datetime

import msgspec

from schemas.feeds import Fact, FeedbackPage, FeedbackView

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_a_fact_says_no_more_than_there_is_to_say() -> None:
    """A result comes with the last of them only."""
    told = FeedbackView(
        incident_id="i", source="110", ext_id="7", ext_rev=None, fact=Fact.ARRIVED, at=NOON
    )
    page = msgspec.to_builtins(FeedbackPage(items=[told], next="n"))
    (item,) = page["items"]
    assert item["fact"] == "arrived"
    assert not {"result", "why", "into", "to"} & item.keys()
