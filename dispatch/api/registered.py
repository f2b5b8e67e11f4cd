"""Units, members and phones over REST: one row a change, each carried out once."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, SkipValidation

from dispatch.api.access import PUBLIC, needs
from dispatch.api.answers import JSON
from dispatch.api.attempts import Attempts
from dispatch.api.bodies import Strict
from dispatch.api.facade import Outcome
from dispatch.api.given import VISIBLE, TheDatum, TheGrant, TheInFlight, TheOnce, TheUnit, id_in
from dispatch.api.idempotency import REPLAYED
from dispatch.api.places import named, unit_in
from dispatch.api.problems import AnyRequest
from dispatch.api.promises import enrolling, issuing, reading, registering
from dispatch.auth import Grant, Right
from dispatch.desk.answers import CREATED
from dispatch.desk.register import Register
from dispatch.ports import Once
from geo.datum import Datum
from schemas import register as body
from schemas.base import DeviceId, MemberId, UnitId
from schemas.rest import Body, UnitView, View

UNITS: Final = "/v1/units"
UNIT: Final = "/v1/units/{unit_id:str}"
MEMBER: Final = "/v1/members/{member_id:str}"
DEVICE: Final = "/v1/devices/{device_id:str}"

TheRegister = NamedDependency[SkipValidation[Register]]
TheAttempts = NamedDependency[SkipValidation[Attempts]]
ThePart = NamedDependency[SkipValidation[str]]


class Asked(NamedTuple):
    """What a request asks of the register; `part` is the id in its address."""

    register: Register
    part: str
    body: Any
    grant: Grant
    once: Once


class Change(NamedTuple):
    """One change: its name, its address, what it takes, does and shows."""

    name: str
    path: str
    body: type[Body]
    right: Right
    view: type[View]
    done: Callable[[Asked], Awaitable[Outcome]]
    summary: str
    status: int = 200
    description: str | None = None


CHANGES: Final[tuple[Change, ...]] = (
    Change(
        "create_unit",
        UNITS,
        body.CreateUnit,
        Right.CHANGE_UNITS,
        UnitView,
        lambda a: a.register.create(a.body, a.grant, a.once),
        "Add a unit",
        201,
        "Off duty; it may be asked once enough of its crew has clocked in.",
    ),
    Change(
        "change_unit",
        f"{UNIT}/change",
        body.ChangeUnit,
        Right.CHANGE_UNITS,
        UnitView,
        lambda a: a.register.change(UnitId(a.part), a.body, a.grant, a.once),
        "Change what is given of a unit",
    ),
    Change(
        "disable_unit",
        f"{UNIT}/disable",
        body.DisableUnit,
        Right.CHANGE_UNITS,
        UnitView,
        lambda a: a.register.disable(UnitId(a.part), a.body, a.grant, a.once),
        "Let nobody ask a unit",
        description="Its offers are withdrawn, its crew is clocked out and its sockets are closed"
        " by 4006. Not while it is on a call.",
    ),
    Change(
        "enable_unit",
        f"{UNIT}/enable",
        body.EnableUnit,
        Right.CHANGE_UNITS,
        UnitView,
        lambda a: a.register.enable(UnitId(a.part), a.body, a.grant, a.once),
        "Let a unit be asked again",
    ),
    Change(
        "clock_members",
        f"{UNIT}/duty",
        body.ClockMembers,
        Right.SET_DUTY,
        body.Members,
        lambda a: a.register.clock(UnitId(a.part), a.body, a.grant, a.once),
        "Clock members in or out",
        description="The answer shows those members; on a call, leaving waits for the release.",
    ),
    Change(
        "add_member",
        f"{UNIT}/members",
        body.AddMember,
        Right.CHANGE_UNITS,
        body.MemberView,
        lambda a: a.register.add_member(UnitId(a.part), a.body, a.grant, a.once),
        "Add a person to a unit",
        201,
    ),
    Change(
        "change_member",
        f"{MEMBER}/change",
        body.ChangeMember,
        Right.CHANGE_UNITS,
        body.MemberView,
        lambda a: a.register.change_member(MemberId(a.part), a.body, a.grant, a.once),
        "Change what is given of a member",
    ),
    Change(
        "revoke_device",
        f"{DEVICE}/revoke",
        body.RevokeDevice,
        Right.CHANGE_UNITS,
        body.DeviceView,
        lambda a: a.register.revoke(DeviceId(a.part), a.body, a.grant, a.once),
        "Let a phone open nothing any more",
        description="Its socket is closed by 4002.",
    ),
)


async def provide_unit_part(unit_id: FromPath[str]) -> str:
    """Return the id in the address; what cannot be one is not found."""
    return id_in(unit_id, VISIBLE, "no such unit")


async def provide_member(member_id: FromPath[str]) -> str:
    """Return the id in the address; what cannot be one is not found."""
    return id_in(member_id, VISIBLE, "no such member")


async def provide_device(device_id: FromPath[str]) -> str:
    """Return the id in the address; what cannot be one is not found."""
    return id_in(device_id, VISIBLE, "no such device")


async def provide_nothing() -> str:
    """Return nothing: there is no id yet."""
    return ""


PARTS: Final = {UNIT: provide_unit_part, MEMBER: provide_member, DEVICE: provide_device}


def route(row: Change) -> HTTPRouteHandler:
    """Return the route of a change; one that shows places takes a datum."""
    made: Any = _with_places(row) if row.view is UnitView else _plain(row)
    made.__annotations__["data"] = JSONBody[row.body]  # type: ignore[misc, name-defined]  # the struct is known when the route is made
    part = next((give for start, give in PARTS.items() if row.path.startswith(start)), None)
    decorated: HTTPRouteHandler = post(
        row.path,
        operation_id=row.name,
        summary=row.summary,
        description=row.description,
        tags=["units"],
        opt=needs(row.right),
        dto=Strict[row.body],  # type: ignore[name-defined]  # as above
        return_dto=None,
        status_code=row.status,
        responses=registering(row.view, row.status),
        dependencies={"part": Provide(part or provide_nothing)},
    )(made)
    return decorated


def _with_places(row: Change) -> Callable[..., Awaitable[Response[bytes]]]:
    async def carry_out(
        data: Body,
        register: TheRegister,
        grant: TheGrant,
        part: ThePart,
        once: TheOnce,
        in_flight: TheInFlight,
        asked: TheDatum,
    ) -> Response[bytes]:
        with in_flight.hold(once):
            outcome = await row.done(Asked(register, part, data, grant, once))
        view = msgspec.json.decode(outcome.answer.body, type=UnitView)
        response = _answered(outcome, msgspec.json.encode(_in(asked, view)))
        response.headers.update(named(asked))
        if row.status == CREATED:
            response.headers["Location"] = f"{UNITS}/{view.id}"
        return response

    return carry_out


def _in(datum: Datum, view: UnitView) -> UnitView:
    return view if datum is Datum.WGS84 else unit_in(datum, view)


def _plain(row: Change) -> Callable[..., Awaitable[Response[bytes]]]:
    async def carry_out(
        data: Body,
        register: TheRegister,
        grant: TheGrant,
        part: ThePart,
        once: TheOnce,
        in_flight: TheInFlight,
    ) -> Response[bytes]:
        with in_flight.hold(once):
            outcome = await row.done(Asked(register, part, data, grant, once))
        return _answered(outcome, bytes(outcome.answer.body))

    return carry_out


def _answered(outcome: Outcome, raw: bytes) -> Response[bytes]:
    headers = {REPLAYED: "true"} if outcome.replayed else {}
    return Response(raw, status_code=outcome.answer.status, media_type=JSON, headers=headers)


@get(
    f"{UNIT}/members",
    operation_id="list_members",
    summary="List the members of a unit",
    description="Their telephone numbers are masked.",
    tags=["units"],
    opt=needs(Right.SEE_UNITS),
    responses=reading(),
)
async def members(register: TheRegister, grant: TheGrant, unit: TheUnit) -> body.Members:
    """Return the members."""
    return await register.members(unit, grant)


@get(
    f"{UNIT}/devices",
    operation_id="list_devices",
    summary="List the phones of a unit",
    tags=["units"],
    opt=needs(Right.CHANGE_UNITS),
    responses=reading(),
)
async def devices(register: TheRegister, grant: TheGrant, unit: TheUnit) -> body.Devices:
    """Return the phones."""
    return await register.devices(unit, grant)


@post(
    f"{MEMBER}/enrol-code",
    operation_id="issue_enrol_code",
    summary="Make a code to enrol a member's phone by",
    description="It is shown this once, so no idempotency key is needed: ask again for another.",
    tags=["units"],
    opt=needs(Right.CHANGE_UNITS),
    dto=Strict[body.IssueCode],
    return_dto=None,
    status_code=200,
    responses=issuing(),
    dependencies={"part": Provide(provide_member)},
)
async def issue_code(
    data: JSONBody[body.IssueCode], register: TheRegister, grant: TheGrant, part: ThePart
) -> body.EnrolCode:
    """Make a code."""
    return await register.issue_code(MemberId(part), grant)


@post(
    "/v1/device/enrol",
    operation_id="enrol_device",
    summary="Enrol a phone by a code",
    description="The token is shown this once; the member's earlier phone is cut off. A lost"
    " answer needs a new code.",
    tags=["enrolment"],
    opt=PUBLIC,
    dto=Strict[body.EnrolDevice],
    return_dto=None,
    status_code=200,
    responses=enrolling(),
)
async def enrol(
    data: JSONBody[body.EnrolDevice],
    request: AnyRequest,
    register: TheRegister,
    attempts: TheAttempts,
) -> body.Enrolled:
    """Give a phone its token."""
    attempts.take(request.client.host if request.client else "")
    return await register.enrol(data)


ROUTES: Final = (*(route(row) for row in CHANGES), members, devices, issue_code, enrol)
