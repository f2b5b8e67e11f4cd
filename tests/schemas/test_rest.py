"""The bodies of the REST API: what comes in is bounded and named, what goes out is whole."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.datum import Datum
from geo.eta import Moves, Quality
from schemas import rest
from schemas.incident import AssignmentState, Mode, OfferState, Role, Status
from schemas.plan import IncidentKind, Level, Need
from schemas.unit import Capability, Link, UnitKind, UnitState

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

# The smallest body of each kind.
SMALLEST: dict[type[rest.Body], dict[str, Any]] = {
    rest.OpenIncident: {
        "kind": "fire",
        "priority": 2,
        "position": {"lon": 113.45, "lat": 23.1, "datum": "gcj02"},
        "title": "厨房 / a kitchen",
        "drill": False,
    },
    rest.Place: {"lon": 113.45, "lat": 23.1, "datum": "wgs84"},
    rest.Triage: {"accept": True},
    rest.Cancel: {"why": "a false alarm"},
    rest.Resolve: {},
    rest.CloseIncident: {"result": "rescued"},
}
FULL = SMALLEST[rest.OpenIncident] | {
    "address": "夏港街 1 号",
    "note": "smoke from the window",
    "called_at": "2026-11-21T20:00:00+08:00",
    "source": "110",
    "ext_id": "44-1",
    "ext_rev": 2,
    "needs": [{"role": "fire", "capabilities": ["extinguisher", "radio"]}, {}],
    "drill": True,
}


def open_incident(**facts: Any) -> bytes:
    """Return the body of a call with other facts than the usual."""
    return json.dumps(FULL | facts).encode()


def bodies() -> list[type[msgspec.Struct]]:
    """Return every request body there is, and what stands in one."""
    found = [kind for kind in vars(rest).values() if isinstance(kind, type)]
    return [kind for kind in found if issubclass(kind, rest.Body) and kind is not rest.Body] + [
        rest.NeedBody
    ]


def views() -> list[type[rest.View]]:
    """Return every response body there is."""
    found = [kind for kind in vars(rest).values() if isinstance(kind, type)]
    return [kind for kind in found if issubclass(kind, rest.View) and kind is not rest.View]


# In. ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "body"), SMALLEST.items())
def test_the_smallest_body_is_enough(kind: type[rest.Body], body: dict[str, Any]) -> None:
    """And each of its fields is needed."""
    assert isinstance(msgspec.json.decode(json.dumps(body), type=kind), kind)
    for name in body:
        less = {key: value for key, value in body.items() if key != name}
        with pytest.raises(msgspec.ValidationError, match=name):
            msgspec.json.decode(json.dumps(less), type=kind)


def test_a_whole_call_is_taken_as_it_is() -> None:
    """Its instant in whatever zone; its place by the datum it names."""
    call = msgspec.json.decode(open_incident(), type=rest.OpenIncident)
    assert call.called_at == NOON
    assert call.position == rest.Place(lon=113.45, lat=23.1, datum=Datum.GCJ02)
    assert call.needs == [
        rest.NeedBody(role="fire", capabilities=(Capability.EXTINGUISHER, Capability.RADIO)),
        rest.NeedBody(),
    ]
    assert (call.priority, call.kind, call.drill) == (2, IncidentKind.FIRE, True)
    assert msgspec.json.decode(msgspec.json.encode(call), type=rest.OpenIncident) == call


def test_a_need_that_came_in_is_a_need() -> None:
    """The core takes it as any other."""
    assert isinstance(rest.NeedBody(), Need)
    assert (rest.NeedBody().role, rest.NeedBody().capabilities) == ("responder", ())


@pytest.mark.parametrize("kind", bodies(), ids=lambda kind: kind.__name__)
def test_no_body_skips_what_it_does_not_know(kind: type[msgspec.Struct]) -> None:
    """A typing mistake is an error over REST, not a default."""
    assert kind.__struct_config__.forbid_unknown_fields
    assert kind.__struct_config__.frozen


@pytest.mark.parametrize(
    ("facts", "path"),
    [
        ({"titel": "x"}, ""),
        ({"position": {"lon": 1, "lat": 1, "datum": "wgs84", "alt": 3}}, " - at `$.position`"),
        ({"needs": [{}, {"roles": "x"}]}, " - at `$.needs[1]`"),
    ],
)
def test_an_unknown_field_is_named_where_it_stands(facts: dict[str, Any], path: str) -> None:
    """However deep."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(open_incident(**facts), type=rest.OpenIncident)
    assert "unknown field" in str(caught.value)
    assert str(caught.value).endswith(path)


