"""The service under load, asked by REST: its units before, its incidents and their logs after."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Self, TypeVar

import httpx
import msgspec

from dispatch.cli.codes import Away, Failure
from dispatch.cli.load.history import Entry, History, Incident
from dispatch.cli.load.phone_file import Post
from geo.eta import Moves

TIMEOUT_S: Final = 10.0
PATIENCE_S: Final = 120.0
PAUSE_S: Final = 0.5
AT_ONCE: Final = 8
PAGE: Final = 200
EARLIER: Final = timedelta(seconds=5)
TRY_AGAIN: Final = frozenset({429, 502, 503, 504})


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A unit as REST shows it."""

    id: str
    code: str
    home: dict[str, Any]
    moves: str = Moves.FOOT


class Units(msgspec.Struct, frozen=True, kw_only=True):
    """A page of units."""

    items: list[Unit]
    next: str | None = None


class Incidents(msgspec.Struct, frozen=True, kw_only=True):
    """A page of incidents, newest first."""

    items: list[Incident]
    next: str | None = None


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a log, oldest first."""

    items: list[Entry]
    next: str | None = None


Page = TypeVar("Page", Units, Incidents, Entries)
Answer = TypeVar("Answer", Units, Incidents, Entries, Incident)


class Unread(Exception):
    """What REST says in place of what was asked for."""


class NotNow(Unread):
    """It may say otherwise later."""


class Site:
    """A service at an address, asked by one key."""

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=url, timeout=TIMEOUT_S, headers={"Authorization": f"Bearer {key}"}
        )
        self._places = asyncio.Semaphore(AT_ONCE)
        self._patience_s = 0.0

    async def __aenter__(self) -> Self:
        """Begin to ask."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of all connections."""
        await self._client.aclose()

    async def posts(self) -> list[Post]:
        """Return all units that the key sees.

        Raises:
            Away: nobody answers.
            Failure: the key may not see units.
        """
        try:
            pages = [page async for page in self._pages("/v1/units", Units)]
        except httpx.TransportError as error:
            raise Away(f"the service at {self._client.base_url} does not answer") from error
        except Unread as error:
            raise Failure(f"the units cannot be read: {error}") from error
        return [_post(unit) for page in pages for unit in page.items]

    async def histories(
        self, since: datetime, acknowledged: Iterable[str]
    ) -> Mapping[str, History | str]:
        """Return what became of the acknowledged incidents, and of all others since then.

        A service that has just been under load may refuse for PATIENCE_S, of all requests together.
        """
        self._patience_s = PATIENCE_S
        ids = {*acknowledged, *await self._opened(since - EARLIER)}
        found = await asyncio.gather(*map(self._history, sorted(ids)))
        return dict(zip(sorted(ids), found, strict=True))

    async def _opened(self, since: datetime) -> list[str]:
        """Return the incidents opened since then; none where they cannot be listed."""
        found: list[str] = []
        try:
            async for page in self._pages("/v1/incidents", Incidents):
                young = [one.id for one in page.items if one.opened_at >= since]
                found += young
                if len(young) < len(page.items):
                    break
        except (Unread, httpx.TransportError):
            pass  # each acknowledged one is read all the same, and tells why it cannot be
        return found

    async def _history(self, iid: str) -> History | str:
        """Return an incident with its log, or why it cannot be read."""
        path = f"/v1/incidents/{iid}"
        try:
            async with self._places:
                incident = await self._get(path, {}, Incident)
                pages = [page async for page in self._pages(f"{path}/timeline", Entries)]
        except (Unread, httpx.TransportError) as error:
            return str(error) or type(error).__name__
        return History(incident=incident, entries=[one for page in pages for one in page.items])

    async def _pages(self, path: str, kind: type[Page]) -> AsyncIterator[Page]:
        given = {"limit": str(PAGE)}
        while True:
            page = await self._get(path, given, kind)
            yield page
            if page.next is None:
                return
            given["cursor"] = page.next

    async def _get(self, path: str, asked: Mapping[str, str], kind: type[Answer]) -> Answer:
        """Ask until there is an answer or our patience is at an end; raise what came last."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                return await self._once(path, asked, kind)
            except (httpx.TransportError, NotNow):
                if self._patience_s <= 0:
                    raise
            await asyncio.sleep(PAUSE_S)
            self._patience_s -= loop.time() - began

    async def _once(self, path: str, asked: Mapping[str, str], kind: type[Answer]) -> Answer:
        answer = await self._client.get(path, params=asked)
        if answer.is_success:
            return msgspec.json.decode(answer.content, type=kind)
        error = NotNow if answer.status_code in TRY_AGAIN else Unread
        raise error(f"{answer.status_code} {_detail(answer)}")


def _post(unit: Unit) -> Post:
    moves = Moves(unit.moves) if unit.moves in set(Moves) else Moves.FOOT
    return Post(id=unit.id, code=unit.code, lon=unit.home["lon"], lat=unit.home["lat"], moves=moves)


def _detail(answer: httpx.Response) -> str:
    try:
        return str(msgspec.json.decode(answer.content)["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return ""
