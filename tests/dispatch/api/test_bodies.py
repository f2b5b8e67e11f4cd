"""Bad bodies: each has its documented answer, names its place, and changes nothing."""

from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.typing import FieldDefinition

from dispatch.api.bodies import MAX_BODY_BYTES, Strict, decode
from dispatch.api.problems import Refused
from schemas.rest import CloseIncident, OpenIncident
from tests.dispatch.api.conftest import CALL, Api

PLACE = CALL["position"]
GOOD = msgspec.json.encode(CALL)


class Bad(NamedTuple):
    """A bad body, and how it is answered."""

    name: str
    raw: bytes
    status: int
    code: str
    pointer: str | None = None


def changed(**changes: Any) -> bytes:
    """Return a call in which some fields are other than they should be."""
    return msgspec.json.encode({**CALL, **changes})


def without(name: str) -> bytes:
    """Return a call that lacks a field."""
    return msgspec.json.encode({key: value for key, value in CALL.items() if key != name})


def lon(raw: bytes) -> bytes:
    """Return a call whose longitude is written as these bytes."""
    return GOOD.replace(b"113.45", raw)


DEEP = b'[{"why":' + b"[" * 100_000 + b"]" * 100_000 + b"}]"
TABLE = [
    Bad("nothing", b"", 400, "bad_body"),
    Bad("half of it", GOOD[:-9], 400, "bad_body"),
    Bad("something behind it", GOOD + b" {}", 400, "bad_body"),
    Bad("no JSON", b"kind=fire", 400, "bad_body"),
    Bad("a byte order mark", b"\xef\xbb\xbf" + GOOD, 400, "bad_body"),
    Bad("no UTF-8 in a string", GOOD.replace("落".encode(), b"\xff"), 400, "bad_body"),
    Bad("no UTF-8 at all", b"\xff\xfe", 400, "bad_body"),
    Bad("half a surrogate", GOOD.replace("落".encode(), rb"\ud800"), 400, "bad_body"),
    Bad("NaN", lon(b"NaN"), 400, "bad_body"),
    Bad("Infinity", lon(b"-Infinity"), 400, "bad_body"),
    Bad("deep nesting", b"[" * 100_000, 422, "invalid", ""),
    Bad("deep nesting inside", GOOD[:-1] + b',"needs":' + DEEP + b"}", 422, "invalid"),
    Bad("deep title", GOOD.replace(b'"priority":1', b'"title":' + b"[" * 9999), 422, "invalid"),
    Bad("null", b"null", 422, "invalid", ""),
    Bad("a list", b"[]", 422, "invalid", ""),
    Bad("1e308", lon(b"1e308"), 422, "invalid", "/position/lon"),
    Bad("1e999", lon(b"1e999"), 422, "invalid", "/position/lon"),
    Bad("a huge integer", lon(b"9" * 400), 422, "invalid", "/position/lon"),
    Bad("200 degrees", lon(b"200"), 422, "invalid", "/position/lon"),
    Bad("a number as text", lon(b'"113.45"'), 422, "invalid", "/position/lon"),
    Bad("no datum", changed(position={"lon": 1, "lat": 1}), 422, "invalid", "/position/datum"),
    Bad("bad datum", changed(position={**PLACE, "datum": "x"}), 422, "invalid", "/position/datum"),
    Bad("unknown in place", changed(position={**PLACE, "z": 1}), 422, "invalid", "/position/z"),
    Bad("unknown field", changed(prio=1), 422, "invalid", "/prio"),
    Bad("no kind", without("kind"), 422, "invalid", "/kind"),
    Bad("no drill", without("drill"), 422, "invalid", "/drill"),
    Bad("unknown kind", changed(kind="dragon"), 422, "invalid", "/kind"),
    Bad("priority 0", changed(priority=0), 422, "invalid", "/priority"),
    Bad("priority 5", changed(priority=5), 422, "invalid", "/priority"),
    Bad("priority as text", changed(priority="1"), 422, "invalid", "/priority"),
    Bad("priority 1.5", changed(priority=1.5), 422, "invalid", "/priority"),
    Bad("drill as text", changed(drill="no"), 422, "invalid", "/drill"),
    Bad("empty title", changed(title=""), 422, "invalid", "/title"),
    Bad("long title", changed(title="x" * 81), 422, "invalid", "/title"),
    Bad("long note", changed(note="x" * 301), 422, "invalid", "/note"),
    Bad("U+0000", changed(title="a\0b"), 422, "invalid", "/title"),
    Bad("U+0000 inside", changed(needs=[{"role": "a\0b"}]), 422, "invalid", "/needs/0/role"),
    Bad("no needs", changed(needs=[]), 422, "invalid", "/needs"),
    Bad("many needs", changed(needs=[{}] * 9), 422, "invalid", "/needs"),
    Bad("unknown in need", changed(needs=[{"count": 2}]), 422, "invalid", "/needs/0/count"),
    Bad(
        "unknown capability",
        changed(needs=[{}, {"capabilities": ["aed", "wings"]}]),
        422,
        "invalid",
        "/needs/1/capabilities/1",
    ),
    Bad("no such time", changed(called_at="2026-13-01T00:00:00Z"), 422, "invalid", "/called_at"),
    Bad("no zone", changed(called_at="2026-11-21T08:00:00"), 422, "invalid", "/called_at"),
    Bad(
        "before all years",
        changed(called_at="0001-01-01T00:00:00+08:00"),
        422,
        "invalid",
        "/called_at",
    ),
    Bad("negative revision", changed(ext_rev=-1), 422, "invalid", "/ext_rev"),
    Bad("huge revision", changed(ext_rev=2**31), 422, "invalid", "/ext_rev"),
    Bad("empty external id", changed(ext_id=""), 422, "invalid", "/ext_id"),
    Bad("too large", changed(note="x" * MAX_BODY_BYTES), 413, "too_large"),
]


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/v1/incidents", "/v1/candidates"])
@pytest.mark.parametrize("bad", TABLE, ids=[bad.name for bad in TABLE])
async def test_a_bad_body_is_answered_by_the_table(api: Api, bad: Bad, path: str) -> None:
    """As a problem, with a pointer to the field; the desk never hears of it."""
    response = await api.post(path, raw=bad.raw)
    told = response.json()
    assert (response.status_code, told["code"]) == (bad.status, bad.code), told
    assert response.headers["content-type"] == "application/problem+json"
    if bad.pointer is not None:
        assert [fault["pointer"] for fault in told["errors"]] == [bad.pointer]
    assert (api.desk.cases, api.desk.asked) == ({}, [])


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("step", "raw", "pointer"),
    [
        ("triage", b"{}", "/accept"),
        ("triage", b'{"accept":1}', "/accept"),
        ("cancel", b'{"why":""}', "/why"),
        ("cancel", b'{"why":"\\u0000"}', "/why"),
        ("resolve", b'{"notes":""}', "/notes"),
        ("close", b'{"result":"Done!"}', "/result"),
        ("close", b'{"result":"done\\n"}', "/result"),
    ],
)
async def test_the_bodies_of_changes_are_held_to_their_schema(
    api: Api, step: str, raw: bytes, pointer: str
) -> None:
    """The incident stays as it is."""
    location = await api.opened()
    response = await api.post(f"{location}/{step}", raw=raw)
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, pointer)
    assert (await api.get(location)).json()["status"] == "reported"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "media_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/msgpack", "multipart/x"],
)
async def test_bodies_are_json_and_say_so(api: Api, media_type: str) -> None:
    """No other media type is guessed at."""
    response = await api.post("/v1/incidents", CALL, headers={"Content-Type": media_type})
    assert response.status_code == 415
    assert response.json()["code"] == "unsupported_media_type"


