"""Every frame of `kapok.v1.json`: round trips, bounds, and the words that are the contract."""

import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.datum import Datum
from geo.eta import Quality
from schemas import wire
from schemas.incident import AssignmentKind, AssignmentState, Role
from schemas.notice import NoticeLevel
from schemas.plan import IncidentKind
from schemas.unit import Duty, UnitState
from schemas.wire import ClientMessage, Close, ErrorCode, ReliableFrame, ServerMessage, UnitCommand

# Words of the protocol's sections 3 and 5.
SAID = """
    hello ping ack loc mode duty consent offer.seen offer.reply assign.seen progress assist report
    sos
"""
TOLD = """
    welcome pong policy ok err offer offer.update offer.end assign assign.update assign.end
"""
CODES = """
    bad_frame unknown_type invalid too_large
    unauthenticated forbidden not_found consent_required
    conflict taken expired withdrawn cancelled stale not_on_duty id_reuse
    not_ready rate_limited overloaded internal
"""
ID = "019ab000-0000-7000-8000-000000000001"
CLIENT = msgspec.json.Decoder(ClientMessage)
SERVER = msgspec.json.Decoder(ServerMessage)

# The smallest frame of each kind a phone may send.
SMALLEST: dict[type, dict[str, Any]] = {
    wire.Hello: {"t": "hello", "tok": "secret", "datum": "gcj02", "ts": 1, "inst": "p1"},
    wire.Ping: {"t": "ping", "ts": 1},
    wire.Ack: {"t": "ack"},
    wire.Mode: {"t": "mode", "m": "bg"},
    wire.Loc: {"t": "loc", "d": "wgs84", "ts": 1, "f": [[1, 113.45, 23.1, 8]]},
    wire.SetDuty: {"t": "duty", "id": ID, "s": "on"},
    wire.Refresh: {"t": "refresh", "id": ID},
    wire.OfferSeen: {"t": "offer.seen", "id": ID, "oid": "o1"},
    wire.OfferReply: {
        "t": "offer.reply",
        "id": ID,
        "oid": "o1",
        "rev": 1,
        "at": 1,
        "r": "accept",
    },
    wire.AssignSeen: {"t": "assign.seen", "id": ID, "aid": "a1", "rev": 1},
    wire.Progress: {"t": "progress", "id": ID, "aid": "a1", "s": "arrived", "at": 1},
    wire.Assist: {"t": "assist", "id": ID, "aid": "a1", "what": "medical"},
    wire.Report: {
        "t": "report",
        "id": ID,
        "kind": "fire",
        "pri": 2,
        "d": "bd09",
        "lon": 113.45,
        "lat": 23.1,
        "text": "smoke",
    },
    wire.Sos: {"t": "sos", "id": ID},
    wire.Consent: {"t": "consent", "id": ID, "yes": False},
    wire.NoticeRead: {"t": "notice.read", "id": ID, "nid": "n1"},
}
PLACED: dict[str, Any] = {"d": "gcj02", "ts": 2, "fix": [1, 113.45, 23.1, 8, None, None, "gps"]}
# What may stand beside it.
OPTIONAL: dict[type, dict[str, Any]] = {
    wire.Hello: {
        "app": {"n": "kapok", "v": "1.0", "os": "HarmonyOS"},
        "epoch": "e1",
        "busy": True,
        "push": {"k": "hook", "a": "token"},
        "ack": 7,
    },
    wire.Mode: {"hb": 60},
    wire.Loc: {"bat": 0.5, "p": 1, "ack": 7},
    wire.SetDuty: PLACED,
    wire.Consent: {"policy": "2026-11"},
    wire.OfferReply: {"why": "on foot", "crew": ["m1", "m2"], **PLACED},
    wire.Progress: {"note": "by the gate", "outcome": "rescued", **PLACED},
    wire.Assist: {"n": 2, "text": "a second AED"},
    wire.Report: {"self": True},
    wire.Sos: {"d": "wgs84", "fix": [1, 113.45, 23.1, 8, 1.4, 90, "gps"]},
}
NONE = wire.PushKind.NONE
INC = wire.Brief(
    iid="i1", kind=IncidentKind.FIRE, pri=2, title="厨房 / a kitchen", lon=113.45, lat=23.1
)
OFFER = wire.OfferFrame(
    oid="o1",
    rev=1,
    d=Datum.WGS84,
    inc=INC,
    eta_s=61.5,
    quality=Quality.STRAIGHT_LINE,
    dist_m=80.2,
    ttl_ms=20_000,
    exp=1.0,
    role="fire",
)
ASSIGN = wire.AssignFrame(
    aid="a1",
    rev=1,
    d=Datum.WGS84,
    inc=INC,
    by="m1",
    kind=AssignmentKind.OFFER,
    role=Role.PRIMARY,
    eta_s=61.5,
    crew=("m1",),
    s=AssignmentState.EN_ROUTE,
)
POLICY = wire.Policy(state={"available": wire.Cadence(60, 50, 30)})
STATE = wire.PhoneState(
    duty=Duty.ON,
    unit_state=UnitState.OFFERED,
    offers=[OFFER],
    assigns=[ASSIGN],
    crew=[wire.CrewMember(member="m1", name="陈", duty=Duty.ON)],
    policy=POLICY,
)
SERVER_FRAMES: list[wire.ServerFrame] = [
    OFFER,
    ASSIGN,
    POLICY,
    wire.OfferUpdate(oid="o1", rev=2, d=Datum.GCJ02, inc=INC, alert=True, eta_s=5.0),
    wire.OfferEnd(oid="o1", why=wire.OfferEndWhy.TAKEN, seq=4),
    wire.AssignUpdate(aid="a1", rev=2, d=Datum.WGS84, inc=INC, alert=False, role=Role.BACKUP),
    wire.AssignEnd(aid="a1", why=wire.AssignEndWhy.RELEASED),
    wire.NoticeFrame(nid="n1", rev=1, lvl=NoticeLevel.WARN, text="台风 / a typhoon", exp=1.0),
    wire.Locate(),
    wire.Pong(now=1.5, n=2, bad=[(1, "old")]),
    wire.Ok(re=ID, result={"aid": "a1"}),
    wire.Err(code=ErrorCode.TAKEN, msg="others arrive sooner", re=ID, st="taken"),
    wire.Welcome(
        epoch="e1",
        rec=True,
        head=7,
        unit="u1",
        member="m1",
        juris="gz.huangpu",
        state=STATE,
        now=1.5,
        spread=2.0,
    ),
]


