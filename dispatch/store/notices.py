"""Notices on PostgreSQL: a durable job, the rows it writes, and who has read them."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from dispatch.core.decision import Mail
from dispatch.core.notices import notice_frame
from dispatch.ports import OUTBOX_MOST, Answer, Once, Outbox, Sealed
from dispatch.store import notice_statements as sql
from dispatch.store.pools import Pools, encoded, kept_reply
from schemas.base import DeviceId, Instant, Record, UnitId
from schemas.notice import Notice, NoticeId
from schemas.wire import NoticeFrame


class Posted(Record, frozen=True, kw_only=True):
    """A row of one phone."""

    device: DeviceId
    unit: UnitId
    seq: int


class Batch(Record, frozen=True, kw_only=True):
    """What one transaction of a notice's job wrote."""

    id: NoticeId
    frame: NoticeFrame
    expires_at: Instant
    posted: list[Posted]


_notice: Final = msgspec.json.Decoder(Notice)
_batch: Final = msgspec.json.Decoder(Batch)


class PostgresNotices(Pools):
    """The part of the store that sends notices."""

    async def put_notice(
        self, notice: Notice, unit_ids: Sequence[UnitId] | None, once: Once, answer: Answer
    ) -> None:
        """Keep a notice to be sent; raise `AlreadyAnswered`."""
        body = {
            **_row(notice),
            "unit_ids": unit_ids,
            "frame": notice_frame(notice),
            **kept_reply(once, answer),
        }
        await self._rows(sql.PUT_NOTICE, encoded(body))

    async def post_notice(self, most: int, now: Instant) -> list[Sealed] | None:
        """Write the next batch of a notice; `None` when nothing waits to be sent."""
        (row,) = await self._rows(sql.POST_NOTICE, most, OUTBOX_MOST, now)
        return None if row["batch"] is None else _sealed(_batch.decode(row["batch"]), now)

    async def withdraw_notice(self, notice: Notice) -> bool:
        """Keep a notice as withdrawn; `False` where it was meanwhile."""
        frame = encoded(notice_frame(notice))
        rows = await self._rows(
            sql.WITHDRAW_NOTICE,
            notice.id,
            notice.rev,
            notice.withdrawn_by,
            notice.withdrawn_at,
            frame,
        )
        return bool(rows)

    async def read_notice(
        self, notice_id: NoticeId, device_id: DeviceId, once: Once, answer: Answer, now: Instant
    ) -> bool:
        """Note that a notice was read on a phone; `False` where it was not addressed to it.

        Raises:
            AlreadyAnswered: the command's id has an answer; nothing was written.
        """
        kept = encoded(kept_reply(once, answer))
        (row,) = await self._rows(sql.READ_NOTICE, notice_id, device_id, kept, now)
        return bool(row["good"])

    async def notice(self, notice_id: NoticeId) -> Notice | None:
        """Return a notice with its counts."""
        rows = await self._rows(sql.NOTICE, notice_id)
        return _notice.decode(rows[0]["found"]) if rows else None

    async def notices(self, scope: str, before: NoticeId | None, limit: int) -> list[Notice]:
        """Return notices of a jurisdiction without their counts, newest first."""
        rows = await self._rows(sql.NOTICES, scope, before, limit)
        return [_notice.decode(r["found"]) for r in rows]

    async def waiting_notices(self, now: Instant) -> list[tuple[DeviceId, int]]:
        """Return the phones for which notices wait, each with the last one's seq."""
        rows = await self._rows(sql.WAITING, now)
        return [(DeviceId(r["device_id"]), r["seq"]) for r in rows]

    async def notice_mail(
        self, device_id: DeviceId, after: int, limit: int, now: Instant
    ) -> list[Outbox]:
        """Return the notices that wait for a phone above a seq, in order."""
        rows = await self._rows(sql.NOTICE_MAIL, device_id, after, now, limit)
        return [
            Outbox(seq=r["seq"], at=r["at"], frame=msgspec.Raw(r["frame"].encode())) for r in rows
        ]


def _sealed(batch: Batch, now: Instant) -> list[Sealed]:
    """Return the rows as mail; those of one unit share it, and all share the frame."""
    mail = {
        unit: Mail(
            unit_id=unit, ref=batch.id, at=now, expires_at=batch.expires_at, frame=batch.frame
        )
        for unit in {row.unit for row in batch.posted}
    }
    return [Sealed(device_id=p.device, seq=p.seq, mail=mail[p.unit]) for p in batch.posted]


def _row(notice: Notice) -> dict[str, Any]:
    counted = {"addressed", "delivered", "read"}
    fields = msgspec.structs.asdict(notice)
    return {name: value for name, value in fields.items() if name not in counted}