@pytest.mark.asyncio
async def test_a_charset_beside_the_media_type_is_fine(api: Api) -> None:
    """Many clients send it."""
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert (await api.post("/v1/incidents", CALL, headers=headers)).status_code == 201


@pytest.mark.asyncio
async def test_the_largest_body_is_read(api: Api) -> None:
    """One byte more is not."""
    padded = GOOD + b" " * (MAX_BODY_BYTES - len(GOOD))
    assert (await api.post("/v1/incidents", raw=padded)).status_code == 201
    assert (await api.post("/v1/incidents", raw=padded + b" ")).status_code == 413


def test_too_deep_a_body_is_told_from_a_broken_one() -> None:
    """Nesting is followed in what is skipped only; a struct that skips shows it."""

    class Open(msgspec.Struct):
        any: object

    with pytest.raises(Refused, match="nested too deeply"):
        decode(Open, b'{"any":' + b"[" * 100_000)


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    """Only the character itself is refused."""
    body = decode(CloseIncident, rb'{"result":"x","note":"\\u0000"}')
    assert body.note == r"\u0000"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_give_a_body_or_a_refusal(raw: bytes) -> None:
    """Nothing else ever comes out of decoding."""
    refused: Refused | None = None
    body: OpenIncident | None = None
    try:
        body = decode(OpenIncident, raw)
    except Refused as error:
        refused = error
    assert (body is None) is bool(refused and refused.detail)


@given(st.recursive(st.none() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_value_in_a_field_gives_a_body_or_a_refusal(value: Any) -> None:
    """With a pointer to where it stands."""
    pointers: list[str | None] = []
    try:
        body = decode(OpenIncident, changed(note=value))
    except Refused as refused:
        pointers = [fault.pointer for fault in refused.faults]
    assert pointers == ["/note"] or body.note == value


def test_nothing_of_a_body_is_converted_by_litestar() -> None:
    """The struct is its own transfer model: Litestar is told of no field to look into."""
    kind = Strict[OpenIncident]
    field = FieldDefinition.from_annotation(OpenIncident)
    assert list(kind.generate_field_definitions(OpenIncident)) == []
    assert kind.detect_nested_field(field) is False