def client(kind: type, /, **facts: Any) -> bytes:
    """Return a phone's frame with other facts than the usual."""
    return json.dumps(SMALLEST[kind] | facts).encode()


def tag(kind: Any) -> str:
    """Return the name a frame goes by."""
    return str(kind.__struct_config__.tag)


# Round trips. ------------------------------------------------------------------------------------


def test_every_frame_of_a_phone_is_tried_here() -> None:
    """A new one is added to the tables above."""
    assert set(SMALLEST) == set(get_args(ClientMessage))
    assert set(get_args(UnitCommand)) < set(get_args(ClientMessage))


def test_every_frame_of_the_server_is_tried_here() -> None:
    """A new one is added to the list above."""
    assert {type(frame) for frame in SERVER_FRAMES} == set(get_args(ServerMessage))
    assert set(get_args(ReliableFrame)) < set(get_args(ServerMessage))


@pytest.mark.parametrize("more", [False, True], ids=["smallest", "fullest"])
@pytest.mark.parametrize("kind", SMALLEST)
def test_a_phones_frame_is_read_and_written_the_same(kind: type, more: bool) -> None:
    """With nothing optional, and with all of it."""
    sent = SMALLEST[kind] | (OPTIONAL.get(kind, {}) if more else {})
    frame = CLIENT.decode(json.dumps(sent))
    assert type(frame) is kind
    assert json.loads(msgspec.json.encode(frame)) == sent


@pytest.mark.parametrize("frame", SERVER_FRAMES, ids=lambda frame: type(frame).__name__)
def test_a_servers_frame_is_read_as_it_was_written(frame: wire.ServerFrame) -> None:
    """By a phone that knows its name."""
    assert SERVER.decode(msgspec.json.encode(frame)) == frame


