"""Routes out of the table of actions: each carried out once, on the version the asker saw."""

from typing import Final

from litestar import Response, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, SkipValidation

from dispatch.api.access import needs
from dispatch.api.actions import ACTIONS, Action, Asked
from dispatch.api.answers import answered, created
from dispatch.api.bodies import Strict
from dispatch.api.given import (
    UUID,
    TheDatum,
    TheDesk,
    TheGrant,
    TheIncident,
    TheInFlight,
    TheInstant,
    TheOnce,
    id_in,
)
from dispatch.api.if_match import TheVersion, provide_version
from dispatch.api.promises import action
from dispatch.auth import Right
from schemas.actions import SplitIncident
from schemas.rest import Body

BASE: Final = "/v1/incidents/{incident_id:str}"
API: Final = "api"
ThePart = NamedDependency[SkipValidation[str]]


async def provide_offer(offer_id: FromPath[str]) -> str:
    """Return the id of an offer in the address; what cannot be one is not found."""
    return id_in(offer_id, UUID, "no such offer")


async def provide_assignment(assignment_id: FromPath[str]) -> str:
    """Return the id of an assignment in the address; what cannot be one is not found."""
    return id_in(assignment_id, UUID, "no such assignment")


async def provide_nothing() -> str:
    """Return nothing: the action is about the incident itself."""
    return ""


PARTS: Final = {"offers/{": provide_offer, "assignments/{": provide_assignment}


def route(row: Action) -> HTTPRouteHandler:
    """Return the route of an action."""

    async def carry_out(
        data: Body,
        desk: TheDesk,
        grant: TheGrant,
        incident: TheIncident,
        part: ThePart,
        once: TheOnce,
        in_flight: TheInFlight,
        asked: TheDatum,
        expect: TheVersion,
    ) -> Response[bytes]:
        command = row.command(Asked(data, part, desk, grant))
        via = str(getattr(data, "via", API))
        with in_flight.hold(once):
            done = await desk.act(incident, command, grant, row.right, once, via=via, expect=expect)
        return answered(done, asked)

    carry_out.__annotations__["data"] = JSONBody[row.body]  # type: ignore[misc, name-defined]  # the struct is known when the route is made
    part = next((give for start, give in PARTS.items() if row.path.startswith(start)), None)
    return post(
        f"{BASE}/{row.path}",
        operation_id=row.name,
        summary=row.summary,
        description=row.description,
        tags=["incidents"],
        opt=needs(row.right),
        dto=Strict[row.body],  # type: ignore[name-defined]  # as above
        return_dto=None,
        status_code=200,
        responses=action(200),
        dependencies={"part": Provide(part or provide_nothing), "expect": Provide(provide_version)},
    )(carry_out)


@post(
    f"{BASE}/split",
    operation_id="split_incident",
    summary="Open a part of an incident as one of its own",
    description="The answer is the new incident; the first one's timeline names it.",
    tags=["incidents"],
    opt=needs(Right.CHANGE_INCIDENTS),
    dto=Strict[SplitIncident],
    return_dto=None,
    status_code=201,
    responses=action(201),
    dependencies={"expect": Provide(provide_version)},
)
async def split(
    data: JSONBody[SplitIncident],
    desk: TheDesk,
    grant: TheGrant,
    incident: TheIncident,
    once: TheOnce,
    in_flight: TheInFlight,
    asked: TheDatum,
    expect: TheVersion,
    received_at: TheInstant,
) -> Response[bytes]:
    """Split, once."""
    with in_flight.hold(once):
        done = await desk.split(incident, data, grant, once, received_at, expect=expect)
    return created(done, asked)


ROUTES: Final = (*(route(row) for row in ACTIONS), split)
