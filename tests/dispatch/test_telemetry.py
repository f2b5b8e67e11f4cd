"""What can be measured, and what is logged."""

import io
import json
from collections.abc import Iterator

import pytest
import structlog
from prometheus_client import generate_latest

from dispatch.core.decision import Decision, Mail
from dispatch.core.events import Entry, Event
from dispatch.telemetry import Metrics, configure_log
from schemas.base import UnitId
from schemas.incident import Case
from schemas.wire import OfferEnd, OfferEndWhy
from tests.dispatch.desk.test_answers import INCIDENT
from tests.fakes import START


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Where the log goes for one test."""
    file = io.StringIO()
    configure_log(file)
    yield file
    structlog.reset_defaults()


def decision() -> Decision:
    """Return a decision with two entries and one frame."""
    entry = Entry(type=Event.OFFERED, by="engine", via="engine", at=START)
    letter = Mail(
        unit_id=UnitId("u1"),
        ref="o1",
        at=START,
        expires_at=START,
        frame=OfferEnd(oid="o1", why=OfferEndWhy.TAKEN),
    )
    return Decision(
        before=None,
        case=Case(incident=INCIDENT),
        entries=(entry, entry),
        mail=(letter,),
        wake_at=None,
        result={},
    )


def test_what_a_decision_wrote_is_counted() -> None:
    """Entries and frames, by type."""
    metrics = Metrics()
    metrics.decided(decision())
    value = metrics.registry.get_sample_value
    assert value("kapok_entries_total", {"type": "offered"}) == 2
    assert value("kapok_mail_total", {"type": "offer.end"}) == 1


def test_every_process_has_a_registry_of_its_own() -> None:
    """Two in one interpreter do not count together."""
    one, two = Metrics(), Metrics()
    one.decided(decision())
    assert two.registry.get_sample_value("kapok_entries_total", {"type": "offered"}) is None


def test_metrics_are_served_as_prometheus_reads_them() -> None:
    """Of the process too, each with a word of help."""
    text = generate_latest(Metrics().registry).decode()
    assert "# HELP kapok_phones_online Phones connected" in text
    assert "process_open_fds" in text


def test_the_log_is_one_object_a_line(lines: io.StringIO) -> None:
    """The event, its fields, level and time; Chinese stays readable."""
    structlog.get_logger().warning("store_away", work="due", error="断线")
    (line,) = lines.getvalue().splitlines()
    told = json.loads(line)
    assert told.pop("timestamp").endswith("Z")
    assert told == {"event": "store_away", "work": "due", "error": "断线", "level": "warning"}
    assert "断线" in line


def test_the_log_carries_what_went_wrong(lines: io.StringIO) -> None:
    """A traceback in one field of the same line."""
    try:
        int("eighty")
    except ValueError:
        structlog.get_logger().exception("clock_failed", incident="i1")
    (line,) = lines.getvalue().splitlines()
    assert "ValueError: invalid literal" in json.loads(line)["exception"]
