"""What can be measured, and what is logged."""

import asyncio
import io
import json
from contextlib import suppress
from datetime import timedelta
from typing import Final

import pytest
import structlog
from msgspec.structs import replace
from prometheus_client import generate_latest

from dispatch.core.decision import Decision, Mail
from dispatch.core.events import Entry, Event
from dispatch.telemetry import LOOK_EVERY_S, WOKEN_MOST, Metrics, Stalls
from dispatch.trace import traced
from schemas.base import Instant, UnitId
from schemas.incident import Case, OfferState
from schemas.wire import OfferEnd, OfferEndWhy
from tests.dispatch.desk.test_answers import INCIDENT, OFFER
from tests.fakes import START


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


def test_a_line_names_the_work_it_is_about(lines: io.StringIO) -> None:
    """While there is one; what a line says itself goes before."""
    log = structlog.get_logger()
    log.info("before")
    with traced("ab" * 16):
        log.info("within")
        log.info("another", trace="told")
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [line.get("trace") for line in told] == [None, "ab" * 16, "told"]


def test_the_log_carries_what_went_wrong(lines: io.StringIO) -> None:
    """A traceback in one field of the same line."""
    try:
        int("eighty")
    except ValueError:
        structlog.get_logger().exception("clock_failed", incident="i1")
    (line,) = lines.getvalue().splitlines()
    assert "ValueError: invalid literal" in json.loads(line)["exception"]


NO_FACTS: Final[dict[str, Instant]] = {}

# Offers. -----------------------------------------------------------------------------------------


def ended(event: Event, via: str = "engine", facts: dict[str, Instant] = NO_FACTS) -> Decision:
    """Return a decision in which an offer sent five seconds ago came to something."""
    offer = replace(OFFER, state=OfferState.OPEN, sent_at=START - timedelta(seconds=5))
    offer = replace(offer, **facts)
    data = {"offer": offer.id}
    entry = Entry(type=event, by="x", via=via, at=START, unit_id=offer.unit_id, data=data)
    stranger = Entry(type=event, by="x", via=via, at=START, data={"offer": "o2"})
    return Decision(
        before=None,
        case=Case(incident=INCIDENT, offers=(offer,)),
        entries=(entry, stranger),
        mail=(),
        wake_at=None,
        result={},
    )


@pytest.mark.parametrize(
    ("pushed", "via", "facts", "reach"),
    [
        (None, "engine", {}, "none"),
        (None, "engine", {"delivered_at": START}, "socket"),
        (None, "engine", {"seen_at": START}, "socket"),
        (None, "app", {}, "socket"),
        ("push", "app", {"seen_at": START}, "push"),
        ("sms", "engine", {}, "sms"),
    ],
)
def test_an_offer_that_ended_is_counted_by_how_its_unit_was_reached(
    pushed: str | None, via: str, facts: dict[str, Instant], reach: str
) -> None:
    """What a push told of counts as pushed; what nobody acknowledged was heard by none."""
    metrics = Metrics()
    metrics.woken(None, "push")
    if pushed:
        metrics.woken("o1", pushed)
    metrics.decided(ended(Event.EXPIRED, via, facts))
    labels = {"outcome": "expired", "reach": reach}
    assert metrics.registry.get_sample_value("kapok_offers_total", labels) == 1


def test_what_a_push_told_of_is_not_remembered_for_ever() -> None:
    """The oldest is forgotten, and counts by what the store knows."""
    metrics = Metrics()
    metrics.woken("o1", "push")
    for number in range(WOKEN_MOST):
        metrics.woken(f"other-{number}", "push")
    metrics.decided(ended(Event.TAKEN))
    labels = {"outcome": "taken", "reach": "none"}
    assert metrics.registry.get_sample_value("kapok_offers_total", labels) == 1


@pytest.mark.parametrize(("event", "stage"), [(Event.SEEN, "seen"), (Event.ACCEPTED, "accepted")])
def test_the_stages_of_an_offer_are_timed_from_its_decision(event: Event, stage: str) -> None:
    """In seconds; a clock that stepped back counts as none."""
    metrics = Metrics()
    metrics.decided(ended(event))
    metrics.stage_took("acked", -0.1)
    value = metrics.registry.get_sample_value
    assert value("kapok_offer_stage_seconds_sum", {"stage": stage}) == 5.0
    assert value("kapok_offer_stage_seconds_sum", {"stage": "acked"}) == 0.0


# Queues and the loop. ----------------------------------------------------------------------------


def test_a_queue_is_as_long_as_it_is_when_somebody_asks() -> None:
    """Nothing has to be told when something is queued."""
    metrics, waiting = Metrics(), [1, 2]
    metrics.queue("acks", waiting.__len__)
    waiting.append(3)
    assert metrics.registry.get_sample_value("kapok_queue", {"queue": "acks"}) == 3


def test_a_stall_is_logged_at_most_once_in_ten_seconds(lines: io.StringIO) -> None:
    """The next line has how many there were since, and the longest; each is measured."""
    metrics = Metrics()
    stalls = Stalls(metrics)
    for now_s, late_s in [(0, 0.1), (1, 0.3), (2, 0.9), (3, 0.4), (10.9, 0.0), (11.1, 0.0)]:
        stalls.note(late_s, now_s)
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(t["event"], t["times"], t["longest_s"]) for t in told] == [
        ("loop_stalled", 1, 0.3),
        ("loop_stalled", 2, 0.9),
    ]
    assert metrics.registry.get_sample_value("kapok_loop_late_seconds_count") == 6


async def looked(metrics: Metrics) -> None:
    """Let the meter look a few times."""
    looking = asyncio.create_task(Stalls(metrics).run())
    with suppress(TimeoutError):
        async with asyncio.timeout(3.5 * LOOK_EVERY_S):
            await looking


def test_the_meter_looks_again_and_again() -> None:
    """Ten times a second."""
    metrics = Metrics()
    asyncio.run(looked(metrics))
    assert (metrics.registry.get_sample_value("kapok_loop_late_seconds_count") or 0) >= 1
