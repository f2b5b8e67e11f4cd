"""What the gateway asks of the desk about phones."""

from collections.abc import Sequence
from typing import Protocol

from dispatch.ports import Clock, Identity, Outbox
from schemas import wire
from schemas.base import DeviceId


class Phones(Protocol):
    """The desk, as one phone sees it.

    `head`, `state` and the push of a frame move together: between them nothing is awaited, so what
    a welcome does not tell is pushed after it.
    """

    @property
    def clock(self) -> Clock:
        """The time that is written into frames."""
        ...

    @property
    def epoch(self) -> str:
        """Which life of the store the streams belong to."""
        ...

    async def identify(self, token: str) -> Identity:
        """Raise `Unauthenticated` when the look-up said no, `Unavailable` when there was none."""
        ...

    async def command(self, identity: Identity, frame: wire.UnitCommand) -> wire.Ok | wire.Err:
        """Carry out a command once for its (device, id); never raises."""
        ...

    def state(self, identity: Identity) -> wire.PhoneState:
        """Return the whole truth for one phone, in WGS-84."""
        ...

    def head(self, device_id: DeviceId) -> int:
        """Return the last seq of the device's stream."""
        ...

    def fixes(self, identity: Identity, frame: wire.Loc) -> list[tuple[int, str]]:
        """Take fixes; return the bad rows by index and reason. Raise `Refusal`: none is kept."""
        ...

    def acknowledge(self, device_id: DeviceId, seq: int) -> bool:
        """Take an acknowledgement; False above the head, where it is ignored."""
        ...

    def barred(self, identity: Identity) -> wire.Close | None:
        """Return the close of a phone that may not be here whatever its token."""
        ...

    async def lost(self, identity: Identity, seq: int) -> bool:
        """Look whether a row of this epoch that the phone holds was never given; say so."""
        ...

    def push_address(self, identity: Identity, push: wire.PushAddress) -> None:
        """Take where the phone is woken when its app sleeps."""
        ...

    def mode(self, identity: Identity, mode: wire.Mode) -> None:
        """Note what the phone's app can do now."""
        ...

    def quiet(self, identity: Identity, *, quiet: bool) -> None:
        """Note that the phone was not heard in time, or is heard again."""
        ...

    def connected(self, identity: Identity, inst: str) -> None:
        """Note that the phone has a socket, in this life of its app."""
        ...

    def disconnected(self, identity: Identity) -> None:
        """Note that the phone has no socket; comes once after each `connected`."""
        ...

    def online(self) -> int:
        """Return how many phones are connected."""
        ...

    async def learn_notices(self, device_id: DeviceId, after: int) -> None:
        """Learn which notices wait above `after`. Raise `StoreAway`."""
        ...

    def notices_till(self, device_id: DeviceId) -> int:
        """Return the seq of the last notice that waits for the device; 0 where none does."""
        ...

    async def notices(self, device_id: DeviceId, after: int, limit: int) -> Sequence[Outbox]:
        """Return the notices that wait above `after`. Raise `StoreAway` or `Temporary`."""
        ...

    async def mail(self, device_id: DeviceId, after: int, limit: int) -> Sequence[Outbox]:
        """Return the outbox rows above `after` in order. Raise `StoreAway` or `Temporary`."""
        ...
