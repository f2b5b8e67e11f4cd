"""One piece of work, followed by its id through everything it touched."""

import asyncio
import io
import json
from typing import Any

import msgspec
import pytest

from tests.e2e.town import PATIENCE_S, WHO, Town, hear

pytestmark = [pytest.mark.asyncio, pytest.mark.e2e, pytest.mark.postgres]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


async def timeline(town: Town, incident: str) -> list[Any]:
    """Return the lines of an incident."""
    told = await town.http.get(f"/v1/incidents/{incident}/timeline", headers=WHO)
    items: list[Any] = told.json()["items"]
    return items


async def followed(town: Town, after: str, lines: int) -> list[Any]:
    """Return the next lines of the feed."""
    url, got = f"/v1/events?after={after}" if after else "/v1/events", list[Any]()
    async with (
        asyncio.timeout(PATIENCE_S),
        town.http.stream("GET", url, headers=WHO, timeout=PATIENCE_S) as stream,
    ):
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                got.append(json.loads(line.removeprefix("data: ")))
            if len(got) == lines:
                break
    return got


def logged(lines: io.StringIO, trace: str) -> set[str]:
    """Return what the log has under an id."""
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    return {line["event"] for line in told if line.get("trace") == trace}


async def test_a_request_is_followed_to_the_phone_and_back(lines: io.StringIO, town: Town) -> None:
    """In its answer, the log, the timeline and the feed; and what the phone did under its own."""
    feed = asyncio.create_task(followed(town, "", 3))
    await asyncio.sleep(0.1)
    answered = await town.answered(town.phones[0], traceparent=PARENT)
    assert answered.headers["Kapok-Trace"] == TRACE
    case = answered.json()
    phone = town.phone_of(case["offers"][0]["unit_id"])
    first = await timeline(town, case["id"])
    assert {line["trace"] for line in first} == {TRACE}
    assert [line["trace"] for line in await feed] == [TRACE] * 3
    assert logged(lines, TRACE) == {"decided"}

    line = await town.socket(phone)
    await hear(line, "welcome")
    yes = town.yes(case["offers"][0]["id"])
    await line.send(msgspec.json.encode(yes).decode())
    tap = (await hear(line, "ok"))["tr"]
    assert len(tap) == 32
    written = {each["type"] for each in await timeline(town, case["id"]) if each["trace"] == tap}
    assert {"offer_accepted", "assigned"} <= written
    assert logged(lines, tap) == {"decided"}
    await line.send(msgspec.json.encode(yes).decode())
    assert (await hear(line, "ok"))["tr"] == tap


async def test_what_goes_wrong_is_found_by_the_id_the_asker_was_told(
    lines: io.StringIO, town: Town
) -> None:
    """A phone's refusal names the work, and its request by HTTP does."""
    phone = town.phones[0]
    line = await town.socket(phone)
    await hear(line, "welcome")
    no = {"t": "offer.seen", "id": town.clock.new_id(), "oid": "none-of-ours"}
    await line.send(msgspec.json.encode(no).decode())
    assert len((await hear(line, "err"))["tr"]) == 32
    (twin,) = await town.post(phone, town.yes("none-of-ours"))
    assert len(twin["tr"]) == 32
    refused = await town.http.get("/v1/incidents/none", headers=WHO)
    assert refused.json()["trace"] == refused.headers["Kapok-Trace"]
