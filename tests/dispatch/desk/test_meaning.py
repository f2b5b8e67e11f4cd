"""What the frames of phones mean to the desk."""

from datetime import UTC, datetime
from typing import Final, get_args

import pytest

from dispatch.core.commands import Accept, Assist, Command, Decline, Report, SeeOffer, SeeTask
from dispatch.core.decision import Actor
from dispatch.desk.meaning import COMMANDS, actor, meaning
from schemas import wire
from schemas.base import AssignmentId, OfferId, UnitId, ms
from tests.memory_phones import phone

ID: Final = "0" * 16
AT: Final = datetime(2026, 11, 1, 8, 30, tzinfo=UTC)
UNIT, OFFER, TASK = UnitId("u1"), OfferId("o1"), AssignmentId("a1")
ELSEWHERE: Final = {
    wire.SetDuty,
    wire.Consent,
    wire.Report,
    wire.Sos,
    wire.Refresh,
    wire.NoticeRead,
}
"""What is about no offer and no assignment."""


@pytest.mark.parametrize(
    ("frame", "command"),
    [
        (wire.OfferSeen(id=ID, oid="o1"), SeeOffer(unit_id=UNIT, offer_id=OFFER)),
        (
            wire.OfferReply(id=ID, oid="o1", rev=1, at=ms(AT), r=wire.Answer.ACCEPT),
            Accept(unit_id=UNIT, offer_id=OFFER, at=AT, crew=("m1",)),
        ),
        (
            wire.OfferReply(id=ID, oid="o1", rev=1, at=ms(AT), r=wire.Answer.ACCEPT, crew=["m7"]),
            Accept(unit_id=UNIT, offer_id=OFFER, at=AT, crew=("m7",)),
        ),
        (
            wire.OfferReply(id=ID, oid="o1", rev=1, at=ms(AT), r=wire.Answer.DECLINE, why="在忙"),
            Decline(unit_id=UNIT, offer_id=OFFER, why="在忙"),
        ),
        (wire.AssignSeen(id=ID, aid="a1", rev=1), SeeTask(unit_id=UNIT, task_id=TASK)),
        (
            wire.Progress(id=ID, aid="a1", s=wire.Reached.ARRIVED, at=ms(AT), note="到了"),
            Report(unit_id=UNIT, task_id=TASK, reached=wire.Reached.ARRIVED, at=AT, note="到了"),
        ),
        (
            wire.Assist(id=ID, aid="a1", what=wire.Assistance.FIRE, n=2),
            Assist(unit_id=UNIT, task_id=TASK, what=wire.Assistance.FIRE, n=2),
        ),
    ],
)
def test_a_frame_is_a_command_of_its_phones_unit(frame: wire.UnitCommand, command: Command) -> None:
    """Who accepts and names no crew goes himself."""
    assert meaning(phone(), frame) == command


def test_each_command_of_the_wire_has_a_meaning_here_or_is_about_something_else() -> None:
    """A new one is not forgotten."""
    assert set(get_args(wire.UnitCommand)) - ELSEWHERE == set(COMMANDS)


def test_a_member_commands_by_his_app() -> None:
    """The log names him, his way and his phone."""
    assert actor(phone()) == Actor(by="member:m1", via="app", device_id=phone().device_id)
