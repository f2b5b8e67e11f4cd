"""Units, members and phones, from the request to the database and back."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from dispatch.auth import token_hash
from schemas.base import DeviceId, UnitId
from tests.dispatch.api.served import Served, code, live
from tests.dispatch.desk.station import Station, sql

pytestmark = [pytest.mark.asyncio, pytest.mark.postgres]
REGISTRAR = "kk_registrar"
TEL = "13812341234"


@pytest_asyncio.fixture
async def desk(station: Station) -> AsyncIterator[Served]:
    """A client of one process."""
    served = Served.at(station)
    async with served.client:
        yield served


def new_unit(desk: Served, **facts: Any) -> dict[str, Any]:
    """Return the body of a new unit, at the first phone's post."""
    here = desk.station.issued[0]
    home = {"lon": here.lon, "lat": here.lat, "datum": "wgs84"}
    return {"code": "NEW-1", "name": "新单元", "kind": "village", "home": home, **facts}


async def logged(desk: Served, event: str) -> list[Any]:
    """Return what was written down of that kind."""
    return await sql(
        desk.station.dsn, "select * from event where type = $1 and incident_id is null", event
    )


async def test_a_new_unit_is_there_at_once(desk: Served) -> None:
    """Off duty, and whoever's ground its post is; the log says who added it."""
    response = await desk.post("/v1/units", new_unit(desk, min_crew=2), key=REGISTRAR)
    made = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/v1/units/{made['id']}"
    assert (made["state"], made["link"], made["min_crew"]) == ("off", "offline", 2)
    assert made["jurisdiction"].startswith("gz.")
    assert await desk.see(f"/v1/units/{made['id']}") == made
    (line,) = await logged(desk, "unit_created")
    assert (line["by"], line["unit_id"]) == ("key:k-registrar", made["id"])


async def test_a_code_is_given_once(desk: Served) -> None:
    """Another unit of the same code is refused; the same request again is the same unit."""
    made = [
        await desk.post("/v1/units", new_unit(desk), key=REGISTRAR, once="unit-1") for _ in range(2)
    ]
    assert made[0].json() == made[1].json()
    assert made[1].headers["Idempotency-Replayed"] == "true"
    other = await desk.post("/v1/units", new_unit(desk, name="另一个"), key=REGISTRAR)
    assert code(other) == (409, "conflict")


async def test_a_unit_is_changed_where_it_is_said(desk: Served) -> None:
    """The rest stays; the log keeps what was before."""
    path = f"/v1/units/{desk.unit}"
    before = await desk.see(path)
    told = await desk.do(f"{path}/change", {"name": "改名", "min_crew": 9}, key=REGISTRAR)
    assert (told["name"], told["min_crew"], told["state"]) == ("改名", 9, "off")
    assert told["home"] == before["home"]
    assert await desk.see(path) == told
    (line,) = await logged(desk, "unit_changed")
    assert f'"{before["name"]}"' in line["data"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"jurisdiction": "gz.nowhere"}, "/jurisdiction"),
        ({"min_crew": 0}, "/min_crew"),
        ({"code": "X"}, "/code"),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused(
    desk: Served, body: dict[str, Any], pointer: str
) -> None:
    """And says which part of it."""
    refused = await desk.post(f"/v1/units/{desk.unit}/change", body, key=REGISTRAR)
    assert code(refused) == (422, "invalid")
    assert refused.json()["errors"][0]["pointer"] == pointer


async def test_a_disabled_unit_is_asked_no_more(desk: Served) -> None:
    """Its offers are withdrawn by their incidents' own clocks, its sockets closed, its crew off."""
    incident = await desk.call()
    unit = desk.open_offer(incident)["unit_id"]
    told = await desk.do(f"/v1/units/{unit}/disable", {"why": "整顿"}, key=REGISTRAR)
    assert told["state"] == "disabled"
    assert desk.station.lane.closed == [(unit, 4006)]
    await desk.station.loops.run_due()
    after = await desk.see(f"/v1/incidents/{incident['id']}")
    assert {o["state"] for o in after["offers"] if o["unit_id"] == unit} == {"withdrawn"}
    refused = await desk.post(f"/v1/incidents/{incident['id']}/offers", {"unit_id": unit})
    assert code(refused) == (409, "conflict")
    again = await desk.post(f"/v1/units/{unit}/disable", {"why": "x"}, key=REGISTRAR)
    assert code(again) == (409, "conflict")
    told = await desk.do(f"/v1/units/{unit}/enable", {}, key=REGISTRAR)
    assert told["state"] == "off"
    await desk.do(f"/v1/units/{unit}/duty", {"duty": "on"})
    assert (await desk.see(f"/v1/units/{unit}"))["state"] == "available"


