"""What can be measured from outside: metrics of a process, and its log as events with fields."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final, TextIO, TypeVar

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.process_collector import ProcessCollector
from structlog.typing import EventDict

from dispatch.core.decision import Decision
from dispatch.core.events import Entry, Event
from dispatch.core.hidden import is_hidden
from dispatch.trace import present
from schemas.base import OfferId
from schemas.incident import Offer

log = structlog.get_logger()
M = TypeVar("M", bound=MetricWrapperBase)

LATENCY_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
PATIENT_S: Final = (20, 60, 300)
WOKEN_MOST: Final = 10_000
"""Offers of which it is remembered that a push told of them; the oldest are forgotten."""
OUTCOMES: Final = {
    Event.ACCEPTED: "accepted",
    Event.DECLINED: "declined",
    Event.EXPIRED: "expired",
    Event.WITHDRAWN: "withdrawn",
    Event.TAKEN: "taken",
    Event.OFFER_CANCELLED: "cancelled",
}
STAGES: Final = {Event.SEEN: "seen", Event.ACCEPTED: "accepted"}
LOOK_EVERY_S: Final = 0.1
STALL_S: Final = 0.25
"""A loop that is later than this is worth a line in the log."""
STALL_LINES_EVERY_S: Final = 10.0


def metric(
    kind: Callable[..., M], name: str, told: str, *labels: str, **more: Sequence[float]
) -> cached_property[M]:
    """Return a line of the table of metrics: made in the registry of the `Metrics` it is of."""

    def made(metrics: "Metrics") -> M:
        return kind(name, told, labels, registry=metrics.registry, **more)

    return cached_property(made)


class Metrics:
    """The numbers of one process, in a registry of its own."""

    entries = metric(Counter, "kapok_entries", "Committed log entries by type", "type")
    mail = metric(Counter, "kapok_mail", "Reliable frames committed by type", "type")
    commit_s = metric(
        Histogram,
        "kapok_decision_seconds",
        "Deciding and committing, the load of the case aside",
        buckets=LATENCY_S,
    )
    phones = metric(Gauge, "kapok_phones_online", "Phones connected")
    fixes = metric(Counter, "kapok_fixes", "Position rows by verdict", "verdict")
    broken = metric(Gauge, "kapok_invariants_broken", "Rows that break a rule", "rule")
    routed = metric(
        Counter,
        "kapok_router_questions",
        "Questions to the router beside our own roads, by what came of them",
        "outcome",
    )
    differences = metric(
        Counter,
        "kapok_memory_differences",
        "Units, crews and cases that memory held otherwise than the store, read again since",
        "of",
    )
    canary_s = metric(
        Histogram,
        "kapok_canary_stage_seconds",
        "From the stage before to this one, on the canary's way through all of them",
        "stage",
        buckets=LATENCY_S,
    )
    canary_last_success = metric(
        Gauge,
        "kapok_canary_last_success",
        "When a canary last came through all stages, seconds since the epoch",
    )
    canary_failures = metric(
        Counter,
        "kapok_canary_failures",
        "Canaries that did not come through, by the stage they did not reach",
        "stage",
    )
    pushes = metric(
        Counter,
        "kapok_push",
        "Pushes to phones that sleep, by channel and what became of a try",
        *("channel", "outcome"),
    )
    push_s = metric(
        Histogram,
        "kapok_push_seconds",
        "From the commit of a frame to the webhook's yes",
        "channel",
        buckets=LATENCY_S + PATIENT_S,
    )
    push_sending = metric(
        Gauge, "kapok_push_sending", "Requests to the webhook under way", "channel"
    )
    absorbing_s = metric(
        Gauge,
        "kapok_clock_absorbing_seconds",
        "What is left of a step of the database's clock: how far the service's time is ahead of it",
    )
    clock_failures = metric(Counter, "kapok_clock_failures", "Clocks whose decision failed")
    queues = metric(Gauge, "kapok_queue", "What waits now, by queue", "queue")
    offers = metric(
        Counter,
        "kapok_offers",
        "Offers that ended, by outcome and by how their unit was reached: socket, push, sms"
        " or none",
        *("outcome", "reach"),
    )
    stages = metric(
        Histogram,
        "kapok_offer_stage_seconds",
        "Since the offer was decided on, until it was committed, written, acked, seen, accepted",
        "stage",
        buckets=LATENCY_S + PATIENT_S,
    )
    loop_late_s = metric(
        Histogram,
        "kapok_loop_late_seconds",
        "By how much the event loop was late, ten times a second",
        buckets=LATENCY_S,
    )
    frames = metric(Counter, "kapok_frames", "Frames of phones, by direction", "direction")
    closes = metric(Counter, "kapok_closes", "Sockets closed by us, by code", "code")
    room_bytes = metric(
        Gauge, "kapok_room_bytes", "What may still be written, the ballast counted in", "disk"
    )
    room_level = metric(
        Gauge,
        "kapok_room_level",
        "0: all is written; 1: what can wait is refused; 2: the store is full, or lives on its"
        " ballast",
    )
    room_refusals = metric(
        Counter, "kapok_room_refusals", "Requests refused for want of room, by work", "work"
    )
    nodes = metric(Gauge, "kapok_processes", "Processes alive on this store, this one included")
    bus_here = metric(Gauge, "kapok_bus_here", "Whether words go out on the bus: 1 or 0")
    partial = metric(
        Gauge, "kapok_picture_partial", "Whether a process that lives is not heard: 1 or 0"
    )
    words = metric(
        Counter,
        "kapok_words",
        "Words between processes: said, unsaid (the bus was away), missed (read from the store)",
        "what",
    )
    wire_errors = metric(
        Counter, "kapok_wire_errors", "Errors answered over sockets, by code", "code"
    )

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        for name, line in vars(Metrics).items():
            if isinstance(line, cached_property):
                getattr(self, name)
        self._woken: dict[OfferId, str] = {}

    def queue(self, name: str, length: Callable[[], float]) -> None:
        """Tell the length of a queue, as it is whenever somebody asks."""
        self.queues.labels(name).set_function(length)

    def stage_took(self, stage: str, seconds: float) -> None:
        """Note how long after its decision an offer reached a stage."""
        self.stages.labels(stage).observe(max(0.0, seconds))

    def woken(self, offer_id: str | None, channel: str) -> None:
        """Note that a phone was told of an offer by a push or a text message."""
        if offer_id is None:
            return
        self._woken[OfferId(offer_id)] = channel
        if len(self._woken) > WOKEN_MOST:
            del self._woken[next(iter(self._woken))]

    def decided(self, decision: Decision) -> None:
        """Count what a decision wrote, unless it is about the service's own."""
        if is_hidden(decision.case.incident.juris):
            return
        for entry in decision.entries:
            self.entries.labels(entry.type).inc()
            if entry.type in OUTCOMES or entry.type in STAGES:
                self._offer(decision, entry)
        for mail in decision.mail:
            self.mail.labels(type(mail.frame).__struct_config__.tag).inc()

    def _offer(self, decision: Decision, entry: Entry) -> None:
        """Count an offer that ended; note when it came to a further stage."""
        offer = next((o for o in decision.case.offers if o.id == entry.data.get("offer")), None)
        if offer is None:
            return
        if stage := STAGES.get(entry.type):
            self.stage_took(stage, (entry.at - offer.sent_at).total_seconds())
        if outcome := OUTCOMES.get(entry.type):
            self.offers.labels(outcome, self._reach(offer, entry)).inc()

    def _reach(self, offer: Offer, entry: Entry) -> str:
        heard = offer.delivered_at or offer.seen_at or entry.via == "app"
        return self._woken.pop(offer.id, None) or ("socket" if heard else "none")


