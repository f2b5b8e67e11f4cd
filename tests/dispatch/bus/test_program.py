"""The nats-server program: where it is."""

from pathlib import Path

import pytest

from dispatch.bus.program import NatsServerError, find_program


def test_the_program_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Beside our commands, then on the path; a machine without one is told what to do."""
    assert find_program().name == "nats-server"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NatsServerError, match="BUS_URL"):
        find_program(str(tmp_path))
