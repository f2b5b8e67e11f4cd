"""What a dispatcher does, from the request to the database and back."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from dispatch.auth import RIGHTS, Role
from tests.dispatch.api.served import Served, code, live
from tests.dispatch.desk.station import Station, sql

pytestmark = [pytest.mark.asyncio, pytest.mark.postgres]
COMMANDER = "kk_commander"


@pytest_asyncio.fixture
async def desk(station: Station) -> AsyncIterator[Served]:
    """A client of one process."""
    served = Served.at(station)
    async with served.client:
        yield served


async def test_a_yes_by_radio_is_a_yes(desk: Served) -> None:
    """The unit is on its way, and the timeline says how it was told."""
    incident = await desk.accepted(await desk.call())
    (task,) = live(incident)
    assert incident["status"] == "responding"
    timeline = await desk.see(f"/v1/incidents/{incident['id']}/timeline?limit=200")
    (yes,) = [e for e in timeline["items"] if e["type"] == "offer_accepted"]
    assert (yes["by"], yes["via"]) == ("key:k-dispatcher", "radio")
    assert yes["data"]["unit_id"] == task["unit_id"]


async def test_progress_is_written_down_for_a_unit(desk: Served) -> None:
    """As far as the incident's own status; its end frees the unit."""
    incident = await desk.accepted(await desk.call())
    (task,) = live(incident)
    base = f"/v1/incidents/{incident['id']}/assignments/{task['id']}/progress"
    for reached, status in (
        ("en_route", "responding"),
        ("arrived", "on_scene"),
        ("controlled", "controlled"),
        ("resolved", "resolved"),
    ):
        told = await desk.do(base, {"via": "voice", "reached": reached})
        assert told["status"] == status
    assert desk.station.desk.fleet.state(task["unit_id"]) == "available"


async def test_a_no_by_radio_has_somebody_else_asked(desk: Served) -> None:
    """In the same decision."""
    incident = await desk.call()
    offer = desk.open_offer(incident)
    told = await desk.do(
        f"/v1/incidents/{incident['id']}/offers/{offer['id']}/decline",
        {"via": "sms", "why": "轮班"},
    )
    states = {o["id"]: o["state"] for o in told["offers"]}
    assert states[offer["id"]] == "declined"
    assert len(told["offers"]) > len(incident["offers"])


async def test_a_correction_ranks_anew(desk: Served) -> None:
    """Who is nearest to the place as it should have been is asked; the others' ways are anew."""
    incident = await desk.call()
    far = max(
        desk.station.issued,
        key=lambda p: abs(p.lon - desk.station.issued[0].lon),
    )
    told = await desk.do(
        f"/v1/incidents/{incident['id']}/correct",
        {"position": {"lon": far.lon, "lat": far.lat, "datum": "wgs84"}, "title": "在对岸"},
    )
    before = {o["unit_id"]: o["eta_s"] for o in incident["offers"]}
    asked = {o["unit_id"]: o["eta_s"] for o in told["offers"] if o["state"] == "open"}
    assert min(asked, key=lambda unit: asked[unit]) == far.unit not in before
    assert max(asked.values()) <= 300
    assert all(asked[unit] != before[unit] for unit in asked.keys() & before.keys())
    assert told["title"] == "在对岸"


async def test_an_order_sends_a_unit_unasked(desk: Served) -> None:
    """By a commander only; who is engaged cannot be sent elsewhere."""
    incident = await desk.call(needs=None)
    body = {"unit_id": desk.unit}
    path = f"/v1/incidents/{incident['id']}/orders"
    assert code(await desk.post(path, body)) == (403, "forbidden")
    told = await desk.do(path, body, key=COMMANDER)
    assert [t["unit_id"] for t in live(told)] == [desk.unit]
    other = await desk.call(5)
    refused = await desk.post(f"/v1/incidents/{other['id']}/orders", body, key=COMMANDER)
    assert code(refused) == (409, "conflict")
    assert refused.json()["state"] == "engaged"


async def test_a_released_unit_is_free_and_its_slot_filled_anew(desk: Served) -> None:
    """Others are asked at once."""
    incident = await desk.accepted(await desk.call())
    (task,) = live(incident)
    told = await desk.do(
        f"/v1/incidents/{incident['id']}/assignments/{task['id']}/release", {"why": "用不着"}
    )
    assert live(told) == []
    assert told["status"] == "dispatching"
    assert desk.station.desk.fleet.state(task["unit_id"]) == "available"


