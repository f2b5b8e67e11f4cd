"""Who is told of what went wrong: which entries are alarms, and which desk is asked next.

- An alarm goes to the lowest jurisdiction of its place with somebody at its desk.
- Unacknowledged for `ACKNOWLEDGE_WITHIN_S`, it goes to the next desk above that is staffed.
- Where nobody is, it goes to the city, and stays there.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from msgspec.structs import replace

from dispatch.core.events import Entry, Event
from schemas.alarm import Alarm, AlarmId, AlarmKind
from schemas.base import Instant, Record
from schemas.incident import Incident
from schemas.plan import Level, Rung

ACKNOWLEDGE_WITHIN_S: Final = 30
PRESENT_S: Final = 60
"""Somebody is at a desk for this long after saying so."""
LEVELS: Final = (Level.CITY, Level.DISTRICT, Level.STREET, Level.VILLAGE, Level.GRID)

KINDS: Final[Mapping[Event, AlarmKind]] = {
    Event.ASSISTANCE: AlarmKind.ASSISTANCE,
    Event.UNSEEN: AlarmKind.UNSEEN,
    Event.NO_SHOW: AlarmKind.NO_SHOW,
    Event.SILENT: AlarmKind.SILENT,
}
RUNGS: Final[Mapping[str, AlarmKind]] = {
    Rung.OPERATOR: AlarmKind.OPERATOR,
    Rung.POLICE: AlarmKind.POLICE,
    Rung.STREET: AlarmKind.STREET,
    Rung.PROFESSIONALS: AlarmKind.PROFESSIONALS,
}
WORDS: Final[Mapping[AlarmKind, str]] = {
    AlarmKind.OPERATOR: "an operator is needed",
    AlarmKind.POLICE: "the police station in charge is needed",
    AlarmKind.STREET: "the street force is needed",
    AlarmKind.PROFESSIONALS: "professionals are needed",
}


class Addressed(Record, frozen=True, kw_only=True):
    """The desk an alarm goes to, why, and when the next one is asked; never, at the top."""

    addressee: str
    level: Level
    reason: str
    next_at: Instant | None


def raised(
    entries: Sequence[Entry], incident: Incident, new_id: Callable[[], str]
) -> tuple[Alarm, ...]:
    """Return the alarms that entries of a decision mean, each to be addressed at once."""
    return tuple(
        Alarm(
            id=AlarmId(new_id()),
            kind=kind,
            reason=_reason(kind, entry.data),
            juris=incident.juris,
            raised_at=entry.at,
            incident_id=incident.id,
            unit_id=entry.unit_id,
            drill=incident.drill,
            next_at=entry.at,
        )
        for before, entry in zip((None, *entries), entries, strict=False)
        if (kind := _kind(before, entry)) is not None
    )


def _kind(before: Entry | None, entry: Entry) -> AlarmKind | None:
    """Return the kind of alarm an entry is; a rung called by a unit's own words rings once."""
    if entry.type is not Event.ESCALATED:
        return KINDS.get(entry.type)
    if before is not None and before.type is Event.ASSISTANCE:
        return None
    return RUNGS.get(entry.data["rung"])


def _reason(kind: AlarmKind, data: Mapping[str, Any]) -> str:
    """Return what is wrong, in words."""
    if kind is AlarmKind.ASSISTANCE:
        words = f"{data['what']} asked for on the scene"
        return f"{words}: {data['text']}" if data["text"] else words
    if kind in WORDS:
        return f"{WORDS[kind]}: {data['reason']}"
    return str(data["reason"])


def addressed(alarm: Alarm, present: Iterable[str], now: Instant) -> Addressed:
    """Return the desk an alarm goes to next, given where somebody is."""
    staffed = frozenset(present)
    above = _above(alarm)
    found = next((node for node in above if node in staffed), None)
    city = alarm.juris.partition(".")[0]
    node = found or city
    return Addressed(
        addressee=node,
        level=level_of(node),
        reason=_why(alarm, found),
        next_at=None if node == city else now + timedelta(seconds=ACKNOWLEDGE_WITHIN_S),
    )


def _above(alarm: Alarm) -> list[str]:
    """Return the nodes not asked yet, the lowest first."""
    labels = alarm.juris.split(".")
    nodes = [".".join(labels[:n]) for n in range(len(labels), 0, -1)]
    return nodes if alarm.addressee is None else nodes[nodes.index(alarm.addressee) + 1 :]


def _why(alarm: Alarm, found: str | None) -> str:
    late = f"not acknowledged at {alarm.addressee} in {ACKNOWLEDGE_WITHIN_S} s; "
    start = late if alarm.addressee else ""
    return start + ("the lowest desk with somebody at it" if found else "nobody at any desk")


def level_of(path: str) -> Level:
    """Return the level of a jurisdiction, by its depth."""
    return LEVELS[path.count(".")]


def moved(alarm: Alarm, to: Addressed) -> Alarm:
    """Return the alarm as it stands once another desk is asked."""
    return replace(alarm, addressee=to.addressee, level=to.level, next_at=to.next_at)


def step_entry(alarm: Alarm, to: Addressed, now: Instant) -> Entry:
    """Return the line of the timeline that tells which desk is asked."""
    return Entry(
        type=Event.ALARM_ADDRESSED,
        by="engine",
        via="engine",
        at=now,
        unit_id=alarm.unit_id,
        data={
            "alarm": alarm.id,
            "kind": alarm.kind.value,
            "to": to.addressee,
            "level": to.level.value,
            "reason": to.reason,
        },
    )


def heard_entry(alarm: Alarm, by: str, note: str, now: Instant) -> Entry:
    """Return the line of the timeline that tells who has taken note."""
    after_s = round((now - alarm.raised_at).total_seconds(), 1)
    data = {"alarm": alarm.id, "kind": alarm.kind.value, "after_s": after_s, "note": note}
    return Entry(
        type=Event.ALARM_ACKNOWLEDGED, by=by, via="api", at=now, unit_id=alarm.unit_id, data=data
    )
