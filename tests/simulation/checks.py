"""What must be true when all is quiet: of the store, the memories, the phones, the answers."""

from collections import Counter
from typing import Protocol

from msgspec.structs import replace

from dispatch.core.events import Event
from dispatch.core.lifecycle import ENDED, INCIDENT, OPEN_OFFER, OVER, WANTS_UNITS, unit_state
from dispatch.store.memory import MemoryStore
from schemas.base import DeviceId
from schemas.incident import Case, Status
from schemas.unit import Duty
from schemas.wire import Answer, Assist, NoticeFrame, OfferReply, Report, SetDuty
from tests.simulation.handset import Handset
from tests.simulation.ledger import Ledger, Said, require
from tests.simulation.server import Server


class World(Protocol):
    """What there is to look at."""

    store: MemoryStore
    ledger: Ledger
    servers: list[Server | None]
    handsets: list[Handset]


async def check(world: World) -> None:
    """Raise `Broken` for the first thing that is not as it must be."""
    store, ledger = world.store, world.ledger
    require(not ledger.faults, "a fault was logged", faults=ledger.faults[:1])
    check_units(store)
    check_clocks(store)
    await check_log(store)
    check_requests(store, ledger)
    check_phones_commands(store, ledger)
    for handset in world.handsets:
        check_mail(store, ledger, handset)
        check_hand(store, handset)
        check_told_once(ledger, handset)
    for server in world.servers:
        if server is not None:
            await check_memory(store, server)
    check_presence(world)


# The store. --------------------------------------------------------------------------------------


def check_units(store: MemoryStore) -> None:
    """No unit has two active assignments; nobody is asked or sent for what is over."""
    live = [task for task in store._tasks.values() if task.state not in ENDED]
    units = Counter(task.unit_id for task in live)
    require(all(n == 1 for n in units.values()), "a unit is active twice", units=dict(units))
    for task in live:
        status = store._incidents[task.incident_id].status
        require(status not in OVER, "a unit is sent for what is over", task=task)
    for task in store._tasks.values():
        require((task.ended_at is None) == (task.state not in ENDED), "ended and not", task=task)
    for offer in store._offers.values():
        if offer.state in OPEN_OFFER:
            status = store._incidents[offer.incident_id].status
            require(status not in OVER, "a unit is asked for what is over", offer=offer)


def check_clocks(store: MemoryStore) -> None:
    """Every incident that wants units has a clock or an owner; no moment is overdue."""
    minded = store._due.incidents()
    for incident in store._incidents.values():
        if incident.status in WANTS_UNITS and incident.owner is None:
            require(incident.id in minded, "no clock, no owner", incident=incident)
    found = [one for one in store._due.overdue(store._now()) if one in store._incidents]
    late = [m for m in store._due._moments.values() if (store._now() - m.at).total_seconds() > 2]
    require(not late, "a clock is overdue", late=late, all=found)


async def check_log(store: MemoryStore) -> None:
    """Events are numbered without gaps, and the incident walked where its table lets it."""
    for incident in store._incidents.values():
        log = await store.timeline(incident.id, 0, 10_000)
        numbers = [entry.n for entry in log]
        require(numbers == list(range(1, len(log) + 1)), "a gap in the log", numbers=numbers)
        status = Status.REPORTED
        for entry in log:
            if entry.type is Event.STATUS:
                require(entry.data["before"] == status, "a step was left out", entry=entry)
                legal = {(t.value, to) for t, to in INCIDENT[status].items()}
                step = entry.data["trigger"], Status(entry.data["after"])
                require(step in legal, "an illegal step", entry=entry)
                status = Status(entry.data["after"])
        require(status == incident.status, "the log ends elsewhere", incident=incident)
        check_once(incident.id, [(e.type, e.data) for e in log])
    cursors = [logged.cursor.id for logged in store._log]
    require(cursors == list(range(1, len(cursors) + 1)), "a gap in the feed", cursors=cursors)


ONCE_AN_OFFER = {Event.OFFERED, Event.DELIVERED, Event.SEEN, Event.LAPSED} | {
    Event.ACCEPTED,
    Event.DECLINED,
    Event.EXPIRED,
    Event.TAKEN,
    Event.OFFER_CANCELLED,
}


