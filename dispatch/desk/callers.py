"""How often one phone may call for help: enough for anybody in need, too little to flood a desk."""

from typing import Final

from dispatch.core.errors import RateLimited
from schemas.base import DeviceId

CALLS_MOST: Final = 6
WITHIN_S: Final = 60.0


class TooManyCalls(RateLimited):
    """More reports and calls for help than anybody makes; `retry_ms` until the next may come."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"more than {CALLS_MOST} reports and calls for help in {WITHIN_S:g} s")
        self.retry_ms = max(1, round(wait_s * 1000))


class Callers:
    """The reports and calls for help of the last minute, by phone. The same id counts once."""

    def __init__(self) -> None:
        self._calls: dict[DeviceId, dict[str, float]] = {}

    def __len__(self) -> int:
        """Return how many phones are remembered."""
        return len(self._calls)

    def take(self, device_id: DeviceId, command_id: str, now_s: float) -> None:
        """Count a call; raise `TooManyCalls` where there were enough."""
        self._forget(now_s)
        calls = self._calls.setdefault(device_id, {})
        if command_id in calls:
            return
        if len(calls) >= CALLS_MOST:
            raise TooManyCalls(min(calls.values()) + WITHIN_S - now_s)
        calls[command_id] = now_s

    def _forget(self, now_s: float) -> None:
        """Drop what is over; few phones call within one minute."""
        for device_id, calls in list(self._calls.items()):
            left = {c: at for c, at in calls.items() if at > now_s - WITHIN_S}
            if left:
                self._calls[device_id] = left
            else:
                del self._calls[device_id]
