"""A change happens once: its key, its digest, and what is under way in this process."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Annotated, Final

from litestar.params import HeaderParameter

from dispatch.api.problems import AnyRequest, Code, Refused
from dispatch.auth import Grant
from dispatch.core.errors import IdReuse, Overloaded
from dispatch.ports import Once
from schemas.rest import Fault

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
KEY: Final = re.compile(r"[\x21-\x7e]{1,64}")
MOST_IN_FLIGHT: Final = 4096

KeyHeader = Annotated[
    str | None,
    HeaderParameter(
        name=HEADER,
        description="1 to 64 visible ASCII characters, new for every change. For 24 h the same key"
        " with the same request is given the same answer, and with another one 422.",
    ),
]


class InFlight:
    """The changes under way in this process; at most `most`, then `Overloaded`.

    What another process has under way is settled by the store when it commits.
    """

    def __init__(self, most: int = MOST_IN_FLIGHT) -> None:
        self.most = most
        self._digests: dict[tuple[str, str], bytes] = {}

    def __len__(self) -> int:
        return len(self._digests)

    @contextmanager
    def hold(self, once: Once) -> Iterator[None]:
        """Keep the key to oneself; raise when a request with the same key is under way."""
        name = (once.scope, once.id)
        if other := self._digests.get(name):
            raise _met(once, other)
        if len(self._digests) >= self.most:
            raise Overloaded("too many changes are under way")
        self._digests[name] = once.digest
        try:
            yield
        finally:
            del self._digests[name]


def _met(once: Once, other: bytes) -> Exception:
    if once.digest != other:
        return IdReuse(f"{HEADER} came with another request")
    return Refused(
        Code.IN_FLIGHT,
        "a request with this key is under way; ask again for its answer",
        headers={"Retry-After": "1"},
    )


async def provide_once(request: AnyRequest, idempotency_key: KeyHeader = None) -> Once:
    """Return what makes this request happen once; raise `Refused` without a key."""
    grant: Grant = request.auth
    return Once(
        scope=f"key:{grant.key_id}",
        id=_key(request.headers.getall(HEADER, [])),
        digest=digest(request.method, request.scope["path"], await request.body()),
    )


def _key(given: list[str]) -> str:
    if len(given) == 1 and KEY.fullmatch(given[0]):
        return given[0]
    detail = "send one, of 1 to 64 visible ASCII characters"
    fault = Fault(parameter=HEADER, detail=detail)
    raise Refused(Code.KEY_REQUIRED, f"{HEADER}: {detail}", fault)


def digest(method: str, path: str, body: bytes) -> bytes:
    """Return the SHA-256 by which two requests are the same."""
    return sha256(f"{method} {path}\n".encode() + body).digest()
