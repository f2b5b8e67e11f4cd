"""What the frames of phones mean to the desk: which command each is, and by whom."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from dispatch.core.commands import Accept, Assist, Command, Decline, Report, SeeOffer, SeeTask
from dispatch.core.decision import Actor
from dispatch.ports import Identity
from schemas import wire
from schemas.base import AssignmentId, OfferId


def actor(identity: Identity) -> Actor:
    """Return who commands: the member who holds the phone, by the app."""
    return Actor(by=f"member:{identity.member_id}", via="app", device_id=identity.device_id)


def meaning(identity: Identity, frame: wire.UnitCommand) -> Command:
    """Return the command of a frame about an offer or an assignment."""
    return COMMANDS[type(frame)](identity, frame)


def _reply(identity: Identity, frame: wire.OfferReply) -> Command:
    offer_id = OfferId(frame.oid)
    if frame.r is wire.Answer.DECLINE:
        return Decline(unit_id=identity.unit_id, offer_id=offer_id, why=frame.why or "")
    return Accept(
        unit_id=identity.unit_id,
        offer_id=offer_id,
        at=_instant(frame.at),
        crew=tuple(frame.crew or (identity.member_id,)),
    )


def _progress(identity: Identity, frame: wire.Progress) -> Command:
    return Report(
        unit_id=identity.unit_id,
        task_id=AssignmentId(frame.aid),
        reached=frame.s,
        at=_instant(frame.at),
        note=frame.note or "",
        outcome=frame.outcome or "",
    )


COMMANDS: Final[Mapping[type, Callable[[Identity, Any], Command]]] = {
    wire.OfferReply: _reply,
    wire.OfferSeen: lambda i, f: SeeOffer(unit_id=i.unit_id, offer_id=OfferId(f.oid)),
    wire.AssignSeen: lambda i, f: SeeTask(unit_id=i.unit_id, task_id=AssignmentId(f.aid)),
    wire.Progress: _progress,
    wire.Assist: lambda i, f: Assist(
        unit_id=i.unit_id, task_id=AssignmentId(f.aid), what=f.what, n=f.n, text=f.text or ""
    ),
}


def _instant(at_ms: float) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
