"""Where members are: whose positions are taken, and what becomes of them without consent.

Everything that lets a position in lives here. Without the member's consent none is kept or shown:
what he sent is dropped at once, and the unit stands at its home post until a colleague reports.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from dispatch.core.errors import ConsentRequired, NotOnDuty, Refusal
from dispatch.core.fixes import Fix, judge
from dispatch.desk import words
from dispatch.desk.arrivals import Arrivals
from dispatch.desk.desk import Desk
from dispatch.desk.presence import Presence
from dispatch.live.lead import Places, lead_of, stands_for
from dispatch.ports import Identity
from geo.datum import Datum
from schemas import wire
from schemas.base import MemberId, UnitId
from schemas.unit import Duty, Member

LATE_REPORTS: Final = 2
LATE_S: Final = 60.0
"""A lead's position is old after so many reports that should have come, and a minute."""
READ_WITHIN_S: Final = 60.0
"""How long reading the whole register may take."""


class Whereabouts:
    """The positions of all members, in memory."""

    def __init__(self, desk: Desk, presence: Presence, arrivals: Arrivals) -> None:
        self._desk = desk
        self._presence = presence
        self._arrivals = arrivals
        self._places = Places()
        self._refusing = {member.id for member in desk.roster.refusing()}
        self._lately: dict[MemberId, tuple[UnitId, float]] = {}
        self._news: dict[UnitId, tuple[str, words.Fix]] = {}

    def last(self, member_id: MemberId) -> Fix | None:
        """Return a member's last good fix."""
        return self._places.last(member_id)

    # Positions that come. --------------------------------------------------------------------

    def take(self, identity: Identity, frame: wire.Loc) -> list[tuple[int, str]]:
        """Take a batch of fixes; return the rows that do not count, by index and reason.

        Raises:
            NotOnDuty: the member is off duty and the unit on no call; nothing was kept.
            ConsentRequired: he has not agreed to be located; nothing was kept.
        """
        self._require_allowed(identity)
        return self._judge(identity, frame.f, frame.d, frame.ts)

    def beside(self, identity: Identity, frame: wire.UnitCommand) -> None:
        """Take the fix that came with a command, where a `loc` would be taken; else nothing."""
        if not isinstance(frame, wire.Placed):
            return
        if frame.fix is None or frame.d is None or frame.ts is None:
            return
        try:
            self._require_allowed(identity)
        except Refusal:
            return
        self._judge(identity, [msgspec.Raw(msgspec.json.encode(frame.fix))], frame.d, frame.ts)

    def _judge(
        self, identity: Identity, rows: Iterable[msgspec.Raw], datum: Datum, ts_ms: float
    ) -> list[tuple[int, str]]:
        now_s = self._desk.clock.now().timestamp()
        bad: list[tuple[int, str]] = []
        before = last = self._places.last(identity.member_id)
        for index, raw in enumerate(rows):
            verdict = judge(raw, datum, ts_ms, now_s, last)
            if isinstance(verdict, Fix):
                last = verdict
            else:
                bad.append((index, verdict))
                self._desk.metrics.fixes.labels(verdict).inc()
        if last is not None and last is not before:
            self._keep(identity, last)
        return bad

    def _keep(self, identity: Identity, fix: Fix) -> None:
        """Keep a member's fix; let it be the unit's where he is its lead, or the lead's is old."""
        unit_id, member_id, roster = identity.unit_id, identity.member_id, self._desk.roster
        tasks = [task for _, task in self._desk.board.tasks_of(unit_id)]
        if not stands_for(roster.member(unit_id, member_id), tasks):
            self._places.keep(member_id, fix)
            return
        lead = lead_of(roster.crew(unit_id), tasks)
        old_s = 0.0 if lead == member_id else self._old_s(identity)
        if self._places.take(unit_id, member_id, fix, lead, old_s):
            self._desk.fleet.fix(unit_id, fix)
            told = words.Fix(unit_id, member_id, fix.lon, fix.lat, fix.acc_m, fix.at_s)
            self._news[unit_id] = identity.juris, told
            if tasks:
                self._arrivals.take(unit_id, fix, datetime.fromtimestamp(fix.at_s, UTC))

    # Other processes. ------------------------------------------------------------------------

    def news(self) -> list[tuple[str, words.Fix]]:
        """Return where units are since it was last told, with their jurisdictions."""
        news, self._news = self._news, {}
        return list(news.values())

    def hear(self, fixes: Iterable[words.Fix]) -> None:
        """Note where units are by phones of other processes; not of who has refused since."""
        heard = {told.unit_id: told for told in fixes if told.member_id not in self._refusing}
        places = {unit_id: _fix(told) for unit_id, told in heard.items()}
        for unit_id, told in heard.items():
            self._places.take(unit_id, told.member_id, places[unit_id], told.member_id, 0.0)
        self._desk.fleet.hear(places)

    def _old_s(self, identity: Identity) -> float:
        """Return at what age a lead's position is old, by how often phones of the unit report."""
        return LATE_REPORTS * self._presence.cadence(identity).every_s + LATE_S

    def _require_allowed(self, identity: Identity) -> None:
        unit_id, member_id = identity.unit_id, identity.member_id
        is_off = self._desk.roster.duty(unit_id, member_id) is Duty.OFF
        if is_off and not self._desk.board.tasks_of(unit_id):
            raise NotOnDuty("positions are taken on duty or on a call only")
        if not self.agreed(identity):
            raise ConsentRequired("this member has not agreed to be located")

    # Consent. --------------------------------------------------------------------------------

    def agreed(self, identity: Identity) -> bool:
        """Say whether the member of a phone has agreed to be located."""
        return identity.member_id not in self._refusing

    def decided(self, identity: Identity, *, yes: bool) -> None:
        """Take a member's word by his own phone, which need not be told of it."""
        if yes:
            self._agree(identity.member_id)
        else:
            self._refuse(identity.unit_id, identity.member_id)

    def changed(self, unit_ids: Iterable[UnitId]) -> None:
        """Follow the crews of units as memory has them now."""
        for unit_id in unit_ids:
            for member in self._desk.roster.crew(unit_id):
                self._follow(member)

    def registered(self) -> None:
        """Follow all crews, after they were read anew."""
        self._hold_fast()
        refusing = self._desk.roster.refusing()
        self._refusing &= {member.id for member in refusing}
        for member in refusing:
            self._follow(member)

    def _follow(self, member: Member) -> None:
        """Do as a member's consent is now; where it is another, his phone takes the state anew."""
        refuses = member.consent is None
        if refuses is (member.id in self._refusing):
            return
        if refuses:
            self._refuse(member.unit_id, member.id)
        else:
            self._agree(member.id)
        self._presence.come_again_to(member.unit_id, member.id)

    def _hold_fast(self) -> None:
        """Let what was read not undo a refusal of just now: it may be older."""
        roster, since_s = self._desk.roster, self._desk.clock.now().timestamp() - READ_WITHIN_S
        self._lately = {m: refused for m, refused in self._lately.items() if refused[1] > since_s}
        for member_id, (unit_id, _) in self._lately.items():
            member = roster.member(unit_id, member_id)
            if member is not None:
                roster.put([replace(member, consent=None)])

    def _agree(self, member_id: MemberId) -> None:
        self._refusing.discard(member_id)
        self._lately.pop(member_id, None)

    def _refuse(self, unit_id: UnitId, member_id: MemberId) -> None:
        self._refusing.add(member_id)
        self._drop_untold(unit_id, member_id)
        self._lately[member_id] = unit_id, self._desk.clock.now().timestamp()
        if self._places.forget(unit_id, member_id):
            self._desk.fleet.forget(unit_id)

    def _drop_untold(self, unit_id: UnitId, member_id: MemberId) -> None:
        """Forget where he was a moment ago: it was not told on yet."""
        if unit_id in self._news and self._news[unit_id][1].member_id == member_id:
            del self._news[unit_id]


def _fix(told: words.Fix) -> Fix:
    return Fix(lon=told.lon, lat=told.lat, acc_m=told.acc_m, at_s=told.at_s)
