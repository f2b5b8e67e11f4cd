"""Where a NATS server is, and by which name and password it lets us in."""

from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

SCHEMES: Final = ("nats", "tls")
PORT: Final = 4222


class Address(NamedTuple):
    """One server; `url` holds neither name nor password, and may be shown."""

    url: str
    is_tls: bool
    user: str | None
    password: str | None

    @property
    def token(self) -> str | None:
        """A name without a password is a token."""
        return self.user if self.password is None else None


def address(text: str) -> Address:
    """Return the address that is written as `nats://user:password@host:port`, or with `tls`.

    What is special in an address is written with percent signs in name and password.

    Raises:
        ValueError: it is none; the message does not repeat it.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("not an address of nats or tls") from None
    if parts.scheme not in SCHEMES or not host or port == 0:
        raise ValueError("not an address of nats or tls")
    shown = f"[{host}]" if ":" in host else host
    return Address(
        url=f"{parts.scheme}://{shown}:{port or PORT}",
        is_tls=parts.scheme == "tls",
        user=_plain(parts.username),
        password=_plain(parts.password),
    )


def _plain(text: str | None) -> str | None:
    return unquote(text) if text else None
