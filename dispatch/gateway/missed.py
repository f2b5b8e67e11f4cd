"""Notices that a phone has missed: learnt before its welcome, told after it."""

from typing import Final, Protocol

import structlog

from dispatch.core.errors import Temporary
from dispatch.gateway.frames import kept, template, turned
from dispatch.gateway.hub import Hub, Seat
from dispatch.gateway.limits import SWEEP_ROWS
from dispatch.gateway.phones import Phones
from dispatch.ports import Outbox, StoreAway
from schemas.base import DeviceId
from schemas.wire import Close

log = structlog.get_logger()
LOOKS_MOST: Final = 8
"""How often a stream may grow while its notices are looked up."""


class Unlearnt(Exception):
    """Which notices wait cannot be known now."""


class Listener(Seat, Protocol):
    """A seat that is told what it has missed."""

    @property
    def listens(self) -> bool:
        """Whether what is handed over may still be written."""
        ...

    async def until_written(self) -> None:
        """Wait until nothing is being written."""
        ...


async def learn(phones: Phones, device_id: DeviceId, held: int) -> None:
    """Learn which notices the welcome has to announce to a phone that has its stream to `held`.

    A seq between that and the head may be a notice nobody here has heard of: its phone would
    acknowledge it with the rest. Asked again while the stream grows meanwhile.

    Raises:
        Unlearnt: the store does not answer, or the stream does not rest.
    """
    for _ in range(LOOKS_MOST):
        head = phones.head(device_id)
        if head <= held:
            return
        try:
            await phones.learn_notices(device_id, held)
        except (StoreAway, Temporary) as away:
            raise Unlearnt from away
        if phones.head(device_id) == head:
            return
    raise Unlearnt


async def replay(phones: Phones, hub: Hub, seat: Listener, after: int) -> None:
    """Hand over the notices that wait; what was committed since the welcome follows."""
    try:
        while rows := await _waiting(phones, seat, after):
            for row in rows:
                form = template(turned(kept(row.frame), seat.datum), row.at)
                seat.deliver(form, row.seq)
            after = rows[-1].seq
            await seat.until_written()
    except (StoreAway, Temporary):
        seat.close(Close.OVERLOADED, hub.later_s())
    except Exception:
        log.exception("replay_failed", device=seat.identity.device_id)
        seat.close(Close.INTERNAL)
    seat.lags = False
    hub.caught_up()


async def _waiting(phones: Phones, seat: Listener, after: int) -> list[Outbox]:
    """Return some more notices of the time before the welcome; none where nobody listens."""
    if not seat.listens or after >= seat.told:
        return []
    rows = await phones.notices(seat.identity.device_id, after, SWEEP_ROWS)
    return [row for row in rows if row.seq <= seat.told]
