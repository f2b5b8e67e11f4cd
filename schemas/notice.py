"""A notice: a text for the phones of an area; nobody is asked to go anywhere by it."""

from enum import StrEnum
from typing import Any, NewType

from schemas.base import Instant, Record

NoticeId = NewType("NoticeId", str)


class NoticeLevel(StrEnum):
    """How loud a notice is."""

    INFO = "info"
    WARN = "warn"
    URGENT = "urgent"


class Notice(Record, frozen=True, kw_only=True):
    """A notice as it is kept, with the phones it was addressed to, reached, and read on.

    `polygon` is the area as it was given, with its datum. `sent_at` is when the last phone's row
    was written; a withdrawal has a newer `rev` and is sent to all that were addressed.
    """

    id: NoticeId
    level: NoticeLevel
    text: str
    juris: str
    by: str
    at: Instant
    expires_at: Instant
    need_read: bool = False
    drill: bool = False
    polygon: dict[str, Any] | None = None
    rev: int = 1
    withdrawn_by: str | None = None
    withdrawn_at: Instant | None = None
    sent_at: Instant | None = None
    addressed: int = 0
    delivered: int = 0
    read: int = 0
