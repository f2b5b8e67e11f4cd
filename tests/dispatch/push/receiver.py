"""A webhook on a real socket of this machine: it verifies, and misbehaves as it is told."""

import asyncio
import hashlib
import hmac
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.dispatch.push.letters import SECRET

OK = "HTTP/1.1 204 No Content\r\n\r\n"


def answer(status: str, *headers: str) -> str:
    """Return an answer without a body."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "", ""])


@dataclass(slots=True)
class Request:
    """What came in."""

    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        """Return the body, decoded."""
        decoded: dict[str, Any] = msgspec.json.decode(self.body)
        return decoded

    @property
    def key(self) -> str:
        """Return what a repeat is told by."""
        return self.headers["idempotency-key"]

    @property
    def is_ours(self) -> bool:
        """Tell whether the signature is right, as a receiver would."""
        signed = self.headers["kapok-timestamp"].encode() + b"." + self.body
        right = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        return hmac.compare_digest(self.headers["kapok-signature"], f"v1={right}")


@dataclass(slots=True)
class Receiver:
    """Answers by its script, then with 204; "hang" keeps silent, "drop" hangs up unasked."""

    script: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    at_once: int = 0
    most_at_once: int = 0
    port: int = 0
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/push?from=kapok"

    def will(self, *answers: str) -> None:
        """Answer the next requests like this."""
        self.script += answers

    @property
    def keys(self) -> list[str]:
        """Return the keys that came, in order."""
        return [request.key for request in self.requests]

    def release(self) -> None:
        """Let go of those it keeps waiting."""
        self._over.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take requests of one connection, one after another."""
        try:
            while request := await _read(reader):
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                self.requests.append(request)
                said = self.script.pop(0) if self.script else OK
                self.came.set()
                if said == "hang":
                    await self._over.wait()
                self.at_once -= 1
                if said in {"hang", "drop"}:
                    return
                writer.write(said.encode())
                await writer.drain()
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(_header(line) for line in head.split("\r\n")[1:] if line)
        return Request(headers, await reader.readexactly(int(headers["content-length"])))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(": ")
    return name.lower(), value


@asynccontextmanager
async def receiver(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Listen on a free port of this machine."""
    one = Receiver()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0, ssl=tls)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        one.release()
        server.close()
        await server.wait_closed()


def distinct(keys: Iterable[str]) -> int:
    """Return how many pushes a receiver that keeps keys has seen."""
    return len(set(keys))
