"""What becomes of notices; a part of every store."""

from collections.abc import Sequence
from typing import Protocol

from dispatch.ports.commands import Answer, Once
from dispatch.ports.mail import Outbox, Sealed
from schemas.base import DeviceId, Instant, UnitId
from schemas.notice import Notice, NoticeId


class Notices(Protocol):
    """What becomes of a notice: sent in batches, delivered, read; a part of every store."""

    async def put_notice(
        self, notice: Notice, unit_ids: Sequence[UnitId] | None, once: Once, answer: Answer
    ) -> None: ...
    async def post_notice(self, most: int, now: Instant) -> list[Sealed] | None: ...
    async def withdraw_notice(self, notice: Notice) -> bool: ...
    async def read_notice(
        self, notice_id: NoticeId, device_id: DeviceId, once: Once, answer: Answer, now: Instant
    ) -> bool: ...
    async def notice(self, notice_id: NoticeId) -> Notice | None: ...
    async def notices(self, scope: str, before: NoticeId | None, limit: int) -> list[Notice]: ...
    async def waiting_notices(self, now: Instant) -> list[tuple[DeviceId, int]]: ...
    async def notice_mail(
        self, device_id: DeviceId, after: int, limit: int, now: Instant
    ) -> list[Outbox]: ...
