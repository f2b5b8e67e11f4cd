"""What callers are told: committed cases as JSON for people, ok and err frames for phones."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from dispatch.core.decision import Decision
from dispatch.core.errors import Conflict, Refusal, Temporary
from dispatch.core.lifecycle import unit_state
from dispatch.live.fleet import Fleet
from dispatch.ports import Answer
from dispatch.trace import present
from schemas.base import Instant
from schemas.incident import Assignment, Case, Incident, Offer
from schemas.rest import AssignmentView, IncidentView, OfferView, Position, UnitView
from schemas.unit import Link, Unit, UnitRow
from schemas.wire import Err, Ok

CREATED: Final = 201
DONE: Final = 200
REFUSED: Final = 409


def incident_view(case: Case) -> IncidentView:
    """Return a case as the command centre reads it."""
    return msgspec.structs.replace(
        brief_view(case.incident),
        offers=tuple(_offer_view(o) for o in case.offers),
        assignments=tuple(_assignment_view(a) for a in case.assignments),
    )


def brief_view(incident: Incident) -> IncidentView:
    """Return an incident without its offers and assignments, as lists show it."""
    fields = msgspec.structs.asdict(incident)
    return msgspec.convert(
        {
            **{name: fields[name] for name in _SHARED},
            "jurisdiction": incident.juris,
            "position": Position(lon=incident.lon, lat=incident.lat),
        },
        IncidentView,
        from_attributes=True,
    )


_SHARED: Final = frozenset(Incident.__struct_fields__) & frozenset(IncidentView.__struct_fields__)


def _offer_view(offer: Offer) -> OfferView:
    return msgspec.convert(offer, OfferView, from_attributes=True)


def _assignment_view(task: Assignment) -> AssignmentView:
    return msgspec.convert(task, AssignmentView, from_attributes=True)


def unit_view(fleet: Fleet, unit: Unit, now: Instant) -> UnitView:
    """Return a unit as the command centre sees it now."""
    now_s = now.timestamp()
    standing = fleet.standing(unit.id, now_s)
    return UnitView(
        id=unit.id,
        code=unit.code,
        name=unit.name,
        kind=unit.kind,
        jurisdiction=unit.juris,
        state=fleet.state(unit.id),
        link=fleet.link(unit.id, now_s),
        moves=unit.moves,
        capabilities=unit.capabilities,
        home=Position(lon=unit.lon, lat=unit.lat),
        position=Position(lon=standing.place.lon, lat=standing.place.lat),
        position_age_s=standing.age_s,
        on_duty=fleet.on_duty(unit.id),
        min_crew=unit.min_crew,
        fixed=unit.fixed,
    )


def registered_view(fleet: Fleet, row: UnitRow, now: Instant) -> UnitView:
    """Return a unit as it stands once a change of what is registered is written."""
    unit, now_s = row.unit, now.timestamp()
    known = unit.id in fleet
    home = Position(lon=unit.lon, lat=unit.lat)
    standing = fleet.standing(unit.id, now_s) if known else None
    seen = standing if standing and standing.age_s is not None else None
    return UnitView(
        id=unit.id,
        code=unit.code,
        name=unit.name,
        kind=unit.kind,
        jurisdiction=unit.juris,
        state=unit_state(
            disabled=unit.disabled,
            engaged=row.engaged,
            open_offers=row.open_offers,
            on_duty=row.on_duty,
            paused=row.paused,
            min_crew=unit.min_crew,
        ),
        link=fleet.link(unit.id, now_s) if known else Link.OFFLINE,
        moves=unit.moves,
        capabilities=unit.capabilities,
        home=home,
        position=Position(lon=seen.place.lon, lat=seen.place.lat) if seen else home,
        position_age_s=seen.age_s if seen else None,
        on_duty=row.on_duty,
        min_crew=unit.min_crew,
        fixed=unit.fixed,
    )


def created(decision: Decision) -> Answer:
    """Answer the opening of an incident."""
    return Answer(status=CREATED, body=_raw(incident_view(decision.case)))


def changed(decision: Decision) -> Answer:
    """Answer a change of an incident."""
    return Answer(status=DONE, body=_raw(incident_view(decision.case)))


def to_phone(command_id: str, decision: Decision) -> Answer:
    """Answer a phone's command as its ok or err frame."""
    if decision.refusal is not None:
        return Answer(status=REFUSED, body=_raw(err(command_id, decision.refusal)))
    return done(command_id, decision.result)


def done(command_id: str, result: Mapping[str, Any]) -> Answer:
    """Answer a phone's command with what came of it."""
    return Answer(status=DONE, body=_raw(ok(command_id, result)))


def ok(command_id: str, result: Mapping[str, Any]) -> Ok:
    """Return the ok frame of a command, with the trace id it was carried out under."""
    return Ok(re=command_id, result=dict(result), tr=present() or None)


def err(command_id: str | None, refusal: Refusal) -> Err:
    """Return the err frame of a refusal."""
    return Err(
        re=command_id,
        code=refusal.code,
        msg=refusal.detail,
        path=refusal.path,
        st=refusal.state if isinstance(refusal, Conflict) else None,
        retry_ms=refusal.retry_ms if isinstance(refusal, Temporary) else None,
        tr=present() or None,
    )


def _raw(body: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(body))
