"""A small HTTP server that answers as a test says, for what a real service does seldom."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import msgspec


class Asked(NamedTuple):
    """A request: its address with the query, headers in small letters, and its body."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answer = tuple[int, Any] | None
"""A status and a JSON body; None: hang up without a word."""
Script = Callable[[Asked], Answer]
HEAD_END: Final = b"\r\n\r\n"


@asynccontextmanager
async def answered_by(script: Script, port: int = 0) -> AsyncIterator[str]:
    """Serve a script, at a port where one is named; hand over the address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = script(await _read(reader))
        if answer is not None:
            writer.write(_written(*answer))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _read(reader: asyncio.StreamReader) -> Asked:
    first, *lines = (await reader.readuntil(HEAD_END)).decode().strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, path, headers, body)


def _written(status: int, body: object) -> bytes:
    data = msgspec.json.encode(body)
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Length: {len(data)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + data
