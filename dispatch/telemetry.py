"""What can be measured from outside: metrics of a process, and its log as events with fields."""

import sys
from typing import Final, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

from dispatch.core.decision import Decision

LATENCY_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
PATIENT_S: Final = (20, 60, 300)


class Metrics:
    """The numbers of one process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.entries = Counter(
            "kapok_entries", "Committed log entries by type", ["type"], registry=self.registry
        )
        self.mail = Counter(
            "kapok_mail", "Reliable frames committed by type", ["type"], registry=self.registry
        )
        self.commit_s = Histogram(
            "kapok_decision_seconds",
            "Deciding and committing, the load of the case aside",
            buckets=LATENCY_S,
            registry=self.registry,
        )
        self.phones = Gauge("kapok_phones_online", "Phones connected", registry=self.registry)
        self.fixes = Counter(
            "kapok_fixes", "Position rows by verdict", ["verdict"], registry=self.registry
        )
        self.broken = Gauge(
            "kapok_invariants_broken", "Rows that break a rule", ["rule"], registry=self.registry
        )
        self.pushes = Counter(
            "kapok_push",
            "Pushes to phones that sleep, by channel and what became of a try",
            ["channel", "outcome"],
            registry=self.registry,
        )
        self.push_s = Histogram(
            "kapok_push_seconds",
            "From the commit of a frame to the webhook's yes",
            ["channel"],
            buckets=LATENCY_S + PATIENT_S,
            registry=self.registry,
        )
        self.push_sending = Gauge(
            "kapok_push_sending",
            "Requests to the webhook under way",
            ["channel"],
            registry=self.registry,
        )
        self.clock_failures = Counter(
            "kapok_clock_failures", "Clocks whose decision failed", registry=self.registry
        )

    def decided(self, decision: Decision) -> None:
        """Count what a decision wrote."""
        for entry in decision.entries:
            self.entries.labels(entry.type).inc()
        for mail in decision.mail:
            self.mail.labels(type(mail.frame).__struct_config__.tag).inc()


def configure_log(file: TextIO = sys.stderr) -> None:
    """Write one JSON object a line, to standard error: an event and its fields, never prose."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=file),
        cache_logger_on_first_use=False,
    )
