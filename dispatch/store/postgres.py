"""The store on PostgreSQL: the only arbiter of what was decided."""

from hashlib import sha256
from typing import Final

import shapely

from dispatch.ports import Key
from dispatch.store import node_statements
from dispatch.store import statements as sql
from dispatch.store.alarms import PostgresAlarms
from dispatch.store.backlog import PostgresBacklog
from dispatch.store.canaries import PostgresCanaries
from dispatch.store.checks import PostgresChecks
from dispatch.store.closures import PostgresClosures
from dispatch.store.decisions import PostgresDecisions
from dispatch.store.history import PostgresHistory
from dispatch.store.nodes import PostgresNodes
from dispatch.store.notices import PostgresNotices
from dispatch.store.phones import PostgresPhones
from dispatch.store.pools import EPOCH_CHARS, epoch_of, translated
from dispatch.store.retention import PostgresRetention
from dispatch.store.service_time import PostgresTime
from dispatch.store.sleepers import PostgresSleepers
from dispatch.store.unit_register import PostgresRegister
from dispatch.store.units import PostgresUnits
from geo.jurisdiction import Jurisdiction
from schemas.base import DeviceId, KeyId

INSTALLATION_CHARS: Final = 16


class PostgresStore(
    PostgresDecisions,
    PostgresUnits,
    PostgresPhones,
    PostgresSleepers,
    PostgresHistory,
    PostgresChecks,
    PostgresCanaries,
    PostgresRegister,
    PostgresNotices,
    PostgresAlarms,
    PostgresClosures,
    PostgresBacklog,
    PostgresNodes,
    PostgresRetention,
    PostgresTime,
):
    """Everything `dispatch.ports.Store` promises; a part for each noun, the rest is here."""

    async def keys(self) -> list[Key]:
        """Return the API keys in force."""
        with translated():
            rows = await self._side.fetch(sql.KEYS)
        return [
            Key(id=KeyId(r["id"]), name=r["name"], role=r["role"], juris=r["juris"], hash=r["hash"])
            for r in rows
        ]

    async def registered(self) -> int:
        """Return a number that has grown whenever units, members, phones or places changed."""
        with translated():
            number: int = await self._side.fetchval(sql.REGISTERED)
        return number

    async def jurisdictions(self) -> list[Jurisdiction]:
        """Return all jurisdictions, ordered by path."""
        with translated():
            rows = await self._side.fetch(sql.JURISDICTIONS, timeout=30)
        shapes = shapely.from_wkb([r["polygon"] for r in rows])
        return [
            Jurisdiction(path=r["path"], name=r["name"], polygon=shape)
            for r, shape in zip(rows, shapes, strict=True)
        ]

    async def epoch(self) -> str:
        """Return what names this database's history: it changes with promotion and restore."""
        with translated():
            text: str = await self._side.fetchval(sql.EPOCH)
        return epoch_of(text)

    async def installation(self) -> str:
        """Return what all processes on one database share, and no two databases do."""
        with translated():
            text: str = await self._side.fetchval(node_statements.INSTALLATION)
        return sha256(text.encode()).hexdigest()[:INSTALLATION_CHARS]

    async def renew_epoch(self, epoch: str, device_id: DeviceId, seq: int) -> str:
        """Begin a new epoch after `epoch`, once, if a phone's `seq` was never given here.

        Return the one in force.
        """
        with translated():
            await self._side.execute(sql.RENEW_EPOCH, EPOCH_CHARS, epoch, device_id, seq)
        return await self.epoch()
