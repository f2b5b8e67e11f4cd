"""What a person may do with an incident, its offers and assignments: one row an action."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

from dispatch.api.bodies import in_utc
from dispatch.api.facade import Desk, Making
from dispatch.auth import Grant, Right
from dispatch.core import commands as c
from dispatch.core.errors import NotFound
from schemas import actions as body
from schemas import rest
from schemas.base import AssignmentId, IncidentId, Instant, OfferId, UnitId
from schemas.incident import Case
from schemas.plan import Need


class Asked(NamedTuple):
    """What a request asks: its body, and the id of the offer or assignment in its address."""

    body: Any
    part: str
    desk: Desk
    grant: Grant


Meant: TypeAlias = c.Command | Making


class Action(NamedTuple):
    """One action: its name, its address under an incident, what it takes and what it means."""

    name: str
    path: str
    body: type[rest.Body]
    right: Right
    command: Callable[[Asked], Meant]
    summary: str
    description: str | None = None


def _correct(asked: Asked) -> Meant:
    given: body.CorrectIncident = asked.body
    place = asked.desk.place(given.position, asked.grant.juris) if given.position else None
    needs = given.needs and tuple(
        Need(role=n.role, capabilities=n.capabilities) for n in given.needs
    )
    return c.Correct(
        place=place,
        kind=given.kind,
        priority=given.priority,
        needs=needs or None,
        title=given.title,
        address=given.address,
        ext_rev=given.ext_rev,
    )


def _accept(asked: Asked) -> Meant:
    def made(case: Case, now: Instant) -> c.Command:
        return c.Accept(
            unit_id=_asked_unit(case, asked.part),
            offer_id=OfferId(asked.part),
            at=now,
            crew=tuple(asked.body.crew),
        )

    return made


def _decline(asked: Asked) -> Meant:
    def made(case: Case, _: Instant) -> c.Command:
        unit_id = _asked_unit(case, asked.part)
        return c.Decline(unit_id=unit_id, offer_id=OfferId(asked.part), why=asked.body.why)

    return made


def _progress(asked: Asked) -> Meant:
    given: body.ProgressFor = asked.body
    at = in_utc(given.at, "/at") if given.at else None

    def made(case: Case, now: Instant) -> c.Command:
        return c.Report(
            unit_id=_sent_unit(case, asked.part),
            task_id=AssignmentId(asked.part),
            reached=given.reached,
            at=at or now,
            note=given.note,
            outcome=given.outcome,
        )

    return made


def _asked_unit(case: Case, offer_id: str) -> UnitId:
    for offer in case.offers:
        if offer.id == offer_id:
            return offer.unit_id
    raise NotFound("no such offer")


def _sent_unit(case: Case, task_id: str) -> UnitId:
    for task in case.assignments:
        if task.id == task_id:
            return task.unit_id
    raise NotFound("no such assignment")


def _task(asked: Asked) -> AssignmentId:
    return AssignmentId(asked.part)


_R: Final = Right

ACTIONS: Final[tuple[Action, ...]] = (
    Action(
        "triage_incident",
        "triage",
        rest.Triage,
        _R.CHANGE_INCIDENTS,
        lambda a: c.Triage(accept=a.body.accept, why=a.body.why),
        "Open or reject what was reported",
    ),
    Action(
        "cancel_incident",
        "cancel",
        rest.Cancel,
        _R.CANCEL,
        lambda a: c.Cancel(why=a.body.why),
        "Call an incident off",
        "Whoever was asked or sent is called back.",
    ),
    Action(
        "resolve_incident",
        "resolve",
        rest.Resolve,
        _R.CHANGE_INCIDENTS,
        lambda a: c.Resolve(note=a.body.note),
        "Settle an incident on a person's word",
    ),
    Action(
        "close_incident",
        "close",
        rest.CloseIncident,
        _R.CLOSE,
        lambda a: c.CloseFile(result=a.body.result, note=a.body.note),
        "Close the file",
        "With a result code; nothing follows.",
    ),
    Action(
        "correct_incident",
        "correct",
        body.CorrectIncident,
        _R.AMEND,
        _correct,
        "Correct what was taken down wrong",
        "Units are measured and ranked anew at once; whoever is asked or sent is told.",
    ),
    Action(
        "supplement_incident",
        "supplement",
        body.SupplementIncident,
        _R.AMEND,
        lambda a: c.Supplement(note=a.body.note),
        "Add what became known",
    ),
    Action(
        "merge_incident",
        "merge",
        body.MergeIncident,
        _R.ORDER,
        lambda a: c.Merge(into=IncidentId(a.body.into)),
        "Merge an incident into another",
        "Whoever is on the way is ordered there. The other one must not be over.",
    ),
    Action(
        "hand_over_incident",
        "hand-over",
        body.HandOverIncident,
        _R.ORDER,
        lambda a: c.HandOver(to=a.body.to, why=a.body.why),
        "Hand an incident over",
        "Somebody else takes it on: our units turn round.",
    ),
    Action(
        "reopen_incident",
        "reopen",
        body.ReopenIncident,
        _R.CHANGE_INCIDENTS,
        lambda a: c.Reopen(why=a.body.why),
        "Reopen what was not over",
    ),
    Action(
        "escalate_incident",
        "escalate",
        body.EscalateIncident,
        _R.CHANGE_INCIDENTS,
        lambda a: c.Escalate(rung=a.body.rung, why=a.body.why),
        "Take a step of the ladder now",
    ),
    Action(
        "own_incident",
        "owner",
        body.OwnIncident,
        _R.CHANGE_INCIDENTS,
        lambda a: c.Own(owner=a.body.owner),
        "Say who answers for an incident",
    ),
    Action(
        "set_incident_mode",
        "mode",
        body.SetIncidentMode,
        _R.CHANGE_INCIDENTS,
        lambda a: c.SetMode(mode=a.body.mode),
        "Let the engine ask, or people",
    ),
    Action(
        "ask_unit",
        "offers",
        body.AskUnit,
        _R.CHANGE_INCIDENTS,
        lambda a: c.Ask(unit_id=UnitId(a.body.unit_id), slot=a.body.slot),
        "Offer an incident to one unit",
        "Whatever the ranking says of it.",
    ),
    Action(
        "order_unit",
        "orders",
        body.OrderUnit,
        _R.ORDER,
        lambda a: c.Order(unit_id=UnitId(a.body.unit_id), slot=a.body.slot),
        "Send a unit without asking it",
        "It fills a free slot, takes over the one named, or adds one.",
    ),
    Action(
        "withdraw_offer",
        "offers/{offer_id:str}/withdraw",
        body.WithdrawOffer,
        _R.CHANGE_INCIDENTS,
        lambda a: c.WithdrawOffer(offer_id=OfferId(a.part), why=a.body.why),
        "Call an offer back",
    ),
    Action(
        "accept_offer",
        "offers/{offer_id:str}/accept",
        body.AcceptFor,
        _R.CHANGE_INCIDENTS,
        _accept,
        "Write down that a unit said yes",
        "By radio, voice or SMS; the same rules hold as for its phone.",
    ),
    Action(
        "decline_offer",
        "offers/{offer_id:str}/decline",
        body.DeclineFor,
        _R.CHANGE_INCIDENTS,
        _decline,
        "Write down that a unit said no",
    ),
    Action(
        "release_unit",
        "assignments/{assignment_id:str}/release",
        body.ReleaseUnit,
        _R.CHANGE_INCIDENTS,
        lambda a: c.Release(task_id=_task(a), why=a.body.why),
        "Send a unit home",
    ),
    Action(
        "reassign_unit",
        "assignments/{assignment_id:str}/reassign",
        body.ReassignUnit,
        _R.ORDER,
        lambda a: c.Reassign(task_id=_task(a), to=IncidentId(a.body.to), why=a.body.why),
        "Send a unit to another incident instead",
        "It is ordered there by that incident's own decision, at once.",
    ),
    Action(
        "pin_unit",
        "assignments/{assignment_id:str}/pin",
        body.PinUnit,
        _R.CHANGE_INCIDENTS,
        lambda a: c.Pin(task_id=_task(a), pinned=a.body.pinned),
        "Protect a unit from being overtaken",
    ),
    Action(
        "progress_unit",
        "assignments/{assignment_id:str}/progress",
        body.ProgressFor,
        _R.CHANGE_INCIDENTS,
        _progress,
        "Write down how far a unit has come",
        "As it told by another way than its phone.",
    ),
)
