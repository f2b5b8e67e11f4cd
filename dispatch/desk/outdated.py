"""Why a change that names a version was not made: somebody else changed the incident first."""

from collections.abc import Sequence

from dispatch.core.events import Entry


class Outdated(Exception):
    """The incident has another version than the asker saw; nothing was changed."""

    def __init__(self, version: int, entries: Sequence[Entry] = ()) -> None:
        super().__init__("changed meanwhile")
        self.version = version
        self.entries = tuple(entries)
