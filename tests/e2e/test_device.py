"""A phone of the whole service, by socket and by HTTP at once."""

import asyncio

import msgspec
import pytest

from tests.e2e.town import PATIENCE_S, WHO, Town, hear

pytestmark = [pytest.mark.asyncio, pytest.mark.e2e, pytest.mark.postgres]


async def test_an_accept_by_http_beside_a_half_open_socket(town: Town) -> None:
    """The socket still looks alive to the service and delivers nothing; the yes counts, once."""
    case = await town.call(town.phones[0])
    offer = case["offers"][0]
    phone = town.phone_of(offer["unit_id"])
    line = await town.socket(phone)
    line.transport.pause_reading()
    state = await town.ask(phone, "state")
    assert [shown["oid"] for shown in state["state"]["offers"]] == [offer["id"]]
    yes = town.yes(offer["id"])
    (taken,) = await town.post(phone, yes)
    assert (taken["t"], taken["re"]) == ("ok", yes["id"])
    (again,) = await town.post(phone, yes)
    assert again["result"] == taken["result"]
    line.transport.resume_reading()
    await line.send(msgspec.json.encode(yes).decode())
    assert (await hear(line, "ok"))["result"] == taken["result"]
    tasks = (await town.ask(phone, "state"))["state"]["assigns"]
    assert [task["aid"] for task in tasks] == [taken["result"]["aid"]]


async def test_what_a_phone_missed_waits_in_its_inbox(town: Town) -> None:
    """Until it is acknowledged, by either way."""
    case = await town.call(town.phones[0])
    phone = town.phone_of(case["offers"][0]["unit_id"])
    first = await town.ask(phone, "inbox")
    assert [frame["t"] for frame in first["out"]] == ["offer"]
    epoch, seq = first["epoch"], first["out"][0]["seq"]
    headers = {"Kapok-Epoch": epoch}
    assert (await town.ask(phone, f"inbox?after={seq}", **headers))["out"] == []
    await town.http.post(
        "/v1/device/messages",
        json={"frames": [{"t": "ack", "ack": seq}]},
        headers={"Authorization": f"Bearer {phone.token}", "Kapok-Datum": "wgs84", **headers},
    )
    async with asyncio.timeout(PATIENCE_S):
        while (await town.ask(phone, "inbox"))["out"]:  # noqa: ASYNC110 - written by a loop
            await asyncio.sleep(0.02)


async def test_a_phone_hears_its_policy_after_its_offer(town: Town) -> None:
    """So that it reports faster; the welcome told what it went by before."""
    phone = town.phones[0]
    line = await town.socket(phone)
    assert (await hear(line, "welcome"))["state"]["policy"]["s"] == "fixed"
    await town.call(phone)
    policy = await hear(line, "policy")
    assert (policy["s"], policy["state"]["offered"]["hb"]) == ("offered", 5)


async def test_a_fetched_token_takes_the_place_of_the_old_one(town: Town) -> None:
    """By socket, by HTTP, and on the disk of the service."""
    phone = town.phones[0]
    line = await town.socket(phone)
    welcome = await hear(line, "welcome")
    assert welcome["exp"] > welcome["now"] + 80 * 86_400_000
    command = {"t": "refresh", "id": town.clock.new_id()}
    await line.send(msgspec.json.encode(command).decode())
    token = (await hear(line, "ok"))["result"]["tok"]
    await town.ask(phone, "state")
    await town.ask(phone, "state", token=token)
    refused = await town.http.get(
        "/v1/device/state",
        headers={"Authorization": f"Bearer {phone.token}", "Kapok-Datum": "wgs84"},
    )
    assert refused.status_code == 401


async def test_a_phone_that_holds_lost_rows_begins_a_new_epoch_for_all(town: Town) -> None:
    """Once, however many say so at the same time; all that were here come again."""
    bystander = await town.socket(town.phones[9])
    epoch = (await hear(bystander, "welcome"))["epoch"]
    witnesses = await asyncio.gather(
        *(town.socket(phone, epoch=epoch, ack=99) for phone in town.phones[:5])
    )
    welcomes = await asyncio.gather(*(hear(line, "welcome") for line in witnesses))
    assert {welcome["rec"] for welcome in welcomes} == {False}
    (renewed,) = {welcome["epoch"] for welcome in welcomes}
    assert renewed != epoch
    assert renewed == await town.running.desk.store.epoch()
    async with asyncio.timeout(PATIENCE_S):
        await bystander.wait_closed()
    assert bystander.close_code == 4202


async def test_an_app_that_is_too_old_is_sent_to_its_store(town: Town) -> None:
    """By the setting of the service."""
    line = await town.socket(town.phones[0], app={"n": "mini", "v": "1.9.9"})
    async with asyncio.timeout(PATIENCE_S):
        await line.wait_closed()
    assert line.close_code == 4005


async def test_positions_by_http_move_the_unit(town: Town) -> None:
    """And off duty none is stored."""
    phone = town.phones[0]
    now_ms = town.clock.now().timestamp() * 1000
    body = {"d": "wgs84", "ts": now_ms, "f": [[now_ms, phone.lon + 0.0005, phone.lat, 8]]}
    headers = {"Authorization": f"Bearer {phone.token}"}
    stored = await town.http.post("/v1/device/location", json=body, headers=headers)
    assert stored.json() == {"stored": 1}
    seen = await town.http.get(f"/v1/units/{phone.unit}", headers=WHO)
    assert seen.json()["position"]["lon"] == pytest.approx(phone.lon + 0.0005, abs=1e-6)
    off = {"t": "duty", "id": town.clock.new_id(), "s": "off"}
    assert (await town.post(phone, off))[0]["t"] == "ok"
    refused = await town.http.post("/v1/device/location", json=body, headers=headers)
    assert refused.json() == {"stored": 0, "why": "not_on_duty"}
