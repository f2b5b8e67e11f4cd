"""Calls the API over a connection kept open: no library of the caller is measured with it."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx
import msgspec

END: Final = b"\r\n\r\n"
LENGTH: Final = b"content-length: "


class Caller:
    """Writes a request as bytes, and reads its answer; one at a time, on a connection kept open."""

    def __init__(self, url: str, key: str) -> None:
        self._at = httpx.URL(url)
        self._always = f"Host: {self._at.host}\r\nAuthorization: Bearer {key}\r\n"
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: Mapping[str, Any], once: str) -> Any:  # noqa: ANN401 - whatever is answered
        """Post a body under its idempotency key; return the answer, which has to say 2xx."""
        reader, writer = await self.open()
        writer.write(self._request(path, msgspec.json.encode(body), once))
        head = (await reader.readuntil(END)).lower()
        answer = await reader.readexactly(int(head.partition(LENGTH)[2].split(b"\r\n")[0]))
        assert head.startswith(b"http/1.1 2"), answer
        return msgspec.json.decode(answer)

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return the connection, a new one where the service has closed it for being idle."""
        if self._line is None or self._line[0].at_eof():
            self.close()
            self._line = await asyncio.open_connection(self._at.host, self._at.port)
        return self._line

    def close(self) -> None:
        """Hang up."""
        if self._line is not None:
            self._line[1].close()

    def _request(self, path: str, body: bytes, once: str) -> bytes:
        return (
            f"POST {path} HTTP/1.1\r\n{self._always}Idempotency-Key: {once}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body


@contextmanager
def caller(url: str, key: str) -> Iterator[Caller]:
    """Call an API; hang up at the end."""
    calling = Caller(url, key)
    try:
        yield calling
    finally:
        calling.close()
