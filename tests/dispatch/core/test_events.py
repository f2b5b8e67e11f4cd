"""What is written down: names that are stored, and entries."""

import msgspec
import pytest

from dispatch.core.events import Entry, Event
from tests.dispatch.core.cases import START

# Stored in every log there is: a name may be added here, never changed or taken away.
STORED = {
    "REPORTED": "reported",
    "OPENED": "opened",
    "REJECTED": "rejected",
    "OFFERED": "offered",
    "DELIVERED": "offer_delivered",
    "SEEN": "offer_seen",
    "LAPSED": "offer_lapsed",
    "ACCEPTED": "offer_accepted",
    "DECLINED": "offer_declined",
    "EXPIRED": "offer_expired",
    "WITHDRAWN": "offer_withdrawn",
    "TAKEN": "offer_taken",
    "OFFER_CANCELLED": "offer_cancelled",
    "ASSIGNED": "assigned",
    "TASK_SEEN": "assignment_seen",
    "PROGRESSED": "assignment_progressed",
    "LATE": "late_progress",
    "BACKED_UP": "became_backup",
    "PROMOTED": "became_primary",
    "ASSIGNMENT_ENDED": "assignment_ended",
    "STATUS": "status_changed",
    "WIDENED": "ring_widened",
    "ESCALATED": "escalated",
    "SHORTFALL": "shortfall",
    "FOUND": "shortfall_over",
    "CANCELLED": "cancelled",
    "RESOLVED": "resolved",
    "CLOSED": "closed",
    "DUTY": "duty_changed",
    "CORRECTED": "corrected",
    "SUPPLEMENTED": "supplemented",
    "MERGED": "merged",
    "SPLIT": "split",
    "HANDED_OVER": "handed_over",
    "REOPENED": "reopened",
    "OWNED": "owner_changed",
    "MODE": "mode_changed",
    "PINNED": "pinned",
    "ASSISTANCE": "assistance_asked",
    "RECEDING": "going_away",
    "UNSURE": "fix_too_old",
    "CONFIRMED": "arrival_confirmed",
}


@pytest.mark.parametrize(("name", "stored"), STORED.items())
def test_a_stored_name_is_never_changed(name: str, stored: str) -> None:
    """Old logs are read by it."""
    assert Event[name] == stored
    assert Event(stored) is Event[name]


def test_an_entry_has_no_number_before_it_is_stored() -> None:
    """The store gives `n`, from 1."""
    entry = Entry(type=Event.REPORTED, by="operator-1", via="api", at=START)
    assert (entry.n, entry.unit_id, entry.data) == (0, None, {})


def test_the_data_of_two_entries_is_not_the_same_dict() -> None:
    """What one entry keeps does not show in another."""
    one, other = (Entry(type=Event.LATE, by="a", via="app", at=START) for _ in range(2))
    one.data["note"] = "rope"
    assert other.data == {}


def test_an_entry_comes_back_from_json_as_it_was() -> None:
    """Its instant keeps the zone."""
    entry = Entry(type=Event.DUTY, by="a", via="app", at=START, data={"duty": "on"}, n=3)
    assert msgspec.json.decode(msgspec.json.encode(entry), type=Entry) == entry


def test_an_entry_is_not_changed() -> None:
    """The log is append-only."""
    entry = Entry(type=Event.DUTY, by="a", via="app", at=START)
    with pytest.raises(AttributeError):
        entry.n = 1  # type: ignore[misc]  # frozen: that is what is tested
