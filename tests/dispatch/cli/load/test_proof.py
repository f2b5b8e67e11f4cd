"""Planted losses are found; what is as it should be is left alone."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from dispatch.cli.load.history import Entry, Given, History, Incident, Offered
from dispatch.cli.load.proof import Proof, prove
from dispatch.phone.diary import Deed, DeviceDiary, Diary, Fault, Tally
from dispatch.phone.latency import Quantiles
from schemas.base import ms
from tests.fakes import START

BEGAN_MS = ms(START)


def at(seconds: float) -> datetime:
    """Return a moment of the run."""
    return START + timedelta(seconds=seconds)


def phone(
    *lines: tuple[float, float | None],
    unit: str = "u1",
    offers: tuple[str, ...] = (),
    tasks: tuple[str, ...] = (),
) -> DeviceDiary:
    """Return the diary of a phone that was on line between these seconds; None: to the end."""
    return DeviceDiary(
        unit=unit,
        welcomes=[(0, BEGAN_MS + 1000 * start) for start, _ in lines],
        losts=[BEGAN_MS + 1000 * end for _, end in lines if end is not None],
        offers=list(offers),
        tasks=list(tasks),
    )


def diary(
    *phones: DeviceDiary,
    deeds: tuple[Deed, ...] = (),
    faults: tuple[Fault, ...] = (),
    skew_ms: float = 0.0,
) -> Diary:
    """Return what a process saw until second 100."""
    return Diary(
        devices={f"d{n}": one for n, one in enumerate(phones)},
        offers_first={},
        arrivals=[],
        push_ms=Quantiles(),
        tally=Tally(),
        deeds=list(deeds),
        faults=list(faults),
        skew_ms=skew_ms,
        until_ms=BEGAN_MS + 100_000,
    )


def offered(sent_s: float = 20, ended_s: float | None = None, unit: str = "u1") -> Offered:
    """Return an offer as REST shows it."""
    ended_at = None if ended_s is None else at(ended_s)
    return Offered(id="o1", unit_id=unit, sent_at=at(sent_s), ended_at=ended_at)


def given(aid: str, start_s: float, ended_s: float | None = None, unit: str = "u1") -> Given:
    """Return a task as REST shows it."""
    ended_at = None if ended_s is None else at(ended_s)
    return Given(id=aid, unit_id=unit, assigned_at=at(start_s), ended_at=ended_at)


def history(
    *entries: tuple[str, dict[str, Any]],
    offers: tuple[Offered, ...] = (),
    tasks: tuple[Given, ...] = (),
    iid: str = "i1",
) -> History:
    """Return an incident with its log."""
    return History(
        incident=Incident(id=iid, opened_at=START, offers=list(offers), assignments=list(tasks)),
        entries=[Entry(n=n, type=kind, data=data) for n, (kind, data) in enumerate(entries, 1)],
    )


def wrong(proof: Proof) -> dict[str, int]:
    """Return what there is of each fault."""
    return {name: count for name, count in proof.counts.items() if count}


def test_an_acknowledged_incident_that_cannot_be_read_is_lost() -> None:
    """With the reason; one that was never asked for as well."""
    proof = prove([], {"i1": history(), "i2": "404 no such incident"}, ["i1", "i2", "i3"])
    assert wrong(proof) == {"lost_incidents": 2}
    assert proof.examples[0] == "lost_incidents: incident i2: 404 no such incident"


@pytest.mark.parametrize(
    ("lines", "lost"),
    [
        ([(0, None)], 1),
        ([(0, 26)], 1),
        ([(0, 10), (12, None)], 1),
        ([(0, 23)], 0),
        ([(19, None)], 0),
        ([(0, 15), (24, None)], 0),
        ([], 0),
    ],
)
def test_an_offer_that_no_one_heard_is_lost_where_the_phone_was_on_line(
    lines: list[tuple[float, float | None]], lost: int
) -> None:
    """From 2 s before it was sent to 5 s after, by one line."""
    read = {"i1": history(offers=(offered(20),))}
    assert prove([diary(phone(*lines))], read, []).counts["lost_messages"] == lost


def test_an_offer_that_was_heard_or_was_soon_over_is_not_lost() -> None:
    """So is one to a unit without a phone of ours, and one at the very end."""
    on_line = (0.0, None)
    for page, offer in (
        (phone(on_line, offers=("o1",)), offered()),
        (phone(on_line), offered(20, 24)),
        (phone(on_line), offered(unit="u9")),
        (phone(on_line), offered(97)),
    ):
        assert wrong(prove([diary(page)], {"i1": history(offers=(offer,))}, [])) == {}


def test_a_clock_that_is_behind_the_servers_makes_no_losses() -> None:
    """The phone was off the net when the offer was sent, by whichever clock."""
    page, read = phone((0, 20), (40, None)), {"i1": history(offers=(offered(32),))}
    assert wrong(prove([diary(page)], read, [])) == {}
    assert wrong(prove([diary(page, skew_ms=20_000)], read, [])) == {"lost_messages": 1}


def test_a_task_that_one_of_two_phones_did_not_hear_is_lost() -> None:
    """All phones of a unit are told."""
    told, untold = phone((0, None), tasks=("a1",)), phone((0, None))
    read = {"i1": history(tasks=(given("a1", 20),))}
    assert wrong(prove([diary(told), diary(untold)], read, [])) == {"lost_messages": 1}
    assert wrong(prove([diary(told), diary(told)], read, [])) == {}


ACCEPTED = ("offer_accepted", {"offer": "o1"})
ON_THE_WAY = ("assignment_progressed", {"assignment": "a1", "state": "en_route"})
RESOLVED = ("assignment_ended", {"assignment": "a1", "why": "resolved"})


@pytest.mark.parametrize(
    ("what", "ref", "late", "entries", "lost"),
    [
        ("accept", "o1", False, [ACCEPTED], 0),
        ("accept", "o2", False, [ACCEPTED], 1),
        ("decline", "o1", False, [ACCEPTED], 1),
        ("decline", "o1", False, [("offer_declined", {"offer": "o1"})], 0),
        ("en_route", "a1", False, [ON_THE_WAY], 0),
        ("arrived", "a1", False, [ON_THE_WAY], 1),
        ("arrived", "a1", False, [ON_THE_WAY, RESOLVED], 0),
        ("resolved", "a1", False, [RESOLVED], 0),
        ("resolved", "a2", False, [RESOLVED], 1),
        ("resolved", "a1", True, [RESOLVED], 1),
        ("resolved", "a1", True, [("late_progress", {"assignment": "a1"})], 0),
    ],
)
def test_what_was_answered_with_ok_is_in_the_log(
    what: str,
    ref: str,
    late: bool,
    entries: list[tuple[str, dict[str, Any]]],
    lost: int,
) -> None:
    """A step that was passed already needs no line of its own."""
    deed = Deed(device="d0", what=what, iid="i1", ref=ref, late=late)
    proof = prove([diary(deeds=(deed,))], {"i1": history(*entries)}, [])
    assert proof.counts["lost_commands"] == lost


def test_a_command_about_an_incident_that_was_not_read_is_not_judged() -> None:
    """The incident is what is lost."""
    deed = Deed(device="d0", what="accept", iid="i9", ref="o1")
    assert wrong(prove([diary(deeds=(deed,))], {"i9": "503"}, ["i9"])) == {"lost_incidents": 1}


def test_a_unit_with_two_tasks_at_a_time_is_booked_twice() -> None:
    """In one incident or in two; one after the other is as it should be."""
    first = history(tasks=(given("a1", 10, 30), given("b1", 10, 90, "u2")))
    after = history(tasks=(given("a2", 30),), iid="i2")
    during = history(tasks=(given("a3", 29, 40),), iid="i3")
    assert wrong(prove([], {"i1": first, "i2": after}, [])) == {}
    proof = prove([], {"i1": first, "i2": after, "i3": during}, [])
    assert wrong(proof) == {"double_booked": 2}
    assert proof.examples[0] == "double_booked: unit u1 was on a1 and a3"


def test_broken_logs_and_the_phones_own_faults_are_told() -> None:
    """The latter are counted by the phones themselves, and shown here."""
    fault = Fault(device="d0", what="doubled", kind="Offer", seq=7)
    broken = history(("status_changed", {"before": "a", "after": "b"}), ON_THE_WAY)
    gap = History(incident=broken.incident, entries=broken.entries[1:])
    proof = prove([diary(faults=(fault,))], {"i1": gap}, ["i1"])
    assert wrong(proof) == {"broken_histories": 1}
    assert proof.examples == [
        "broken_histories: incident i1: line 1 is numbered 2",
        "doubled: Offer 7 of phone d0",
    ]