async def test_a_unit_on_a_call_is_not_disabled(desk: Served) -> None:
    """It would be lost to its incident."""
    (task,) = live(await desk.accepted(await desk.call()))
    refused = await desk.post(f"/v1/units/{task['unit_id']}/disable", {"why": "x"}, key=REGISTRAR)
    assert code(refused) == (409, "conflict")
    assert refused.json()["state"] == "engaged"


async def test_members_are_clocked_on_an_operators_word(desk: Served) -> None:
    """The log says on whose."""
    path = f"/v1/units/{desk.unit}"
    told = await desk.do(f"{path}/duty", {"duty": "off"})
    assert {m["duty"] for m in told["items"]} == {"off"}
    assert (await desk.see(path))["state"] == "off"
    lines = await logged(desk, "duty_changed")
    assert {(line["by"], line["via"]) for line in lines} == {("key:k-dispatcher", "operator")}
    refused = await desk.post(f"{path}/duty", {"duty": "on", "members": ["nobody"]})
    assert code(refused) == (422, "invalid")


async def test_the_last_to_leave_declines_what_the_unit_is_asked(desk: Served) -> None:
    """By the incident's own clock."""
    incident = await desk.call()
    unit = desk.open_offer(incident)["unit_id"]
    await desk.do(f"/v1/units/{unit}/duty", {"duty": "off"})
    await desk.station.loops.run_due()
    after = await desk.see(f"/v1/incidents/{incident['id']}")
    assert {o["state"] for o in after["offers"] if o["unit_id"] == unit} == {"declined"}


async def test_a_telephone_number_is_shown_masked(desk: Served) -> None:
    """Wherever it is shown; the log holds none of it."""
    path = f"/v1/units/{desk.unit}/members"
    made = await desk.do(path, {"name": "陈", "tel": TEL}, key=REGISTRAR)
    assert (made["tel"], made["duty"]) == ("138****1234", "off")
    assert made in (await desk.see(path))["items"]
    change = f"/v1/members/{made['id']}/change"
    changed = await desk.do(change, {"tel": "13912345678", "leader": True}, key=REGISTRAR)
    assert (changed["tel"], changed["leader"], changed["name"]) == ("139****5678", True, "陈")
    assert (await desk.see(path))["items"][-1] == changed
    lines = await sql(desk.station.dsn, "select data::text from event")
    assert not [line for line in lines if TEL in line[0] or "13912345678" in line[0]]


async def test_a_consent_is_written_down_and_taken_back(desk: Served) -> None:
    """On paper unless said otherwise; null takes it back, saying nothing leaves it."""
    path = f"/v1/units/{desk.unit}/members"
    made = await desk.do(path, {"name": "陈"}, key=REGISTRAR)
    new = await desk.do(path, {"name": "李", "consent": None}, key=REGISTRAR)
    assert (made["consent"], new["consent"]) == ("paper", None)
    change = f"/v1/members/{made['id']}/change"
    shown = [
        (await desk.do(change, body, key=REGISTRAR))["consent"]
        for body in ({"consent": "2026-11"}, {"name": "何"}, {"consent": None})
    ]
    assert shown == ["2026-11", "2026-11", None]
    assert (await desk.post(change, {}, key=REGISTRAR)).status_code == 422
    assert (await desk.post(change, {"consent": ""}, key=REGISTRAR)).status_code == 422
    lines = await sql(desk.station.dsn, "select type, data ->> 'policy' as policy from event")
    assert ("consent_withdrawn", None) in [tuple(line) for line in lines]
    assert ("consent_given", "2026-11") in [tuple(line) for line in lines]


async def enrolled(desk: Served, member: str) -> dict[str, Any]:
    """Enrol a member's phone by a code."""
    issued = await desk.do(f"/v1/members/{member}/enrol-code", {}, key=REGISTRAR)
    told: dict[str, Any] = await desk.do("/v1/device/enrol", {"code": issued["code"].lower()})
    return told


async def test_a_phone_is_enrolled_by_a_code_once(desk: Served) -> None:
    """Its token opens the socket; the code opens nothing a second time."""
    made = await desk.do(f"/v1/units/{desk.unit}/members", {"name": "陈"}, key=REGISTRAR)
    issued = await desk.do(f"/v1/members/{made['id']}/enrol-code", {}, key=REGISTRAR)
    body = {"code": issued["code"]}
    phone = await desk.do("/v1/device/enrol", body)
    assert (phone["unit_id"], phone["member_id"]) == (desk.unit, made["id"])
    known = await desk.station.phones.identify(phone["token"])
    assert known.device_id == phone["device_id"]
    assert code(await desk.post("/v1/device/enrol", body)) == (404, "not_found")
    listed = await desk.see(f"/v1/units/{desk.unit}/devices", key=REGISTRAR)
    assert phone["device_id"] in [d["id"] for d in listed["items"]]
    assert phone["token"] not in str(listed)


