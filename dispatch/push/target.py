"""Where pushes may go: https to public addresses; private ones only when they are allow-listed.

What the URL may be is for `dispatch.settings`. Here the rule is about the addresses its name has at
the moment of sending, and the request goes to one of those: a name that changes its mind between
look and call leads nowhere else.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Self
from urllib.parse import urlsplit

from dispatch.settings import Network, is_local, networks
from schemas.base import Record

Address = IPv4Address | IPv6Address

PORTS: Final = {"http": 80, "https": 443}


class BadTarget(Exception):
    """The webhook's name leads where nothing may be sent."""


class Target(Record, frozen=True, kw_only=True):
    """A webhook's address, taken apart."""

    url: str
    host: str
    port: int
    allowed: tuple[Network, ...] = ()

    @classmethod
    def of(cls, url: str, allow: str = "") -> Self:
        """Take apart an address of the settings; `allow` names networks besides public ones."""
        parts = urlsplit(url)
        return cls(
            url=url,
            host=parts.hostname or "",
            port=parts.port or PORTS[parts.scheme],
            allowed=networks(allow),
        )

    def permit(self, found: Sequence[str]) -> str:
        """Return the address to call, out of those the name has now.

        Raises:
            BadTarget: it has none, or one of them may not be called.
        """
        if not found:
            raise BadTarget("the name has no address")
        for text in found:
            self._guard(plain(text))
        return found[0]

    def _guard(self, address: Address) -> None:
        if any(address in network for network in self.allowed):
            return
        if is_local(self.host) and address.is_loopback:
            return
        if not address.is_global or address.is_multicast:
            raise BadTarget("the name leads to an address that is not public")


def plain(text: str) -> Address:
    """Return an address; one of IPv4 inside IPv6 as what it leads to (RFC 4291, RFC 3056)."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or address.sixtofour or address