@given(
    seconds=st.floats(0, 1e9),
    text=st.text(max_size=300),
    seq=st.integers(0, 2**53),
    eta=st.none() | st.floats(0, 1e6),
)
def test_any_text_and_number_survives_the_wire(
    seconds: float, text: str, seq: int, eta: float | None
) -> None:
    """Emoji, quotes, control characters, fractions of a millisecond."""
    brief = msgspec.structs.replace(INC, note=text, title=text)
    frame = wire.OfferUpdate(
        oid="o1", rev=1, d=Datum.BD09, inc=brief, alert=False, eta_s=eta, seq=seq, ts=seconds
    )
    assert SERVER.decode(msgspec.json.encode(frame)) == frame


@pytest.mark.parametrize("kind", SMALLEST)
def test_fields_nobody_knows_are_skipped(kind: type) -> None:
    """A phone of tomorrow talks to a server of today."""
    assert CLIENT.decode(client(kind, new={"a": [1]}, zz=None)) == CLIENT.decode(client(kind))


@pytest.mark.parametrize("kind", OPTIONAL)
def test_null_is_absent_for_what_may_be_absent(kind: type) -> None:
    """Where a field has no other default than none."""
    smallest = CLIENT.decode(client(kind))
    absent = [name for name in OPTIONAL[kind] if getattr(smallest, name, 0) is None]
    assert CLIENT.decode(client(kind, **dict.fromkeys(absent))) == smallest


@pytest.mark.parametrize("frame", SERVER_FRAMES, ids=lambda frame: type(frame).__name__)
def test_what_says_nothing_is_not_sent(frame: wire.ServerFrame) -> None:
    """Defaults are left out, down to the incident inside."""
    sent = json.loads(msgspec.json.encode(frame))
    fields = msgspec.structs.fields(frame)
    usual = {f.encode_name for f in fields if f.default == getattr(frame, f.name)}
    assert not usual & set(sent)
    if "inc" in sent:
        assert set(sent["inc"]) == {"iid", "kind", "pri", "title", "lon", "lat"}