async def test_a_pinned_unit_is_shown_as_such(desk: Served) -> None:
    """And may be unpinned."""
    incident = await desk.accepted(await desk.call())
    (task,) = live(incident)
    path = f"/v1/incidents/{incident['id']}/assignments/{task['id']}/pin"
    for pinned in (True, False):
        assert live(await desk.do(path, {"pinned": pinned}))[0]["pinned"] is pinned


async def test_a_reassigned_unit_is_ordered_to_the_other_incident(desk: Served) -> None:
    """By that one's own decision, at once; the unit is never free in between."""
    first, second = await desk.accepted(await desk.call()), await desk.call(9)
    (task,) = live(first)
    path = f"/v1/incidents/{first['id']}/assignments/{task['id']}/reassign"
    told = await desk.do(path, {"to": second["id"], "why": "更急"}, key=COMMANDER)
    assert live(told) == []
    await desk.station.loops.run_due()
    there = await desk.see(f"/v1/incidents/{second['id']}")
    assert [t["unit_id"] for t in live(there)] == [task["unit_id"]]


async def test_a_merged_incident_sends_its_units_to_the_other(desk: Served) -> None:
    """It ends, names where it went, and nobody is asked for it any more."""
    first, second = await desk.accepted(await desk.call()), await desk.call(9)
    (task,) = live(first)
    told = await desk.do(
        f"/v1/incidents/{first['id']}/merge", {"into": second["id"]}, key=COMMANDER
    )
    assert (told["status"], told["merged_into"]) == ("merged", second["id"])
    assert not [o for o in told["offers"] if o["state"] == "open"]
    await desk.station.loops.run_due()
    there = await desk.see(f"/v1/incidents/{second['id']}")
    assert task["unit_id"] in [t["unit_id"] for t in live(there)]


async def test_nobody_is_sent_to_what_is_over_or_is_not_there(desk: Served) -> None:
    """Both merges and reassignments look at the other one first; nothing changes."""
    first, second = await desk.accepted(await desk.call()), await desk.call(9)
    await desk.do(f"/v1/incidents/{second['id']}/cancel", {"why": "误报"})
    (task,) = live(first)
    base = f"/v1/incidents/{first['id']}"
    for to, answer in ((second["id"], (409, "conflict")), ("gone", (404, "not_found"))):
        merge = await desk.post(f"{base}/merge", {"into": to}, key=COMMANDER)
        move = await desk.post(
            f"{base}/assignments/{task['id']}/reassign", {"to": to, "why": "x"}, key=COMMANDER
        )
        assert code(merge) == code(move) == answer
    assert await desk.see(base) == first


async def test_an_order_nobody_can_carry_out_any_more_is_dropped(desk: Served) -> None:
    """Where the other incident ended meanwhile, its moment is not tried for ever."""
    first, second = await desk.accepted(await desk.call()), await desk.call(9)
    (task,) = live(first)
    path = f"/v1/incidents/{first['id']}/assignments/{task['id']}/reassign"
    await desk.do(path, {"to": second["id"], "why": "更急"}, key=COMMANDER)
    await desk.do(f"/v1/incidents/{second['id']}/cancel", {"why": "误报"})
    await desk.station.loops.run_due()
    assert await sql(desk.station.dsn, "select 1 from due where kind = 'order'") == []


async def test_a_replay_of_a_merge_does_not_look_at_the_other_again(desk: Served) -> None:
    """The answer that was given stands, whatever became of the target."""
    first, second = await desk.call(), await desk.call(9)
    path, body = f"/v1/incidents/{first['id']}/merge", {"into": second["id"]}
    once = await desk.post(path, body, key=COMMANDER, once="merge-1")
    await desk.do(f"/v1/incidents/{second['id']}/cancel", {"why": "x"})
    again = await desk.post(path, body, key=COMMANDER, once="merge-1")
    assert (again.status_code, again.json()) == (200, once.json())
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_a_split_opens_the_part_and_notes_it(desk: Served) -> None:
    """One key covers both: sent again, it makes no second part and no second note."""
    parent = await desk.call()
    path, body = f"/v1/incidents/{parent['id']}/split", {"title": "另一人受伤", "kind": "injury"}
    made = await desk.post(path, body, once="split-1")
    again = await desk.post(path, body, once="split-1")
    assert (made.status_code, again.json()) == (201, made.json())
    child = made.json()
    assert made.headers["Location"] == f"/v1/incidents/{child['id']}"
    assert (child["kind"], child["called_at"]) == ("injury", parent["called_at"])
    timeline = await desk.see(f"/v1/incidents/{parent['id']}/timeline?limit=200")
    notes = [e["data"] for e in timeline["items"] if e["type"] == "split"]
    assert notes == [{"child": child["id"]}]


