"""Who says hello is checked: whose token, whether there is room, what its phone has missed."""

from dispatch.core.errors import Temporary, Unauthenticated
from dispatch.gateway.hub import Hub
from dispatch.gateway.missed import Unlearnt, learn
from dispatch.gateway.phones import Phones
from dispatch.ports import Identity
from schemas.wire import Close, Hello


class TurnedAway(Exception):
    """A phone that is not let in; `later_s` where it shall come again."""

    def __init__(self, code: Close, later_s: float | None = None) -> None:
        super().__init__(code.name)
        self.code = code
        self.later_s = later_s


async def check(phones: Phones, hub: Hub, hello: Hello) -> Identity:
    """Return who says hello, once it is known which notices its welcome has to announce.

    Raises:
        TurnedAway: it may not be here, or not now.
    """
    if not hub.begin_check(busy=hello.busy):
        raise TurnedAway(Close.OVERLOADED, hub.later_s())
    try:
        identity = await phones.identify(hello.tok)
        _require_seat(phones, hub, identity)
        await _begin_anew(phones, hub, identity, hello)
        await learn(phones, identity.device_id, held_by(hello, phones.epoch))
    except Unauthenticated as refusal:
        raise TurnedAway(Close.AUTH_INVALID) from refusal
    except (Temporary, Unlearnt) as refusal:
        raise TurnedAway(Close.OVERLOADED, hub.later_s()) from refusal
    else:
        return identity
    finally:
        hub.end_check()


def held_by(hello: Hello, epoch: str) -> int:
    """Return how far a phone has its stream of this epoch."""
    return (hello.ack or 0) if hello.epoch == epoch else 0


def _require_seat(phones: Phones, hub: Hub, identity: Identity) -> None:
    barred = phones.barred(identity)
    if barred is None and not hub.has_room(identity):
        barred = Close.FORBIDDEN
    if barred is not None:
        raise TurnedAway(barred)


async def _begin_anew(phones: Phones, hub: Hub, identity: Identity, hello: Hello) -> None:
    """Begin a new epoch where a phone holds rows of this one that the store does not."""
    held = held_by(hello, phones.epoch)
    if held > phones.head(identity.device_id) and await phones.lost(identity, held):
        hub.stats.lost_rows += 1
