"""The REST API as one ASGI application over one desk."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from litestar import Litestar, get
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, ControllerRouterHandler, Receive, Scope, Send

from dispatch.api import asyncapi
from dispatch.api.access import PUBLIC, guard
from dispatch.api.attempts import Attempts
from dispatch.api.bodies import MAX_BODY_BYTES, admit
from dispatch.api.device_access import Twin
from dispatch.api.facade import Desk
from dispatch.api.follow import Streams
from dispatch.api.given import provided
from dispatch.api.idempotency import MOST_IN_FLIGHT, InFlight
from dispatch.api.measured import Measured
from dispatch.api.openapi import CONTROLLERS, VERSION, document, query_names
from dispatch.api.problems import HANDLERS, AnyRequest, bad_parameter
from dispatch.api.shield import add_headers
from dispatch.desk.register import Register
from dispatch.ports import Clock
from dispatch.trace import HEADER, trace_of, traced

OPENAPI_PATH: Final = "/schema/openapi.json"
OPENAPI_TYPE: Final = "application/vnd.oai.openapi+json"
TRACEPARENT: Final = HEADER.encode()
ASYNCAPI_PATH: Final = "/schema/asyncapi.json"
ASYNCAPI_TYPE: Final = "application/vnd.aai.asyncapi+json;version=3.0.0"


def build(
    desk: Desk,
    *,
    measured: Measured,
    most_in_flight: int = MOST_IN_FLIGHT,
    twin: Twin | None = None,
    register: Register | None = None,
    streams: Streams | None = None,
) -> Litestar:
    """Return the application; whatever goes wrong in it is answered as a problem.

    Without a `twin` no token of a phone opens anything; without a `register` nothing of units,
    members and phones can be changed.
    """
    described = document()
    return guarded(
        desk,
        [
            *CONTROLLERS,
            served(OPENAPI_PATH, OPENAPI_TYPE, described),
            served(ASYNCAPI_PATH, ASYNCAPI_TYPE, asyncapi.document(VERSION)),
        ],
        before_request=partial(admitted, query_names(described)),
        dependencies=provided(
            desk=desk,
            in_flight=InFlight(most_in_flight),
            measured=measured,
            twin=twin,
            register=register,
            streams=streams or Streams(),
            attempts=Attempts(desk.clock),
        ),
        twin=twin,
    )


def guarded(
    desk: Desk,
    handlers: Sequence[ControllerRouterHandler],
    *,
    twin: Twin | None = None,
    **more: Any,
) -> Litestar:
    """Return handlers as an application in which nothing is open unless it says so."""
    app = Litestar(
        handlers,
        guards=[guard(desk.keyring, twin)],
        before_send=[add_headers],
        exception_handlers={**HANDLERS},
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=None,
        logging_config=None,
        debug=False,
        **more,
    )
    app.asgi_handler = arrival(desk.clock, app.asgi_handler)
    return app


def arrival(clock: Clock, app: ASGIApp) -> ASGIApp:
    """Return the outermost layer: it notes when a request came, for the KPI clocks start there.

    Whatever is done for it, and be it a refusal, is done under one trace id: the asker's or a new
    one. A middleware would not see what no route is there for.
    """

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["received_at"] = clock.now()
        with traced(given_trace(scope) or clock.new_trace()):
            await app(scope, receive, send)

    return note


def given_trace(scope: Scope) -> str | None:
    """Return the trace id that a request bears; None where it bears none, or several."""
    given = [value for name, value in scope["headers"] if name == TRACEPARENT]
    return trace_of(given[0].decode("latin-1")) if len(given) == 1 else None


async def admitted(known: Mapping[str, frozenset[str]], request: AnyRequest) -> None:
    """Refuse what need not reach a handler: parameters nobody reads, bodies nobody can."""
    names = known.get(str(request.route_handler.operation_id), frozenset())
    for name in request.query_params:
        if name not in names:
            raise bad_parameter(name, "there is no such parameter here")
    await admit(request)


def served(path: str, media_type: str, described: Mapping[str, Any]) -> HTTPRouteHandler:
    """Return the route of a description that is made once."""
    body = msgspec.json.encode(described)

    @get(path, media_type=media_type, opt=PUBLIC, operation_id=f"get {path}")
    async def document() -> bytes:
        return body

    return document