async def test_a_split_that_was_left_half_done_is_completed(desk: Served) -> None:
    """The part was opened and the process died: the same request again writes the note."""
    parent = await desk.call()
    path, body = f"/v1/incidents/{parent['id']}/split", {"title": "另一人受伤"}
    made = await desk.post(path, body, once="split-1")
    note = "update reply set id = 'lost' where scope like '%:split'"
    await sql(desk.station.dsn, note)
    await desk.do(path, body, once="split-1")
    timeline = await desk.see(f"/v1/incidents/{parent['id']}/timeline?limit=200")
    notes = [e["data"] for e in timeline["items"] if e["type"] == "split"]
    assert notes == [{"child": made.json()["id"]}] * 2


async def test_a_change_to_what_the_asker_has_not_seen_is_refused(desk: Served) -> None:
    """412 tells the version there is, what made it of the one seen, and by whom; nothing more."""
    seen = await desk.get(f"/v1/incidents/{(await desk.call())['id']}")
    path = f"/v1/incidents/{seen.json()['id']}"
    assert seen.headers["ETag"] == f'"{seen.json()["version"]}"'
    await desk.do(f"{path}/owner", {"owner": "王"}, key=COMMANDER)
    tag = {"If-Match": seen.headers["ETag"]}
    refused = await desk.post(f"{path}/supplement", {"note": "河边"}, headers=tag)
    assert code(refused) == (412, "precondition_failed")
    told = refused.json()
    assert told["version"] == seen.json()["version"] + 1
    assert refused.headers["ETag"] == f'"{told["version"]}"'
    changes = [(change["type"], change["by"]) for change in told["changes"]]
    assert changes == [("owner_changed", "key:k-commander")]
    assert (await desk.see(path))["note"] == ""
    tag = {"If-Match": refused.headers["ETag"]}
    done = await desk.post(f"{path}/supplement", {"note": "河边"}, headers=tag)
    assert done.headers["ETag"] == f'"{told["version"] + 1}"'
    part = await desk.post(f"{path}/split", {"title": "x"}, headers=tag)
    assert code(part) == (412, "precondition_failed")


async def test_the_same_request_again_needs_no_version(desk: Served) -> None:
    """Its answer was given; the version it named is history by then."""
    incident = await desk.call()
    path, tag = f"/v1/incidents/{incident['id']}/mode", {"If-Match": f'"{incident["version"]}"'}
    for _ in range(2):
        done = await desk.post(path, {"mode": "manual"}, once="mode-1", headers=tag)
        assert done.status_code == 200


ABOUT_ALL: list[tuple[str, dict[str, Any], str]] = [
    ("supplement", {"note": "x"}, "dispatching"),
    ("escalate", {"rung": "police", "why": "x"}, "dispatching"),
    ("owner", {"owner": None}, "dispatching"),
    ("mode", {"mode": "assist"}, "dispatching"),
    ("hand-over", {"to": "119", "why": "x"}, "handed_over"),
]


@pytest.mark.parametrize(("action", "body", "status"), ABOUT_ALL)
async def test_what_is_done_about_an_incident_is_done(
    desk: Served, action: str, body: dict[str, Any], status: str
) -> None:
    """Each by its address."""
    incident = await desk.call()
    told = await desk.do(f"/v1/incidents/{incident['id']}/{action}", body, key=COMMANDER)
    assert told["status"] == status
    assert told["version"] == incident["version"] + 1


async def test_a_resolved_incident_is_reopened(desk: Served) -> None:
    """As if it had just come in: nobody is there, and its clocks begin anew."""
    incident = await desk.accepted(await desk.call())
    (task,) = live(incident)
    path = f"/v1/incidents/{incident['id']}"
    progress = f"{path}/assignments/{task['id']}/progress"
    await desk.do(progress, {"via": "radio", "reached": "arrived"})
    await desk.do(f"{path}/resolve", {})
    told = await desk.do(f"{path}/reopen", {"why": "又来了"})
    assert told["status"] in {"open", "dispatching"}
    assert (told["arrived_at"], told["resolved_at"], live(told)) == (None, None, [])