# What is refused. --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "facts", "path"),
    [
        (wire.Hello, {"tok": "x" * 513}, "$.tok"),
        (wire.Hello, {"inst": ""}, "$.inst"),
        (wire.Hello, {"inst": "x" * 65}, "$.inst"),
        (wire.Hello, {"datum": "wgs-84"}, "$.datum"),
        (wire.Hello, {"datum": None}, "$.datum"),
        (wire.Hello, {"ts": -1}, "$.ts"),
        (wire.Hello, {"ts": 1e15}, "$.ts"),
        (wire.Hello, {"ts": "1"}, "$.ts"),
        (wire.Hello, {"epoch": "x" * 65}, "$.epoch"),
        (wire.Hello, {"app": {"v": "x" * 33}}, "$.app.v"),
        (wire.Hello, {"ack": -1}, "$.ack"),
        (wire.Hello, {"ack": 2**53 + 1}, "$.ack"),
        (wire.Hello, {"busy": 1}, "$.busy"),
        (wire.Loc, {"d": "mars"}, "$.d"),
        (wire.Loc, {"f": []}, "$.f"),
        (wire.Loc, {"f": [[]] * 61}, "$.f"),
        (wire.Loc, {"f": {}}, "$.f"),
        (wire.SetDuty, {"id": "x" * 15}, "$.id"),
        (wire.SetDuty, {"id": "x" * 37}, "$.id"),
        (wire.SetDuty, {"id": "0123456789abcdef\n"}, "$.id"),
        (wire.SetDuty, {"id": "0123456789abcde "}, "$.id"),
        (wire.SetDuty, {"s": "maybe"}, "$.s"),
        (wire.OfferSeen, {"oid": ""}, "$.oid"),
        (wire.OfferSeen, {"oid": "x" * 37}, "$.oid"),
        (wire.OfferReply, {"r": "perhaps"}, "$.r"),
        (wire.OfferReply, {"why": "x" * 501}, "$.why"),
        (wire.OfferReply, {"crew": ["m"] * 21}, "$.crew"),
        (wire.OfferReply, {"crew": ["m", ""]}, "$.crew[1]"),
        (wire.OfferReply, {"rev": 1.5}, "$.rev"),
        (wire.OfferReply, {"at": -1}, "$.at"),
        (wire.Progress, {"s": "tired"}, "$.s"),
        (wire.Progress, {"note": "x" * 501}, "$.note"),
        (wire.Progress, {"outcome": "x" * 65}, "$.outcome"),
        (wire.Mode, {"m": 1}, "$.m"),
        (wire.Mode, {"hb": 0}, "$.hb"),
        (wire.Assist, {"what": None}, "$.what"),
        (wire.Report, {"kind": "x" * 65}, "$.kind"),
        (wire.Assist, {"n": 0}, "$.n"),
        (wire.Assist, {"n": 9}, "$.n"),
        (wire.Report, {"pri": 0}, "$.pri"),
        (wire.Report, {"pri": 5}, "$.pri"),
        (wire.Report, {"lon": 180.5}, "$.lon"),
        (wire.Report, {"lat": -90.5}, "$.lat"),
        (wire.Report, {"text": "x" * 501}, "$.text"),
        (wire.Report, {"d": "gcj"}, "$.d"),
        (wire.Sos, {"fix": [1, 181, 23, 8]}, "$.fix[1]"),
        (wire.Sos, {"fix": [1, 113]}, "$.fix"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_its_path(
    kind: type, facts: dict[str, Any], path: str
) -> None:
    """The phone is told which field it was."""
    with pytest.raises(msgspec.ValidationError) as caught:
        CLIENT.decode(client(kind, **facts))
    assert str(caught.value).endswith(f"- at `{path}`")


@pytest.mark.parametrize("kind", SMALLEST)
def test_every_field_of_the_smallest_frame_is_needed(kind: type) -> None:
    """Without it the frame is no such message."""
    for name in SMALLEST[kind]:
        frame = {key: value for key, value in SMALLEST[kind].items() if key != name}
        with pytest.raises(msgspec.ValidationError):
            CLIENT.decode(json.dumps(frame))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"t":"ping","ts":NaN}',
        b'{"t":"ping","ts":Infinity}',
        b'{"t":"ping","ts":-Infinity}',
        b'{"t":"ping","ts":1e999}',
        b'{"t":"ping","ts":1}{"t":"ping","ts":1}',
        b'{"t":"ping","ts":1,}',
        b'{"t":"welcome"}',
        b'{"t":"offer"}',
        b'{"t":"dance","id":"0123456789abcdef"}',
        b'{"t":null}',
        b'{"t":7}',
    ],
)
def test_what_is_no_message_of_a_phone_is_refused(raw: bytes) -> None:
    """No JSON, no number, no known name, or a name that only the server uses."""
    with pytest.raises(msgspec.DecodeError):
        CLIENT.decode(raw)


