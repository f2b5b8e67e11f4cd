"""Texts from outside: tidied, judged and quoted."""

import pytest

from dispatch.cli.texts import SHOWN_CHARS, is_plain, shown, tidy


def test_space_is_tidied() -> None:
    """Line ends and wide blanks in a cell are single blanks."""
    assert tidy("  天河\n  \u3000 花园 ") == "天河 花园"


@pytest.mark.parametrize(
    ("text", "plain"),
    [("天河 花园", True), ("", False), ("a\0b", False), ("\ud800", False), ("x" * 11, False)],
)
def test_only_printable_text_of_some_length_is_plain(text: str, plain: bool) -> None:
    """What a database refuses never gets there."""
    assert is_plain(text, 10) is plain


def test_a_message_quotes_no_more_than_it_has_to() -> None:
    """Long texts are cut, strange letters escaped."""
    assert shown("a\0") == "'a\\x00'"
    assert len(shown("x" * 1000)) == SHOWN_CHARS + 3