async def test_a_manual_offer_asks_that_unit_and_may_be_called_back(desk: Served) -> None:
    """Whatever the ranking says of it."""
    incident = await desk.call()
    asked = {o["unit_id"] for o in incident["offers"]}
    unit = next(p.unit for p in reversed(desk.station.issued) if p.unit not in asked)
    path = f"/v1/incidents/{incident['id']}/offers"
    told = await desk.do(path, {"unit_id": unit})
    (offer,) = [o for o in told["offers"] if o["unit_id"] == unit]
    told = await desk.do(f"{path}/{offer['id']}/withdraw", {"why": "x"})
    assert next(o for o in told["offers"] if o["id"] == offer["id"])["state"] == "withdrawn"


@pytest.mark.parametrize("role", list(Role))
async def test_every_route_holds_its_right_and_its_scope(desk: Served, role: Role) -> None:
    """Roles times routes, in scope and out of it: no right is 403, out of scope is 404."""
    incident = await desk.accepted(await desk.call())
    device = desk.station.issued[0].device
    member = (await desk.see(f"/v1/units/{desk.unit}/members"))["items"][0]["id"]
    ids = {
        "incident_id": incident["id"],
        "offer_id": incident["offers"][0]["id"],
        "assignment_id": live(incident)[0]["id"],
        "unit_id": desk.unit,
        "member_id": member,
        "device_id": device,
    }
    walked = 0
    for route in desk.app.routes:
        for handler in getattr(route, "route_handlers", ()):
            names = {part.name for part in getattr(route, "path_parameters", {}).values()}
            if not names or not names <= ids.keys() or "right" not in handler.opt:
                continue
            walked += 1
            path = route.path_format.format(**ids)
            body = BODIES.get(handler.operation_id, {})
            for key, far in ((f"kk_{role}", False), (f"kk_{role}_far", True)):
                if "POST" not in handler.http_methods:
                    status = (await desk.get(path, key=key)).status_code
                elif handler.opt["right"] in RIGHTS[role] and not far:
                    continue
                else:
                    status = (await desk.post(path, body, key=key)).status_code
                held = {handler.opt["right"], *handler.opt["also"]} <= RIGHTS[role]
                assert status == (403 if not held else 404 if far else 200), (path, key)
    assert walked >= 35
    assert await desk.see(f"/v1/incidents/{incident['id']}") == incident


BODIES: dict[str, dict[str, Any]] = {
    "triage_incident": {"accept": True},
    "cancel_incident": {"why": "x"},
    "close_incident": {"result": "x"},
    "correct_incident": {"title": "x"},
    "supplement_incident": {"note": "x"},
    "merge_incident": {"into": "x"},
    "split_incident": {"title": "x"},
    "hand_over_incident": {"to": "x", "why": "x"},
    "reopen_incident": {"why": "x"},
    "escalate_incident": {"rung": "police", "why": "x"},
    "own_incident": {"owner": None},
    "set_incident_mode": {"mode": "auto"},
    "ask_unit": {"unit_id": "x"},
    "order_unit": {"unit_id": "x"},
    "withdraw_offer": {"why": "x"},
    "accept_offer": {"via": "radio"},
    "decline_offer": {"via": "radio"},
    "release_unit": {"why": "x"},
    "reassign_unit": {"to": "x", "why": "x"},
    "pin_unit": {"pinned": True},
    "progress_unit": {"via": "radio", "reached": "arrived"},
    "change_unit": {"name": "x"},
    "disable_unit": {"why": "x"},
    "clock_members": {"duty": "on"},
    "add_member": {"name": "x"},
    "change_member": {"name": "x"},
    "revoke_device": {"why": "x"},
}


async def test_an_offer_of_another_incident_is_not_found(desk: Served) -> None:
    """Though its id is good."""
    first, second = await desk.call(), await desk.call(9)
    offer = desk.open_offer(second)
    for action, body in (("accept", {"via": "radio"}), ("withdraw", {"why": "x"})):
        path = f"/v1/incidents/{first['id']}/offers/{offer['id']}/{action}"
        assert code(await desk.post(path, body)) == (404, "not_found")
