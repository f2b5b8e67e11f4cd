"""Cursors: where a page ends, as an opaque text that only its own list understands."""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Annotated, Final, TypeVar

import msgspec
from litestar.params import QueryParameter

from dispatch.api.problems import Refused, bad_parameter

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200
MAX_CHARS: Final = 200

Limit = Annotated[
    int, QueryParameter(ge=1, le=MAX_LIMIT, description="How many items a page may have.")
]
Cursor = Annotated[
    str | None, QueryParameter(description="The `next` of the page before; absent for the first.")
]
Item = TypeVar("Item")


def encode(of: str, mark: str) -> str:
    """Return the cursor behind `mark` in the list called `of`."""
    raw = msgspec.json.encode([of, mark])
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(cursor: str, of: str, marks: re.Pattern[str]) -> str:
    """Return the mark, one of `marks`; raise `Refused` for what this list never gave."""
    if len(cursor) > MAX_CHARS:
        raise _foreign()
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        named, mark = msgspec.json.decode(raw, type=tuple[str, str])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise _foreign() from error
    if named != of or not marks.fullmatch(mark):
        raise _foreign()
    return mark


def cut(items: Sequence[Item], limit: int) -> tuple[list[Item], Item | None]:
    """Return a page of what was read one beyond it, and its last item when there is more."""
    page = list(items[:limit])
    return page, page[-1] if len(items) > limit else None


def _foreign() -> Refused:
    return bad_parameter("cursor", "this list gave no such cursor")
