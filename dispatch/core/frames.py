"""The frames a decision puts in the outbox: WGS-84, the gateway turns them to a phone's datum."""

from geo.datum import Datum
from schemas.base import Instant, ms
from schemas.incident import Assignment, Concern, Incident, Offer
from schemas.wire import AssignFrame, AssignUpdate, Brief, OfferFrame, OfferUpdate


def brief(incident: Incident) -> Brief:
    """Return what a phone may know of the incident."""
    return Brief(
        iid=incident.id,
        kind=incident.kind,
        pri=incident.priority,
        title=incident.title,
        lon=incident.lon,
        lat=incident.lat,
        addr=incident.address,
        note=incident.note,
        drill=incident.drill,
    )


def offer_frame(incident: Incident, offer: Offer, now: Instant) -> OfferFrame:
    """Return the question as it stands at `now`."""
    return OfferFrame(
        oid=offer.id,
        rev=offer.rev,
        d=Datum.WGS84,
        inc=brief(incident),
        eta_s=offer.eta_s,
        quality=offer.quality,
        dist_m=offer.distance_m,
        ring_s=offer.ring_s,
        ttl_ms=max(0.0, (offer.lapse_at - now).total_seconds() * 1000),
        exp=ms(offer.exp_at),
        role=incident.needs[offer.slot].role,
    )


def offer_update(incident: Incident, offer: Offer, *, alert: bool) -> OfferUpdate:
    """Return what is new of the question."""
    return OfferUpdate(
        oid=offer.id,
        rev=offer.rev,
        d=Datum.WGS84,
        inc=brief(incident),
        alert=alert,
        eta_s=offer.eta_s,
    )


def assign_frame(incident: Incident, task: Assignment) -> AssignFrame:
    """Return the task as it stands."""
    return AssignFrame(
        aid=task.id,
        oid=task.offer_id,
        rev=task.rev,
        d=Datum.WGS84,
        inc=brief(incident),
        by=task.by,
        kind=task.kind,
        role=task.role,
        eta_s=task.eta_s,
        ring_s=task.ring_s,
        crew=task.crew,
        s=task.state,
        confirm=Concern.UNCONFIRMED in task.warned,
    )


def assign_update(incident: Incident, task: Assignment, *, alert: bool) -> AssignUpdate:
    """Return what is new of the task."""
    return AssignUpdate(
        aid=task.id,
        rev=task.rev,
        d=Datum.WGS84,
        inc=brief(incident),
        alert=alert,
        role=task.role,
        eta_s=task.eta_s,
        s=task.state,
        confirm=Concern.UNCONFIRMED in task.warned,
    )
