"""The way to phones that also looks whether they sleep: a sleeper is pushed at once."""

from collections.abc import Callable, Sequence

from dispatch.ports import Outbound, Sealed
from schemas.base import DeviceId, UnitId


class Lane:
    """A lane before another. It never waits, and loses nothing: the store has every frame."""

    def __init__(self, inner: Outbound, look: Callable[[DeviceId], None]) -> None:
        self._inner = inner
        self._look = look

    def push(self, sealed: Sequence[Sealed]) -> None:
        """Hand frames on, then look after the phones they are for."""
        self._inner.push(sealed)
        for row in sealed:
            self._look(row.device_id)

    def close_unit(self, unit_id: UnitId, code: int) -> None:
        """Close every phone of a unit."""
        self._inner.close_unit(unit_id, code)

    def close_device(self, device_id: DeviceId, code: int) -> None:
        """Close one phone."""
        self._inner.close_device(device_id, code)