def check_once(incident_id: str, facts: list[tuple[Event, dict[str, object]]]) -> None:
    """Facts that can be true once only are written once only."""
    once = [(kind, data["offer"]) for kind, data in facts if kind in ONCE_AN_OFFER]
    once += [
        (kind, data["assignment"])
        for kind, data in facts
        if kind in {Event.ASSIGNED, Event.ASSIGNMENT_ENDED}
    ]
    once += [
        (kind, (data["assignment"], data["state"]))
        for kind, data in facts
        if kind is Event.PROGRESSED
    ]
    twice = [fact for fact, n in Counter(once).items() if n > 1]
    require(not twice, "applied twice", incident=incident_id, facts=twice)


# What was acknowledged. --------------------------------------------------------------------------


def check_requests(store: MemoryStore, ledger: Ledger) -> None:
    """What a person was answered happened once; what he was refused never did."""
    written = Counter(
        word
        for entries in store._entries.values()
        for entry in entries
        for word in (entry.data.get("why"), entry.data.get("note"))
        if isinstance(word, str)
    )
    opened = Counter(row.note.split("\n")[0] for row in store._incidents.values())
    for request in ledger.requests:
        if request.name in {"ask", "order", "correct", "accept", "merge"}:
            continue
        n = (opened if request.name == "open" else written)[request.words]
        least, most = int(request.answered), int(request.refused is None)
        require(least <= n <= most, "not once", request=request, times=n)


def check_phones_commands(store: MemoryStore, ledger: Ledger) -> None:
    """What a phone was told is done was done once; what it was refused was not done."""
    check_duties(store, ledger)
    texts = Counter(
        entry.data["text"]
        for entries in store._entries.values()
        for entry in entries
        if entry.type is Event.ASSISTANCE
    )
    notes = Counter(row.note.split("\n")[0] for row in store._incidents.values())
    for said in ledger.said.values():
        least, most = int(said.result is not None), int(said.refused is None)
        match said.command:
            case Assist(text=text):
                require(least <= texts[text] <= most, "not once", said=said, times=texts[text])
            case Report(text=text):
                require(least <= notes[text] <= most, "not once", said=said, times=notes[text])
            case OfferReply():
                check_reply(store, said)
            case _:
                pass


def check_duties(store: MemoryStore, ledger: Ledger) -> None:
    """Every clocking that was acknowledged is in the log once, and none that was refused."""
    written = Counter(logged.entry.by for logged in store._log if logged.entry.type is Event.DUTY)
    clocks = [said for said in ledger.said.values() if isinstance(said.command, SetDuty)]
    for member in {said.member for said in clocks}:
        own = [said for said in clocks if said.member == member]
        least = sum(said.result is not None for said in own)
        most = sum(said.refused is None for said in own)
        n = written[member]
        require(least <= n <= most, "clockings", member=member, sure=least, most=most, written=n)


def check_reply(store: MemoryStore, said: Said) -> None:
    """A yes that was acknowledged is an assignment, and one only; a no is a no."""
    reply = said.command
    if said.result is None or not isinstance(reply, OfferReply):
        return
    tasks = [task.id for task in store._tasks.values() if task.offer_id == reply.oid]
    if reply.r is Answer.ACCEPT:
        require(tasks == [said.result["aid"]], "no assignment, or two", said=said, tasks=tasks)
    else:
        require(not tasks, "sent although it said no", said=said, tasks=tasks)


# Phones. -----------------------------------------------------------------------------------------


def check_mail(store: MemoryStore, ledger: Ledger, handset: Handset) -> None:
    """A phone has every row of its stream, unless a state told it or the row is needless."""
    require(handset.phone.session.welcomed, "a phone did not come back", device=handset.device)
    book = ledger.book(handset.device)
    stream = store._outbox._streams[DeviceId(handset.device)]
    told = max(book.heads, default=0)
    for seq, row in stream.rows.items():
        covered = seq <= told and not isinstance(row.mail.frame, NoticeFrame)
        needless = row.superseded or row.mail.expires_at <= store._now()
        require(
            seq in book.seqs or covered or needless,
            "a row was never received",
            device=handset.device,
            seq=seq,
            row=row,
        )


