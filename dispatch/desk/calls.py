"""What members report, and call for help with: an incident opened from the street."""

from typing import Final

from dispatch.core.commands import Open
from dispatch.core.errors import Invalid
from dispatch.desk import answers
from dispatch.desk.callers import Callers
from dispatch.desk.desk import Desk
from dispatch.desk.meaning import actor
from dispatch.desk.presence import Presence
from dispatch.desk.whereabouts import Whereabouts
from dispatch.live.ground import FRESH_S
from dispatch.ports import Answer, Identity, Once
from geo.datum import Datum
from schemas import wire
from schemas.plan import IncidentKind
from schemas.rest import OpenIncident, Place
from schemas.unit import Duty

KINDS: Final = frozenset(IncidentKind)
TITLE_CHARS: Final = 80
SOS_TITLE: Final = "队员求助 SOS"


class Calls:
    """The reports and calls for help of members."""

    def __init__(self, desk: Desk, presence: Presence, whereabouts: Whereabouts) -> None:
        self._desk = desk
        self._presence = presence
        self._whereabouts = whereabouts
        self._callers = Callers()

    async def open(self, identity: Identity, frame: wire.Report | wire.Sos, once: Once) -> Answer:
        """Open what a member reports; lower priorities wait for triage unless he takes it on."""
        now = self._desk.clock.now()
        self._callers.take(identity.device_id, frame.id, now.timestamp())
        told = self._reported(identity, frame)
        taken_on = isinstance(frame, wire.Report) and frame.self_
        incident = self._desk.incident(told, "member", None, now)
        outcome = await self._desk.begin(
            Open(
                incident=incident,
                trusted=taken_on,
                taken_on=identity.unit_id if taken_on else None,
            ),
            actor(identity),
            once,
            lambda decision: answers.to_phone(frame.id, decision),
        )
        if taken_on and not outcome.replayed:
            self._show_task(identity)
        return outcome.answer

    def _show_task(self, identity: Identity) -> None:
        """Let the phone of a member off duty learn of the task he gave himself: mail rings none."""
        if self._desk.roster.duty(identity.unit_id, identity.member_id) is Duty.OFF:
            self._presence.come_again(identity.device_id)

    def _reported(self, identity: Identity, frame: wire.Report | wire.Sos) -> OpenIncident:
        if isinstance(frame, wire.Report):
            return OpenIncident(
                kind=_kind(frame.kind),
                priority=frame.pri,
                position=Place(lon=frame.lon, lat=frame.lat, datum=frame.d),
                title=frame.text[:TITLE_CHARS] or _kind(frame.kind),
                note=frame.text,
                drill=False,
            )
        return OpenIncident(
            kind=IncidentKind.OTHER,
            priority=1,
            position=self._sos_place(identity, frame),
            title=SOS_TITLE,
            drill=False,
        )

    def _sos_place(self, identity: Identity, frame: wire.Sos) -> Place:
        """Return where help is needed: the place sent, else the member's last, else the unit's."""
        if frame.fix is not None and frame.d is not None:
            return Place(lon=frame.fix.lon, lat=frame.fix.lat, datum=frame.d)
        if identity.unit_id not in self._desk.fleet:
            raise Invalid("a place is needed: this unit is not known", path="fix")
        now_s = self._desk.clock.now().timestamp()
        last = self._whereabouts.last(identity.member_id)
        if last is not None and last.at_s >= now_s - FRESH_S:
            return Place(lon=last.lon, lat=last.lat, datum=Datum.WGS84)
        standing = self._desk.fleet.standing(identity.unit_id, now_s)
        return Place(lon=standing.place.lon, lat=standing.place.lat, datum=Datum.WGS84)


def _kind(word: str) -> IncidentKind:
    """Return the kind a phone reports; one that only a newer app knows is `other`."""
    return IncidentKind(word) if word in KINDS else IncidentKind.OTHER
