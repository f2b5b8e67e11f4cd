"""What every answer carries: headers that keep browsers and caches from doing what nobody asked."""

from typing import Final

from litestar.types import Message, Scope

from dispatch.trace import present

HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
"""After the OWASP REST Security cheat sheet; browsers heed the transport one over TLS only."""
TRACE: Final = "Kapok-Trace"


async def add_headers(message: Message, _: Scope) -> None:
    """Add the headers to an answer, whoever gives it, and the id by which it can be followed."""
    if message["type"] == "http.response.start":
        trace = (TRACE.encode().lower(), present().encode())
        message["headers"] = [*message.get("headers", ()), *HEADERS, trace]
