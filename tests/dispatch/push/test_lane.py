"""The lane that looks after phones it hands frames to."""

from collections.abc import Sequence

from dispatch.ports import Sealed
from dispatch.push.lane import Lane
from schemas.base import DeviceId, UnitId
from tests.memory_phones import mail, offer


class Recording:
    """A lane that remembers."""

    def __init__(self, said: list[str]) -> None:
        self.said = said

    def push(self, sealed: Sequence[Sealed]) -> None:
        """Remember whom it was for."""
        self.said += [f"push {row.device_id}" for row in sealed]

    def close_unit(self, unit_id: UnitId, code: int) -> None:
        """Remember it."""
        self.said.append(f"close {unit_id} {code}")

    def close_device(self, device_id: DeviceId, code: int) -> None:
        """Remember it."""
        self.said.append(f"close {device_id} {code}")


def test_frames_go_on_first_and_then_every_phone_is_looked_after() -> None:
    """A phone that is awake hears before anything else is done."""
    said: list[str] = []
    lane = Lane(Recording(said), lambda device: said.append(f"look {device}"))
    lane.push([Sealed(device_id=DeviceId(d), seq=1, mail=mail(offer())) for d in ("d1", "d2")])
    assert said == ["push d1", "push d2", "look d1", "look d2"]


def test_closing_goes_on_as_it_is() -> None:
    """It is nothing a sleeper has to know."""
    said: list[str] = []
    lane = Lane(Recording(said), lambda device: said.append(f"look {device}"))
    lane.close_unit(UnitId("u1"), 4006)
    lane.close_device(DeviceId("d1"), 4002)
    assert said == ["close u1 4006", "close d1 4002"]
