"""What a kind of route may answer: its success and every problem, for the OpenAPI document."""

from typing import Final

from litestar.openapi.datastructures import ResponseSpec

from dispatch.api.problems import Code, told
from schemas.rest import IncidentView
from schemas.wire import ErrorCode

SAYS: Final = {200: "The incident as it is now.", 201: "The incident; Location is its address."}

_ANY: Final = (ErrorCode.UNAUTHENTICATED, ErrorCode.FORBIDDEN, ErrorCode.INTERNAL)
_AWAY: Final = (ErrorCode.OVERLOADED, ErrorCode.NOT_READY)
_BODY: Final = (
    Code.BAD_BODY,
    Code.BAD_PARAMETER,
    Code.UNSUPPORTED_MEDIA_TYPE,
    ErrorCode.TOO_LARGE,
    ErrorCode.INVALID,
)
_CHANGE: Final = (
    Code.KEY_REQUIRED,
    Code.IN_FLIGHT,
    ErrorCode.ID_REUSE,
    ErrorCode.CONFLICT,
    ErrorCode.NOT_FOUND,
)


def change(status: int) -> dict[int, ResponseSpec]:
    """Return what a change may answer."""
    done = ResponseSpec(IncidentView, generate_examples=False, description=SAYS[status])
    return {status: done, **told(*_CHANGE, *_BODY, *_ANY, *_AWAY)}


def listing() -> dict[int, ResponseSpec]:
    """Return the problems of a list."""
    return told(Code.BAD_PARAMETER, *_ANY, *_AWAY)


def reading() -> dict[int, ResponseSpec]:
    """Return the problems of reading one thing."""
    return told(Code.BAD_PARAMETER, ErrorCode.NOT_FOUND, *_ANY, *_AWAY)


def preview() -> dict[int, ResponseSpec]:
    """Return the problems of a question that comes with a body."""
    return told(*_BODY, *_ANY, *_AWAY)


def open_to_all() -> dict[int, ResponseSpec]:
    """Return the problems of a route that needs no key."""
    return told(Code.BAD_PARAMETER, ErrorCode.INTERNAL)
