"""The table of actions: each row has its address, its right, and means one command."""

from typing import Any

import pytest
from msgspec.structs import replace

from dispatch.api.actions import ACTIONS
from dispatch.api.attempts import ADDRESSES_MOST, Attempts
from dispatch.auth import Right
from dispatch.core import commands as c
from dispatch.core.errors import RateLimited
from geo.eta import Quality
from schemas.base import AssignmentId, IncidentId, OfferId, UnitId
from schemas.incident import Assignment, AssignmentState, Mode, Offer, OfferState
from schemas.plan import Need, Rung
from schemas.wire import Reached
from tests.dispatch.api.conftest import Api
from tests.fakes import START, ManualClock

OFFER = "019ab000-0000-7000-8000-0000000000aa"
TASK = "019ab000-0000-7000-8000-0000000000bb"
OTHER = "019ab000-0000-7000-8000-0000000000cc"
COMMANDER = "kk_commander"

MEANT: list[tuple[str, dict[str, Any], c.Command, str]] = [
    (
        "correct",
        {"priority": 3, "needs": [{"role": "medic"}]},
        c.Correct(priority=3, needs=(Need(role="medic"),)),
        "api",
    ),
    ("supplement", {"note": "河边"}, c.Supplement(note="河边"), "api"),
    ("merge", {"into": OTHER}, c.Merge(into=IncidentId(OTHER)), "api"),
    ("hand-over", {"to": "119", "why": "x"}, c.HandOver(to="119", why="x"), "api"),
    ("escalate", {"rung": "police", "why": "x"}, c.Escalate(rung=Rung.POLICE, why="x"), "api"),
    ("owner", {"owner": "王"}, c.Own(owner="王"), "api"),
    ("mode", {"mode": "manual"}, c.SetMode(mode=Mode.MANUAL), "api"),
    ("offers", {"unit_id": "u1", "slot": 1}, c.Ask(unit_id=UnitId("u1"), slot=1), "api"),
    ("orders", {"unit_id": "u1"}, c.Order(unit_id=UnitId("u1")), "api"),
    (
        f"offers/{OFFER}/withdraw",
        {"why": "x"},
        c.WithdrawOffer(offer_id=OfferId(OFFER), why="x"),
        "api",
    ),
    (
        f"offers/{OFFER}/accept",
        {"via": "radio", "crew": ["m1"]},
        c.Accept(unit_id=UnitId("u7"), offer_id=OfferId(OFFER), at=START, crew=("m1",)),
        "radio",
    ),
    (
        f"offers/{OFFER}/decline",
        {"via": "voice", "why": "远"},
        c.Decline(unit_id=UnitId("u7"), offer_id=OfferId(OFFER), why="远"),
        "voice",
    ),
    (
        f"assignments/{TASK}/release",
        {"why": "x"},
        c.Release(task_id=AssignmentId(TASK), why="x"),
        "api",
    ),
    (
        f"assignments/{TASK}/reassign",
        {"to": OTHER, "why": "x"},
        c.Reassign(task_id=AssignmentId(TASK), to=IncidentId(OTHER), why="x"),
        "api",
    ),
    (
        f"assignments/{TASK}/pin",
        {"pinned": True},
        c.Pin(task_id=AssignmentId(TASK), pinned=True),
        "api",
    ),
    (
        f"assignments/{TASK}/progress",
        {"via": "sms", "reached": "arrived", "at": "2026-11-21T15:59:30+08:00"},
        c.Report(
            unit_id=UnitId("u8"),
            task_id=AssignmentId(TASK),
            reached=Reached.ARRIVED,
            at=START.replace(hour=7, minute=59, second=30),
        ),
        "sms",
    ),
]


async def prepared(api: Api) -> str:
    """Open an incident with an offer to u7 and a task of u8; return its address."""
    location = await api.opened()
    name = IncidentId(location.rsplit("/", 1)[1])
    api.desk.cases[name] = replace(api.desk.cases[name], offers=(offer(),), assignments=(task(),))
    return location


def offer() -> Offer:
    """Return an offer to u7."""
    return Offer(
        id=OfferId(OFFER),
        incident_id=IncidentId(OTHER),
        unit_id=UnitId("u7"),
        slot=0,
        state=OfferState.OPEN,
        eta_s=90.0,
        distance_m=80.0,
        quality=Quality.STRAIGHT_LINE,
        ring_s=180,
        sent_at=START,
        lapse_at=START,
        exp_at=START,
    )


def task() -> Assignment:
    """Return a task of u8."""
    return Assignment(
        id=AssignmentId(TASK),
        incident_id=IncidentId(OTHER),
        unit_id=UnitId("u8"),
        slot=0,
        state=AssignmentState.ASSIGNED,
        eta_s=90.0,
        arrive_at=START,
        assigned_at=START,
        by="x",
    )


