"""What is written when a member agrees to be located, or does so no more."""

from dispatch.core.errors import Invalid
from dispatch.core.events import Entry, Event
from dispatch.desk import answers
from dispatch.ports import Answer, Identity, MemberChange
from schemas import wire
from schemas.base import Instant


def told(frame: wire.Consent) -> Answer:
    """Return what the phone is answered."""
    return answers.done(frame.id, {"consent": frame.yes})


def change(identity: Identity, frame: wire.Consent, at: Instant) -> MemberChange:
    """Return the change of the member, with its line in the log; raise `Invalid`."""
    if frame.yes and frame.policy is None:
        raise Invalid("to which version of the policy?", path="policy")
    policy = frame.policy if frame.yes else None
    entry = Entry(
        type=event(policy),
        by=f"member:{identity.member_id}",
        via="app",
        at=at,
        unit_id=identity.unit_id,
        data={"member": identity.member_id, "policy": policy},
    )
    return MemberChange(
        member_id=identity.member_id, new=False, changes={"consent": policy}, entry=entry
    )


def event(policy: str | None) -> Event:
    """Return how the log calls it."""
    return Event.REFUSED if policy is None else Event.CONSENTED
