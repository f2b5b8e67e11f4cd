"""The bus of one process: splits that tests make."""

import asyncio

import pytest

from dispatch.bus.local import LocalBus, Wire
from dispatch.ports import BusAway, Nobody

pytestmark = pytest.mark.asyncio


async def test_a_bus_alone_tells_nobody_and_that_is_no_failure() -> None:
    """One worker needs no other."""
    alone = LocalBus()
    assert alone.here
    assert alone.publish("ev", b"1")
    with pytest.raises(Nobody):
        await alone.ask("gw.a", b"", 1)


async def test_one_that_is_cut_off_neither_hears_nor_is_asked() -> None:
    """The others go on among themselves."""
    wire = Wire()
    one, other, third = (LocalBus(wire) for _ in range(3))
    heard = list[tuple[str, bytes]]()
    await other.subscribe("ev", lambda subject, body: heard.append((f"other {subject}", body)))
    await third.subscribe("ev", lambda subject, body: heard.append((f"third {subject}", body)))
    await other.answer("gw.other", bytes)
    other.cut()
    assert not other.here
    one.publish("ev", b"1")
    with pytest.raises(Nobody):
        await one.ask("gw.other", b"", 1)
    with pytest.raises(BusAway):
        await other.ask("gw.one", b"", 1)
    assert heard == [("third ev", b"1")]
    other.heal()
    assert await one.ask("gw.other", b"2", 1) == b"2"


async def test_what_is_on_its_way_to_one_who_is_cut_off_is_lost() -> None:
    """As on a real wire."""
    wire = Wire()
    one, other = LocalBus(wire), LocalBus(wire)
    heard = list[bytes]()
    await other.subscribe("ev", lambda _, body: heard.append(body))
    one.publish("ev", b"1")
    other.cut()
    await asyncio.sleep(0)
    other.heal()
    one.publish("ev", b"2")
    await asyncio.sleep(0)
    assert heard == [b"2"]