@pytest.mark.parametrize(
    ("kind", "facts", "path"),
    [
        (rest.OpenIncident, {"kind": "picnic"}, "$.kind"),
        (rest.OpenIncident, {"priority": 0}, "$.priority"),
        (rest.OpenIncident, {"priority": 5}, "$.priority"),
        (rest.OpenIncident, {"priority": "1"}, "$.priority"),
        (rest.OpenIncident, {"priority": 1.5}, "$.priority"),
        (rest.OpenIncident, {"priority": True}, "$.priority"),
        (rest.OpenIncident, {"title": ""}, "$.title"),
        (rest.OpenIncident, {"title": "火" * 81}, "$.title"),
        (rest.OpenIncident, {"address": "x" * 121}, "$.address"),
        (rest.OpenIncident, {"note": "x" * 301}, "$.note"),
        (rest.OpenIncident, {"source": "x" * 41}, "$.source"),
        (rest.OpenIncident, {"ext_id": ""}, "$.ext_id"),
        (rest.OpenIncident, {"ext_id": "x" * 65}, "$.ext_id"),
        (rest.OpenIncident, {"ext_rev": -1}, "$.ext_rev"),
        (rest.OpenIncident, {"ext_rev": 2**31}, "$.ext_rev"),
        (rest.OpenIncident, {"drill": None}, "$.drill"),
        (rest.OpenIncident, {"drill": 0}, "$.drill"),
        (rest.OpenIncident, {"called_at": "2026-11-21T12:00:00"}, "$.called_at"),
        (rest.OpenIncident, {"called_at": 1795262400}, "$.called_at"),
        (rest.OpenIncident, {"called_at": "noon"}, "$.called_at"),
        (rest.OpenIncident, {"position": None}, "$.position"),
        (rest.OpenIncident, {"position": [113, 23]}, "$.position"),
        (
            rest.OpenIncident,
            {"position": {"lon": 180.1, "lat": 1, "datum": "wgs84"}},
            "$.position.lon",
        ),
        (
            rest.OpenIncident,
            {"position": {"lon": 1, "lat": -90.1, "datum": "wgs84"}},
            "$.position.lat",
        ),
        (
            rest.OpenIncident,
            {"position": {"lon": 1, "lat": 1, "datum": "mars"}},
            "$.position.datum",
        ),
        (rest.OpenIncident, {"position": {"lon": 1, "lat": 1}}, "$.position"),
        (rest.OpenIncident, {"needs": []}, "$.needs"),
        (rest.OpenIncident, {"needs": [{}] * 9}, "$.needs"),
        (rest.OpenIncident, {"needs": [{"role": ""}]}, "$.needs[0].role"),
        (rest.OpenIncident, {"needs": [{}, {"role": "x" * 41}]}, "$.needs[1].role"),
        (
            rest.OpenIncident,
            {"needs": [{"capabilities": ["aed", "wings"]}]},
            "$.needs[0].capabilities[1]",
        ),
        (
            rest.OpenIncident,
            {"needs": [{"capabilities": ["aed"] * 17}]},
            "$.needs[0].capabilities",
        ),
        (rest.Triage, {"accept": "yes"}, "$.accept"),
        (rest.Triage, {"why": "x" * 501}, "$.why"),
        (rest.Cancel, {"why": ""}, "$.why"),
        (rest.Cancel, {"why": "x" * 501}, "$.why"),
        (rest.Resolve, {"note": "x" * 501}, "$.note"),
        (rest.CloseIncident, {"result": ""}, "$.result"),
        (rest.CloseIncident, {"result": "x" * 41}, "$.result"),
        (rest.CloseIncident, {"result": "All well"}, "$.result"),
        (rest.CloseIncident, {"result": "rescued\n"}, "$.result"),
        (rest.CloseIncident, {"note": "x" * 501}, "$.note"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_its_path(
    kind: type[rest.Body], facts: dict[str, Any], path: str
) -> None:
    """The caller is told which field it was."""
    body = json.dumps(SMALLEST[kind] | facts)
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(body, type=kind)
    assert str(caught.value).endswith(f" - at `{path}`")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "01", "+1", ".5"])
def test_what_is_no_number_is_no_degree(number: str) -> None:
    """Neither is what some languages write for one."""
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(f'{{"lon":{number},"lat":1,"datum":"wgs84"}}', type=rest.Place)


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        (rest.OpenIncident, {"title": "火" * 80, "address": "x" * 120, "note": "x" * 300}),
        (rest.OpenIncident, {"ext_rev": 2**31 - 1, "ext_id": "x" * 64, "source": "x" * 40}),
        (rest.OpenIncident, {"needs": [{}] * 8}),
        (rest.OpenIncident, {"needs": None, "called_at": None, "ext_id": None, "ext_rev": None}),
        (rest.OpenIncident, {"position": {"lon": -180, "lat": 90, "datum": "bd09"}}),
        (rest.Cancel, {"why": "x" * 500}),
        (rest.CloseIncident, {"result": "a_1" * 13}),
    ],
)
def test_a_value_on_its_bound_is_taken(kind: type[rest.Body], facts: dict[str, Any]) -> None:
    """Characters are counted, not bytes."""
    body = json.dumps(SMALLEST[kind] | facts)
    assert isinstance(msgspec.json.decode(body, type=kind), kind)


