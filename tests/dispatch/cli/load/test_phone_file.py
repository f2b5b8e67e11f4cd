"""Who takes part: lines of tokens, and the places of their units."""

from pathlib import Path

import pytest

from dispatch.cli.codes import Failure
from dispatch.cli.load.phone_file import Post, Token, placed, read_tokens, shares
from geo.eta import Moves

POSTS = [
    Post(id="u1", code="HP-001", lon=113.3, lat=23.1, moves=Moves.CAR),
    Post(id="u2", code="HP-002", lon=113.4, lat=23.2, moves=Moves.FOOT),
]


def token(unit: str, lon: float | None = None, lat: float | None = None) -> Token:
    """Return a line of the file."""
    return Token(device=f"d-{unit}", token="kd_x", unit=unit, lon=lon, lat=lat)


def test_the_file_of_devices_issue_is_read(tmp_path: Path) -> None:
    """With the member's name and whatever else there is, which nobody needs."""
    file = tmp_path / "phones.jsonl"
    file.write_text('{"unit":"HP-001","member":"李梅","device":"d1","token":"kd_a"}\n\n')
    assert read_tokens(file) == [Token(device="d1", token="kd_a", unit="HP-001")]


@pytest.mark.parametrize(
    ("text", "why"), [("", "names no phone"), ("{}\n", "devices issue"), ("x\n", "devices issue")]
)
def test_a_file_without_phones_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """In one sentence."""
    file = tmp_path / "phones.jsonl"
    file.write_text(text)
    with pytest.raises(Failure, match=why):
        read_tokens(file)
    with pytest.raises(Failure, match="cannot read"):
        read_tokens(tmp_path)


def test_phones_stand_where_their_units_do_or_where_the_file_says() -> None:
    """A unit is named by its code or by its id."""
    by_code, by_id = placed([token("HP-001"), token("u2", 113.5, 23.5)], POSTS)
    assert (by_code.unit, by_code.lon, by_code.moves) == ("u1", 113.3, Moves.CAR)
    assert (by_id.unit, by_id.lon, by_id.lat) == ("u2", 113.5, 23.5)


def test_a_unit_that_nobody_knows_is_refused() -> None:
    """With some of their names, and how many there are."""
    with pytest.raises(Failure, match=r"2 units are unknown .*: HP-8, HP-9"):
        placed([token("HP-9"), token("HP-001"), token("HP-8")], POSTS)


def test_processes_get_even_shares() -> None:
    """All phones, each once."""
    lines = placed([token("u1"), token("u2"), token("HP-001")], POSTS)
    parts = shares(lines, 2)
    assert [len(part) for part in parts] == [2, 1]
    assert sorted(line.device for part in parts for line in part) == ["d-HP-001", "d-u1", "d-u2"]
