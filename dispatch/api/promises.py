"""What a kind of route may answer: its success and every problem, for the OpenAPI document."""

from typing import Final

from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct

from dispatch.api.problems import Code, told
from schemas.rest import IncidentView
from schemas.wire import ErrorCode

EVENT_STREAM: Final = "text/event-stream"
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


def action(status: int) -> dict[int, ResponseSpec]:
    """Return what a change of an incident that names a version may answer."""
    return {**change(status), **told(Code.PRECONDITION_FAILED)}


def registering(view: type[Struct], status: int) -> dict[int, ResponseSpec]:
    """Return what a change of what is registered may answer."""
    done = ResponseSpec(view, generate_examples=False, description="As it is now.")
    return {**change(status), status: done}


def issuing() -> dict[int, ResponseSpec]:
    """Return the problems of a secret that is shown once: nothing of it is kept for a retry."""
    return told(*_BODY, ErrorCode.NOT_FOUND, *_ANY, *_AWAY)


def enrolling() -> dict[int, ResponseSpec]:
    """Return the problems of a phone that comes with a code."""
    return told(*_BODY, ErrorCode.NOT_FOUND, ErrorCode.RATE_LIMITED, ErrorCode.INTERNAL, *_AWAY)


def following() -> dict[int, ResponseSpec]:
    """Return what following the log may answer."""
    lines = ResponseSpec(
        str, generate_examples=False, description="Lines as they come.", media_type=EVENT_STREAM
    )
    return {200: lines, **told(ErrorCode.RATE_LIMITED), **resuming()}


def resuming() -> dict[int, ResponseSpec]:
    """Return the problems of going on from a place in the log."""
    return {**listing(), **told(Code.PLACE_GONE)}


def listing() -> dict[int, ResponseSpec]:
    """Return the problems of a list."""
    return told(Code.BAD_PARAMETER, *_ANY, *_AWAY)


def reading() -> dict[int, ResponseSpec]:
    """Return the problems of reading one thing."""
    return told(Code.BAD_PARAMETER, ErrorCode.NOT_FOUND, *_ANY, *_AWAY)


def phone_asks() -> dict[int, ResponseSpec]:
    """Return the problems of a phone that reads."""
    return told(Code.BAD_PARAMETER, *_ANY, *_AWAY)


def phone_says() -> dict[int, ResponseSpec]:
    """Return the problems of a phone that says something."""
    return told(*_BODY, ErrorCode.RATE_LIMITED, *_ANY, *_AWAY)


def preview() -> dict[int, ResponseSpec]:
    """Return the problems of a question that comes with a body."""
    return told(*_BODY, *_ANY, *_AWAY)


def open_to_all() -> dict[int, ResponseSpec]:
    """Return the problems of a route that needs no key."""
    return told(Code.BAD_PARAMETER, ErrorCode.INTERNAL)
