"""What a member says of himself: on duty or not, over a real store."""

import asyncio

import pytest
from msgspec.structs import replace

from schemas import wire
from schemas.unit import Duty, UnitState
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.line import Line
from tests.dispatch.desk.station import Station, sql

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]


@pytest.mark.parametrize(
    ("call", "duty", "state"),
    [
        (wire.DutyCall.OFF, Duty.OFF, UnitState.OFF),
        (wire.DutyCall.PAUSE, Duty.PAUSED, UnitState.PAUSED),
        (wire.DutyCall.ON, Duty.ON, UnitState.AVAILABLE),
    ],
)
async def test_a_member_clocks(
    station: Station, call: wire.DutyCall, duty: Duty, state: UnitState
) -> None:
    """Memory has it before the answer leaves."""
    phone = await station.anybody()
    told = await station.say(phone.unit_id, station.clock_out(call))
    assert isinstance(told, wire.Ok)
    assert told.result == {"s": call}
    assert station.phones.state(phone).duty is duty
    assert station.desk.fleet.state(phone.unit_id) is state


async def test_clocking_twice_under_one_id_happens_once(station: Station) -> None:
    """The same is answered the same; another payload is refused."""
    phone = await station.anybody()
    off = station.clock_out()
    first = await station.say(phone.unit_id, off)
    assert await station.say(phone.unit_id, off) == first
    told = await station.say(phone.unit_id, replace(off, s=wire.DutyCall.ON))
    assert isinstance(told, wire.Err)
    assert told.code is wire.ErrorCode.ID_REUSE
    assert station.phones.state(phone).duty is Duty.OFF
    changes = await sql(station.dsn, "select id from event where type = 'duty_changed'")
    assert len(changes) == 1


async def test_clocking_at_once_under_one_id_happens_once(station: Station) -> None:
    """The one that lost the race hears the other's answer."""
    phone = await station.anybody()
    off = station.clock_out()
    told = await asyncio.gather(*(station.say(phone.unit_id, off) for _ in range(4)))
    assert {type(answer) for answer in told} == {wire.Ok}
    assert len(await sql(station.dsn, "select id from event where type = 'duty_changed'")) == 1


async def test_clocking_whose_answer_was_lost_is_in_memory_too(start: Start, line: Line) -> None:
    """The phone hears ok, and the desk no longer asks the unit."""
    station = await start(line.dsn)
    phone = await station.anybody()
    line.lose_answer_to(b'"duty":"off"')
    assert isinstance(await station.say(phone.unit_id, station.clock_out()), wire.Ok)
    assert station.phones.state(phone).duty is Duty.OFF
    assert station.desk.fleet.state(phone.unit_id) is UnitState.OFF
