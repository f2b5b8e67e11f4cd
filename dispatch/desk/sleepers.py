"""Phones whose app sleeps: where each of them is woken, and who is told when one falls asleep."""

from collections.abc import Callable

import structlog

from dispatch.desk.desk import Desk
from dispatch.desk.presence import Presence
from dispatch.ports import Identity, PushAddress, StoreAway
from schemas import wire
from schemas.base import DeviceId

log = structlog.get_logger()


class Sleepers:
    """The phones that do not hear, as far as this process knows."""

    def __init__(self, desk: Desk, presence: Presence) -> None:
        self._desk = desk
        self._presence = presence
        self._known: dict[DeviceId, PushAddress | None] = {}
        self._changed: dict[DeviceId, PushAddress | None] = {}
        self._hurry: Callable[[DeviceId], None] | None = None

    def wake_through(self, hurry: Callable[[DeviceId], None]) -> None:
        """Name phones that fell asleep to this from now on; it never waits."""
        self._hurry = hurry

    def asleep(self, device_id: DeviceId) -> bool:
        """Say whether a phone has no socket, or an app in the background."""
        return self._presence.activity(device_id) is not wire.Activity.FOREGROUND

    def look(self, device_id: DeviceId) -> None:
        """Look after a phone that may have fallen asleep with mail not heard."""
        if self._hurry is not None and self.asleep(device_id):
            self._hurry(device_id)

    # Where they are woken. -------------------------------------------------------------------

    def address(self, identity: Identity, push: wire.PushAddress) -> None:
        """Note where a phone is woken; written down together with others within a second."""
        given = address_of(push)
        if given != identity.push or given != self._known.get(identity.device_id, given):
            self._known[identity.device_id] = self._changed[identity.device_id] = given

    def waiting(self) -> int:
        """Return how many addresses are still to be written down."""
        return len(self._changed)

    async def flush(self) -> None:
        """Write down the addresses that changed; what fails is tried again."""
        changed, self._changed = self._changed, {}
        if not changed:
            return
        try:
            units = await self._desk.store.put_push_addresses(changed)
        except StoreAway:
            self._changed = {**changed, **self._changed}
            raise
        self._desk.reread.update(units)
        self._desk.tell_changed(units)


def address_of(push: wire.PushAddress) -> PushAddress | None:
    """Return the address a phone gives; `None` takes an earlier one back.

    One with a NUL is none: no store could keep it, and those written with it would be lost too.
    """
    if push.k is wire.PushKind.NONE or not push.a or "\0" in push.a:
        return None
    return PushAddress(kind=push.k.value, a=push.a)