def check_hand(store: MemoryStore, handset: Handset) -> None:
    """A phone shows no offer and no task that is over, and every one that it was told of.

    Of a member off duty that is so where anything was sealed for him: one who clocked out by
    another process may have been shown an offer by a state that did not know.
    """
    stream = store._outbox._streams[DeviceId(handset.device)]
    unit_id, hand = stream.device.unit_id, handset.phone.session.hand
    offers = {
        offer.id
        for offer in store._offers.values()
        if offer.unit_id == unit_id and offer.state in OPEN_OFFER
    }
    tasks = {t.id for t in store._tasks.values() if t.unit_id == unit_id and t.state not in ENDED}
    heard = set(stream.told)
    over = (hand.offers.keys() - offers) | (hand.tasks.keys() - tasks)
    on_duty = store._members[stream.device.member_id].duty is Duty.ON
    wrong = over if on_duty else over & heard
    require(not wrong, "shown, but over", device=handset.device, refs=wrong)
    answered = {row.mail.ref for row in stream.rows.values() if row.mail.not_to == stream.device.id}
    missing: set[str] = (heard & tasks) - hand.tasks.keys()
    if on_duty:
        missing |= (heard & offers) - hand.offers.keys() - answered
    require(not missing, "told, but not shown", device=handset.device, refs=missing)


def check_told_once(ledger: Ledger, handset: Handset) -> None:
    """No phone rang twice for one offer, or was sent twice by one task, unless it started anew."""
    book = ledger.book(handset.device)
    if book.restarts:
        return
    for ref, n in (book.offered + book.tasks).items():
        require(n <= 1 + book.forgot[ref], "told twice", device=handset.device, ref=ref, times=n)


# Memory. -----------------------------------------------------------------------------------------


async def check_memory(store: MemoryStore, server: Server) -> None:
    """Board, fleet and roster of every process say what the store says."""
    desk = server.desk
    require(not desk.partial, "the picture is partial")
    require(not desk.unsure, "still unsure", unsure=desk.unsure)
    kept = {case.incident.id: _bare(case) for case in await store.active_cases()}
    known = {i: _bare(case) for i, case in desk.board._cases.items()}
    for incident_id in kept.keys() | known.keys():
        require(
            kept.get(incident_id) == known.get(incident_id),
            "the board differs from the store",
            incident=incident_id,
            store=kept.get(incident_id),
            board=known.get(incident_id),
        )
    for row in await store.unit_rows(store._now()):
        state = unit_state(
            disabled=row.unit.disabled,
            engaged=row.engaged,
            open_offers=row.open_offers,
            on_duty=row.on_duty,
            paused=row.paused,
            min_crew=row.unit.min_crew,
        )
        here = desk.fleet.state(row.unit.id)
        require(here == state, "the fleet differs", unit=row.unit.id, store=state, fleet=here)
    for member in store._members.values():
        duty = desk.roster.duty(member.unit_id, member.id)
        require(duty is member.duty, "the roster differs", member=member, roster=duty)
    for device in store._outbox.devices():
        head = desk.roster.head(device.id)
        # Where nothing waits for a phone its head is learned when it says hello.
        learned = head == device.head or head < device.head <= device.acked
        require(learned, "a head differs", device=device.id, store=device.head, roster=head)


def _bare(case: Case) -> Case:
    """Return a case without what is noted of its offers beside decisions."""
    return replace(case, offers=tuple(replace(o, delivered_at=None) for o in case.offers))


# Who is where. -----------------------------------------------------------------------------------


def check_presence(world: World) -> None:
    """Each phone is held by one process, and every process knows where all of them are."""
    up = [server for server in world.servers if server is not None]
    held = Counter(device for server in up for device in server.hub._seats)
    require(all(n == 1 for n in held.values()), "a phone is held twice", phones=held)
    units = Counter(d.unit_id for d in world.store._outbox.devices() if d.id in held)
    for server in up:
        presence, links = server.phones.presence, server.desk.fleet._links.table
        known = {d.id for d in world.store._outbox.devices() if presence.activity(d.id)}
        require(known == held.keys(), "who is here differs", known=known, held=set(held))
        for unit in server.desk.fleet:
            row = server.desk.fleet.row(unit.id)
            online = int(links["online"][row])
            require(online == units[unit.id], "online differs", unit=unit.id, online=online)
            quiet = int(links["quiet"][row])
            require(0 <= quiet <= online, "quiet differs", unit=unit.id, quiet=quiet)
