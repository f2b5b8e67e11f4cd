"""The one table from errors to HTTP: every refusal as an RFC 9457 problem."""

import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec

from dispatch.api.pointer import pointer_of_path
from dispatch.api.timeline import event_view
from dispatch.core.errors import Refusal, Temporary
from dispatch.desk.outdated import Outdated
from dispatch.trace import present
from schemas.rest import EventView, Fault, Problem
from schemas.wire import ErrorCode

MEDIA_TYPE: Final = "application/problem+json"
AnyRequest = Request[Any, Any, Any]
Log = structlog.stdlib.BoundLogger


class Code(StrEnum):
    """What only HTTP can be refused for; all other codes are `schemas.wire.ErrorCode`."""

    BAD_REQUEST = "bad_request"
    BAD_BODY = "bad_body"
    BAD_PARAMETER = "bad_parameter"
    KEY_REQUIRED = "idempotency_key_required"
    IN_FLIGHT = "in_flight"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    PRECONDITION_FAILED = "precondition_failed"
    PLACE_GONE = "place_gone"


class Kind(NamedTuple):
    """A kind of problem: its status, and its title, which never changes."""

    status: int
    title: str


KINDS: Final[Mapping[str, Kind]] = {
    Code.BAD_REQUEST: Kind(400, "The request cannot be understood"),
    Code.BAD_BODY: Kind(400, "The body is no JSON that can be read"),
    Code.BAD_PARAMETER: Kind(400, "A parameter makes no sense"),
    Code.KEY_REQUIRED: Kind(400, "A change needs an idempotency key"),
    Code.IN_FLIGHT: Kind(409, "The same change is being carried out now"),
    Code.METHOD_NOT_ALLOWED: Kind(405, "This address does not do that"),
    Code.UNSUPPORTED_MEDIA_TYPE: Kind(415, "Bodies are JSON"),
    Code.PRECONDITION_FAILED: Kind(412, "Somebody else changed it first"),
    Code.PLACE_GONE: Kind(410, "The log is another one since"),
    ErrorCode.BAD_FRAME: Kind(400, "The message cannot be read"),
    ErrorCode.UNKNOWN_TYPE: Kind(400, "There is no such message"),
    ErrorCode.INVALID: Kind(422, "A value makes no sense"),
    ErrorCode.TOO_LARGE: Kind(413, "The body is too large"),
    ErrorCode.UNAUTHENTICATED: Kind(401, "Who asks is not known"),
    ErrorCode.FORBIDDEN: Kind(403, "The key does not hold this right"),
    ErrorCode.NOT_FOUND: Kind(404, "There is no such thing in your jurisdiction"),
    ErrorCode.CONSENT_REQUIRED: Kind(403, "The member has not consented"),
    ErrorCode.CONFLICT: Kind(409, "The present state does not allow this"),
    ErrorCode.TAKEN: Kind(409, "Others arrive sooner"),
    ErrorCode.EXPIRED: Kind(409, "The offer has expired"),
    ErrorCode.WITHDRAWN: Kind(409, "The offer was called back"),
    ErrorCode.CANCELLED: Kind(409, "The incident was called off"),
    ErrorCode.STALE: Kind(409, "The answer is too old to be meant still"),
    ErrorCode.NOT_ON_DUTY: Kind(409, "The member is not on duty"),
    ErrorCode.ID_REUSE: Kind(422, "The idempotency key came with another request"),
    ErrorCode.NOT_READY: Kind(503, "The service is not ready yet"),
    ErrorCode.RATE_LIMITED: Kind(429, "Too many requests"),
    ErrorCode.OVERLOADED: Kind(503, "The service cannot do this now"),
    ErrorCode.INTERNAL: Kind(500, "Something went wrong here"),
}
"""Code → status and title. A code without a row is a bug, and a test says so."""

OF_STATUS: Final[Mapping[int, tuple[str, str]]] = {
    404: (ErrorCode.NOT_FOUND, "there is nothing at this address"),
    405: (Code.METHOD_NOT_ALLOWED, "see the Allow header"),
    413: (ErrorCode.TOO_LARGE, "a body may have 256 KiB"),
}
"""Litestar's own refusals by status: code and detail."""


