"""The tolerant readers, held against the exact ones."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.phone import heard
from schemas import wire
from schemas.notice import NoticeLevel
from tests.dispatch.phone.script import (
    POLICY,
    offer,
    offer_end,
    scene,
    task,
    task_end,
    text,
    welcome,
)

EXACT: list[tuple[wire.Frame, type]] = [
    (welcome(offers=(offer(),), tasks=(task(),)), heard.Welcome),
    (wire.Pong(now=1.0), heard.Pong),
    (POLICY, heard.Policy),
    (wire.Locate(), heard.Locate),
    (wire.Ok(re="x" * 16), heard.Ok),
    (wire.Err(code=wire.ErrorCode.TAKEN, msg="", re="x" * 16), heard.Err),
    (offer(seq=1), heard.Offer),
    (
        wire.OfferUpdate(seq=2, oid="o", rev=2, d=offer().d, inc=scene(), alert=True),
        heard.OfferUpdate,
    ),
    (offer_end(seq=3), heard.OfferEnd),
    (task(seq=4), heard.Task),
    (
        wire.AssignUpdate(seq=5, aid="a", rev=2, d=offer().d, inc=scene(), alert=True),
        heard.TaskUpdate,
    ),
    (task_end(seq=6), heard.TaskEnd),
    (
        wire.NoticeFrame(seq=7, nid="n", rev=1, lvl=NoticeLevel.WARN, text="台风", exp=9.0),
        heard.Notice,
    ),
]


@pytest.mark.parametrize(("frame", "kind"), EXACT)
def test_every_server_message_is_read_with_the_same_values(frame: wire.Frame, kind: type) -> None:
    """What the phone names, it names as `schemas.wire` does."""
    message = heard.read(text(frame))
    assert type(message) is kind
    plain: dict[str, Any] = msgspec.to_builtins(frame)
    for name in set(type(message).__struct_fields__) & plain.keys() - {"state"}:
        want = plain[name]
        read = msgspec.to_builtins(getattr(message, name))
        assert (
            {key: read[key] for key in want if key in read} if isinstance(want, dict) else read
        ) == ({key: want[key] for key in want if key in read} if isinstance(want, dict) else want)


def test_the_readers_know_every_server_message() -> None:
    """A message added to `schemas.wire` is missed here first."""
    exact = {type(frame) for frame, _ in EXACT}
    assert exact == set(wire.ServerMessage.__args__)


def test_unknown_values_and_fields_are_taken() -> None:
    """A newer server may add enum values, fields and columns."""
    plain = msgspec.to_builtins(offer(seq=7))
    plain["inc"]["kind"], plain["quality"], plain["new"] = "meteor", "oracle", [1]
    message = heard.read(msgspec.json.encode(plain))
    assert isinstance(message, heard.Offer)
    assert message.inc.kind == "meteor"


def test_null_is_absent() -> None:
    """Optional fields may be null."""
    message = heard.read(b'{"t":"offer.end","oid":"o","seq":null,"why":null,"ts":null}')
    assert message == heard.OfferEnd(oid="o")


def test_an_unknown_message_keeps_its_seq() -> None:
    """It is acked all the same."""
    assert heard.read(b'{"t":"parade","seq":9,"x":{}}') == heard.Unknown(t="parade", seq=9)


@given(st.one_of(st.binary(), st.text().map(str.encode), st.just(b"[" * 100_000)))
def test_no_bytes_raise(frame: bytes) -> None:
    """Whatever comes is a message, or unknown."""
    assert isinstance(heard.read(frame), heard.Heard | heard.Unknown)
