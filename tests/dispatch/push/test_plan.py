"""Which frames wake a phone, by which way and when."""

from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from dispatch.ports import Channel, Push, PushAddress, Unheard
from dispatch.push import plan
from dispatch.push.worker import GATHER_S, LOOK_EVERY_S
from geo.datum import Datum
from schemas import wire
from schemas.base import DeviceId, ms
from schemas.incident import AssignmentKind, Role
from schemas.plan import IncidentKind
from tests.fakes import START
from tests.memory_phones import offer

NOW = START + plan.PATIENCE
BRIEF = wire.Brief(
    iid="i1",
    kind=IncidentKind.WATER_RESCUE,
    pri=2,
    title="王小明落水",
    lon=113.4612,
    lat=23.1065,
    addr="大沙地 12 号",
    tel="138****1234",
)
ASSIGN = wire.AssignFrame(
    aid="a1",
    oid="o1",
    rev=1,
    d=Datum.WGS84,
    inc=BRIEF,
    by="engine",
    kind=AssignmentKind.OFFER,
    role=Role.PRIMARY,
    eta_s=90.0,
)
ORDER = msgspec.structs.replace(ASSIGN, oid=None, kind=AssignmentKind.ORDER)
UPDATE = wire.AssignUpdate(aid="a1", rev=2, d=Datum.WGS84, inc=BRIEF, alert=True)
OFFER_UPDATE = wire.OfferUpdate(oid="o1", rev=2, d=Datum.WGS84, inc=BRIEF, alert=True)
OFFER_END = wire.OfferEnd(oid="o1", why=wire.OfferEndWhy.TAKEN)
ASSIGN_END = wire.AssignEnd(aid="a1", why=wire.AssignEndWhy.RELEASED)


def row(frame: wire.ReliableFrame) -> Unheard:
    """Return a frame three seconds old, for a phone that can be woken both ways."""
    return Unheard(
        device_id=DeviceId("d1"),
        seq=7,
        at=START,
        expires_at=START + timedelta(minutes=5),
        frame=msgspec.Raw(msgspec.json.encode(frame)),
        address=PushAddress(kind="hook", a="vendor-token-1"),
        tel=True,
        told=False,
    )


def weighed(one: Unheard, *, sms: bool = True) -> list[Push]:
    """Return what a frame means three seconds after it was written."""
    return list(plan.pushes(one, NOW, sms=sms))


def channels(one: Unheard) -> list[Channel]:
    """Return the ways a phone is woken by."""
    return [push.channel for push in weighed(one)]


BOTH = [Channel.PUSH, Channel.SMS]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (offer(), BOTH),
        (ASSIGN, BOTH),
        (ORDER, BOTH),
        (OFFER_UPDATE, BOTH),
        (UPDATE, BOTH),
        (ASSIGN_END, [Channel.PUSH]),
        (OFFER_END, []),
        (replace(OFFER_UPDATE, alert=False), []),
        (replace(UPDATE, alert=False), []),
    ],
)
def test_every_kind_of_frame_wakes_as_it_rings(
    frame: wire.ReliableFrame, expected: list[Channel]
) -> None:
    """A quiet update must not ring; an end of what nobody heard of has nothing to end."""
    assert channels(row(frame)) == expected


def test_the_end_of_an_offer_goes_to_who_heard_of_it() -> None:
    """It is over the moment it was written: whatever rings is taken away."""
    [push] = weighed(replace(row(OFFER_END), told=True))
    assert (push.channel, push.oid, push.pri, push.exp_ms) == ("push", "o1", None, ms(START))


@pytest.mark.parametrize(("pri", "expected"), [(1, BOTH), (2, BOTH), (3, BOTH[:1]), (4, BOTH[:1])])
def test_only_the_urgent_go_out_by_sms(pri: int, expected: list[Channel]) -> None:
    """Priorities 1 and 2 (protocol, section 10)."""
    asked = replace(offer(), inc=replace(offer().inc, pri=pri))
    assert channels(row(asked)) == expected


def test_a_phone_is_woken_by_the_ways_it_has() -> None:
    """Without an address no push, without a number no SMS."""
    one = row(offer())
    assert channels(replace(one, address=None)) == [Channel.SMS]
    assert channels(replace(one, tel=False)) == [Channel.PUSH]
    assert channels(replace(one, address=None, tel=False)) == []


def test_without_a_budget_no_sms_is_planned() -> None:
    """Whoever has no SMS gateway says so once."""
    assert [push.channel for push in weighed(row(offer()), sms=False)] == [Channel.PUSH]


def test_push_goes_at_once_and_sms_at_ten_seconds() -> None:
    """Ten seconds after the frame was written, however late it is weighed."""
    by_push, by_sms = weighed(row(offer()))
    assert by_push.next_at == NOW
    assert by_sms.next_at == START + plan.SMS_AFTER
    late = START + timedelta(minutes=1)
    assert [p.next_at for p in plan.pushes(row(offer()), late, sms=True)] == [late, late]


def test_a_push_lives_as_long_as_its_offer() -> None:
    """The offer's hard end is what the phone is told, and when tries end."""
    asked = replace(offer(), exp=ms(START + timedelta(minutes=5)))
    push = weighed(row(asked))[0]
    assert (push.oid, push.pri, push.exp_ms) == ("o1", 1, asked.exp)
    assert push.expires_at == START + timedelta(minutes=5)


def test_what_has_no_end_of_its_own_rings_as_long_as_its_mail_is_kept() -> None:
    """An order has no offer, and so no offer's end."""
    push = weighed(row(ORDER))[0]
    assert (push.oid, push.exp_ms) == (None, ms(START + timedelta(minutes=5)))


def test_no_name_place_or_number_is_taken_from_a_frame() -> None:
    """A push passes through other people's servers."""
    for push in weighed(row(ASSIGN)):
        text = msgspec.json.encode(push).decode()
        assert not any(word in text for word in ("王小明", "大沙地", "113.46", "23.1", "138"))


def test_nobody_waits_longer_than_the_mark() -> None:
    """No acknowledgement: a push within 3.5 s (protocol, section 11)."""
    assert plan.PATIENCE.total_seconds() + LOOK_EVERY_S + GATHER_S < 3.5


def test_what_is_weighed_at_an_instant() -> None:
    """Three seconds of patience; ten for what a phone caused itself."""
    cut = plan.due(START)
    assert (START - cut.written_by, START - cut.own_by) == (plan.PATIENCE, plan.OWN_PATIENCE)
    assert cut.own_by < cut.written_by
