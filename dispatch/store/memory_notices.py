"""Notices in memory: the same job in the same batches, and who has read them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from dispatch.core.decision import Mail
from dispatch.core.notices import KEPT, notice_frame
from dispatch.ports import OUTBOX_MOST, Answer, Once, Outbox, Sealed
from dispatch.store.memory_tables import MemoryTables
from geo.jurisdiction import within
from schemas.base import DeviceId, Instant, UnitId
from schemas.notice import Notice, NoticeId, NoticeLevel
from schemas.unit import Unit

LOUDEST: Final = (NoticeLevel.URGENT, NoticeLevel.WARN, NoticeLevel.INFO)
FORGOTTEN: Final = timedelta(days=30)


@dataclass(slots=True)
class Receipt:
    """What is known of one phone that was addressed."""

    delivered_at: Instant | None = None
    read_at: Instant | None = None


@dataclass(slots=True)
class Job:
    """A notice, who stood in its polygon, and how far the sending has come."""

    notice: Notice
    unit_ids: frozenset[UnitId] | None
    reached: str = ""
    receipts: dict[DeviceId, Receipt] = field(default_factory=dict)

    def counted(self) -> Notice:
        """Return the notice with its counts."""
        receipts = self.receipts.values()
        return replace(
            self.notice,
            addressed=len(receipts),
            delivered=sum(r.delivered_at is not None for r in receipts),
            read=sum(r.read_at is not None for r in receipts),
        )


class MemoryNotices(MemoryTables):
    """The part of the store in memory that sends notices."""

    def __init__(self, now: Callable[[], Instant], epoch: str = "memory") -> None:
        super().__init__(now, epoch)
        self._jobs: dict[NoticeId, Job] = {}

    async def put_notice(
        self, notice: Notice, unit_ids: Sequence[UnitId] | None, once: Once, answer: Answer
    ) -> None:
        """Keep a notice to be sent; raise `AlreadyAnswered`."""
        self._keep_once(once, answer, notice.at)
        chosen = None if unit_ids is None else frozenset(unit_ids)
        self._jobs[notice.id] = Job(notice, chosen)

    async def post_notice(self, most: int, now: Instant) -> list[Sealed] | None:
        """Write the next batch of a notice; `None` when nothing waits to be sent."""
        waiting = [job for job in self._jobs.values() if job.notice.sent_at is None]
        if not waiting:
            return None
        job = min(waiting, key=lambda one: (LOUDEST.index(one.notice.level), one.notice.id))
        phones = self._addressed(job, now)[:most]
        sealed = [self._post(job, device_id, now) for device_id in phones]
        if phones:
            job.reached = phones[-1]
        if len(phones) < most:
            job.notice = replace(job.notice, sent_at=now)
        return sealed

    def _addressed(self, job: Job, now: Instant) -> list[DeviceId]:
        """Return the phones that are still to be written to, by id."""
        if job.notice.withdrawn_at is not None:
            return sorted(d for d in job.receipts if d > job.reached)
        if job.notice.expires_at <= now:
            return []
        devices = (d for d in self._outbox.devices() if d.id > job.reached)
        return sorted(d.id for d in devices if self._is_for(job, self._units[d.unit_id]))

    def _is_for(self, job: Job, unit: Unit) -> bool:
        chosen = job.unit_ids is None or unit.id in job.unit_ids
        return chosen and not unit.disabled and within(unit.juris, job.notice.juris)

    def _post(self, job: Job, device_id: DeviceId, now: Instant) -> Sealed:
        notice = job.notice
        job.receipts.setdefault(device_id, Receipt())
        return self._outbox.put(
            device_id,
            Mail(
                unit_id=self._outbox.unit_of(device_id),
                ref=notice.id,
                at=now,
                expires_at=min(notice.expires_at, notice.at + KEPT),
                frame=notice_frame(notice),
            ),
            OUTBOX_MOST,
        )

    def _note_delivered(self, ref: str, device_id: DeviceId, now: Instant) -> None:
        """Note that a phone has a notice."""
        receipt = self._jobs[NoticeId(ref)].receipts[device_id]
        receipt.delivered_at = receipt.delivered_at or now

    async def withdraw_notice(self, notice: Notice) -> bool:
        """Keep a notice as withdrawn; `False` where it was meanwhile."""
        job = self._jobs[notice.id]
        if job.notice.withdrawn_at is not None:
            return False
        job.notice, job.reached = notice, ""
        return True

    async def read_notice(
        self, notice_id: NoticeId, device_id: DeviceId, once: Once, answer: Answer, now: Instant
    ) -> bool:
        """Note that a notice was read on a phone; `False` where it was not addressed to it.

        Raises:
            AlreadyAnswered: the command's id has an answer; nothing was written.
        """
        job = self._jobs.get(notice_id)
        if job is None or device_id not in job.receipts:
            return False
        self._keep_once(once, answer, now)
        receipt = job.receipts[device_id]
        receipt.read_at = receipt.read_at or now
        receipt.delivered_at = receipt.delivered_at or now
        return True

    async def notice(self, notice_id: NoticeId) -> Notice | None:
        """Return a notice with its counts."""
        job = self._jobs.get(notice_id)
        return job.counted() if job else None

    async def notices(self, scope: str, before: NoticeId | None, limit: int) -> list[Notice]:
        """Return notices of a jurisdiction without their counts, newest first."""
        found = (job.notice for _, job in sorted(self._jobs.items(), reverse=True))
        chosen = [n for n in found if within(n.juris, scope) and (before is None or n.id < before)]
        return chosen[:limit]

    async def waiting_notices(self, now: Instant) -> list[tuple[DeviceId, int]]:
        """Return the phones for which notices wait, each with the last one's seq."""
        rows = [(d.id, self._outbox.notices(d.id, 0, now)) for d in self._outbox.devices()]
        return [(device_id, waiting[-1].seq) for device_id, waiting in rows if waiting]

    async def notice_mail(
        self, device_id: DeviceId, after: int, limit: int, now: Instant
    ) -> list[Outbox]:
        """Return the notices that wait for a phone above a seq, in order."""
        return self._outbox.notices(device_id, after, now)[:limit]

    def _forget_notices(self, now: Instant) -> None:
        """Delete one notice that ended long ago."""
        old = sorted(i for i, j in self._jobs.items() if j.notice.expires_at < now - FORGOTTEN)
        for notice_id in old[:1]:
            del self._jobs[notice_id]
