"""The webhook: one signed request, to an address that was looked at just before."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

import httpx

from dispatch.ports import Claimed, Clock
from dispatch.push.letter import Letter, letter
from dispatch.push.target import BadTarget, Target
from dispatch.push.verdict import Heard
from dispatch.trace import HEADER, present, traceparent

WITHIN_S: Final = 5.0
"""Looking up, connecting, sending and reading, together."""


class Sender(Protocol):
    """Whatever can carry a push."""

    async def send(self, claimed: Claimed) -> Heard:
        """Return what was said; never raises for what the other side does."""
        ...


class Webhook:
    """One request a connection: an answer that comes twice is never taken for the next one's.

    Redirects are not followed and proxies of the environment not used: both would lead elsewhere
    than the address that was looked at. `trusted`: whose certificates count; by default those of
    SSL_CERT_FILE, else those every browser takes.
    """

    def __init__(
        self,
        target: Target,
        secret: str,
        epoch: Callable[[], str],
        clock: Clock,
        within_s: float = WITHIN_S,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        self._target = target
        self._secret = secret
        self._epoch = epoch
        self._clock = clock
        self._within_s = within_s
        self._client = httpx.AsyncClient(
            verify=trusted or httpx.create_ssl_context(trust_env=True),
            follow_redirects=False,
            trust_env=False,
            timeout=within_s,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.aclose()

    async def send(self, claimed: Claimed) -> Heard:
        """Send a push; what goes wrong is told, never raised, and never names the address."""
        written = letter(claimed, self._epoch(), self._secret, self._clock.now())
        try:
            async with asyncio.timeout(self._within_s):
                return await self._post(written)
        except TimeoutError:
            return Heard(status=None, note="timeout")
        except BadTarget:
            return Heard(status=None, note="forbidden_address")
        except (OSError, httpx.HTTPError) as error:
            return Heard(status=None, note=type(error).__name__)

    async def _post(self, written: Letter) -> Heard:
        url = httpx.URL(self._target.url)
        address = self._target.permit(await self._addresses())
        async with self._client.stream(
            "POST",
            url.copy_with(host=address),
            content=written.body,
            headers={**written.headers, **_traced(), "Host": url.netloc.decode()},
            extensions={"sni_hostname": self._target.host},
        ) as response:
            return Heard(
                status=response.status_code,
                note=str(response.status_code),
                retry_after_s=_seconds(response.headers.get("Retry-After", "")),
            )

    async def _addresses(self) -> list[str]:
        found = await asyncio.get_running_loop().getaddrinfo(
            self._target.host, self._target.port, type=socket.SOCK_STREAM
        )
        return [str(entry[4][0]) for entry in found]


def _traced() -> dict[str, str]:
    """Return the header by which the other side's log and ours are of one piece of work."""
    return {HEADER: traceparent(present())} if present() else {}


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() else 0.0
