"""Whose position is a unit's: its lead's, another member's only while the lead's is old."""

from collections.abc import Iterable

from dispatch.core.fixes import Fix
from schemas.base import MemberId, UnitId
from schemas.incident import Assignment
from schemas.unit import Duty, Member


def lead_of(crew: Iterable[Member], tasks: Iterable[Assignment]) -> MemberId | None:
    """Return a unit's lead: the leader who is clocked in, else who accepted; `None` for nobody."""
    for member in crew:
        if member.leader and member.duty is Duty.ON:
            return member.id
    return next((who for task in tasks if (who := _accepter(task))), None)


def _accepter(task: Assignment) -> MemberId | None:
    kind, _, member_id = task.by.partition(":")
    if kind == "member":
        return MemberId(member_id)
    return MemberId(task.crew[0]) if task.crew else None


def stands_for(member: Member | None, tasks: Iterable[Assignment]) -> bool:
    """Say whether a member is where the unit is: on duty, or of the crew of its task."""
    if member is None:
        return False
    return member.duty is not Duty.OFF or any(member.id in task.crew for task in tasks)


class Places:
    """The last good fix of each member, and who speaks for each unit."""

    def __init__(self) -> None:
        self._last: dict[MemberId, Fix] = {}
        self._speakers: dict[UnitId, MemberId] = {}

    def last(self, member_id: MemberId) -> Fix | None:
        """Return a member's last good fix."""
        return self._last.get(member_id)

    def keep(self, member_id: MemberId, fix: Fix) -> None:
        """Keep a member's fix; it is his alone."""
        self._last[member_id] = fix

    def forget(self, unit_id: UnitId, member_id: MemberId) -> bool:
        """Drop a member's fix; say whether the unit's position may have been his."""
        self._last.pop(member_id, None)
        if self._speakers.get(unit_id, member_id) != member_id:
            return False
        self._speakers.pop(unit_id, None)
        return True

    def take(
        self, unit_id: UnitId, member_id: MemberId, fix: Fix, lead: MemberId | None, old_s: float
    ) -> bool:
        """Keep a member's fix; say whether it is the unit's position too.

        Who is not the lead speaks while the lead's fix is more than `old_s` older than this one,
        and goes on to, lest the unit jump from one member to the next.
        """
        self.keep(member_id, fix)
        if member_id != lead:
            others = (lead, self._speakers.get(unit_id))
            if any(self._fresh(other, fix, old_s) for other in others if other != member_id):
                return False
        self._speakers[unit_id] = member_id
        return True

    def _fresh(self, member_id: MemberId | None, fix: Fix, old_s: float) -> bool:
        last = self._last.get(member_id) if member_id else None
        return last is not None and last.at_s >= fix.at_s - old_s
