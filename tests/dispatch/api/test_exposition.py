"""Expositions merged: what every worker told is told once, and says who told it."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from dispatch.api.exposition import merged
from dispatch.telemetry import Metrics

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def told(text: bytes) -> Samples:
    """Return the samples of an exposition, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def by(worker: str, samples: Samples) -> Samples:
    """Return samples with the label of a worker."""
    return {(name, labels | {("worker", worker)}): v for (name, labels), v in samples.items()}


def exposition(number: float) -> bytes:
    """Return one of each kind, with labels that have to be escaped."""
    registry = CollectorRegistry()
    Counter("taps", 'Said "yes"\nor no', ["by"], registry=registry).labels('a"b\\c\nd').inc(number)
    Gauge("phones", "Connected", registry=registry).set(-number)
    waits = Histogram("wait_seconds", "Waited", ["of"], buckets=(0.1, 1), registry=registry)
    for seconds in (0.05, 0.5, number):
        waits.labels("offers").observe(seconds)
    Gauge("nothing", "Never told", ["of"], registry=registry)
    return generate_latest(registry)


def test_every_sample_stays_with_the_worker_that_told_it() -> None:
    """Counters, gauges and each bucket of a histogram; values and labels as they were."""
    texts = {"1": exposition(7), "2": exposition(1e300)}
    assert told(merged(texts)) == by("1", told(texts["1"])) | by("2", told(texts["2"]))


def test_a_family_is_told_of_once() -> None:
    """One HELP and one TYPE each, with the lines of all workers right below: as readers demand."""
    text = merged({"1": exposition(1), "2": exposition(2)}).decode()
    for line in exposition(3).decode().splitlines():
        if line.startswith("#"):
            assert text.count(f"{line}\n") == 1
    names = [f.name for f in text_string_to_metric_families(text)]
    assert len(names) == len(set(names))


def test_what_only_one_tells_is_told() -> None:
    """A newer build beside an older one."""
    registry = CollectorRegistry()
    Gauge("new", "Of the newer build", registry=registry).set(1)
    newer = generate_latest(registry)
    older = exposition(1)
    both = told(merged({"old": older, "new": newer}))
    assert both == by("old", told(older)) | by("new", told(newer))


def test_our_own_metrics_come_through() -> None:
    """All of a process, those of its process collector too."""
    text = generate_latest(Metrics().registry)
    assert told(merged({"1": text})) == by("1", told(text))


def test_nobody_tells_nothing() -> None:
    """Not an error."""
    assert merged({}) == b""


def test_a_workers_name_is_escaped() -> None:
    """Whatever it is called."""
    ((_, labels),) = told(merged({'a"b\\c\nd': b"# TYPE up gauge\nup 1\n"}))
    assert labels == {("worker", 'a"b\\c\nd')}


def test_a_brace_in_a_label_is_no_end_of_labels() -> None:
    """Labels are not looked into."""
    text = b'# TYPE up gauge\nup{of="{a b}"} 1\n'
    assert told(merged({"1": text})) == by("1", told(text))
