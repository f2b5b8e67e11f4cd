"""The bus of one process: members on a wire of memory, for one worker, simulations and tests."""

import asyncio
from typing import NamedTuple

from dispatch.bus.subject import fits, guard_body, guard_pattern, guard_subject
from dispatch.bus.tally import Tally
from dispatch.ports import BusAway, Nobody, Reply, Take


class Listener(NamedTuple):
    """Who takes what."""

    pattern: str
    take: Take


class Wire:
    """Connects the buses that were made with it; a bus without one is alone."""

    def __init__(self) -> None:
        self._members = list["LocalBus"]()

    def join(self, member: "LocalBus") -> None:
        """Let a bus hear the others."""
        self._members.append(member)

    def others(self, member: "LocalBus") -> list["LocalBus"]:
        """Return everybody else who is there now, in the order of joining."""
        return [other for other in self._members if other is not member and other.here]


class LocalBus(Tally):
    """One member of a wire. What it publishes is heard after whoever published has returned."""

    def __init__(self, wire: Wire | None = None) -> None:
        super().__init__()
        self._wire = Wire() if wire is None else wire
        self._wire.join(self)
        self._listeners = list[Listener]()
        self._replies = dict[str, Reply]()
        self._is_cut = False

    @property
    def here(self) -> bool:
        """Whether messages go out now."""
        return not self._is_cut

    def cut(self) -> None:
        """Go away from the others, as by a split: nothing goes out or comes in."""
        self._is_cut = True

    def heal(self) -> None:
        """Come back, with all subscriptions; what was told meanwhile is lost."""
        self._is_cut = False

    def publish(self, subject: str, body: bytes) -> bool:
        """Send to all who listen; False while cut off."""
        guard_subject(subject)
        guard_body(body)
        if self.here and self._wire.others(self):
            asyncio.get_running_loop().call_soon(self._spread, subject, body)
        return self.count_sent(self.here)

    async def subscribe(self, pattern: str, take: Take) -> None:
        """Hand every message that fits to `take`, from now on."""
        guard_pattern(pattern)
        self._listeners.append(Listener(pattern, take))

    async def answer(self, subject: str, reply: Reply) -> None:
        """Answer questions put to a subject, from now on; the first who does stays."""
        guard_subject(subject)
        self._replies.setdefault(subject, reply)

    async def ask(self, subject: str, body: bytes, within_s: float) -> bytes:
        """Return the first answer; what was published before is heard before the question."""
        guard_subject(subject)
        guard_body(body)
        if not self.count_sent(self.here):
            raise BusAway("cut off")
        await asyncio.sleep(0)
        answering = [one for one in self._wire.others(self) if one.answers(subject)]
        if not answering:
            raise Nobody(subject)
        for one in answering:
            if (answer := one.answer_to(subject, body)) is not None:
                return answer
        await asyncio.sleep(within_s)
        raise BusAway(f"no answer within {within_s:g} s")

    def _spread(self, subject: str, body: bytes) -> None:
        for other in self._wire.others(self):
            other.hear(subject, body)

    # --- what the others call -----------------------------------------------------------------

    def answers(self, subject: str) -> bool:
        """Say whether this member answers to a subject."""
        return subject in self._replies

    def answer_to(self, subject: str, body: bytes) -> bytes | None:
        """Return this member's answer; None where it failed."""
        return self.answer_of(self._replies[subject], subject, body)

    def hear(self, subject: str, body: bytes) -> None:
        """Hand a message to every listener that it fits."""
        for listener in tuple(self._listeners):
            if fits(listener.pattern, subject):
                self.hand(listener.take, subject, body)
