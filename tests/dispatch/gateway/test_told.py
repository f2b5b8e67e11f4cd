"""What the gateway counts is told to the metrics."""

import asyncio

import pytest

from dispatch.gateway.told import Told
from dispatch.telemetry import Metrics
from schemas.base import DeviceId
from schemas.wire import Close
from tests.dispatch.gateway.conftest import Gateway
from tests.memory_phones import offer

pytestmark = pytest.mark.asyncio


async def test_frames_closes_and_errors_are_told_once(gateway: Gateway) -> None:
    """What was told is not told again."""
    metrics = Metrics()
    told = Told(gateway.hub, metrics)
    value = metrics.registry.get_sample_value
    line = await gateway.known()
    await line.ask({"t": "nonsense"})
    await told.tell()
    await line.ask({"t": "ping", "ts": 1})
    await told.tell()
    gateway.hub.close_device(DeviceId("d1"), Close.DEVICE_REVOKED)
    await told.tell()
    assert value("kapok_frames_total", {"direction": "in"}) == 3
    assert value("kapok_frames_total", {"direction": "out"}) == 3
    assert value("kapok_wire_errors_total", {"code": "unknown_type"}) == 1
    assert value("kapok_closes_total", {"code": "4002"}) == 1


async def test_the_stages_of_an_offer_are_timed_where_it_passes(gateway: Gateway) -> None:
    """Committed, written, acknowledged: in seconds since it was decided on."""
    metrics = Metrics()
    gateway.hub.took = metrics.stage_took
    line = await gateway.known()
    row = gateway.phones.seal("d1", offer())
    gateway.phones.clock.advance(1.0)
    gateway.hub.push([row])
    await line.hear()
    gateway.phones.clock.advance(1.0)
    await line.ask({"t": "ping", "ts": 1, "ack": row.seq})
    await line.ask({"t": "ping", "ts": 1, "ack": row.seq})
    value = metrics.registry.get_sample_value
    sums = [
        value("kapok_offer_stage_seconds_sum", {"stage": stage})
        for stage in ("committed", "written", "acked")
    ]
    assert sums == pytest.approx([1.0, 1.0, 2.0])


async def test_the_queues_of_the_gateway_are_told(gateway: Gateway) -> None:
    """Empty where everybody reads; as long as they are where a look-up waits."""
    metrics = Metrics()
    Told(gateway.hub, metrics)
    await gateway.known()
    value = metrics.registry.get_sample_value
    names = ("admission", "socket_tasks", "send_answers", "send_reliable", "send_latest")
    async with asyncio.timeout(10):
        while gateway.hub.working():  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0.001)
    assert [value("kapok_queue", {"queue": name}) for name in names] == [0] * len(names)
    assert gateway.hub.begin_check(busy=False)
    assert value("kapok_queue", {"queue": "admission"}) == 1
    gateway.hub.end_check()
