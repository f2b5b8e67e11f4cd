"""Phones of a registered city in a process of their own: who they are, and that all are online."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Final

from bench.harness.child import Child, child
from dispatch.cli.city import IssuedPhone

MODULE: Final = "bench.peers.talkers"
DIAL_WITHIN_S: Final = 90.0


def crowd(
    issued: Sequence[IssuedPhone], port: int, spread_s: float | None = None
) -> AbstractContextManager[Child]:
    """Return the process of these phones; `spread_s`: they come back when they are lost."""
    return child(
        MODULE,
        port=port,
        tokens=[phone.token for phone in issued],
        places=[(phone.lon, phone.lat) for phone in issued],
        spread_s=spread_s,
    )


async def dialled(talkers: Child, phones: int) -> None:
    """Let all dial; every one of them has to come in."""
    online = await asyncio.to_thread(talkers.ask, "dial", within_s=DIAL_WITHIN_S)
    assert online["online"] == phones, online
