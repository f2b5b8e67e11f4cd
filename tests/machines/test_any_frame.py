"""Whatever comes on the socket is a message or a documented error, down to the desk's answer."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.core.errors import Refusal
from dispatch.gateway import frames
from dispatch.gateway.session import Action, Phase, Session
from dispatch.phone import heard
from schemas.base import ms
from schemas.wire import Ack, ClientMessage, Command, Err, ErrorCode, Loc, Ok, UnitCommand
from tests.fakes import START
from tests.machines.anything import KINDS, frames_of, wounded
from tests.machines.anything import frames as valid
from tests.machines.office import DEVICES, Office

NO_MESSAGE: Final = {
    ErrorCode.BAD_FRAME,
    ErrorCode.INVALID,
    ErrorCode.UNKNOWN_TYPE,
    ErrorCode.TOO_LARGE,
}
"""What the protocol lets a frame that is no message be answered (section 5, first row)."""
ACTIONS: Final = get_args(Action)
NUL: Final = "\\u0000"
COMMANDS: Final = [kind for kind in KINDS if issubclass(kind, Command)]


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    """A desk with something to answer: an offer for each of two units, a task for the third."""
    office = Office()
    office.call(priority=3)
    office.pass_by(0)
    offer = next(iter(office.store._offers.values()))
    frame = {"t": "offer.reply", "id": office.clock.new_id(), "oid": offer.id, "rev": 1}
    answer = {**frame, "at": ms(office.clock.now()), "r": "accept"}
    command: Any = msgspec.convert(answer, UnitCommand)
    assert office.say(f"d{offer.unit_id[1]}a", command).refused is None
    yield office
    office.close()


@given(valid())
def test_a_valid_frame_is_read_as_what_it_says(frame: dict[str, Any]) -> None:
    """Every kind, every field: nothing that the structs allow is refused, but for U+0000."""
    text = msgspec.json.encode(frame)
    got = frames.read(text)
    if NUL.encode() in text:
        assert isinstance(got, Err)
    else:
        assert got.__struct_config__.tag == frame["t"]


@settings(max_examples=200)
@given(wounded())
def test_a_wounded_frame_is_a_message_or_a_documented_error(data: bytes) -> None:
    """One thing or two wrong with it, in its structure or its bytes."""
    for frame in (data, data.decode("utf-8", "surrogateescape")):
        got = frames.read(frame)
        if isinstance(got, Err):
            assert got.code in NO_MESSAGE
            assert got.msg
            assert msgspec.json.decode(msgspec.json.encode(got), type=heard.Err).code == got.code
        else:
            assert isinstance(got, get_args(ClientMessage))


@settings(max_examples=150)
@given(st.lists(wounded(), min_size=1, max_size=6))
def test_a_conversation_of_wounded_frames_never_raises(said: list[bytes]) -> None:
    """Fresh and welcomed alike: known actions only, and nothing any more once it is over."""
    fresh, known = Session(0.0), Session(0.0)
    known.phase = Phase.WELCOME
    for n, data in enumerate(said):
        text = data.decode("utf-8", "surrogateescape")
        for session in (fresh, known):
            over = session.phase is Phase.OVER
            actions = session.receive(text, float(n))
            assert all(isinstance(action, ACTIONS) for action in actions)
            assert not over or actions == ()


@settings(max_examples=150)
@given(data=st.data(), kind=st.sampled_from(COMMANDS), device=st.sampled_from(DEVICES))
def test_the_desk_answers_any_valid_command(
    office: Office, data: st.DataObject, kind: type, device: str
) -> None:
    """Known and unknown ids, the ends of every range: ok or a documented error, never a fault."""
    ids = [*office.store._offers, *office.store._tasks, "nobody"]
    near = st.sampled_from([0.0, 1.0, ms(START), ms(START) - 95_000.0, 1e14])
    given_: dict[str, st.SearchStrategy[Any]] = {
        name: {"oid": st.sampled_from(ids), "aid": st.sampled_from(ids), "at": near}[name]
        for name in ("oid", "aid", "at")
        if name in kind.__struct_fields__  # type: ignore[attr-defined]  # it is a struct
    }
    drawn = msgspec.json.encode(data.draw(frames_of(kind, **given_)))
    command = msgspec.json.decode(drawn, type=UnitCommand)
    reply = office.run(office.phones.command(office.phone(device), command))
    assert isinstance(reply, Ok | Err)
    assert reply.re == command.id
    assert not isinstance(reply, Err) or reply.code is not ErrorCode.INTERNAL
    assert heard.read(msgspec.json.encode(reply)) is not None


@settings(max_examples=100)
@given(frame=frames_of(Loc), device=st.sampled_from(DEVICES))
def test_the_desk_takes_any_valid_loc(office: Office, frame: dict[str, Any], device: str) -> None:
    """Rows one by one: bad ones are named by their index, or none is taken and it is told why."""
    read = frames.read(msgspec.json.encode(frame))
    if not isinstance(read, Loc):
        return
    with suppress(Refusal):
        bad = office.phones.fixes(office.phone(device), read)
        assert all(0 <= index < len(read.f) and why for index, why in bad)


@given(seq=st.integers(0, 2**53))
def test_any_acknowledgement_is_taken_or_ignored(seq: int) -> None:
    """Above what was given it moves nothing."""
    session = Session(0.0)
    session.phase = Phase.WELCOME
    actions = session.receive(msgspec.json.encode(Ack(ack=seq)).decode(), 0.0)
    assert len(actions) == (seq > 0)
    assert session.acked == 0