@given(raw=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_body_or_an_error(raw: bytes) -> None:
    """Nothing else comes out."""
    try:
        call = msgspec.json.decode(raw, type=rest.OpenIncident)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    assert isinstance(call, rest.OpenIncident)


# Out. --------------------------------------------------------------------------------------------

PLACE = rest.Position(lon=113.45, lat=23.1)
OFFER = rest.OfferView(
    id="o1",
    unit_id="u1",
    slot=0,
    state=OfferState.OPEN,
    eta_s=61.5,
    distance_m=80.2,
    quality=Quality.NETWORK,
    ring_s=180,
    sent_at=NOON,
    lapse_at=NOON,
    exp_at=NOON,
    delivered_at=None,
    seen_at=None,
    ended_at=None,
)
TASK = rest.AssignmentView(
    id="a1",
    unit_id="u1",
    slot=0,
    state=AssignmentState.EN_ROUTE,
    role=Role.PRIMARY,
    eta_s=61.5,
    arrive_at=NOON,
    assigned_at=NOON,
    en_route_at=NOON,
    arrived_at=None,
    controlled_at=None,
    ended_at=None,
)
UNIT = rest.UnitView(
    id="u1",
    code="hp-1",
    name="夏港一号",
    kind=UnitKind.VILLAGE,
    jurisdiction="gz.huangpu",
    state=UnitState.AVAILABLE,
    link=Link.ONLINE,
    moves=Moves.FOOT,
    capabilities=(Capability.AED,),
    home=PLACE,
    position=PLACE,
    position_age_s=None,
    on_duty=2,
)
CANDIDATE = rest.CandidateView(
    unit_id="u1",
    code="hp-1",
    name="夏港一号",
    kind=UnitKind.VILLAGE,
    moves=Moves.FOOT,
    slot=0,
    eta_s=61.5,
    distance_m=80.2,
    quality=Quality.NETWORK,
    ring_s=180,
    p=0.4,
    asked_24h=0,
    reasons=("nearest",),
)
VIEWS: list[rest.View] = [
    PLACE,
    OFFER,
    TASK,
    UNIT,
    rest.UnitPage(items=[UNIT], next="c"),
    CANDIDATE,
    rest.Candidates(
        quality=Quality.NETWORK,
        ring_s=180,
        p_arrive=0.4,
        candidates=[CANDIDATE],
        left_out={"engaged": 2},
        shortfall=None,
    ),
    rest.EventView(n=1, type="reported", by="o", via="api", at=NOON, data={"source": "110"}),
    rest.Timeline(items=[]),
    rest.Fault(detail="too long", pointer="/title"),
    rest.Problem(
        type="t", title="Invalid", status=400, code="invalid", detail="d", errors=[], state="open"
    ),
    rest.Health(),
    rest.Readiness(ready=False, parts={"store": False}),
]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: type(view).__name__)
def test_a_view_comes_back_as_it_was(view: rest.View) -> None:
    """For a client that reads it with the same types."""
    assert msgspec.json.decode(msgspec.json.encode(view), type=type(view)) == view


def test_every_view_can_be_read_by_a_client() -> None:
    """Unknown fields are skipped there: tomorrow's server may say more."""
    for kind in views():
        assert not kind.__struct_config__.forbid_unknown_fields
        assert kind.__struct_config__.frozen


def test_a_position_is_wgs84_and_says_so() -> None:
    """The datum is written though it is the default."""
    assert json.loads(msgspec.json.encode(PLACE)) == {"lon": 113.45, "lat": 23.1, "datum": "wgs84"}


def test_a_view_tells_of_what_has_not_happened() -> None:
    """Null, not absent: a client need not guess."""
    assert json.loads(msgspec.json.encode(OFFER))["seen_at"] is None


def test_a_problem_says_no_more_than_there_is() -> None:
    """RFC 9457: members without a value are left out."""
    problem = rest.Problem(type="t", title="Not found", status=404, code="not_found", detail="d")
    assert set(json.loads(msgspec.json.encode(problem))) == {
        "type",
        "title",
        "status",
        "code",
        "detail",
    }


def test_an_incident_is_shown_with_its_offers_and_tasks() -> None:
    """And may be shown without, in a list."""
    view = rest.IncidentView(
        id="i1",
        kind=IncidentKind.FIRE,
        priority=2,
        status=Status.RESPONDING,
        position=PLACE,
        jurisdiction="gz.huangpu",
        title="厨房 / a kitchen",
        address="",
        note="",
        source="",
        ext_id=None,
        ext_rev=None,
        drill=False,
        level=Level.GRID,
        mode=Mode.AUTO,
        needs=(Need(role="fire", capabilities=(Capability.EXTINGUISHER,)),),
        ring_s=180,
        shortfall=None,
        called_at=NOON,
        opened_at=NOON,
        en_route_at=None,
        arrived_at=None,
        controlled_at=None,
        resolved_at=None,
        ended_at=None,
        result=None,
        version=3,
        offers=(OFFER,),
        assignments=(TASK,),
    )
    page = rest.IncidentPage(items=[view, msgspec.structs.replace(view, offers=())])
    assert msgspec.json.decode(msgspec.json.encode(page), type=rest.IncidentPage) == page
