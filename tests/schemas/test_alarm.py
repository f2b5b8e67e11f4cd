"""Alarms as they are kept."""

import msgspec

from schemas.alarm import Alarm, AlarmId, AlarmKind
from tests.dispatch.core.cases import START


def test_an_alarm_comes_back_as_it_was() -> None:
    """And is open, with no desk yet, unless it says otherwise."""
    alarm = Alarm(id=AlarmId("a"), kind=AlarmKind.CLOCK, reason="x", juris="gz", raised_at=START)
    assert msgspec.json.decode(msgspec.json.encode(alarm), type=Alarm) == alarm
    assert (alarm.addressee, alarm.ended_at, alarm.incident_id) == (None, None, None)
