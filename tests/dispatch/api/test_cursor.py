"""Cursors: opaque, of one list only, and never trusted."""

import re
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.api.cursor import MAX_CHARS, cut, decode, encode
from dispatch.api.problems import Refused

ANY = re.compile(r".*", re.DOTALL)
NUMBER = re.compile(r"[0-9]{1,9}")


@given(st.text(max_size=20))
def test_a_cursor_gives_back_its_mark(mark: str) -> None:
    """Whatever the mark."""
    assert decode(encode("units", mark), "units", ANY) == mark


@given(st.text(max_size=40))
def test_any_text_is_a_mark_or_a_refusal(text: str) -> None:
    """Nothing else comes out of decoding."""
    parameter, mark = None, ""
    try:
        mark = decode(text, "timeline", NUMBER)
    except Refused as refused:
        parameter = refused.faults[0].parameter
    assert parameter == "cursor" or NUMBER.fullmatch(mark)


@pytest.mark.parametrize(
    "cursor",
    [
        encode("incidents", "1"),
        encode("timeline", "x"),
        encode("timeline", "9" * 10),
        encode("timeline", "1\n"),
        "x" * (MAX_CHARS + 1),
        urlsafe_b64encode(b'["timeline",1]').decode(),
        urlsafe_b64encode(b'["timeline"]').decode(),
        urlsafe_b64encode(b'["timeline","\xff"]').decode(),
        urlsafe_b64encode(b"[" * 100).decode(),
    ],
)
def test_a_cursor_this_list_never_gave_is_refused(cursor: str) -> None:
    """Another list's, another kind of mark, or none at all."""
    with pytest.raises(Refused):
        decode(cursor, "timeline", NUMBER)


def test_a_page_ends_where_one_more_was_read() -> None:
    """The last item is the cursor's mark only when something follows."""
    assert cut([1, 2, 3], 2) == ([1, 2], 2)
    assert cut([1, 2], 2) == ([1, 2], None)
    assert cut([], 2) == ([], None)
