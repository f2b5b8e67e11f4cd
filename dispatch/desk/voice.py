"""Says what was done here to the other processes."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from dispatch.core.decision import Decision
from dispatch.desk import words
from dispatch.ports import BODY_MOST, Bus, NodeId, Sealed
from dispatch.trace import present
from schemas.base import DeviceId, UnitId

FIXES_MOST: Final = 1_000
"""Positions of one word: some 110 KB."""


class Voice:
    """Numbers every word; what is not carried leaves a gap that those who listen notice.

    Nothing is put into words while nobody is there to hear it.
    """

    def __init__(self, bus: Bus, node_id: NodeId, prefix: str) -> None:
        self.node_id = node_id
        self.last = 0
        self.said = 0
        self.unsaid = 0
        self._bus = bus
        self._prefix = prefix
        self._alone: Callable[[], bool] = lambda: False

    def hush_while(self, alone: Callable[[], bool]) -> None:
        """Say nothing while this is true."""
        self._alone = alone

    def decided(self, decision: Decision, sealed: Sequence[Sealed]) -> None:
        """Say what was decided on an incident."""
        mail, rows = words.rows_of(tuple(sealed))
        self._say(
            f"{words.EVENTS}.{decision.case.incident.juris}",
            lambda n: words.Decided(
                node=self.node_id,
                n=n,
                case=decision.case,
                entries=decision.entries,
                mail=mail,
                rows=rows,
                unsure=decision.unsure,
                trace=present(),
            ),
        )

    def posted(self, juris: str, sealed: Sequence[Sealed]) -> None:
        """Say which phones a part of a notice was written for."""
        mail, rows = words.rows_of(tuple(sealed))
        self._say(
            f"{words.EVENTS}.{juris}",
            lambda n: words.Posted(node=self.node_id, n=n, mail=mail, rows=rows),
        )

    def changed(self, juris: str, unit_ids: Iterable[UnitId]) -> None:
        """Say which units are others on disk."""
        self._say(
            f"{words.EVENTS}.{juris}",
            lambda n: words.Changed(node=self.node_id, n=n, unit_ids=tuple(unit_ids)),
        )

    def here(self, phones: Sequence[words.Phone], gone: Sequence[DeviceId]) -> None:
        """Say which phones came and went, and what is new of them."""
        self._say(
            f"{words.HERE}.{self.node_id}",
            lambda n: words.Here(node=self.node_id, n=n, phones=tuple(phones), gone=tuple(gone)),
        )

    def leave_gap(self) -> None:
        """Count a word that cannot be said: those who listen read in the store what was done."""
        self.last += 1
        self.unsaid += 1

    def pulse(self, *, ends: bool = False) -> None:
        """Say that this process lives, or that it ends, and how much it has said."""
        word = words.Pulse(node=self.node_id, last=self.last, ends=ends)
        subject = f"{self._prefix}.{words.HERE}.{self.node_id}.{words.PULSE}"
        self._send(subject, words.spoken(word))

    def fixes(self, fixes: Iterable[tuple[str, words.Fix]]) -> None:
        """Say where units are, each with its jurisdiction; by cities, and so many in a word."""
        if self._alone():
            return
        by_city: dict[str, list[words.Fix]] = {}
        for juris, fix in fixes:
            by_city.setdefault(juris.partition(".")[0], []).append(fix)
        for city, there in by_city.items():
            subject = f"{self._prefix}.{words.PLACES}.{city}.{self.node_id}"
            for first in range(0, len(there), FIXES_MOST):
                part = tuple(there[first : first + FIXES_MOST])
                self._send(subject, words.spoken(words.Fixes(self.node_id, part)))

    def _say(self, about: str, word: Callable[[int], words.Numbered]) -> None:
        self.last += 1
        if self._alone():
            return
        spoken = word(self.last)
        kind = words.KINDS[type(spoken)]
        self._send(f"{self._prefix}.{about}.{kind}", words.spoken(spoken))

    def _send(self, subject: str, body: bytes) -> None:
        if len(body) <= BODY_MOST and self._bus.publish(subject, body):
            self.said += 1
        else:
            self.unsaid += 1
