"""What makes a command happen once, and what may come in its way."""

from collections.abc import Sequence

import msgspec

from schemas.base import Record, UnitId
from schemas.incident import Case


class Once(Record, frozen=True, kw_only=True):
    """Makes a command happen once: who asks, under which id, with what payload (SHA-256)."""

    scope: str
    id: str
    digest: bytes


class Answer(Record, frozen=True, kw_only=True):
    """What a command was answered; kept 24 h with the effect. `body` is JSON."""

    status: int
    body: msgspec.Raw


class Loaded(Record, frozen=True, kw_only=True):
    """What one look brings: the case if there is one, and the earlier answer if there is one."""

    case: Case | None
    answer: Answer | None
    same_payload: bool = True


class StaleCase(Exception):
    """Somebody else decided on this incident first: load again, decide again."""


class UnitTaken(Exception):
    """A unit of this decision has another active assignment: nothing was written."""

    def __init__(self, unit_ids: Sequence[UnitId]) -> None:
        super().__init__("unit has an active assignment")
        self.unit_ids = tuple(unit_ids)


class AlreadyAnswered(Exception):
    """The command's id was answered meanwhile: read the answer."""


class StoreAway(Exception):
    """The store does not answer; whether a commit took effect is not known."""
