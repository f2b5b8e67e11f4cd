"""Takes what other processes say they did, as if it had been done here."""

from collections.abc import Callable
from typing import Any, Final

import structlog

from dispatch.desk import words
from dispatch.desk.desk import Desk
from dispatch.desk.phones import Phones
from dispatch.trace import traced

log = structlog.get_logger()


class Ear:
    """Folds words into memory; what they tell is on disk already, and is a hint here as there."""

    def __init__(self, desk: Desk, phones: Phones) -> None:
        self._desk = desk
        self._phones = phones

    def take(self, word: words.Numbered) -> None:
        """Do as a word means."""
        TAKEN[type(word)](self, word)

    def decided(self, word: words.Decided) -> None:
        """Show a decision, and hand the phones that are here their frames."""
        with traced(word.trace):
            self._desk.follow(word.case, word.entries, words.sealed_of(word), word.unsure)

    def posted(self, word: words.Posted) -> None:
        """Hand the phones that are here their part of a notice."""
        self._desk.notices.follow(words.sealed_of(word))

    def changed(self, word: words.Changed) -> None:
        """Read units again."""
        self._desk.reread.update(word.unit_ids)

    def here(self, word: words.Here) -> None:
        """Note which phones another process holds, and which it does no more."""
        presence = self._phones.presence
        for phone in word.phones:
            presence.held_elsewhere(word.node, phone)
        for device_id in word.gone:
            presence.left_elsewhere(word.node, device_id)

    def fixes(self, word: words.Fixes) -> None:
        """Let units stand where their phones say they are."""
        self._phones.whereabouts.hear(word.fixes)


TAKEN: Final[dict[type, Callable[[Ear, Any], None]]] = {
    words.Decided: Ear.decided,
    words.Posted: Ear.posted,
    words.Changed: Ear.changed,
    words.Here: Ear.here,
}
