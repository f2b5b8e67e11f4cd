"""A lost disk: the database as it was at an instant, and phones that hold what came after it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from httpx import AsyncClient

from dispatch.cli.city import IssuedPhone
from dispatch.cli.codes import Code
from dispatch.cli.main import main
from dispatch.clock import SystemClock
from dispatch.phone.news import Assigned, News, Offered, TaskEnded, Welcomed
from dispatch.phone.session import Card, Session
from dispatch.store import archive, backup, restore
from dispatch.store.backup_checks import checks
from dispatch.store.backup_facts import Facts
from dispatch.store.backup_folder import DATA, BackupError, facts_of
from dispatch.store.connection import connected
from dispatch.store.embedded import EmbeddedPostgres
from schemas.base import ms
from schemas.wire import Answer, OfferReply
from tests.faults.running import Running
from tests.faults.town import Town
from tests.faults.visitor import Visitor, visiting

pytestmark = [pytest.mark.asyncio, pytest.mark.faults, pytest.mark.postgres]

PATIENCE_S: Final = 20.0
RATE_MB: Final = 1000
WALK: Final = "select id from incident where juris <> 'canary' order by id"
TWICE: Final = (
    "select unit_id from assignment where ended_at is null group by 1 having 1 < count(*)"
)
LOG: Final = "select data ->> 'backup' as backup from event where type = 'restored'"


class Handset:
    """The reference client's session, over one line after the other; its memory stays."""

    def __init__(self, issued: IssuedPhone) -> None:
        self.issued = issued
        self.session = Session(Card(tok=issued.token, inst="run-1"))
        self.news: list[News] = []
        self._clock = SystemClock()
        self._line: Visitor | None = None

    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator["Handset"]:
        """Open a line, say hello, and hear the welcome."""
        async with visiting(url) as self._line:
            self.news.clear()
            self.session.opened(self._now)
            await self._flush()
            await self.hear(Welcomed)
            yield self
        self.session.closed(1006, "", self._now, 0.5)

    async def hear(self, kind: type[News]) -> Any:
        """Hear on until there is news of a kind; return the first of them."""
        async with asyncio.timeout(PATIENCE_S):
            while not any(isinstance(one, kind) for one in self.news):
                assert self._line is not None
                self.news += self.session.hear(await self._line.socket.recv(), self._now)
                await self._flush()
        return next(one for one in self.news if isinstance(one, kind))

    async def accept(self) -> str:
        """Hear of an offer, and accept it; return the task that comes of it."""
        offer = (await self.hear(Offered)).offer
        said = OfferReply(
            id=self._clock.new_id(), oid=offer.oid, rev=offer.rev, at=self._now, r=Answer.ACCEPT
        )
        self.session.send(said, self._now)
        await self._flush()
        task = await self.hear(Assigned)
        return str(task.task.aid)

    @property
    def _now(self) -> float:
        return ms(self._clock.now())

    async def _flush(self) -> None:
        assert self._line is not None
        for frame in self.session.outgoing(self._now):
            await self._line.socket.send(frame.decode())


async def call(town: Town, url: str, near: IssuedPhone) -> str:
    """Open an incident at a phone's post; return its id."""
    place = {"lon": near.lon, "lat": near.lat, "datum": "wgs84"}
    body = {"kind": "theft", "priority": 2, "title": "有人偷电瓶", "drill": False, "needs": [{}]}
    answer = await town.post(url, "/v1/incidents", {**body, "position": place})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def told(town: Town, url: str, incident: str) -> int:
    """Ask for an incident; return the status of the answer."""
    async with AsyncClient(base_url=url, headers={"Authorization": f"Bearer {town.key}"}) as api:
        return (await api.get(f"/v1/incidents/{incident}")).status_code


async def followed(town: Town, url: str, after: str | None = None) -> tuple[int, str]:
    """Follow the log; return the status, and the place to go on from or why there is none."""
    headers, given = {"Authorization": f"Bearer {town.key}"}, {"after": after} if after else {}
    async with (
        AsyncClient(base_url=url, headers=headers) as api,
        api.stream("GET", "/v1/events", params=given) as stream,
    ):
        said = [line async for line in _first(stream.aiter_lines(), ("id: ", "{"))]
    return stream.status_code, said[-1].removeprefix("id: ")


async def _first(lines: AsyncIterator[str], begins: tuple[str, ...]) -> AsyncIterator[str]:
    async for line in lines:
        yield line
        if line.startswith(begins):
            return