class Stalls:
    """Notes by how much the loop is late; says so in the log, once in a while.

    Whatever runs for long without a pause makes all else wait: frames, clocks, answers.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._silent_till_s = float("-inf")
        self._longest_s = 0.0
        self._times = 0

    async def run(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + LOOK_EVERY_S
            await asyncio.sleep(LOOK_EVERY_S)
            self.note(max(0.0, loop.time() - due_s), loop.time())

    def note(self, late_s: float, now_s: float) -> None:
        """Take one look: so late at this moment of the loop's clock."""
        self._metrics.loop_late_s.observe(late_s)
        if late_s >= STALL_S:
            self._times += 1
            self._longest_s = max(self._longest_s, late_s)
        if self._times and now_s >= self._silent_till_s:
            log.warning("loop_stalled", times=self._times, longest_s=round(self._longest_s, 3))
            self._silent_till_s = now_s + STALL_LINES_EVERY_S
            self._times, self._longest_s = 0, 0.0


def _with_trace(_: object, __: str, line: EventDict) -> EventDict:
    """Name the work that a line is about."""
    if trace := present():
        line.setdefault("trace", trace)
    return line


def configure_log(file: TextIO = sys.stderr) -> None:
    """Write one JSON object a line, to standard error: an event and its fields, never prose."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _with_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=file),
        cache_logger_on_first_use=False,
    )
