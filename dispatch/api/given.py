"""What handlers are given: the desk, who asks, once, the datum; and ids out of addresses."""

import re
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, cast

from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, SkipValidation

from dispatch.api.access import provide_grant
from dispatch.api.facade import Desk
from dispatch.api.idempotency import InFlight, KeyHeader, provide_once
from dispatch.api.measured import Measured
from dispatch.api.places import DatumHeader, DatumQuery, provide_asked
from dispatch.api.problems import AnyRequest
from dispatch.auth import Grant
from dispatch.core.errors import NotFound
from dispatch.ports import Once
from geo.datum import Datum
from schemas.base import IncidentId, Instant, UnitId

UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
VISIBLE: Final = re.compile(r"[\x21-\x7e]{1,64}")

TheDesk = NamedDependency[SkipValidation[Desk]]
TheGrant = NamedDependency[SkipValidation[Grant]]
TheOnce = NamedDependency[SkipValidation[Once]]
TheInFlight = NamedDependency[SkipValidation[InFlight]]
TheDatum = NamedDependency[SkipValidation[Datum]]
TheInstant = NamedDependency[SkipValidation[Instant]]
TheIncident = NamedDependency[SkipValidation[IncidentId]]
TheMeasured = NamedDependency[SkipValidation[Measured]]
TheUnit = NamedDependency[SkipValidation[UnitId]]


def id_in(address: str, shape: re.Pattern[str], refusal: str) -> str:
    """Return the id that an address names; what cannot be one is not found."""
    if not shape.fullmatch(address):
        raise NotFound(refusal)
    return address


async def provide_incident(incident_id: FromPath[str]) -> IncidentId:
    """Return the id in the address; what cannot be an id is not found."""
    return IncidentId(id_in(incident_id, UUID, "no such incident"))


async def provide_unit(unit_id: FromPath[str]) -> UnitId:
    """Return the id in the address; what cannot be an id is not found."""
    return UnitId(id_in(unit_id, VISIBLE, "no such unit"))


class Call(NamedTuple):
    """All that the opening of an incident is given beside its body.

    Litestar finds what a handler is given in tasks of their own, one each: two turns of the loop
    more before anything is done. The one request that must not wait is given it in one.
    """

    desk: Desk
    in_flight: InFlight
    grant: Grant
    once: Once
    asked: Datum
    received_at: Instant


TheCall = NamedDependency[SkipValidation[Call]]


def _call_of(desk: object, in_flight: object) -> Callable[..., Awaitable[Call]]:
    async def provide_call(
        request: AnyRequest,
        idempotency_key: KeyHeader = None,
        datum: DatumQuery = None,
        kapok_datum: DatumHeader = None,
    ) -> Call:
        return Call(
            desk=cast("Desk", desk),
            in_flight=cast("InFlight", in_flight),
            grant=provide_grant(request),
            once=await provide_once(request, idempotency_key),
            asked=await provide_asked(datum, kapok_datum),
            received_at=await provide_arrival(request),
        )

    return provide_call


async def provide_arrival(request: AnyRequest) -> Instant:
    """Return when the request came in, before anything was done for it."""
    at: Instant = request.scope["state"]["received_at"]
    return at


def provided(**own: object) -> dict[str, Provide]:
    """Return the providers of all handlers; `own` are the things this service has one of."""
    return {
        "grant": Provide(provide_grant, sync_to_thread=False),
        "once": Provide(provide_once),
        "asked": Provide(provide_asked),
        "incident": Provide(provide_incident),
        "unit": Provide(provide_unit),
        "received_at": Provide(provide_arrival),
        "call": Provide(_call_of(own["desk"], own["in_flight"])),
        **{name: Provide(_giver(thing), sync_to_thread=False) for name, thing in own.items()},
    }


def _giver(thing: object) -> Callable[[], object]:
    def give() -> object:
        return thing

    return give
