"""Phones that other processes hold: asked for as a picture, and whether they are there still."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Final

import msgspec
import structlog

from dispatch.desk import words
from dispatch.desk.phones import Phones
from dispatch.desk.questions import Questions
from dispatch.ports import BusAway, Nobody, NodeId, Reply
from schemas.base import DeviceId

log = structlog.get_logger()

PART: Final = 2000
"""Phones in one answer: some 200 KB."""
ASKS_MOST: Final = 64
"""Questions under way at once; above that the watch over silence has to do."""


class Elsewhere:
    """Asks the others which phones they hold, and answers them; `gone` is told who is dead."""

    def __init__(
        self, phones: Phones, questions: Questions, gone: Callable[[NodeId], None]
    ) -> None:
        self._phones, self._presence = phones, phones.presence
        self._questions, self._gone = questions, gone
        self._doubted: set[NodeId] = set()
        self._asking: dict[NodeId, set[DeviceId]] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.replies: dict[str, Reply] = {"picture": self._picture, "assign": self._still_here}

    def stop(self) -> None:
        """Ask no more."""
        for task in self.tasks:
            task.cancel()

    # Pictures. -----------------------------------------------------------------------------------

    def doubt(self, node_ids: Iterable[NodeId]) -> None:
        """Take what is known of these processes' phones for incomplete."""
        self._doubted.update(node_ids)

    def ask_doubted(self) -> None:
        """Ask every process in doubt which phones it holds."""
        for node_id in sorted(self._doubted):
            self.ask_whom(node_id)

    def ask_whom(self, node_id: NodeId) -> None:
        """Ask a process which phones it holds, unless it is being asked."""
        if node_id not in self._asking:
            self._doubted.discard(node_id)
            self._asking[node_id] = set()
            self._spawn(self._ask_for_picture(node_id, self._asking[node_id]))

    def named(self, word: words.Here) -> None:
        """Note whom a process names while it is being asked."""
        if word.node in self._asking:
            self._asking[word.node].update(word.gone, (phone.device_id for phone in word.phones))

    def forget(self, node_id: NodeId) -> None:
        """Take out the phones of a process that is no more."""
        self._doubted.discard(node_id)
        self._asking.pop(node_id, None)
        self._presence.all_elsewhere(node_id, ())

    async def _ask_for_picture(self, node_id: NodeId, named: set[DeviceId]) -> None:
        """Take all phones that a process holds; whom it has named meanwhile is known better."""
        phones = await self._picture_of(node_id)
        if self._asking.get(node_id) is not named:
            return
        del self._asking[node_id]
        if phones is None:
            self._doubted.add(node_id)
        else:
            self._presence.all_elsewhere(node_id, phones, named)

    async def _picture_of(self, node_id: NodeId) -> list[words.Phone] | None:
        """Return all phones that a process holds; None where it does not answer."""
        phones: list[words.Phone] = []
        more = True
        try:
            while more:
                after = phones[-1].device_id if phones else None
                answer = await self._questions.ask(node_id, "picture", msgspec.json.encode(after))
                held = words.heard(answer, words.Held)
                phones += held.phones
                more = held.more
        except (Nobody, BusAway, words.Unreadable) as error:
            log.warning("picture_not_had", error=type(error).__name__)
            return None
        return phones

    def _picture(self, body: bytes) -> bytes:
        after = msgspec.json.decode(body, type=DeviceId | None)
        phones = self._presence.held(after, PART + 1)
        return words.spoken(words.Held(phones=tuple(phones[:PART]), more=len(phones) > PART))

    # Whether mail finds its phone. ---------------------------------------------------------------

    def assign(self, device_ids: Iterable[DeviceId]) -> None:
        """Ask those who hold these phones whether they still do; never waits.

        Nobody answers for a process that is dead: that is known at once, not when it is missed.
        """
        for node_id, some in self._presence.holders(device_ids).items():
            if len(self.tasks) < ASKS_MOST:
                self._spawn(self._ask_for(node_id, some))

    async def _ask_for(self, node_id: NodeId, device_ids: Sequence[DeviceId]) -> None:
        presence, body = self._presence, msgspec.json.encode(device_ids)
        since = {device_id: presence.since(device_id) for device_id in device_ids}
        try:
            answer = await self._questions.ask(node_id, "assign", body)
            here = frozenset(msgspec.json.decode(answer, type=list[DeviceId]))
        except Nobody:
            self._gone(node_id)
            here = frozenset()
        except (BusAway, msgspec.DecodeError):
            return
        for device_id in frozenset(device_ids) - here:
            if presence.since(device_id) == since[device_id]:
                presence.left_elsewhere(node_id, device_id)
            self._phones.sleepers.look(device_id)

    def _still_here(self, body: bytes) -> bytes:
        """Say which of these phones are here."""
        asked = msgspec.json.decode(body, type=list[DeviceId])
        return msgspec.json.encode([d for d in asked if self._presence.has(d)])

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