class Refused(Exception):
    """A request that the API refuses itself, before or without the desk."""

    def __init__(
        self,
        code: Code | ErrorCode,
        detail: str,
        *faults: Fault,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.faults = faults
        self.headers = dict(headers or {})


def bad_parameter(name: str, detail: str) -> Refused:
    """Return the refusal of one query parameter or header."""
    fault = Fault(parameter=name, detail=detail)
    return Refused(Code.BAD_PARAMETER, f"{name}: {detail}", fault)


def told(*codes: Code | ErrorCode) -> dict[int, ResponseSpec]:
    """Return what the OpenAPI document says of these codes: one response a status."""
    found: dict[int, list[str]] = {}
    for code in codes:
        found.setdefault(KINDS[code].status, []).append(f"`{code}`: {KINDS[code].title}.")
    return {
        status: ResponseSpec(
            Problem, generate_examples=False, description=" ".join(lines), media_type=MEDIA_TYPE
        )
        for status, lines in found.items()
    }


def problem(
    code: str,
    detail: str,
    *,
    faults: tuple[Fault, ...] = (),
    state: str | None = None,
    version: int | None = None,
    changes: Sequence[EventView] = (),
    headers: Mapping[str, str] | None = None,
) -> Response[bytes]:
    """Return the answer that tells a client what was refused, and why."""
    kind = KINDS[code]
    told = Problem(
        type=f"/problems/{code}",
        title=kind.title,
        status=kind.status,
        code=code,
        detail=detail,
        errors=list(faults) or None,
        state=state,
        version=version,
        changes=list(changes) or None,
        trace=present() or None,
    )
    body = msgspec.json.encode(told)
    return Response(body, status_code=kind.status, media_type=MEDIA_TYPE, headers=headers)


def _of_refusal(_: AnyRequest, error: Refusal) -> Response[bytes]:
    faults: tuple[Fault, ...] = ()
    if error.path:
        faults = (Fault(pointer=pointer_of_path(error.path), detail=error.detail),)
    return problem(
        error.code, error.detail, faults=faults, state=error.state, headers=_headers(error)
    )


def _headers(error: Refusal) -> dict[str, str]:
    if isinstance(error, Temporary):
        return {"Retry-After": str(max(1, math.ceil(error.retry_ms / 1000)))}
    if error.code is ErrorCode.UNAUTHENTICATED:
        return {"WWW-Authenticate": 'Bearer realm="kapok"'}
    return {}


def _of_refused(_: AnyRequest, error: Refused) -> Response[bytes]:
    return problem(error.code, error.detail, faults=error.faults, headers=error.headers)


def _of_outdated(_: AnyRequest, error: Outdated) -> Response[bytes]:
    """Tell which version there is, what changed since the one that was named, and by whom."""
    return problem(
        Code.PRECONDITION_FAILED,
        f"the incident has version {error.version} now",
        version=error.version,
        changes=[event_view(entry) for entry in error.entries],
        headers={"ETag": f'"{error.version}"'},
    )


def _of_litestar(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _of_bug(request, error)
    headers = error.headers or {}
    if error.status_code in OF_STATUS:
        code, detail = OF_STATUS[error.status_code]
        return problem(code, detail, headers=headers)
    faults = tuple(_parameter_faults(request, error.extra))
    code = Code.BAD_PARAMETER if faults else Code.BAD_REQUEST
    detail = "; ".join(f"{f.parameter}: {f.detail}" for f in faults) or error.detail
    return problem(code, detail, faults=faults, headers=headers)


def _parameter_faults(request: AnyRequest, extra: object) -> list[Fault]:
    """Return the parameters Litestar complains of; it keeps them in a list of dicts."""
    rows = extra if isinstance(extra, list) else []
    return [
        Fault(parameter=_sent_name(request, row["key"]), detail=row["message"])
        for row in rows
        if "key" in row
    ]


def _sent_name(request: AnyRequest, key: str) -> str:
    """Return a parameter's name as it was sent: Litestar tells that of the argument."""
    name = key.split(".", maxsplit=1)[0]
    header = name.replace("_", "-").title()
    return header if name not in request.query_params and header in request.headers else name


def _of_bug(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Log the error with its trace; the client learns only that it was not his."""
    log: Log = structlog.get_logger(__name__)
    path = request.scope.get("path_template")
    log.error("request_failed", method=request.method, path=path, exc_info=error)
    return problem(ErrorCode.INTERNAL, "the error was logged; the same request may be sent again")


HANDLERS: Final[Mapping[int | type[Exception], Callable[[AnyRequest, Any], Response[Any]]]] = {
    Refusal: _of_refusal,
    Refused: _of_refused,
    Outdated: _of_outdated,
    HTTPException: _of_litestar,
    Exception: _of_bug,
}
"""What `Litestar(exception_handlers=...)` takes: nothing leaves the service but problems."""
