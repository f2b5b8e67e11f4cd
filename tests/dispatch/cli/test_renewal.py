"""A rolling restart begins with the tables."""

import asyncio
from typing import Final

import pytest
from structlog.testing import capture_logs

from dispatch.cli.port import Port
from dispatch.cli.renewal import renew_when
from dispatch.cli.workers import Workers

NOBODY: Final = "postgresql://kapok@127.0.0.1:1/kapok"
BOUND_S: Final = 60.0


@pytest.mark.asyncio
async def test_no_worker_is_touched_where_the_new_build_cannot_migrate() -> None:
    """The old ones go on: they are better than none."""
    asked = asyncio.Event()
    asked.set()
    with Port.opened("127.0.0.1", 0) as port, capture_logs() as events:
        renewing = asyncio.create_task(renew_when(asked, Workers(NOBODY, port), NOBODY))
        async with asyncio.timeout(BOUND_S):
            while len(events) < 2:  # noqa: ASYNC110 - it is another process that ends
                await asyncio.sleep(0.01)
        renewing.cancel()
    assert [event["event"] for event in events] == ["renewing", "renewal_stopped"]
    assert events[1]["migrate"] == 4
    assert not asked.is_set()
