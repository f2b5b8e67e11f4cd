"""Incidents over REST: opened, listed, read, and moved through their table."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from geo.datum import Datum, point_from_wgs84
from geo.point import Point
from schemas.base import IncidentId, UnitId
from schemas.incident import Case, Status
from schemas.rest import IncidentPage, IncidentView, Timeline
from tests.dispatch.api.conftest import CALL, Api
from tests.fakes import START

pytestmark = pytest.mark.asyncio


async def test_an_opened_incident_can_be_read_at_its_location(api: Api) -> None:
    """201, and the address of what was made."""
    response = await api.post("/v1/incidents", CALL)
    assert response.status_code == 201
    made = msgspec.json.decode(response.content, type=IncidentView)
    assert response.headers["Location"] == f"/v1/incidents/{made.id}"
    read = await api.get(response.headers["Location"])
    assert read.status_code == 200
    assert msgspec.json.decode(read.content, type=IncidentView) == made


async def test_the_clocks_of_an_incident_start_when_its_request_arrives(api: Api) -> None:
    """The desk is handed the arrival, not the moment it is asked."""
    await api.opened()
    assert api.desk.received == [START]


async def test_instants_are_rfc_3339_in_utc(api: Api) -> None:
    """Whatever zone they came in."""
    location = await api.opened(called_at="2026-11-21T15:59:30+08:00")
    text = (await api.get(location)).json()
    assert text["called_at"] == "2026-11-21T07:59:30Z"
    assert text["opened_at"] == "2026-11-21T08:00:00Z"


async def test_a_call_from_the_future_is_refused_by_the_desk(api: Api) -> None:
    """Its refusal names the field."""
    response = await api.post("/v1/incidents", {**CALL, "called_at": "2026-11-22T08:00:00Z"})
    assert response.status_code == 422
    assert response.json()["code"] == "invalid"
    assert response.json()["errors"][0]["pointer"] == "/called_at"


async def test_a_feed_may_open_and_a_registrar_may_not(api: Api) -> None:
    """The role decides."""
    assert (await api.post("/v1/incidents", CALL, key="kk_feed")).status_code == 201
    response = await api.post("/v1/incidents", CALL, key="kk_registrar")
    assert response.status_code == 403
    assert response.json()["code"] == "forbidden"


async def test_an_incident_of_another_district_is_not_found(api: Api) -> None:
    """Out of scope and absent sound the same, for reads and for changes."""
    location = await api.opened()
    absent = "/v1/incidents/019ab000-0000-7000-8000-ffffffffffff"
    for path in (location, absent):
        for response in (
            await api.get(path, key="kk_tianhe"),
            await api.get(f"{path}/timeline", key="kk_tianhe"),
            await api.post(f"{path}/cancel", {"why": "x"}, key="kk_tianhe"),
        ):
            assert response.status_code == 404
            assert response.json()["detail"] == "no such incident"
    assert (await api.get(location, key="kk_commander")).status_code == 200


@pytest.mark.parametrize("name", ["x", "%00", "019AB000-0000-7000-8000-000000000001", "' or 1=1"])
async def test_what_cannot_be_an_id_is_not_found(api: Api, name: str) -> None:
    """And the store never hears of it."""
    response = await api.get(f"/v1/incidents/{name}")
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


STEPS = [
    (Status.REPORTED, "triage", {"accept": True}, Status.OPEN),
    (Status.REPORTED, "triage", {"accept": False, "why": "a prank"}, Status.REJECTED),
    (Status.OPEN, "cancel", {"why": "false alarm"}, Status.CANCELLED),
    (Status.ON_SCENE, "resolve", {}, Status.RESOLVED),
    (Status.RESOLVED, "close", {"result": "rescued", "note": "well"}, Status.CLOSED),
]


def put(api: Api, location: str, status: Status) -> None:
    """Have the incident stand somewhere."""
    name = IncidentId(location.rsplit("/", 1)[1])
    case = api.desk.cases[name]
    api.desk.cases[name] = Case(incident=replace(case.incident, status=status))


@pytest.mark.parametrize(("before", "step", "body", "after"), STEPS)
async def test_a_person_moves_an_incident(
    api: Api, before: Status, step: str, body: dict[str, Any], after: Status
) -> None:
    """Each command has its address, and answers with the incident as it is now."""
    location = await api.opened()
    put(api, location, before)
    response = await api.post(f"{location}/{step}", body)
    assert response.status_code == 200, response.text
    assert response.json()["status"] == after
    assert (await api.get(location)).json()["status"] == after


@pytest.mark.parametrize(("step", "body"), [(step, body) for _, step, body, _ in STEPS])
async def test_what_the_table_does_not_hold_is_a_conflict_that_names_the_state(
    api: Api, step: str, body: dict[str, Any]
) -> None:
    """Nothing changes."""
    location = await api.opened()
    put(api, location, Status.CANCELLED)
    response = await api.post(f"{location}/{step}", body)
    assert response.status_code == 409
    assert response.json()["code"] == "conflict"
    assert response.json()["state"] == "cancelled"
    assert (await api.get(location)).json()["status"] == "cancelled"


@pytest.mark.parametrize(
    ("step", "key", "status"),
    [
        ("triage", "kk_feed", 403),
        ("resolve", "kk_feed", 403),
        ("cancel", "kk_feed", 200),
        ("cancel", "kk_registrar", 403),
        ("close", "kk_registrar", 403),
    ],
)
async def test_the_role_says_who_may_change_what(
    api: Api, step: str, key: str, status: int
) -> None:
    """A feed cancels its own reports; it decides nothing else."""
    location = await api.opened()
    body = {"triage": {"accept": True}, "cancel": {"why": "x"}, "close": {"result": "x"}}
    response = await api.post(f"{location}/{step}", body.get(step, {}), key=key)
    assert response.status_code == status


async def test_a_list_is_walked_to_its_end_without_gaps_or_doubles(api: Api) -> None:
    """Newest first; new ones coming in between disturb nothing."""
    made = [(await api.opened()).rsplit("/", 1)[1] for _ in range(7)]
    seen: list[str] = []
    path = "/v1/incidents?limit=3"
    for _ in range(10):
        page = msgspec.json.decode((await api.get(path)).content, type=IncidentPage)
        assert len(page.items) <= 3
        seen += [item.id for item in page.items]
        if page.next is None:
            break
        await api.opened()
        path = f"/v1/incidents?limit=3&cursor={page.next}"
    assert seen == made[::-1]


async def test_a_full_last_page_has_no_next(api: Api) -> None:
    """Nobody is sent to an empty page."""
    for _ in range(2):
        await api.opened()
    page = (await api.get("/v1/incidents?limit=2")).json()
    assert len(page["items"]) == 2
    assert page["next"] is None


async def test_a_list_is_filtered_by_one_status_or_several(api: Api) -> None:
    """The parameter may be repeated."""
    places = [await api.opened() for _ in range(3)]
    put(api, places[0], Status.OPEN)
    put(api, places[1], Status.CLOSED)
    one = (await api.get("/v1/incidents?status=open")).json()["items"]
    assert [item["status"] for item in one] == ["open"]
    two = (await api.get("/v1/incidents?status=open&status=closed")).json()["items"]
    assert [item["status"] for item in two] == ["closed", "open"]


async def test_a_list_shows_ones_own_jurisdiction(api: Api) -> None:
    """Others see nothing of it."""
    await api.opened()
    assert (await api.get("/v1/incidents", key="kk_tianhe")).json()["items"] == []
    assert len((await api.get("/v1/incidents", key="kk_commander")).json()["items"]) == 1


async def test_a_timeline_is_walked_by_n(api: Api) -> None:
    """From 1, without gaps, in order."""
    location = await api.opened()
    name = IncidentId(location.rsplit("/", 1)[1])
    first = api.desk.log[name][0]
    api.desk.log[name] += [replace(first, n=n, unit_id=UnitId("u1")) for n in range(2, 8)]
    seen: list[int] = []
    path = f"{location}/timeline?limit=2"
    for _ in range(10):
        page = msgspec.json.decode((await api.get(path)).content, type=Timeline)
        seen += [item.n for item in page.items]
        if page.next is None:
            break
        path = f"{location}/timeline?limit=2&cursor={page.next}"
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert page.items[-1].data == {"unit_id": "u1"}
    assert page.items[-1].at == datetime(2026, 11, 21, 8, tzinfo=UTC)


@pytest.mark.parametrize("datum", list(Datum))
async def test_positions_are_given_in_the_datum_asked_for(api: Api, datum: Datum) -> None:
    """By query or by header, and the answer names it in both places."""
    made = await api.post(f"/v1/incidents?datum={datum}", CALL)
    location = made.headers["Location"]
    there = point_from_wgs84(Point(113.45, 23.1), datum)
    by_query = await api.get(f"{location}?datum={datum}")
    by_header = await api.get(location, headers={"Kapok-Datum": datum})
    listed = await api.get(f"/v1/incidents?datum={datum}")
    changed = await api.post(f"{location}/cancel?datum={datum}", {"why": "x"})
    shown = [made.json(), by_query.json(), by_header.json(), changed.json()]
    for view in [*shown, *listed.json()["items"]]:
        assert view["position"] == {"lon": there.lon, "lat": there.lat, "datum": datum}
    for response in (made, by_query, by_header, listed, changed):
        assert response.headers["Kapok-Datum"] == datum


async def test_without_a_datum_the_answer_says_wgs84(api: Api) -> None:
    """No position goes out unnamed."""
    response = await api.get(await api.opened())
    assert response.headers["Kapok-Datum"] == "wgs84"
    assert response.json()["position"]["datum"] == "wgs84"


async def test_the_query_goes_before_the_header(api: Api) -> None:
    """A link that names its datum is read the same by everybody."""
    location = await api.opened()
    response = await api.get(f"{location}?datum=gcj02", headers={"Kapok-Datum": "bd09"})
    assert response.json()["position"]["datum"] == "gcj02"


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/v1/incidents?status=done", "status"),
        ("/v1/incidents?status=open&status=done", "status"),
        ("/v1/incidents?limit=0", "limit"),
        ("/v1/incidents?limit=201", "limit"),
        ("/v1/incidents?cursor=x", "cursor"),
        ("/v1/incidents?since=2026", "since"),
        ("/v1/incidents?datum=cgcs", "datum"),
        (f"/v1/incidents/{'0' * 8}-0000-7000-8000-{'0' * 12}?datum=cgcs", "datum"),
        (f"/v1/incidents/{'0' * 8}-0000-7000-8000-{'0' * 12}/timeline?limit=-1", "limit"),
    ],
)
async def test_a_bad_parameter_is_refused_and_named(api: Api, path: str, parameter: str) -> None:
    """As it was sent."""
    response = await api.get(path)
    told = response.json()
    assert (response.status_code, told["code"]) == (400, "bad_parameter"), told
    assert told["errors"][0]["parameter"] == parameter


async def test_a_cursor_of_another_list_is_refused(api: Api) -> None:
    """Each list understands its own only."""
    page = (await api.get("/v1/units?limit=1")).json()
    response = await api.get(f"/v1/incidents?cursor={page['next']}")
    assert (response.status_code, response.json()["code"]) == (400, "bad_parameter")


async def test_the_needs_of_a_caller_are_handed_to_the_desk(api: Api) -> None:
    """As needs, roles and capabilities."""
    needs = [{"role": "medic", "capabilities": ["aed"]}, {}]
    await api.post("/v1/candidates", {**CALL, "needs": needs})
    asked = api.desk.asked[0].needs
    assert asked is not None
    assert [(need.role, list(need.capabilities)) for need in asked] == [
        ("medic", ["aed"]),
        ("responder", []),
    ]
