"""The tables of the store in memory, and what every part of it writes alike."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from dispatch.core.events import Entry
from dispatch.core.lifecycle import OPEN_OFFER, OVER
from dispatch.ports import AlreadyAnswered, Answer, Cursor, Key, Logged, Once, PushAddress
from dispatch.store.memory_due import MemoryDue
from dispatch.store.memory_outbox import MemoryOutbox
from dispatch.store.memory_push import MemoryPush
from dispatch.store.memory_tokens import MemoryTokens
from dispatch.trace import present
from geo.jurisdiction import Jurisdiction
from schemas.base import (
    AssignmentId,
    DeviceId,
    IncidentId,
    Instant,
    KeyId,
    MemberId,
    OfferId,
    Record,
    UnitId,
)
from schemas.incident import Assignment, Case, Incident, Offer
from schemas.unit import Duty, Member, Position, Unit

NO_VERSION: Final = 0
"""Of a fact beside the decisions: a delivery, an alarm somebody took note of."""


class Reply(Record, frozen=True, kw_only=True):
    """What a command was answered, to which payload, and when."""

    digest: bytes
    answer: Answer
    at: Instant


class MemoryTables:
    """What more than one part keeps; a part's own tables are made in its own `__init__`."""

    def __init__(self, now: Callable[[], Instant], epoch: str = "memory") -> None:
        self._now = now
        self._epoch = epoch
        self._units: dict[UnitId, Unit] = {}
        self._tallies: dict[UnitId, tuple[int, int]] = {}
        self._members: dict[MemberId, Member] = {}
        self._crews: dict[UnitId, list[MemberId]] = {}
        self._leaves: dict[MemberId, Duty] = {}
        self._keys: dict[KeyId, Key] = {}
        self._positions: dict[UnitId, Position] = {}
        self._refused: dict[UnitId, Instant] = {}
        self._incidents: dict[IncidentId, Incident] = {}
        self._external: set[tuple[str, str]] = set()
        self._offers: dict[OfferId, Offer] = {}
        self._tasks: dict[AssignmentId, Assignment] = {}
        self._offers_of: dict[IncidentId, list[OfferId]] = {}
        self._tasks_of: dict[IncidentId, list[AssignmentId]] = {}
        self._offers_to: dict[UnitId, list[OfferId]] = {}
        self._active: dict[UnitId, AssignmentId] = {}
        self._entries: dict[IncidentId, list[Entry]] = {}
        self._made: dict[IncidentId, list[int]] = {}
        self._log: list[Logged] = []
        self._replies: dict[tuple[str, str], Reply] = {}
        self._places: dict[str, Jurisdiction] = {}
        self._registered = 0
        self._due = MemoryDue()
        self._outbox = MemoryOutbox()
        self._push = MemoryPush(self._outbox)
        self._tokens = MemoryTokens()

    def _reply(self, once: Once | None) -> Reply | None:
        return self._replies.get((once.scope, once.id)) if once else None

    def _keep(self, once: Once | None, answer: Answer | None, now: Instant) -> None:
        if once is not None and answer is not None:
            reply = Reply(digest=once.digest, answer=answer, at=now)
            self._replies.setdefault((once.scope, once.id), reply)

    def _keep_once(self, once: Once, answer: Answer, now: Instant) -> None:
        if self._reply(once) is not None:
            raise AlreadyAnswered
        self._keep(once, answer, now)

    def _write_log(
        self, incident_id: IncidentId, entries: Iterable[Entry], version: int = NO_VERSION
    ) -> None:
        """Write lines of a timeline, and which version of the incident they made."""
        log = self._entries.setdefault(incident_id, [])
        for entry in entries:
            data = msgspec.json.decode(msgspec.json.encode(entry.data))
            log.append(replace(entry, n=len(log) + 1, data=data, trace=present()))
            self._made.setdefault(incident_id, []).append(version)
            self._publish(incident_id, log[-1])

    def _publish(self, incident_id: IncidentId | None, entry: Entry) -> None:
        n = len(self._log) + 1
        cursor = Cursor(xid=str(n), id=n)
        kept = replace(entry, trace=present())
        self._log.append(Logged(cursor=cursor, incident_id=incident_id, entry=kept))

    def _case(self, incident_id: IncidentId) -> Case:
        offers, tasks = self._offers_of.get(incident_id, ()), self._tasks_of.get(incident_id, ())
        return Case(
            incident=self._incidents[incident_id],
            offers=tuple(self._offers[i] for i in sorted(offers)),
            assignments=tuple(self._tasks[i] for i in sorted(tasks)),
        )

    def _open_to(self, unit_id: UnitId) -> list[Offer]:
        offers = (self._offers[i] for i in self._offers_to.get(unit_id, ()))
        return [offer for offer in offers if offer.state in OPEN_OFFER]

    def _clock(self, member_id: MemberId, duty: Duty) -> None:
        self._members[member_id] = replace(self._members[member_id], duty=duty)

    def _duty(self, member_id: MemberId) -> Duty:
        return self._members[member_id].duty

    def _on_duty(self, unit_id: UnitId, duty: Duty) -> int:
        return sum(self._duty(m) is duty for m in self._crews.get(unit_id, ()))

    def _address(self, device_id: DeviceId) -> PushAddress | None:
        stream = self._outbox.stream(device_id)
        return None if stream is None else stream.address


def is_over(incident: Incident) -> bool:
    """Say whether nobody is wanted any more."""
    return incident.status in OVER
