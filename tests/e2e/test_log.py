"""What an installation writes down for its keepers: events and numbers, nothing of a person."""

import io
import json
from typing import Any, cast

import msgspec
import pytest

from dispatch.desk.queues import Queues
from dispatch.store.postgres import PostgresStore
from tests.e2e.town import KEY, WHO, Town, hear

pytestmark = [pytest.mark.asyncio, pytest.mark.e2e, pytest.mark.postgres]

TEL = "13800138000"
NAME = "欧阳静怡"
TEXT = f"{NAME}在河边求救，电话{TEL}"
NEVER_ISSUED = "kd_never-issued-to-anybody-0123456789"
STAGES = ("committed", "written", "acked", "accepted")


async def told(town: Town) -> str:
    """Return what /metrics tells."""
    return (await town.http.get("/metrics")).text


async def lived(town: Town) -> list[str]:
    """Let much happen, and go wrong, with persons, places and secrets; return the tokens."""
    phone = town.phones[0]
    line = await town.socket(phone, push={"k": "hook", "a": f"tel:{TEL}"})
    await hear(line, "welcome")
    await town.call(phone)
    offer = await hear(line, "offer")
    fix = [1, phone.lon, phone.lat, 5]
    frames: list[dict[str, Any]] = [
        {"t": "loc", "d": "wgs84", "ts": 1, "f": [fix, [1, phone.lon, "no", 5]], "p": 1},
        {"t": "ping", "ts": 1, "ack": offer["seq"]},
        {"t": "ping", "ts": 1, "ack": 99},
        {"t": "report", "id": "r" * 16, "kind": "theft", "pri": 3, "d": "wgs84"}
        | {"lon": phone.lon, "lat": phone.lat, "text": TEXT},
        {"t": "sos", "id": "s" * 16, "d": "wgs84", "fix": fix},
        {"t": "nonsense", "text": TEXT, "tok": phone.token},
    ]
    for frame in frames:
        await line.send(msgspec.json.encode(frame).decode())
    await line.send(f'{{"t":"loc","d":"{TEXT}"')
    await hear(line, "ok")
    await line.send(msgspec.json.encode(town.yes(offer["oid"])).decode())
    for _ in ("the sos", "the yes"):
        await hear(line, "ok")
    other = await town.socket(phone, inst="run-2")
    await hear(other, "welcome")
    await town.socket(phone, tok=NEVER_ISSUED)
    await town.http.post(
        "/v1/notices",
        json={"level": "warn", "text": TEXT, "drill": False},
        headers={**WHO, "Idempotency-Key": town.clock.new_id()},
    )
    notice = await hear(other, "notice")
    await other.send(msgspec.json.encode({"t": "ack", "ack": notice["seq"]}).decode())
    await town.http.get("/v1/incidents", headers={"Authorization": f"Bearer kk_{NAME.encode()!r}"})
    return [phone.token, NEVER_ISSUED, KEY]


async def test_no_line_names_a_person_a_place_or_a_secret(lines: io.StringIO, town: Town) -> None:
    """Only ids, codes and counts: whoever reads logs need not be allowed to see people."""
    tokens = await lived(town)
    log = lines.getvalue()
    events = {json.loads(line)["event"] for line in log.splitlines()}
    assert {"phone_replaced", "ack_above_head"} <= events
    assert [secret for secret in (*tokens, TEL, NAME, "河边") if secret in log] == []
    members = [m.name for p in town.phones for m in town.running.desk.roster.crew(p.unit)]
    assert [name for name in members if name in log] == []
    places = [f"{degrees:.5f}"[:-1] for p in town.phones for degrees in (p.lon, p.lat)]
    assert [digits for digits in places if digits in log] == []


async def test_metrics_tell_the_queues_and_how_offers_fare(town: Town) -> None:
    """And nothing of a person either."""
    tokens = await lived(town)
    running = town.running
    await Queues(
        running.desk, running.phones, cast(PostgresStore, running.desk.store).backlog
    ).look()
    page = await told(town)
    for queue in ("acks", "positions", "send_reliable", "admission", "store_due", "store_outbox"):
        assert f'kapok_queue{{worker="0",queue="{queue}"}}' in page
    for stage in STAGES:
        assert f'kapok_offer_stage_seconds_count{{worker="0",stage="{stage}"}}' in page
    assert 'kapok_offers_total{worker="0",outcome="accepted",reach="socket"}' in page
    assert [secret for secret in (*tokens, TEL, NAME) if secret in page] == []
