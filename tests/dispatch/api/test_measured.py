"""What all processes of a machine measured, told by whichever is asked."""

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from dispatch.api.measured import Measured

pytestmark = pytest.mark.asyncio


def measured(name: str, taps: int) -> Measured:
    """Return a process that counted so many taps, and asks nobody."""
    registry = CollectorRegistry()
    Counter("taps", "Taps", registry=registry).inc(taps)
    return Measured(name, registry)


async def test_each_sample_says_whose_it_is() -> None:
    """One family, a sample for each process that answered."""
    other = measured("1", 5)

    async def ask_all() -> list[bytes]:
        return [other.own()]

    registry = CollectorRegistry()
    Counter("taps", "Taps", registry=registry).inc(2)
    text = (await Measured("0", registry, ask_all).text()).decode()
    taps = next(f for f in text_string_to_metric_families(text) if f.name == "taps")
    told = {s.labels["worker"]: s.value for s in taps.samples if s.name == "taps_total"}
    assert told == {"0": 2.0, "1": 5.0}


async def test_a_process_alone_tells_of_itself() -> None:
    """By the same label, so that a query need not know how many there are."""
    assert b'taps_total{worker="0"} 3.0' in await measured("0", 3).text()