@given(raw=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_message_or_a_documented_error(raw: bytes) -> None:
    """The protocol names three: DecodeError, UnicodeDecodeError, RecursionError."""
    try:
        message = CLIENT.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    assert isinstance(message, wire.Frame)


def test_rows_of_a_loc_come_undecoded() -> None:
    """Each is judged by itself, so a bad one never loses its neighbours."""
    frame = CLIENT.decode(client(wire.Loc, f=[[1, 113.45, 23.1, 8], "nonsense", [1, 999]]))
    assert isinstance(frame, wire.Loc)
    assert [bytes(row) for row in frame.f][1:] == [b'"nonsense"', b"[1, 999]"]


def test_a_row_may_be_longer_than_we_know() -> None:
    """Columns may be added at its end; speed, heading and source may be missing."""
    row = msgspec.json.decode(b'[1,113.45,23.1,8,null,90,"gps","new"]', type=wire.FixRow)
    assert row == wire.FixRow(1, 113.45, 23.1, 8, None, 90, "gps")


def test_as_many_rows_as_the_batch_holds_are_taken() -> None:
    """Sixty."""
    frame = CLIENT.decode(client(wire.Loc, f=[[1]] * wire.BATCH_MAX))
    assert isinstance(frame, wire.Loc)
    assert len(frame.f) == 60


# The words that are the contract. ----------------------------------------------------------------


def test_no_two_frames_have_the_same_name() -> None:
    """In either direction; and a name is short."""
    tags = [tag(kind) for kind in (*get_args(ClientMessage), *get_args(ServerMessage))]
    assert len(tags) == len(set(tags))
    assert all(0 < len(name) <= 24 for name in tags)


def test_the_names_are_the_protocols() -> None:
    """Section 3."""
    said = {tag(kind) for kind in get_args(ClientMessage)}
    assert said >= set(SAID.split())
    told = {tag(kind) for kind in get_args(ServerMessage)}
    assert told >= set(TOLD.split())


def test_reliable_frames_are_those_that_have_a_place_in_the_stream() -> None:
    """Offers, tasks and their ends, notices; an answer or a heartbeat is not kept."""
    reliable = {tag(kind) for kind in get_args(ReliableFrame)}
    assert reliable >= {
        "offer",
        "offer.update",
        "offer.end",
        "assign",
        "assign.update",
        "assign.end",
    }
    for kind in get_args(ServerMessage):
        assert ("seq" in kind.__struct_fields__) == (tag(kind) in reliable)


def test_every_command_has_an_id_and_nothing_else_has() -> None:
    """It is resent with the same one until it is answered."""
    for kind in get_args(ClientMessage):
        assert ("id" in kind.__struct_fields__) == (kind in get_args(UnitCommand))


def test_every_frame_of_a_phone_may_acknowledge() -> None:
    """Most acknowledgements need no frame of their own."""
    assert all("ack" in kind.__struct_fields__ for kind in get_args(ClientMessage))


def test_the_error_codes_are_the_protocols() -> None:
    """Section 5, and which of them are worth the same id again."""
    assert {code.value for code in ErrorCode} == set(CODES.split())
    assert {code.value for code in wire.TEMPORARY} == {
        "not_ready",
        "rate_limited",
        "overloaded",
        "internal",
    }


def test_the_close_codes_are_the_protocols() -> None:
    """Section 6: 40xx stop, 41xx back off, 42xx reconnect."""
    assert {code.name.lower(): code.value for code in Close} == {
        "protocol": 4000,
        "auth_invalid": 4001,
        "device_revoked": 4002,
        "replaced": 4003,
        "forbidden": 4004,
        "upgrade_app": 4005,
        "unit_disabled": 4006,
        "hello_timeout": 4100,
        "auth_expired": 4101,
        "slow_consumer": 4102,
        "rate_limited": 4103,
        "silent": 4104,
        "internal": 4105,
        "overloaded": 4106,
        "too_many_errors": 4107,
        "draining": 4200,
        "moved": 4201,
        "resync": 4202,
    }


def test_why_an_offer_or_a_task_is_over_is_the_protocols() -> None:
    """Section 3; a phone shows each in its own words."""
    whys = {why.value for why in wire.OfferEndWhy}
    assert whys == {"expired", "withdrawn", "taken", "cancelled", "answered"}
    ends = {why.value for why in wire.AssignEndWhy}
    named = {"resolved", "released", "overtaken", "reassigned", "cancelled", "no_show"}
    assert ends == named | {"aborted"}


def test_the_limits_are_the_protocols() -> None:
    """Section 7, and what `welcome` tells of them."""
    assert (wire.FRAME_IN_MAX, wire.FRAME_OUT_MAX, wire.BATCH_MAX) == (16384, 65536, 60)
    assert wire.HELLO_WITHIN_S == 10
    assert wire.Limits() == wire.Limits(frame=16384, batch=60, rate=2.0)
    assert wire.SUBPROTOCOL == "kapok.v1.json"
    assert POLICY.acc_max_m == 200


# What a newer app may say. -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "facts", "understood"),
    [
        (wire.Mode, {"m": "doze"}, {"m": wire.Activity.BACKGROUND}),
        (wire.Assist, {"what": "drone"}, {"what": wire.Assistance.MORE_UNITS}),
        (
            wire.Hello,
            {"push": {"k": "pigeon", "a": "x"}},
            {"push": wire.PushAddress(k=NONE, a="x")},
        ),
        (wire.Report, {"kind": "drone_crash"}, {"kind": "drone_crash"}),
    ],
)
def test_a_word_of_a_newer_app_is_taken_for_the_nearest_that_does_no_harm(
    kind: type, facts: dict[str, Any], understood: dict[str, Any]
) -> None:
    """Where one does: a duty, an answer, a step or a datum nobody knows stays an error."""
    message = CLIENT.decode(client(kind, **facts))
    assert {name: getattr(message, name) for name in understood} == understood
