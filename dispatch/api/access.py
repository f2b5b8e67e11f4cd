"""Who may call what: a route is shut unless it names a right, or says that it is open to all."""

from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from dispatch.api.device_access import Twin, phone_of
from dispatch.auth import KEY_PREFIX, Grant, Keyring, Right
from dispatch.core.errors import Forbidden, Unauthenticated

PUBLIC: Final = {"public": True}
MAX_TOKEN_CHARS: Final = 128

Connection = ASGIConnection[Any, Any, Any, Any]


def needs(right: Right, *also: Right) -> dict[str, Any]:
    """Return the `opt` of a route that is open to holders of a right, or of several at once."""
    return {"right": right, "also": also}


def guard(keyring: Keyring, twin: Twin | None = None) -> Guard:
    """Return the guard of the whole application.

    It leaves the grant in `request.auth`, the identity for the routes of phones.
    """

    async def authorise(connection: Connection, handler: BaseRouteHandler) -> None:
        if handler.opt.get("public") is True:
            return
        if handler.opt.get("phones") is True:
            connection.scope["auth"] = await phone_of(connection, twin)
            return
        grant = keyring.authenticate(bearer_of(connection))
        right = handler.opt.get("right")
        if not isinstance(right, Right):
            raise Forbidden("nobody may do this")
        for each in (right, *handler.opt.get("also", ())):
            grant.require(each)
        connection.scope["auth"] = grant

    return authorise


def bearer_of(connection: Connection) -> str:
    """Return the API key of a request (RFC 6750, 2.1)."""
    given = connection.headers.getall("authorization", [])
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if scheme.lower() != "bearer":
        raise Unauthenticated("send Authorization: Bearer with an API key")
    token = token.strip()
    if not token.startswith(f"{KEY_PREFIX}_") or len(token) > MAX_TOKEN_CHARS:
        raise Unauthenticated("this is no API key")
    return token


def provide_grant(request: Connection) -> Grant:
    """Return what the caller may do, as the guard found it."""
    grant: Grant = request.auth
    return grant
