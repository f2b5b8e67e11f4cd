"""Units on PostgreSQL: as they stand, their crews and duty, and where they last were."""

from collections.abc import Sequence
from typing import Any

import msgspec

from dispatch.ports import Answer, DutyChange, Once
from dispatch.store import statements as sql
from dispatch.store.pools import Pools, Row, encoded, kept_reply, translated
from dispatch.store.slices import in_slices
from dispatch.trace import present
from geo.eta import Moves
from schemas.base import Instant, MemberId, UnitId
from schemas.unit import Capability, Duty, Member, Position, Unit, UnitKind, UnitRow


class PostgresUnits(Pools):
    """The part of the store that knows whom one may ask."""

    async def set_duty(self, change: DutyChange, once: Once, answer: Answer) -> Duty:
        """Clock a member in or out; return the duty now in force (leaving waits while engaged)."""
        body = {**msgspec.structs.asdict(change), **kept_reply(once, answer)}
        with translated():
            return Duty(await self._desk.fetchval(sql.SET_DUTY, encoded(body), present()))

    async def checkpoint(self, positions: Sequence[Position]) -> None:
        """Keep the newest position of units; an older one never overwrites."""
        columns: list[list[Any]] = [
            [p.unit_id for p in positions],
            [p.lon for p in positions],
            [p.lat for p in positions],
            [p.acc_m for p in positions],
            [p.at for p in positions],
        ]
        with translated():
            await self._side.execute(sql.CHECKPOINT, *columns)

    async def unit_rows(
        self, now: Instant, unit_ids: Sequence[UnitId] | None = None
    ) -> list[UnitRow]:
        """Return units with all that decides whether they may be asked."""
        with translated():
            if unit_ids is None:
                rows = await self._side.fetch(sql.UNIT_ROWS, now, timeout=30)
            else:
                rows = await self._side.fetch(sql.UNIT_ROWS_OF, now, unit_ids, timeout=30)
        return await in_slices(rows, _unit_row)

    async def crews(self, unit_ids: Sequence[UnitId] | None = None) -> list[Member]:
        """Return the members of units, without their telephone numbers."""
        with translated():
            if unit_ids is None:
                rows = await self._side.fetch(sql.CREWS, timeout=30)
            else:
                rows = await self._side.fetch(sql.CREWS_OF, unit_ids, timeout=30)
        return await in_slices(rows, _member)


def _member(r: Row) -> Member:
    return Member(
        id=MemberId(r["id"]),
        unit_id=UnitId(r["unit_id"]),
        name=r["name"],
        leader=r["leader"],
        duty=Duty(r["duty"]),
        consent=r["consent"],
    )


def _unit_row(r: Row) -> UnitRow:
    unit = Unit(
        id=UnitId(r["id"]),
        code=r["code"],
        name=r["name"],
        kind=UnitKind(r["kind"]),
        juris=r["juris"],
        lon=r["lon"],
        lat=r["lat"],
        moves=Moves(r["moves"]),
        capabilities=tuple(Capability(c) for c in r["capabilities"]),
        min_crew=r["min_crew"],
        fixed=r["fixed"],
        disabled=r["disabled"],
    )
    return UnitRow(
        unit=unit,
        on_duty=r["on_duty"],
        paused=r["paused"],
        engaged=r["engaged"],
        open_offers=r["ringing"],
        offers=r["offers"],
        accepts=r["accepts"],
        asked_24h=r["asked"],
        pushable=r["pushable"],
        position=None if r["at"] is None else _position(r),
    )


def _position(r: Row) -> Position:
    return Position(
        unit_id=UnitId(r["id"]), lon=r["p_lon"], lat=r["p_lat"], acc_m=r["acc_m"], at=r["at"]
    )
