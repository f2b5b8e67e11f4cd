"""What the webhook is sent."""

import hashlib
import hmac
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from dispatch.ports import Channel, PushAddress
from dispatch.push.letter import key, letter
from tests.dispatch.push.letters import SECRET, claimed
from tests.fakes import START


def test_a_receiver_verifies_the_signature_with_what_it_was_sent() -> None:
    """HMAC-SHA256 over timestamp, a dot and the very bytes of the body."""
    written = letter(claimed(), "e1", SECRET, START)
    ts = written.headers["Kapok-Timestamp"]
    signed = hmac.new(SECRET.encode(), ts.encode() + b"." + written.body, hashlib.sha256)
    assert written.headers["Kapok-Signature"] == f"v1={signed.hexdigest()}"
    assert int(ts) == int(START.timestamp())


def test_a_changed_body_another_time_or_another_secret_is_another_signature() -> None:
    """Nobody can send an old body anew, or another one at all."""
    plain = letter(claimed(), "e1", SECRET, START).headers["Kapok-Signature"]
    others = [
        letter(claimed(seq=2), "e1", SECRET, START),
        letter(claimed(), "e1", SECRET, START + timedelta(seconds=1)),
        letter(claimed(), "e1", "t" * 40, START),
    ]
    assert plain not in {other.headers["Kapok-Signature"] for other in others}


def test_every_try_has_the_same_body_and_key() -> None:
    """So a receiver that keeps keys sees one push, however often it is tried."""
    first = letter(claimed(tries=1), "e1", SECRET, START)
    later = letter(claimed(tries=5), "e1", SECRET, START + timedelta(seconds=30))
    assert first.body == later.body
    assert first.headers["Idempotency-Key"] == later.headers["Idempotency-Key"] == "e1:d1:1:push"


def test_the_key_tells_phone_frame_channel_and_epoch_apart() -> None:
    """A restored store gives numbers anew: its pushes are not repeats."""
    keys = {
        key(claimed(), "e1"),
        key(claimed(seq=2), "e1"),
        key(claimed(channel=Channel.SMS), "e1"),
        key(claimed(), "e2"),
    }
    assert len(keys) == 4


def test_the_payload_is_oid_pri_and_exp_and_nothing_else() -> None:
    """The envelope around it says where it goes and until when."""
    body = msgspec.json.decode(letter(claimed(), "e1", SECRET, START).body)
    assert body["payload"] == {"oid": "o1", "pri": 1, "exp": 1_790_000_000_000.0}
    assert body["to"] == {"k": "hook", "a": "vendor-token-1"}
    assert set(body) == {"v", "channel", "device", "seq", "to", "until", "payload"}
    assert body["until"] == int((START + timedelta(seconds=300)).timestamp() * 1000)


def test_what_a_frame_does_not_have_is_left_out() -> None:
    """The end of a task names no offer and no priority."""
    bare = claimed()
    bare = replace(bare, push=replace(bare.push, oid=None, pri=None))
    assert msgspec.json.decode(letter(bare, "e1", SECRET, START).body)["payload"] == {
        "exp": 1_790_000_000_000.0
    }


def test_an_sms_goes_to_a_number_that_only_the_envelope_names() -> None:
    """The gateway has to know it; the text on the phone does not."""
    sms = replace(claimed(channel=Channel.SMS), to=PushAddress(kind="tel", a="13800000000"))
    body = msgspec.json.decode(letter(sms, "e1", SECRET, START).body)
    assert (body["channel"], body["to"]) == ("sms", {"k": "tel", "a": "13800000000"})
    assert "13800000000" not in str(body["payload"])
