"""Questions to one other process."""

import pytest

from tests.dispatch.desk.processes import Process

pytestmark = [pytest.mark.asyncio, pytest.mark.postgres]


async def test_processes_of_one_machine_are_asked_together(pair: tuple[Process, Process]) -> None:
    """What each answers to a question more; one that does not is left out."""
    here, there = pair
    await here.peers.beat()
    assert await here.peers.ask_near("there") == [f'"{there.node.id}"'.encode()]
    assert await here.peers.ask_near("colour") == []
