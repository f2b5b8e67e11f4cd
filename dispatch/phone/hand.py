"""What a phone has in hand: offers, tasks and notices, and the memory of those that are over.

Everything that makes one news of many frames lives here: a doubled, late or repeated frame changes
nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from dispatch.phone import heard
from dispatch.phone.news import (
    UNKNOWN,
    Assigned,
    News,
    Noticed,
    NoticeEnded,
    OfferChanged,
    Offered,
    OfferEnded,
    TaskChanged,
    TaskEnded,
)

ENDED_MAX: Final = 128
NOTICES_MAX: Final = 256
ON_SCENE: Final = frozenset({"arrived", "controlled", "resolved"})
_UPDATED: Final = ("rev", "seq", "d", "inc", "eta_s", "role", "s", "confirm")


class Hand:
    """Offers and tasks by their ids; every method returns what is new, in order."""

    __slots__ = ("_covered", "_ended", "notices", "offers", "tasks")

    def __init__(self) -> None:
        self.offers: dict[str, heard.Offer] = {}
        self.tasks: dict[str, heard.Task] = {}
        self.notices: dict[str, heard.Notice] = {}
        self._ended: dict[str, None] = {}
        self._covered = 0

    @property
    def on_scene(self) -> bool:
        """Tell whether a task of this unit has reached its scene."""
        return any(task.s in ON_SCENE for task in self.tasks.values())

    def welcome(self, welcome: heard.Welcome, *, anew: bool) -> Iterator[News]:
        """Take the state, which is the truth up to `head`; `anew`: the stream before is void."""
        self._covered = welcome.head
        if anew:
            self._ended.clear()
        yield from self._state_offers(welcome.state.offers)
        yield from self._state_tasks(welcome.state.assigns)

    def _state_offers(self, state: list[heard.Offer]) -> Iterator[News]:
        before, self.offers = self.offers, {offer.oid: offer for offer in state}
        for oid in before.keys() - self.offers.keys():
            self._end(oid)
            yield OfferEnded(oid, UNKNOWN)
        for oid, offer in self.offers.items():
            self._ended.pop(oid, None)
            if oid not in before:
                yield Offered(offer)
            elif offer.rev != before[oid].rev:
                yield OfferChanged(offer, alert=False)

    def _state_tasks(self, state: list[heard.Task]) -> Iterator[News]:
        before, self.tasks = self.tasks, {task.aid: task for task in state}
        for aid in before.keys() - self.tasks.keys():
            self._end(aid)
            yield TaskEnded(aid, UNKNOWN)
        for aid, task in self.tasks.items():
            self._ended.pop(aid, None)
            if aid not in before:
                yield Assigned(task)
            elif task.rev != before[aid].rev:
                yield TaskChanged(task, alert=False)

    def take(self, message: heard.HeardReliable) -> Iterator[News]:
        """Take a frame of the stream; no news when its rev, an end or a welcome overtook it.

        A welcome tells of no notices, so it overtakes none.
        """
        if isinstance(message, heard.Notice):
            return self.notice(message)
        if message.seq is not None and message.seq <= self._covered:
            return iter(())
        return _RULES[type(message)](self, message)

    def offer(self, message: heard.Offer) -> Iterator[News]:
        """Hold an offer that is new, or newer."""
        held = self.offers.get(message.oid)
        if message.oid in self._ended or (held and held.rev >= message.rev):
            return
        self.offers[message.oid] = message
        yield OfferChanged(message, alert=False) if held else Offered(message)

    def offer_update(self, message: heard.OfferUpdate) -> Iterator[News]:
        """Change an offer that is held."""
        held = self.offers.get(message.oid)
        if held is None or held.rev >= message.rev:
            return
        offer = self.offers[message.oid] = msgspec.structs.replace(held, **_changes(message))
        yield OfferChanged(offer, alert=bool(message.alert))

    def offer_end(self, message: heard.OfferEnd) -> Iterator[News]:
        """Put an offer away; one that comes after its end never rings."""
        return self.drop_offer(message.oid, message.why or "")

    def drop_offer(self, oid: str, why: str) -> Iterator[News]:
        """Put an offer away, whoever says so."""
        self._end(oid)
        if self.offers.pop(oid, None):
            yield OfferEnded(oid, why)

    def task(self, message: heard.Task) -> Iterator[News]:
        """Hold a task that is new, or newer."""
        held = self.tasks.get(message.aid)
        if message.aid in self._ended or (held and held.rev >= message.rev):
            return
        self.tasks[message.aid] = message
        yield TaskChanged(message, alert=False) if held else Assigned(message)

    def task_update(self, message: heard.TaskUpdate) -> Iterator[News]:
        """Change a task that is held."""
        held = self.tasks.get(message.aid)
        if held is None or held.rev >= message.rev:
            return
        task = self.tasks[message.aid] = msgspec.structs.replace(held, **_changes(message))
        yield TaskChanged(task, alert=bool(message.alert))

    def task_end(self, message: heard.TaskEnd) -> Iterator[News]:
        """Put a task away."""
        self._end(message.aid)
        if self.tasks.pop(message.aid, None):
            yield TaskEnded(message.aid, message.why or "")

    def notice(self, message: heard.Notice) -> Iterator[News]:
        """Hold a notice that is new, or newer; of many the newest. What was taken back is no news.

        A notice that was shown is remembered by its rev, so that it is not shown again.
        """
        held = self.notices.pop(message.nid, None)
        if held and held.rev >= message.rev:
            self.notices[message.nid] = held
            return
        self.notices[message.nid] = message
        if len(self.notices) > NOTICES_MAX:
            del self.notices[next(iter(self.notices))]
        if message.exp is None or message.ts is None or message.exp > message.ts:
            yield Noticed(message)
        elif held:
            yield NoticeEnded(message.nid)

    def _end(self, ref: str) -> None:
        """Remember the newest ends."""
        self._ended.pop(ref, None)
        self._ended[ref] = None
        if len(self._ended) > ENDED_MAX:
            del self._ended[next(iter(self._ended))]


def _changes(update: heard.OfferUpdate | heard.TaskUpdate) -> dict[str, Any]:
    """Return the fields of a held object that an update brings; null is absent."""
    given = msgspec.structs.asdict(update)
    return {name: given[name] for name in _UPDATED if given.get(name) is not None}


_RULES: Final[Mapping[type[heard.HeardReliable], Callable[[Hand, Any], Iterator[News]]]] = {
    heard.Offer: Hand.offer,
    heard.OfferUpdate: Hand.offer_update,
    heard.OfferEnd: Hand.offer_end,
    heard.Task: Hand.task,
    heard.TaskUpdate: Hand.task_update,
    heard.TaskEnd: Hand.task_end,
}
