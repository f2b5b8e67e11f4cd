"""The page about golden transcripts tells every field of a line, and no other."""

import re
from pathlib import Path
from typing import Final

import pytest

from dispatch.phone.rehearsal import ASIDE, TOLD, Cue
from dispatch.phone.transcript import Line

PAGE: Final = Path(__file__).parents[2] / "docs" / "howto" / "replay-the-protocol.md"
TEXT: Final = PAGE.read_text(encoding="utf-8")
SERVER, _, APP = TEXT.partition("## Against an app")
FIELD: Final = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


@pytest.mark.parametrize(
    ("part", "kind", "beside"),
    [(SERVER, Line, {"status", "answer", "reason", "times"}), (APP, Cue, set())],
)
def test_every_field_of_a_line_is_told(part: str, kind: type[Line], beside: set[str]) -> None:
    """In a row of its own, or in that of the field it belongs to."""
    told = FIELD.findall(part)
    assert len(told) == len(set(told))
    assert set(told) | beside == set(kind.__struct_fields__)
    assert [name for name in beside if f"`{name}`" not in part] == []


def test_what_an_app_may_say_at_any_time_is_told() -> None:
    """Another client acknowledges or pings at other moments."""
    assert [name for name in ASIDE if f"`{name}`" not in APP] == []


def test_all_that_a_person_is_told_is_in_the_page() -> None:
    """By the words the transcripts use."""
    words = {"ring", "offer", "offer_end", "task", "task_end", "notice", "notice_end"}
    words |= {"done", "refused", "ask_again"}
    assert len(TOLD) == len(words) + 1
    assert [word for word in words if f"`{word}`" not in APP] == []
