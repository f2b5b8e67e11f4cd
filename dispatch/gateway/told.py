"""What the gateway counts plainly and what waits in it, told to the metrics."""

from collections import Counter as Plain
from typing import Final

from prometheus_client import Counter

from dispatch.gateway.hub import Hub
from dispatch.telemetry import Metrics

LANES: Final = ("send_answers", "send_reliable", "send_latest")


class Told:
    """Keeps the metrics as far as the hub's own counts; the queues are asked for when wanted."""

    def __init__(self, hub: Hub, metrics: Metrics) -> None:
        self._stats = hub.stats
        self._metrics = metrics
        self._frames = {"in": 0, "out": 0, "swept": 0}
        self._closes: Plain[int] = Plain()
        self._errors: Plain[str] = Plain()
        metrics.queue("admission", hub.checking)
        metrics.queue("socket_tasks", hub.working)
        for lane, name in enumerate(LANES):
            metrics.queue(name, lambda lane=lane: hub.waiting(lane))  # type: ignore[misc]  # bound at once

    async def tell(self) -> None:
        """Tell what was counted since the last time."""
        stats = self._stats
        now = {"in": stats.frames_in, "out": stats.frames_out, "swept": stats.swept}
        for direction, count in now.items():
            self._metrics.frames.labels(direction).inc(count - self._frames[direction])
        self._frames = now
        _add(self._metrics.closes, stats.closes - self._closes)
        _add(self._metrics.wire_errors, stats.errors - self._errors)
        self._closes, self._errors = stats.closes.copy(), stats.errors.copy()


def _add(counter: Counter, more: Plain[int] | Plain[str]) -> None:
    for label, count in more.items():
        counter.labels(str(label)).inc(count)
