"""Closures on PostgreSQL: kept with their answer, ended once, and a number that tells of both."""

from typing import Final

import msgspec

from dispatch.ports import Answer, Once
from dispatch.store.pools import Pools, encoded, kept_reply
from schemas.base import Instant
from schemas.closure import Closure, ClosureId

PUT_CLOSURE: Final = "select put_closure($1::jsonb, $2) as good"
END_CLOSURE: Final = """
update closure set ended_at = $3, ended_by = $2
where id = $1 and ended_at is null and expires_at > $3
returning id
"""
CLOSURE: Final = "select to_jsonb(c)::text as found from closure c where id = $1"
OPEN: Final = """
select to_jsonb(c)::text as found from closure c
where c.ended_at is null and c.expires_at > $1 order by c.id limit $2
"""
CLOSURES: Final = """
select to_jsonb(c)::text as found from closure c
where c.ended_at is null and c.expires_at > $1 and ($3::text is null or c.id < $3) and (
    c.juris = $2 or (c.juris >= $2 || '.' and c.juris < $2 || '/')
    or ($2 >= c.juris || '.' and $2 < c.juris || '/'))
order by c.id desc limit $4
"""
CHANGES: Final = "select changes from closures"
FORGET: Final = """
delete from closure where id in (
    select id from closure
    where coalesce(ended_at, expires_at) < $1::timestamptz - interval '30 days' limit $2)
"""

_closure: Final = msgspec.json.Decoder(Closure)


class PostgresClosures(Pools):
    """The part of the store that keeps which roads are closed."""

    async def put_closure(self, closure: Closure, most: int, once: Once, answer: Answer) -> bool:
        """Keep a closure; `False` where `most` are in force already.

        Raises:
            AlreadyAnswered: the command's id has an answer; nothing was written.
        """
        body = {**msgspec.structs.asdict(closure), **kept_reply(once, answer)}
        (row,) = await self._rows(PUT_CLOSURE, encoded(body), most)
        return bool(row["good"])

    async def end_closure(self, closure_id: ClosureId, by: str, now: Instant) -> bool:
        """End a closure; `False` where it was not in force any more."""
        return bool(await self._rows(END_CLOSURE, closure_id, by, now))

    async def closure(self, closure_id: ClosureId) -> Closure | None:
        """Return a closure, in force or not."""
        rows = await self._rows(CLOSURE, closure_id)
        return _closure.decode(rows[0]["found"]) if rows else None

    async def open_closures(self, most: int, now: Instant) -> list[Closure]:
        """Return the closures in force, oldest first."""
        return [_closure.decode(r["found"]) for r in await self._rows(OPEN, now, most)]

    async def closures(
        self, scope: str, before: ClosureId | None, limit: int, now: Instant
    ) -> list[Closure]:
        """Return those in force in a jurisdiction, and in those it lies in; newest first."""
        rows = await self._rows(CLOSURES, now, scope, before, limit)
        return [_closure.decode(r["found"]) for r in rows]

    async def closure_changes(self) -> int:
        """Return a number that has grown whenever a closure was made or ended."""
        (row,) = await self._rows(CHANGES)
        return int(row["changes"])
