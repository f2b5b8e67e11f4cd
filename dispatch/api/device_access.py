"""The door for phones: what the twin of the socket offers, and whose token opens it."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from litestar.connection import ASGIConnection
from msgspec import Raw

from dispatch.auth import DEVICE_PREFIX
from dispatch.core.errors import Unauthenticated
from dispatch.ports import Identity
from geo.datum import Datum
from schemas.device import DeviceInbox, DeviceLocation, DeviceReplies, DeviceStored
from schemas.wire import App, Welcome

PHONES: Final = {"phones": True}
"""The `opt` of a route that is open to phones, and to nobody else."""
APP_HEADER: Final = "Kapok-App"
MAX_APP_CHARS: Final = 160


class Twin(Protocol):
    """The unit socket without a socket; all raise `Refusal`."""

    async def identify(self, token: str, app: App | None) -> Identity:
        """Return whose token this is."""

    async def messages(
        self, identity: Identity, said: Sequence[Raw], datum: Datum, epoch: str | None
    ) -> DeviceReplies:
        """Answer each frame, in order."""

    def state(self, identity: Identity, datum: Datum, epoch: str | None) -> Welcome:
        """Return what a welcome would say."""

    async def inbox(
        self, identity: Identity, after: int, datum: Datum, epoch: str | None
    ) -> DeviceInbox:
        """Return what is not acknowledged yet."""

    def location(self, identity: Identity, body: DeviceLocation) -> DeviceStored:
        """Take positions."""


async def phone_of(connection: ASGIConnection[Any, Any, Any, Any], twin: Twin | None) -> Identity:
    """Return whose phone asks; API keys are no tokens of phones."""
    given = connection.headers.getall("authorization", [])
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    token = token.strip()
    if twin is None or scheme.lower() != "bearer" or not token.startswith(f"{DEVICE_PREFIX}_"):
        raise Unauthenticated("send Authorization: Bearer with the token of a phone")
    return await twin.identify(token, app_of(connection.headers.get(APP_HEADER, "")))


def app_of(text: str) -> App | None:
    """Return the app of `name/version`; what follows a blank is skipped."""
    name, _, version = text[:MAX_APP_CHARS].partition(" ")[0].partition("/")
    return App(n=name, v=version) if name else None
