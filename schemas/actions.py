"""The bodies of what a person does with an incident, its offers and its assignments."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from schemas.base import Instant
from schemas.incident import Mode
from schemas.plan import IncidentKind, Rung
from schemas.rest import Body, NeedBody, Place, Priority, Reason, Title
from schemas.wire import Reached

Id = Annotated[str, Meta(min_length=1, max_length=64)]
Words = Annotated[str, Meta(max_length=500)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Slot = Annotated[int, Meta(ge=0, le=7)]
Needs = Annotated[list[NeedBody], Meta(min_length=1, max_length=8)]


class Via(StrEnum):
    """By what way a unit told the desk what is written down for it."""

    RADIO = "radio"
    VOICE = "voice"
    SMS = "sms"
    OPERATOR = "operator"


class CorrectIncident(Body, frozen=True, kw_only=True):
    """What was taken down wrong; what is absent stays as it is.

    `ext_rev` is the caller's own revision: one that is not newer than the last is a conflict.
    """

    kind: IncidentKind | None = None
    priority: Priority | None = None
    position: Place | None = None
    needs: Needs | None = None
    title: Title | None = None
    address: Annotated[str, Meta(max_length=120)] | None = None
    ext_rev: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None


class SupplementIncident(Body, frozen=True, kw_only=True):
    """What became known since."""

    note: Reason


class MergeIncident(Body, frozen=True, kw_only=True):
    """This is the same as another: `into` is that one's id."""

    into: Id


class SplitIncident(Body, frozen=True, kw_only=True):
    """A part becomes an incident of its own; what is absent is as in this one."""

    title: Title
    kind: IncidentKind | None = None
    priority: Priority | None = None
    position: Place | None = None
    needs: Needs | None = None
    address: Annotated[str, Meta(max_length=120)] | None = None
    note: Annotated[str, Meta(max_length=300)] = ""


class HandOverIncident(Body, frozen=True, kw_only=True):
    """Somebody else takes it on."""

    to: Name
    why: Reason


class ReopenIncident(Body, frozen=True, kw_only=True):
    """It was not over."""

    why: Reason


class EscalateIncident(Body, frozen=True, kw_only=True):
    """A step of the ladder is taken now."""

    rung: Rung
    why: Reason


class OwnIncident(Body, frozen=True, kw_only=True):
    """Who answers for it; null gives it back."""

    owner: Name | None


class SetIncidentMode(Body, frozen=True, kw_only=True):
    """Who asks: the engine, the engine with a person's consent, or a person."""

    mode: Mode


class AskUnit(Body, frozen=True, kw_only=True):
    """Offer the incident to this unit, whatever the ranking says."""

    unit_id: Id
    slot: Slot | None = None


class OrderUnit(Body, frozen=True, kw_only=True):
    """Send this unit without asking it."""

    unit_id: Id
    slot: Slot | None = None


class WithdrawOffer(Body, frozen=True, kw_only=True):
    """Call an offer back."""

    why: Reason


class AcceptFor(Body, frozen=True, kw_only=True):
    """The unit said yes, by another way than its phone; `crew` are its members who go."""

    via: Via
    crew: Annotated[list[Id], Meta(max_length=20)] = []


class DeclineFor(Body, frozen=True, kw_only=True):
    """The unit said no, by another way than its phone."""

    via: Via
    why: Words = ""


class ReleaseUnit(Body, frozen=True, kw_only=True):
    """Send the unit home."""

    why: Reason


class ReassignUnit(Body, frozen=True, kw_only=True):
    """Send the unit to another incident instead: `to` is that one's id."""

    to: Id
    why: Reason


class PinUnit(Body, frozen=True, kw_only=True):
    """Let nobody overtake the unit, or let it be overtaken again."""

    pinned: bool


class ProgressFor(Body, frozen=True, kw_only=True):
    """How far the unit has come, as it told by another way; `at` is when it was so, else now."""

    via: Via
    reached: Reached
    at: Instant | None = None
    note: Words = ""
    outcome: Annotated[str, Meta(max_length=40)] = ""
