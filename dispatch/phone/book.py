"""What one phone has seen on its lines, and whether it came as the protocol says."""

from enum import StrEnum
from typing import Final

from dispatch.phone import heard
from dispatch.phone.diary import WELCOMES_MAX, DeviceDiary
from dispatch.phone.seqs import Seqs

NONE: Final = -1


class Irregular(StrEnum):
    """How a reliable frame, or a welcome, came otherwise than it might.

    `REPEATED` is no fault: what a state or an earlier line has told may come once more.
    """

    DOUBLED = "doubled"
    DISORDERED = "disordered"
    REWOUND = "rewound"
    REPEATED = "repeated"


class Book:
    """Every seq, every welcome, every offer and task: a few hundred bytes a phone.

    On one line each reliable frame comes once, in the order of `seq`; what was committed before
    the welcome does not come after it, but for notices up to `till`. One version of an offer or a
    task has one seq. Within an epoch no head is below what this phone has heard.
    """

    __slots__ = (
        "_epoch",
        "_head",
        "_held",
        "_last",
        "_till",
        "_top",
        "losts",
        "offers",
        "seqs",
        "tasks",
        "welcomes",
    )

    def __init__(self) -> None:
        self.seqs: Seqs | None = None
        self.welcomes: list[tuple[int, float]] = []
        self.losts: list[float] = []
        self.offers: dict[str, int] = {}
        self.tasks: dict[str, int] = {}
        self._epoch = ""
        self._held: dict[str, int] = {}
        self._head = self._till = 0
        self._last = self._top = NONE

    @property
    def epoch(self) -> str:
        """Return the epoch of the last welcome, empty before the first."""
        return self._epoch

    @property
    def lost_ms(self) -> float | None:
        """Return when the last line that had its welcome was lost."""
        return self.losts[-1] if self.losts else None

    def welcome(self, message: heard.Welcome, now_ms: float) -> Irregular | None:
        """Begin a line."""
        same = message.rec and message.epoch == self._epoch
        rewound = same and message.head < self._top
        if not same:
            self._top = NONE
        self._epoch, self._head, self._till = message.epoch, message.head, message.till or 0
        self._last = NONE
        self._top = max(self._top, message.head)
        self._note_welcome(message, now_ms)
        return Irregular.REWOUND if rewound else None

    def _note_welcome(self, message: heard.Welcome, now_ms: float) -> None:
        self.welcomes.append((message.head, now_ms))
        if len(self.welcomes) > WELCOMES_MAX:
            del self.welcomes[0], self.losts[0]
        offers = {offer.oid: offer.rev for offer in message.state.offers}
        tasks = {task.aid: task.rev for task in message.state.assigns}
        self.offers.update(offers)
        self.tasks.update(tasks)
        self._held = offers | tasks

    def lost(self, now_ms: float) -> None:
        """End a line that had its welcome."""
        self.losts.append(now_ms)

    def frame(self, message: heard.HeardReliable | heard.Unknown, seq: int) -> Irregular | None:
        """Take a frame of the stream; tell what is wrong about it."""
        seqs = self.seqs = self.seqs or Seqs()
        wrong = self._wrong_place(message, seq, seqs) or self._wrong_object(message, seq, seqs)
        seqs.add(seq)
        self._last, self._top = max(self._last, seq), max(self._top, seq)
        return wrong

    def _wrong_place(
        self, message: heard.HeardReliable | heard.Unknown, seq: int, seqs: Seqs
    ) -> Irregular | None:
        if seq <= self._last:
            return Irregular.DOUBLED if seq in seqs else Irregular.DISORDERED
        repeats = isinstance(message, heard.Notice | heard.Unknown) and seq <= self._till
        return Irregular.DISORDERED if seq <= self._head and not repeats else None

    def _wrong_object(
        self, message: heard.HeardReliable | heard.Unknown, seq: int, seqs: Seqs
    ) -> Irregular | None:
        match message:
            case heard.Offer(oid=ref, rev=rev):
                known = self.offers
            case heard.Task(aid=ref, rev=rev):
                known = self.tasks
            case _:
                return None
        before, known[ref] = known.get(ref), max(rev, known.get(ref, rev))
        if before != rev:
            return None
        again = seq in seqs or self._held.get(ref) == rev
        return Irregular.REPEATED if again else Irregular.DOUBLED

    def page(self, unit: str, *, connected: bool) -> DeviceDiary:
        """Return it as it is written down."""
        seqs = self.seqs
        return DeviceDiary(
            unit=unit,
            seqs=seqs.ranges if seqs else [],
            cut=seqs.cut if seqs else 0,
            welcomes=self.welcomes,
            losts=self.losts,
            offers=list(self.offers),
            tasks=list(self.tasks),
            connected=connected,
        )
