"""The contract with app teams, held against the structs that decode and write it."""

import re
from pathlib import Path
from typing import Final, get_args

import pytest

from schemas import wire

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "protocol.md"
TEXT: Final = PAGE.read_text(encoding="utf-8")
SECTION: Final = re.compile(r"^### `([a-z.]+)`\n(.*?)(?=^##)", re.DOTALL | re.MULTILINE)
FIELD: Final = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
ENVELOPE: Final = {"ack", "id", "re", "rev", "seq", "ts"}
"""Fields told once for all messages; a table may name one again where it means more."""

SECTIONS: Final = dict(SECTION.findall(TEXT))
MESSAGES: Final = {
    str(kind.__struct_config__.tag): kind
    for union in (wire.ClientMessage, wire.ServerMessage)
    for kind in get_args(union)
}


def test_every_message_has_its_section() -> None:
    """Whatever is understood or said is told, and nothing else."""
    assert SECTIONS.keys() == MESSAGES.keys()


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_a_section_tells_every_field(name: str) -> None:
    """A new field of a struct needs its line, and a line its field."""
    told = set(FIELD.findall(SECTIONS[name]))
    has = set(MESSAGES[name].__struct_encode_fields__)
    assert told <= has
    assert has - told <= ENVELOPE


@pytest.mark.parametrize(
    "words",
    [
        wire.OfferEndWhy,
        wire.AssignEndWhy,
        wire.Reached,
        wire.Answer,
        wire.Assistance,
        wire.DutyCall,
    ],
)
def test_every_word_of_an_enumeration_is_told(words: type[wire.Answer]) -> None:
    """An app team sees all that a field may say."""
    assert [word for word in words if f"`{word}`" not in TEXT] == []


def test_what_is_not_there_yet_is_not_understood() -> None:
    """The last section names no message that has a section of its own."""
    later = TEXT.partition("## Not yet")[2].partition("from the service")[0]
    assert set(re.findall(r"`([a-z.]+)`", later)) & MESSAGES.keys() == set()
