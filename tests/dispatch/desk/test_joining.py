"""Joining the other processes."""

import pytest

from dispatch.bus.local import Wire
from dispatch.desk.joining import OtherBus
from dispatch.ports import Node, NodeId
from tests.dispatch.desk.conftest import Start
from tests.dispatch.desk.processes import Begin
from tests.fakes import ManualClock

pytestmark = [pytest.mark.asyncio, pytest.mark.postgres]


async def test_a_process_on_another_bus_may_not_start(begin: Begin) -> None:
    """It finds a live one that does not hear it."""
    await begin()
    with pytest.raises(OtherBus, match="BUS_URL"):
        await begin(Wire(), join_s=0.3)


async def test_a_process_known_to_be_dead_is_not_waited_for(
    begin: Begin, start: Start, clock: ManualClock
) -> None:
    """Whoever was killed on this machine a moment ago is taken off the list."""
    killed = Node(id=NodeId("killed"), host="here", pid=1, started_at=clock.now())
    await (await start()).store.beat(killed)
    late = await begin(dead=True, join_s=0.0)
    assert late.peers.others() == []