async def column(dsn: str, statement: str) -> list[Any]:
    """Return the first column of what a database says."""
    async with connected(dsn) as connection:
        return [row[0] for row in await connection.fetch(statement)]


async def standing(data: Path) -> list[str]:
    """Return the incidents in a data folder that no service runs on."""
    async with EmbeddedPostgres(data / DATA) as server:
        return await column(server.dsn, WALK)


async def verdicts(folder: Path, facts: Facts) -> dict[str, bool]:
    """Return what comes of looking at a backup."""
    return {check.subject: check.holds async for check in checks(folder, facts)}


async def test_an_instant_comes_back_and_phones_take_it_anew(town: Town, tmp_path: Path) -> None:
    """Exactly what was committed before it is there; what a phone holds beyond it is unknown.

    Without an instant nothing is lost, although everything was killed in the middle of its work.
    """
    kept, folder = tmp_path / "archive", tmp_path / "backup"
    early, late = Handset(town.phones[0]), Handset(town.phones[-1])
    async with Running.started(town.data, KAPOK_ARCHIVE=str(kept), KAPOK_CANARY="off") as first:
        port = first.port
        facts = await backup.physical(town.dsn, folder, RATE_MB)
        async with early.connected(first.url), late.connected(first.url):
            before = await call(town, first.url, early.issued)
            task = await early.accept()
            (instant,) = await column(town.dsn, "select clock_timestamp()")
            after = await call(town, first.url, late.issued)
            lost = await late.accept()
            place = (await followed(town, first.url))[1]
            assert await followed(town, first.url, place) == (200, place)
            with pytest.raises(BackupError, match="in use by process"):
                await restore.into_folder(folder, facts, town.postgres, None, None)
            await first.kill()
    assert all((await verdicts(folder, facts)).values())

    await restore.into_folder(folder, facts, tmp_path / "all" / DATA, None, kept)
    assert await standing(tmp_path / "all") == [before, after]

    anew = tmp_path / "anew"
    point = await restore.into_folder(folder, facts, anew / DATA, instant, kept)
    held = late.session.epoch, late.session.seq
    async with Running.started(anew, port, KAPOK_CANARY="off") as second:
        async with late.connected(second.url), early.connected(second.url):
            welcome = (await late.hear(Welcomed)).welcome
            assert (welcome.rec, welcome.epoch, welcome.epoch != held[0]) == (
                *(False, point.epoch, True),
            )
            assert welcome.head < held[1]
            assert (await late.hear(TaskEnded)) == TaskEnded(lost, "unknown")
            assert list(early.session.hand.tasks) == [task]
            assert not any(isinstance(one, Assigned | TaskEnded) for one in early.news)
            assert [await told(town, second.url, each) for each in (before, after)] == [200, 404]

            status, why = await followed(town, second.url, place)
            assert (status, "place_gone" in why) == (410, True)

            again = await call(town, second.url, late.issued)
            await late.accept()
            assert sum(isinstance(one, Offered) for one in late.news) == 1
            assert late.session.seq > welcome.head
        running = Town(**{**vars(town), "data": anew}).dsn
        assert await column(running, WALK) == [before, again]
        assert await column(running, TWICE) == []
        assert await column(running, LOG) == [folder.name]


async def test_a_backup_that_rotted_is_found_and_none_is_written_over(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One flipped bit; and an instant that cannot be had is refused with nothing left behind."""
    folder, anew = tmp_path / "backups" / "one", tmp_path / "anew"
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("KAPOK_BACKUPS", str(folder.parent))
    monkeypatch.setenv("KAPOK_ARCHIVE", str(tmp_path / "archive"))
    take = ["backup", str(folder), "--data", str(town.data), f"--rate={RATE_MB}", "--prune"]
    assert [await asyncio.to_thread(main, take) for _ in range(2)] == [Code.OK, Code.FAILED]
    facts = facts_of(folder)
    instant = SystemClock().now()
    for until, kept in ((instant, None), (facts.began_at, None), (instant, tmp_path)):
        with pytest.raises(BackupError):
            await restore.into_folder(folder, facts, anew / DATA, until, kept)
    assert not anew.exists()
    largest = max((folder / DATA / "base").rglob("*"), key=lambda file: file.stat().st_size)
    damaged = bytearray(largest.read_bytes())
    damaged[100] ^= 1
    largest.write_bytes(damaged)
    assert await verdicts(folder, facts) == {"files": False}
    assert archive.first_needed(folder / DATA)
