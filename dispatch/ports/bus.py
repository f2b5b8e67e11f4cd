"""How processes tell each other what was committed, and where everybody is."""

from collections.abc import Callable
from typing import Final, Protocol

BODY_MOST: Final = 900_000
"""Bytes of one message: below the 1 MiB a server takes by default."""

Take = Callable[[str, bytes], None]
"""Takes a message by its subject and body; it never waits and never raises."""
Reply = Callable[[bytes], bytes]
"""Answers a question; it never waits."""


class Nobody(Exception):
    """Nobody answers to this subject: known at once, not after a wait."""


class BusAway(Exception):
    """The bus is not there, or whoever was asked did not answer in time."""


class Bus(Protocol):
    """Carries messages at most once; what is lost is read from the store.

    A subject is words joined by dots; in a pattern `*` stands for one word, a last `>` for one or
    more. Messages of one sender come in their order, and nobody hears himself. Subscriptions
    outlive a bus that was away.
    """

    @property
    def here(self) -> bool:
        """Whether messages go out now."""

    def publish(self, subject: str, body: bytes) -> bool:
        """Send to all who listen; False where it was dropped: the bus is away, or its queue full.

        Never waits. Raises `ValueError` for a body above `BODY_MOST`.
        """

    async def subscribe(self, pattern: str, take: Take) -> None:
        """Hand every message that fits to `take`, from now on."""

    async def answer(self, subject: str, reply: Reply) -> None:
        """Answer questions put to a subject, from now on."""

    async def ask(self, subject: str, body: bytes, within_s: float) -> bytes:
        """Return the first answer to a question.

        Raises:
            Nobody: no process answers to the subject.
            BusAway: no answer came in time, or the bus is not there.
        """
