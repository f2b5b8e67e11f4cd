"""A town for each test, made once a run and copied."""

import asyncio
from pathlib import Path

import pytest

from tests.faults.town import Town, made


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """A town of 120 units, all with phones, that nobody has run yet."""
    with asyncio.Runner() as runner:
        return runner.run(made(tmp_path_factory.mktemp("town") / "data"))


@pytest.fixture
def town(original: Town, tmp_path: Path) -> Town:
    """The same town in a folder of the test's own."""
    return original.copied(tmp_path / "data")
