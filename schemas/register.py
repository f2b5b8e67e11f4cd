"""What a registrar says of units, members and phones, and what is shown of them."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from geo.eta import Moves
from schemas.actions import Words
from schemas.base import Instant, Path
from schemas.rest import Body, Place, Reason, View
from schemas.unit import ON_PAPER, Capability, Duty, UnitKind

MEMBERS_MOST = 50
"""The members of a unit: a unit is a few people, and a list of them is never paged."""

Code = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[\x21-\x7e]+$(?!\n)")]
UnitName = Annotated[str, Meta(min_length=1, max_length=80)]
MemberName = Annotated[str, Meta(min_length=1, max_length=40)]
Tel = Annotated[str, Meta(max_length=20, pattern=r"^\+?[0-9-]*$(?!\n)")]
Policy = Annotated[str, Meta(min_length=1, max_length=64)]
Crew = Annotated[int, Meta(ge=1, le=MEMBERS_MOST)]
Capabilities = Annotated[tuple[Capability, ...], Meta(max_length=16)]
MemberIds = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=64)]],
    Meta(min_length=1, max_length=MEMBERS_MOST),
]


class CreateUnit(Body, frozen=True, kw_only=True):
    """A new unit. Without a jurisdiction it belongs to whoever's ground its home post is."""

    code: Code
    name: UnitName
    kind: UnitKind
    home: Place
    jurisdiction: Path | None = None
    moves: Moves = Moves.FOOT
    capabilities: Capabilities = ()
    min_crew: Crew = 1
    fixed: bool = True


class ChangeUnit(Body, frozen=True, kw_only=True):
    """What is other of a unit; what is absent stays, its jurisdiction too when its home moves."""

    name: UnitName | None = None
    kind: UnitKind | None = None
    home: Place | None = None
    jurisdiction: Path | None = None
    moves: Moves | None = None
    capabilities: Capabilities | None = None
    min_crew: Crew | None = None
    fixed: bool | None = None


class DisableUnit(Body, frozen=True, kw_only=True):
    """Nobody asks the unit any more, and its phones are cut off."""

    why: Reason


class EnableUnit(Body, frozen=True, kw_only=True):
    """The unit may be asked again, once its crew clocks in."""

    why: Words = ""


class ClockMembers(Body, frozen=True, kw_only=True):
    """Members clock in or out on an operator's word; absent `members`: the whole crew."""

    duty: Duty
    members: MemberIds | None = None


class AddMember(Body, frozen=True, kw_only=True):
    """A person joins a unit.

    `consent`: the version of the policy he agreed to; `paper` where the registrar has it in
    writing, null where he has not yet.
    """

    name: MemberName
    tel: Tel = ""
    leader: bool = False
    consent: Policy | None = ON_PAPER


class ChangeMember(Body, frozen=True, kw_only=True):
    """What is other of a member; what is absent stays. `consent` null: it is taken back."""

    name: MemberName | None = None
    tel: Tel | None = None
    leader: bool | None = None
    consent: Policy | UnsetType | None = UNSET


class IssueCode(Body, frozen=True, kw_only=True):
    """A code by which the member's phone is enrolled."""


class RevokeDevice(Body, frozen=True, kw_only=True):
    """The phone opens nothing any more."""

    why: Reason


class EnrolDevice(Body, frozen=True, kw_only=True):
    """A phone is enrolled by the code its member was told; case, spaces and dashes do not count."""

    code: Annotated[str, Meta(min_length=1, max_length=20)]


class MemberView(View, frozen=True, kw_only=True):
    """A member; the telephone number is masked. `consent` null: he may not be located."""

    id: str
    unit_id: str
    name: str
    tel: str
    leader: bool
    duty: Duty
    consent: str | None


class Members(View, frozen=True, kw_only=True):
    """All members of a unit, by id."""

    items: list[MemberView]


class DeviceView(View, frozen=True, kw_only=True):
    """A member's phone; never its token."""

    id: str
    unit_id: str
    member_id: str
    member: str
    enrolled_at: Instant
    revoked_at: Instant | None


class Devices(View, frozen=True, kw_only=True):
    """All phones of a unit, by id; revoked ones too."""

    items: list[DeviceView]


class EnrolCode(View, frozen=True, kw_only=True):
    """A code, shown this once; an earlier one of the member is void."""

    code: str
    expires_at: Instant
    tries: int


class Enrolled(View, frozen=True, kw_only=True):
    """The phone's token, shown this once."""

    token: str
    device_id: str
    unit_id: str
    member_id: str
