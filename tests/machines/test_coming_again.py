"""A phone that was not told what its unit is about comes again, and takes the state."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from dispatch.core import commands as c
from schemas import wire
from schemas.base import DeviceId, UnitId
from schemas.unit import Duty
from schemas.wire import Close, DutyCall
from tests.machines.office import Office


class Lane:
    """Notes whose socket is closed, and by which code."""

    def __init__(self) -> None:
        self.closed: list[tuple[str, int]] = []

    def refresh(self, device_id: str, frame: wire.ServerFrame) -> None:
        """Say nothing."""

    def close_unit(self, unit_id: str, code: int) -> None:
        """Close nothing."""

    def close_device(self, device_id: str, code: int) -> None:
        """Note it."""
        self.closed.append((device_id, code))

    def replaced(self, device_id: DeviceId, inst: str) -> None:
        """Close nobody."""

    def overtaken(self, device_id: DeviceId, seq: int) -> None:
        """Leave it."""

    def resync(self) -> None:
        """Ask nobody."""


@pytest.fixture
def office() -> Iterator[Office]:
    """A desk with two phones of the first unit connected; d1a is on duty, d1b is not."""
    office = Office()
    for device in ("d1a", "d1b"):
        office.phones.connected(office.phone(device))
    yield office
    office.close()


@pytest.fixture
def lane(office: Office) -> Lane:
    """The way to the phones."""
    lane = Lane()
    office.phones.presence.speak_through(lane)
    return lane


def test_who_clocks_on_beside_a_sent_colleague_comes_again(office: Office, lane: Lane) -> None:
    """The task was sealed for those on duty then; what follows would be about the unknown."""
    office.act(office.call(priority=4), c.Order(unit_id=UnitId("u1")))
    assert office.clock_in("d1b", DutyCall.ON).refused is None
    assert lane.closed == [("d1b", Close.RESYNC)]
    assert office.phones.state(office.phone("d1b")).assigns


def test_who_clocks_on_beside_an_asked_colleague_comes_again(office: Office, lane: Lane) -> None:
    """Else one of the unit's phones would not ring."""
    office.call(priority=2)
    office.clock_in("d1b", DutyCall.ON)
    assert lane.closed == [("d1b", Close.RESYNC)]


def test_who_comes_back_from_a_pause_knows_the_task(office: Office, lane: Lane) -> None:
    """A phone that pauses hears of tasks, but does not ring."""
    incident = office.call(priority=4)
    office.clock_in("d1b", DutyCall.ON)
    office.clock_in("d1b", DutyCall.PAUSE)
    lane.closed.clear()
    office.act(incident, c.Order(unit_id=UnitId("u1")))
    office.clock_in("d1b", DutyCall.ON)
    assert lane.closed == []


def test_nobody_comes_again_for_nothing(office: Office, lane: Lane) -> None:
    """Clocking on as such closes no socket."""
    office.clock_in("d1b", DutyCall.ON)
    office.clock_in("d1b", DutyCall.OFF)
    assert lane.closed == []


def test_who_takes_on_what_he_reports_off_duty_is_shown_his_task(
    office: Office, lane: Lane
) -> None:
    """Mail goes to phones on duty only: this one would have an id and nothing to show."""
    report: Any = msgspec.convert(
        {
            "t": "report",
            "id": office.clock.new_id(),
            "kind": "theft",
            "pri": 3,
            "d": "wgs84",
            "lon": 113.45,
            "lat": 23.1,
            "text": "x",
            "self": True,
        },
        wire.Report,
    )
    assert office.say("d1b", report).refused is None
    assert office.phones.state(office.phone("d1b")).duty is Duty.OFF
    assert lane.closed == [("d1b", Close.RESYNC)]


def test_a_retry_hears_the_same_whatever_has_changed_since(office: Office) -> None:
    """A pause that was granted is no conflict when its answer is asked for after a clock-out."""
    pause = wire.SetDuty(id=office.clock.new_id(), s=DutyCall.PAUSE)
    granted = office.say("d1a", pause).said
    office.clock_in("d1a", DutyCall.OFF)
    assert office.run(office.phones.command(office.phone("d1a"), pause)) == granted


def test_an_id_used_again_for_what_is_not_found_is_reuse(office: Office) -> None:
    """What was answered counts before what is asked now."""
    pause = wire.SetDuty(id=office.clock.new_id(), s=DutyCall.PAUSE)
    office.say("d1a", pause)
    other = wire.OfferSeen(id=pause.id, oid="nobody")
    reply = office.run(office.phones.command(office.phone("d1a"), other))
    assert isinstance(reply, wire.Err)
    assert reply.code is wire.ErrorCode.ID_REUSE
