"""A free port that nobody's outgoing connection takes."""

import socket
from pathlib import Path

import pytest

from dispatch.bus.port import HIGHEST, LOWEST, RANGE_FILE, free_port

HOST = "127.0.0.1"


def test_it_is_free_and_outside_the_systems_range() -> None:
    """Ports of that range are taken by the thousand when phones come back."""
    lowest, highest = (int(text) for text in RANGE_FILE.read_text().split())
    found = free_port(HOST)
    assert LOWEST <= found <= HIGHEST
    assert not lowest <= found <= highest
    with socket.create_server((HOST, found)) as server:
        assert server.getsockname()[1] == found


def test_one_that_is_taken_is_passed_over(tmp_path: Path) -> None:
    """And when all are, that is said."""
    with socket.create_server((HOST, 0)) as taken:
        only = taken.getsockname()[1]
        all_others = tmp_path / "range"
        all_others.write_text(f"{only + 1} {HIGHEST}\n")
        with pytest.raises(OSError, match="no free port"):
            free_port(HOST, only, all_others)


def test_where_the_system_takes_all_any_free_one_will_do(
    tmp_path: Path,
) -> None:
    """Some sites widen the range to everything."""
    (tmp_path / "range").write_text(f"1024 {HIGHEST}\n")
    assert LOWEST <= free_port(HOST, range_file=tmp_path / "range") <= HIGHEST
