"""A line to the database that can be cut, or lose an answer on the way."""

import asyncio
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qs, urlsplit

READY: Final = b"Z\x00\x00\x00\x05I"
"""How the server ends an answer outside a transaction: whatever it did is on disk."""
CHUNK: Final = 256 * 1024


class Line:
    """Forwards bytes between a port of its own and the socket of the database."""

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        query = parse_qs(parts.query)
        self._socket = f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}"
        self._user, self._path = parts.username, parts.path
        self._port = 0
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._marker: bytes | None = None

    @property
    def dsn(self) -> str:
        """Return the address of the database by this line."""
        return f"postgresql://{self._user}@127.0.0.1:{self._port}{self._path}?sslmode=disable"

    async def mend(self) -> None:
        """Let the line work, at the same address as before."""
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break every connection, and let no new one through."""
        if self._server is not None:
            self._server.close()
        for client in list(self._clients):
            client.transport.abort()
        if self._server is not None:
            await self._server.wait_closed()

    def lose_answer_to(self, marker: bytes) -> None:
        """Break the next connection that asks something with these bytes, once it is done."""
        self._marker = marker

    async def _forward(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self._clients.add(client)
        far_reader, far = await asyncio.open_unix_connection(self._socket)
        deaf = asyncio.Event()
        with suppress(ConnectionError):
            async with asyncio.TaskGroup() as both:
                both.create_task(self._ask(reader, far, deaf))
                both.create_task(self._answer(far_reader, client, deaf))
        self._clients.discard(client)
        for end in (client, far):
            end.transport.abort()

    async def _ask(
        self, reader: asyncio.StreamReader, far: asyncio.StreamWriter, deaf: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while asked := await reader.read(CHUNK):
                if self._marker is not None and self._marker in asked:
                    self._marker = None
                    deaf.set()
                far.write(asked)
                await far.drain()
        far.transport.abort()

    async def _answer(
        self, far_reader: asyncio.StreamReader, client: asyncio.StreamWriter, deaf: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while answer := await far_reader.read(CHUNK):
                if deaf.is_set():
                    if READY in answer:
                        break
                    continue
                client.write(answer)
                await client.drain()
        client.transport.abort()
