"""The log as it grows: nothing missed, nothing told twice, and nobody kept waiting for the slow."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from dispatch.api.log_place import cursor_of
from tests.dispatch.api.served import Reader, Served, code, live
from tests.dispatch.desk.station import Station

pytestmark = [pytest.mark.asyncio, pytest.mark.postgres]
EPOCH = "epoch"
LINE = """
insert into event (type, by, via, at, unit_id) values ('unit_changed', 'x', 'api', now(), $1)
"""


@pytest_asyncio.fixture
async def desk(station: Station) -> AsyncIterator[Served]:
    """A client of one process; a page must be taken within a tenth of a second."""
    served = Served.at(station, send_s=0.1)
    async with served.client:
        yield served


async def test_a_stream_tells_what_happens_from_now_on(desk: Served) -> None:
    """Each line with its incident and whose ground that is."""
    await desk.call()
    async with Reader(desk.app) as reader:
        incident = await opened(desk, reader)
        lines = await reader.until(1)
    assert reader.status == 200
    assert {line["incident_id"] for line in lines} == {incident}
    assert lines[0]["jurisdiction"].startswith("gz.")


async def opened(desk: Served, reader: Reader) -> str:
    """Open an incident once the stream has begun."""
    async with asyncio.timeout(20):
        await reader.until_text("id: ")
    made: str = (await desk.call(9))["id"]
    return made


async def write(desk: Served, number: int, times: int) -> None:
    """Write lines in transactions that overlap: some are long, and commit after later ones."""
    connection = await asyncpg.connect(desk.station.dsn)
    for n in range(times):
        async with connection.transaction():
            await connection.execute(LINE, desk.unit)
            await asyncio.sleep(0.02 if (number + n) % 3 else 0)
            await connection.execute(LINE, desk.unit)
    await connection.close()


async def test_who_resumes_misses_nothing_and_hears_nothing_twice(desk: Served) -> None:
    """By the id of the last line, though transactions that began earlier commit later."""
    begin = await desk.station.desk.log_end()
    last, seen = cursor_of(begin, EPOCH), list[str]()
    writers = [asyncio.create_task(write(desk, n, 15)) for n in range(4)]
    while len(seen) < 120:
        async with Reader(desk.app).resume(last) as reader:
            seen += [line["id"] for line in await reader.until(min(9, 120 - len(seen)))]
            last = seen[-1]
    await asyncio.gather(*writers)
    whole = await desk.station.store.events(begin, 1000)
    assert len(whole) == 120
    assert seen == [cursor_of(line.cursor, EPOCH) for line in whole]


async def test_one_hears_of_ones_own_jurisdiction_only(desk: Served) -> None:
    """A key for elsewhere is told nothing, and its place in the log goes on all the same."""
    begin = cursor_of(await desk.station.desk.log_end(), EPOCH)
    await desk.call()
    async with Reader(desk.app, query=f"after={begin}") as own:
        assert len(await own.until(2)) >= 2
    async with Reader(desk.app, "kk_dispatcher_far", f"after={begin}") as far:
        await far.until_text("id: ")
        await asyncio.sleep(0.05)
    assert (far.status, far.lines) == (200, [])


async def test_a_reader_that_is_too_slow_is_cut_off(desk: Served) -> None:
    """And finds its place again."""
    begin = cursor_of(await desk.station.desk.log_end(), EPOCH)
    reader = Reader(desk.app, query=f"after={begin}")
    reader.free.clear()
    async with reader:
        await desk.call()
        await reader.end()
    assert reader.lines == []
    async with Reader(desk.app, query=f"after={begin}") as again:
        assert await again.until(1)


async def test_a_revoked_key_hears_no_more(desk: Served) -> None:
    """Its stream ends."""
    async with Reader(desk.app) as reader:
        await reader.until_text("id: ")
        desk.station.desk.keyring.replace([])
        await reader.end()
    assert reader.ended


async def test_a_key_has_so_many_streams(desk: Served) -> None:
    """One more is told to wait; a stream that has ended makes room."""
    readers = [Reader(desk.app) for _ in range(4)]
    for reader in readers:
        await reader.__aenter__()
        await reader.until_text("id: ")
    assert code(await desk.get("/v1/events")) == (429, "rate_limited")
    for reader in readers:
        await reader.__aexit__()
    async with Reader(desk.app) as reader:
        await reader.until_text("id: ")
    assert reader.status == 200


@pytest.mark.parametrize("after", ["x", "WyJpbmNpZGVudHMiLCIxIl0", "WyJldmVudHMiLCJ4OjEiXQ"])
async def test_a_place_the_log_never_gave_is_refused(desk: Served, after: str) -> None:
    """In the address as in the header."""
    refused = await desk.get(f"/v1/events?after={after}")
    assert code(refused) == (400, "bad_parameter")
    assert refused.json()["errors"][0]["parameter"] == "after"
    refused = await desk.get("/v1/events", headers={"Last-Event-ID": after})
    assert refused.json()["errors"][0]["parameter"] == "Last-Event-ID"


async def test_a_stream_ends_with_the_epoch_and_its_place_is_gone(desk: Served) -> None:
    """The database is another one: whoever follows begins anew, and is told so."""
    async with Reader(desk.app) as reader:
        await opened(desk, reader)
        last = (await reader.until(1))[-1]["id"]
        await desk.station.phones.follow_epoch("anew", EPOCH)
        await reader.end()
    gone = await desk.get(f"/v1/events?after={last}")
    assert code(gone) == (410, "place_gone")
    assert gone.json()["type"] == "/problems/place_gone"
    gone = await desk.get("/v1/events", headers={"Last-Event-ID": last})
    assert gone.json()["detail"].startswith("Last-Event-ID: ")
    async with Reader(desk.app) as reader:
        assert (await opened(desk, reader)) == (await reader.until(1))[0]["incident_id"]


async def test_a_110_desk_that_kept_a_place_of_another_epoch_reads_from_the_start(
    desk: Served,
) -> None:
    """What it hears again it knows by its own number."""
    await desk.call(**EXT)
    page = await desk.see("/v1/feedback", key="kk_api_feed")
    await desk.station.phones.follow_epoch("anew", EPOCH)
    gone = await desk.get(f"/v1/feedback?after={page['next']}", key="kk_api_feed")
    assert code(gone) == (410, "place_gone")
    again = await desk.see("/v1/feedback", key="kk_api_feed")
    assert again["items"] == page["items"]
    assert again["next"] != page["next"]


async def test_a_quiet_stream_says_that_it_lives(desk: Served) -> None:
    """A comment, with the place to resume at."""
    served = Served.at(desk.station, heartbeat_s=0.02)
    async with Reader(served.app) as reader:
        await reader.until_text(": still here\nid: ")
    assert reader.lines == []


EXT: dict[str, Any] = {"source": "110", "ext_id": "4401-7", "ext_rev": 1}


async def test_a_110_desk_hears_what_came_of_its_call(desk: Served) -> None:
    """Received, accepted, arrived, controlled, result: each once, page by page."""
    await desk.call(9)
    incident = await desk.accepted(await desk.call(**EXT))
    (task,) = live(incident)
    path = f"/v1/incidents/{incident['id']}"
    for reached in ("arrived", "controlled", "resolved"):
        body = {"via": "radio", "reached": reached}
        await desk.do(f"{path}/assignments/{task['id']}/progress", body)
    await desk.do(f"{path}/close", {"result": "rescued"})
    facts, after = [], ""
    for _ in range(4):
        page = await desk.see(f"/v1/feedback?limit=2{after}", key="kk_api_feed")
        facts += page["items"]
        after = f"&after={page['next']}"
    assert [f["fact"] for f in facts] == [
        "received", "accepted", "arrived", "controlled", "result"
    ]  # fmt: skip
    assert {(f["source"], f["ext_id"], f["ext_rev"]) for f in facts} == {("110", "4401-7", 1)}
    assert facts[-1]["result"] == "rescued"
    far = await desk.see("/v1/feedback", key="kk_api_feed_far")
    assert far["items"] == []
    assert code(await desk.get("/v1/feedback")) == (403, "forbidden")


ENDS = [
    ("cancel", {"why": "误报"}, "cancelled"),
    ("hand-over", {"to": "119", "why": "火警"}, "handed_over"),
]


@pytest.mark.parametrize(("action", "body", "result"), ENDS)
async def test_however_a_call_ends_its_desk_hears_the_result(
    desk: Served, action: str, body: dict[str, str], result: str
) -> None:
    """With the reason."""
    incident = await desk.call(**EXT)
    await desk.do(f"/v1/incidents/{incident['id']}/{action}", body, key="kk_commander")
    page = await desk.see("/v1/feedback", key="kk_api_feed")
    last = page["items"][-1]
    assert (last["fact"], last["result"], last["why"]) == ("result", result, body["why"])