async def test_a_phone_enrolled_anew_cuts_the_earlier_one_off(desk: Served) -> None:
    """The device stays the same; the old token opens nothing."""
    first = desk.station.issued[0]
    member = (await desk.station.phones.identify(first.token)).member_id
    phone = await enrolled(desk, member)
    assert phone["device_id"] == first.device
    assert desk.station.lane.closed == [(first.device, 4002)]
    assert await desk.station.store.identify(token_hash(first.token)) is None
    assert desk.station.desk.roster.find(token_hash(first.token)) is None


async def test_five_wrong_guesses_and_a_code_is_void(desk: Served) -> None:
    """Counted against the one code they were guesses at; another's stays good."""
    members = (await desk.see(f"/v1/units/{desk.unit}/members"))["items"]
    issued = await desk.do(f"/v1/members/{members[0]['id']}/enrol-code", {}, key=REGISTRAR)
    wrong = issued["code"][:3] + ("AAAAA" if issued["code"][3:] != "AAAAA" else "BBBBB")
    for _ in range(5):
        assert code(await desk.post("/v1/device/enrol", {"code": wrong})) == (404, "not_found")
    right = await desk.post("/v1/device/enrol", {"code": issued["code"]})
    assert code(right) == (404, "not_found")


async def test_a_code_lives_ten_minutes(desk: Served) -> None:
    """And a new one voids the old."""
    members = (await desk.see(f"/v1/units/{desk.unit}/members"))["items"]
    path = f"/v1/members/{members[0]['id']}/enrol-code"
    first, second = [await desk.do(path, {}, key=REGISTRAR) for _ in range(2)]
    assert (await desk.post("/v1/device/enrol", {"code": first["code"]})).status_code == 404
    desk.station.clock.advance(600)
    assert (await desk.post("/v1/device/enrol", {"code": second["code"]})).status_code == 404


async def test_one_address_may_not_guess_for_ever(desk: Served) -> None:
    """Ten a minute."""
    answers = [(await desk.post("/v1/device/enrol", {"code": "X" * 8})) for _ in range(11)]
    assert [a.status_code for a in answers] == [404] * 10 + [429]
    assert answers[-1].headers["Retry-After"] == "60"
    desk.station.clock.advance(60)
    assert (await desk.post("/v1/device/enrol", {"code": "X" * 8})).status_code == 404


async def test_a_revoked_phone_is_cut_off(desk: Served) -> None:
    """Its socket is closed by 4002, its token opens nothing, and it is shown as revoked."""
    phone = desk.station.issued[0]
    await desk.station.phones.identify(phone.token)
    path = f"/v1/devices/{phone.device}/revoke"
    told = await desk.do(path, {"why": "丢失"}, key=REGISTRAR)
    assert told["revoked_at"] is not None
    assert desk.station.lane.closed == [(phone.device, 4002)]
    assert desk.station.desk.roster.find(token_hash(phone.token)) is None
    assert await desk.station.store.identify(token_hash(phone.token)) is None
    assert (await desk.do(path, {"why": "再一次"}, key=REGISTRAR)) == told
    assert len(await logged(desk, "device_revoked")) == 1


async def test_another_process_follows_what_was_registered(desk: Served) -> None:
    """A revocation there closes the socket here, as soon as the register is read anew."""
    phone = desk.station.issued[1]
    await desk.station.phones.identify(phone.token)
    revoke = "update device set revoked_at = now() where id = $1 returning id"
    await sql(desk.station.dsn, revoke, phone.device)
    await desk.station.loops.follow_registry()
    assert desk.station.lane.closed == [(DeviceId(phone.device), 4002)]


async def test_two_registrars_lose_nothing_of_each_other(desk: Served) -> None:
    """What one changes while the other thinks is looked at anew, not overwritten."""
    store, unit = desk.station.store, UnitId(desk.unit)
    read, once = store.unit_rows, list[object]()

    async def interrupted(*args: Any) -> Any:
        rows = await read(*args)
        if not once:
            once.append(
                await sql(desk.station.dsn, "update unit set name = '甲' where id = $1", unit)
            )
        return rows

    store.unit_rows = interrupted  # type: ignore[method-assign, assignment]  # somebody else is quicker, once
    told = await desk.do(f"/v1/units/{unit}/change", {"min_crew": 2}, key=REGISTRAR)
    assert (told["name"], told["min_crew"]) == ("甲", 2)
