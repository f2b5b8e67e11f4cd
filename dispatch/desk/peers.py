"""The other processes: told what is done here, heard, missed, and done without."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from typing import Final, Protocol

import msgspec
import structlog

from dispatch.core.fixes import Fix
from dispatch.desk import words
from dispatch.desk.absence import LOOK_EVERY_S as AWAKE_EVERY_S
from dispatch.desk.absence import Absence
from dispatch.desk.agreement import Agreement
from dispatch.desk.desk import Desk
from dispatch.desk.ear import Ear
from dispatch.desk.elsewhere import Elsewhere
from dispatch.desk.joining import JOIN_S, Joining
from dispatch.desk.phones import Phones
from dispatch.desk.questions import Questions
from dispatch.desk.voice import Voice
from dispatch.live.neighbours import Heard, Neighbours
from dispatch.ports import (
    Beat,
    Bus,
    Node,
    NodeId,
    Reply,
    StoreAway,
)
from schemas.base import DeviceId, Instant
from schemas.unit import Position

log = structlog.get_logger()

BEAT_EVERY_S: Final = 0.5
SPEAK_EVERY_S: Final = 0.1
LOOK_EVERY_S: Final = 1.0
MOVED_EVERY_S: Final = 10.0
BOUND_LATE: Final = timedelta(seconds=30)
"""A binding may be written so long after its hello."""
POSITIONS_LATE: Final = timedelta(seconds=70)
"""A position is written down a minute after it was, at the latest."""


class Hub(Protocol):
    """What of the sockets has to follow."""

    def caught_up(self) -> None:
        """Sweep at once."""


class Peers:
    """Ties this process to the others.

    What they say is folded in; what is missed is read from the store; one that has ended is done
    without; from one that is cut off nothing is known but what it writes down, and until it is
    heard again the picture is partial.
    """

    def __init__(
        self,
        desk: Desk,
        phones: Phones,
        hub: Hub,
        *,
        bus: Bus,
        node: Node,
        prefix: str,
        dead: Callable[[Node], bool] = lambda _: False,
        join_s: float = JOIN_S,
    ) -> None:
        self._desk, self._phones, self._hub = desk, phones, hub
        self._bus, self._node, self._prefix = bus, node, prefix
        self._ear = Ear(desk, phones)
        self._neighbours = Neighbours()
        self._agreement = Agreement(desk, counts=False)
        self._near: tuple[NodeId, ...] = ()
        self._questions = Questions(bus, prefix)
        self._joining = Joining(desk.store, self._questions, node.id, dead=dead, within_s=join_s)
        self.elsewhere = Elsewhere(phones, self._questions, self._gone)
        self._replies: dict[str, Reply] = {"there": self._there, **self.elsewhere.replies}
        self._reading = asyncio.Lock()
        self._moved_since: Instant | None = None
        self._missed = False
        self._missed_words = 0
        self._told = dict.fromkeys(("said", "unsaid", "missed"), 0)
        self.voice = Voice(bus, node.id, prefix)
        self.absence = Absence(self.read_again, _now_s)
        self.voice.hush_while(lambda: not self.others())

    def others(self) -> list[NodeId]:
        """Return the processes that are alive, as far as anybody knows."""
        return self._neighbours.alive()

    # Coming and going. ---------------------------------------------------------------------------

    async def join(self) -> None:
        """Be one of the processes; raise `OtherBus` where another does not hear us.

        Whoever was here before is asked which phones he holds.
        """
        await self._listen()
        beat = await self._joining.meet(self._store_beat)
        self._neighbours.listed(beat.others, _now_s())
        self._desk.tell_through(self.voice)
        self._desk.assign_through(self.elsewhere.assign)
        self._desk.rouse_by(self.absence.rouse)
        self.voice.pulse()
        await self.read_again()

    async def leave(self) -> None:
        """Say farewell: the phones of this process are coming to the others."""
        self.elsewhere.stop()
        self.voice.pulse(ends=True)
        try:
            await self._desk.store.leave(self._node.id)
        except StoreAway as away:
            log.warning("store_away", work="leave", error=str(away))

    async def _listen(self) -> None:
        for pattern in (words.EVENTS, words.HERE, words.PLACES):
            await self._bus.subscribe(f"{self._prefix}.{pattern}.>", self._take)
        for verb, reply in self._replies.items():
            await self._questions.answer(self._node.id, verb, reply)

    def answer(self, verb: str, reply: Reply) -> None:
        """Answer one question more of other processes; to be said before `join`."""
        self._replies[verb] = reply

    async def ask_near(self, verb: str) -> list[bytes]:
        """Ask the other processes of this machine; whoever does not answer is left out."""
        asked = (self._questions.asked(node_id, verb) for node_id in self._near)
        return [answer for answer in await asyncio.gather(*asked) if answer is not None]

    async def _store_beat(self) -> Beat:
        beat = await self._desk.store.beat(self._node, self._desk.clock.now())
        self._near = tuple(node.id for node in beat.others if node.host == self._node.host)
        return beat

    # What runs. ----------------------------------------------------------------------------------

    def beats(self) -> list[tuple[float, Callable[[], Awaitable[None]]]]:
        """Return what is to be done every so many seconds."""
        return [
            (BEAT_EVERY_S, self.pulse),
            (BEAT_EVERY_S, self.beat),
            (SPEAK_EVERY_S, self.speak),
            (SPEAK_EVERY_S, self.bind),
            (LOOK_EVERY_S, self.look),
            (MOVED_EVERY_S, self.look_for_moved),
            (AWAKE_EVERY_S, self.absence.look),
        ]

    async def pulse(self) -> None:
        """Say that this process lives on the bus, whether or not the store answers."""
        self.voice.pulse()

    async def beat(self) -> None:
        """Say that this process lives in the store; look who else does."""
        epoch = self._phones.epoch
        beat = await self._store_beat()
        now_s = _now_s()
        for node_id in self._neighbours.listed(beat.others, now_s):
            self._ended(node_id)
        await self._phones.follow_epoch(beat.epoch, epoch)
        self._judge(self._neighbours.silent(now_s))

    def _judge(self, silent: Sequence[NodeId]) -> None:
        """Take the picture for partial while somebody who lives is not heard."""
        partial = bool(silent) or (bool(self.others()) and not self._bus.here)
        if partial != self._desk.partial:
            log.warning("picture_partial" if partial else "picture_whole", silent=len(silent))
            self._desk.partial = partial
            self._missed = True

    async def speak(self) -> None:
        """Tell where units are and which phones came and went."""
        self.voice.fixes(self._phones.whereabouts.news())
        phones, gone = self._phones.presence.news()
        if phones or gone:
            self.voice.here(phones, gone)

    async def bind(self) -> None:
        """Write down which phones said hello here; close those that are bound elsewhere since."""
        presence = self._phones.presence
        bindings = presence.unbound()
        if not bindings:
            return
        try:
            lost = frozenset(await self._desk.store.bind(self._node.id, bindings))
        except StoreAway:
            presence.bind_again(bindings)
            raise
        presence.moved([b for b in bindings if b.device_id in lost])

    async def look(self) -> None:
        """Read again what was missed; while the picture is partial, all that is written down.

        Once it is whole again, and read, whoever waited for that to be called back is looked at.
        """
        self._tell()
        self.elsewhere.ask_doubted()
        if self._desk.partial or self._desk.put_off:
            await self._read_positions()
        if self._missed or self._desk.partial:
            self._missed = False
            try:
                await self.read_again()
            except StoreAway:
                self._missed = True
                raise
        if self._desk.put_off and not self._desk.partial:
            self._desk.look_again()

    def _tell(self) -> None:
        """Tell the metrics how it stands."""
        metrics = self._desk.metrics
        metrics.nodes.set(1 + len(self.others()))
        metrics.bus_here.set(self._bus.here)
        metrics.partial.set(self._desk.partial)
        counts = {
            "said": self.voice.said,
            "unsaid": self.voice.unsaid,
            "missed": self._missed_words,
        }
        for what, count in counts.items():
            metrics.words.labels(what).inc(count - self._told[what])
        self._told = counts

    async def look_for_moved(self) -> None:
        """Close phones that have said hello elsewhere since, whoever did not tell us."""
        if self.others():
            now = self._desk.clock.now()
            since: Instant = min(now, self._moved_since or now) - BOUND_LATE
            self._phones.presence.moved(await self._desk.store.moved(self._node.id, since))
            self._moved_since = now

    async def read_again(self) -> None:
        """Take cases, units, crews and notices as the store has them, where they are other.

        Heads are read first and taken last: what they stand for is known by then.
        """
        async with self._reading:
            reading = self._desk.roster.begin_reading()
            heads = await self._desk.store.heads()
            await self._agreement.cases()
            is_complete = self._agreement.complete
            self._desk.reread.update(await self._agreement.states())
            await self._agreement.crews()
            await self._desk.notices.read_again()
            if is_complete:
                self._phones.presence.end_reading(reading, heads)
            else:
                self._take_heads(heads)
                self._missed = True
            self._hub.caught_up()

    def _take_heads(self, heads: Iterable[tuple[DeviceId, int]]) -> None:
        """Take how far streams have come, though not all is known that they stand for."""
        for device_id, head in heads:
            self._desk.roster.found(device_id, head)

    async def _read_positions(self) -> None:
        since: Instant = self._desk.clock.now() - POSITIONS_LATE
        kept = await self._desk.store.positions(since)
        self._desk.fleet.hear({at.unit_id: _fix(at) for at in kept})

    # What is heard. ------------------------------------------------------------------------------

    def _take(self, subject: str, body: bytes) -> None:
        """Take a word; one that cannot be read, or done, was missed."""
        kind = subject.rpartition(".")[2]
        try:
            if subject.startswith(f"{self._prefix}.{words.PLACES}."):
                self._ear.fixes(words.heard(body, words.Fixes))
            elif kind == words.PULSE:
                self._pulsed(words.heard(body, words.Pulse))
            elif shape := words.SHAPES.get(kind):
                self._heard(words.heard(body, shape))
        except words.Unreadable as error:
            log.warning("word_unreadable", kind=kind, error=str(error))
            self._miss_all()
        except Exception:
            log.exception("word_not_taken", kind=kind)
            self._miss_all()

    def _heard(self, word: words.Numbered) -> None:
        self._number(word.node, self._neighbours.hear(word.node, word.n, _now_s()))
        if isinstance(word, words.Here):
            self.elsewhere.named(word)
        self._ear.take(word)

    def _pulsed(self, pulse: words.Pulse) -> None:
        if pulse.ends:
            self._gone(pulse.node)
        else:
            self._number(pulse.node, self._neighbours.pulse(pulse.node, pulse.last, _now_s()))

    def _number(self, node_id: NodeId, heard: Heard) -> None:
        if heard is not Heard.NEXT:
            self.elsewhere.doubt([node_id])
            self._note_missed()
        if heard is Heard.NEW:
            self.elsewhere.ask_whom(node_id)

    def _note_missed(self) -> None:
        self._missed = True
        self._missed_words += 1

    def _miss_all(self) -> None:
        """Know nothing for sure: nobody can tell whose word it was, and of what."""
        self.elsewhere.doubt(self.others())
        self._note_missed()

    def _there(self, _: bytes) -> bytes:
        return msgspec.json.encode(self._node.id)

    # Who is no more. -----------------------------------------------------------------------------

    def _gone(self, node_id: NodeId) -> None:
        if self._neighbours.gone(node_id):
            self._ended(node_id)

    def _ended(self, node_id: NodeId) -> None:
        """Do without a process: its phones are coming, and what it did last may not be known."""
        log.info("process_ended", node=node_id)
        self.elsewhere.forget(node_id)
        self._desk.fleet.grace(self._desk.clock.now().timestamp())
        self._missed = True


def _fix(at: Position) -> Fix:
    return Fix(lon=at.lon, lat=at.lat, acc_m=at.acc_m, at_s=at.at.timestamp())


def _now_s() -> float:
    return asyncio.get_running_loop().time()