@pytest.mark.asyncio
@pytest.mark.parametrize(("action", "body", "command", "via"), MEANT)
async def test_an_action_means_its_command(
    api: Api, action: str, body: dict[str, Any], command: c.Command, via: str
) -> None:
    """With the way it was told, and under the right its row names."""
    location = await prepared(api)
    response = await api.post(f"{location}/{action}", body, key=COMMANDER)
    assert response.status_code == 200, response.text
    assert response.headers["ETag"] == '"1"'
    (meant,) = api.desk.meant
    assert (meant[0], meant[2]) == (command, via)
    (row,) = [r for r in ACTIONS if r.path.split("/")[-1] == action.rsplit("/", maxsplit=1)[-1]]
    assert meant[1] is row.right


def test_every_action_has_a_row_that_is_tried() -> None:
    """But those that only move the incident through its table, which are tried elsewhere."""
    tried = {action.split("/")[-1] for action, *_ in MEANT}
    told = {row.path.split("/")[-1] for row in ACTIONS}
    assert told - tried == {"triage", "cancel", "resolve", "close", "reopen"}


def test_only_a_commander_orders() -> None:
    """Orders, reassignments, merges and hand-overs."""
    ordered = {row.name for row in ACTIONS if row.right is Right.ORDER}
    assert ordered == {"order_unit", "reassign_unit", "merge_incident", "hand_over_incident"}


@pytest.mark.asyncio
async def test_a_correction_of_the_place_is_in_the_datum_it_names(api: Api) -> None:
    """And keeps the place as it was given."""
    location = await prepared(api)
    body = {"position": {"lon": 113.46, "lat": 23.1, "datum": "gcj02"}}
    await api.post(f"{location}/correct", body)
    ((command, _, _),) = api.desk.meant
    assert isinstance(command, c.Correct)
    assert command.place is not None
    assert (command.place.given_lon, command.place.given_datum) == (113.46, "gcj02")
    assert command.place.lon != 113.46


@pytest.mark.asyncio
@pytest.mark.parametrize("tag", ["1", 'W/"1"', '"x"', '"1", "2"', '"0"', "", '"99999999999"'])
async def test_a_version_that_is_none_is_refused(api: Api, tag: str) -> None:
    """Nothing is guessed, and nothing changes."""
    location = await prepared(api)
    response = await api.post(f"{location}/owner", {"owner": "x"}, headers={"If-Match": tag})
    assert (response.status_code, response.json()["code"]) == (400, "bad_parameter")
    assert response.json()["errors"][0]["parameter"] == "If-Match"
    assert api.desk.meant == []


@pytest.mark.asyncio
async def test_any_version_will_do_where_the_asker_says_so(api: Api) -> None:
    """As without the header."""
    location = await prepared(api)
    response = await api.post(f"{location}/owner", {"owner": "x"}, headers={"If-Match": "*"})
    assert response.status_code == 200


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "action", ["offers/none/accept", f"offers/{TASK}/accept", f"assignments/{OFFER}/progress"]
)
async def test_what_is_not_the_incidents_own_is_not_found(api: Api, action: str) -> None:
    """Be it no id at all, or that of something else."""
    location = await prepared(api)
    body = {"via": "radio"} | ({"reached": "arrived"} if action.endswith("progress") else {})
    response = await api.post(f"{location}/{action}", body)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.asyncio
async def test_a_way_nobody_knows_is_refused(api: Api) -> None:
    """By its pointer."""
    location = await prepared(api)
    response = await api.post(f"{location}/offers/{OFFER}/accept", {"via": "pigeon"})
    assert (response.status_code, response.json()["code"]) == (422, "invalid")
    assert response.json()["errors"][0]["pointer"] == "/via"


@pytest.mark.asyncio
async def test_an_instant_no_calendar_has_is_refused(api: Api) -> None:
    """In UTC it would lie before the year 1."""
    location = await prepared(api)
    body = {"via": "sms", "reached": "arrived", "at": "0001-01-01T00:00:00+08:00"}
    response = await api.post(f"{location}/assignments/{TASK}/progress", body)
    assert response.json()["errors"][0]["pointer"] == "/at"


def test_attempts_are_counted_by_address_and_minute() -> None:
    """One's share does not depend on others'; there is room for so many addresses."""
    clock = ManualClock()
    attempts = Attempts(clock, per_minute=1)
    attempts.take("a")
    attempts.take("b")
    with pytest.raises(RateLimited) as refused:
        attempts.take("a")
    assert refused.value.retry_ms == 60_000
    for n in range(ADDRESSES_MOST - 2):
        attempts.take(str(n))
    with pytest.raises(RateLimited):
        attempts.take("one too many")
    clock.advance(60)
    attempts.take("one too many")
