"""The settings of a service: one environment variable each, all with a default."""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec

from schemas.base import Record

Network = IPv4Network | IPv6Network
SECRET_LEAST: Final = 32
WORKERS_MOST: Final = 8
KEEP_DAYS_LEAST: Final = 183
"""Half a year of logs is what the law asks for; the database refuses to delete younger lines."""
BALLAST_MOST_MB: Final = 65_536
OLDEST_APPS: Final = r"^([^=,]+=[0-9]{1,9}(\.[0-9]{1,9}){0,5}(,|$))*$"


class Secret(str):
    """A text that shows itself to nobody by accident."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(***)"


class Settings(Record, frozen=True, kw_only=True):
    """Where things are and how much of them is allowed."""

    data: Path = Path(".kapok")
    database_url: str | None = None
    roads: Path | None = None
    road_hours: Path | None = None
    router_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8110
    bus_url: Secret | None = None
    workers: Annotated[int, msgspec.Meta(ge=1, le=WORKERS_MOST)] = 1
    oldest_apps: Annotated[str, msgspec.Meta(pattern=OLDEST_APPS)] = ""
    push_url: str | None = None
    push_secret: Secret | None = None
    push_allow: str = ""
    sms_per_hour: Annotated[int, msgspec.Meta(ge=0)] = 100
    canary: Literal["on", "off"] = "on"
    archive: Path | None = None
    backups: Path | None = None
    keep_days: Annotated[int, msgspec.Meta(ge=KEEP_DAYS_LEAST)] = 400
    ballast_mb: Annotated[int, msgspec.Meta(ge=0, le=BALLAST_MOST_MB)] = 256


ENVIRONMENT: Final[Mapping[str, str]] = {
    "KAPOK_DATA": "data",
    "DATABASE_URL": "database_url",
    "KAPOK_ROADS": "roads",
    "KAPOK_ROAD_HOURS": "road_hours",
    "ROUTER_URL": "router_url",
    "KAPOK_HOST": "host",
    "KAPOK_PORT": "port",
    "BUS_URL": "bus_url",
    "KAPOK_WORKERS": "workers",
    "KAPOK_OLDEST_APPS": "oldest_apps",
    "KAPOK_PUSH_URL": "push_url",
    "KAPOK_PUSH_SECRET": "push_secret",
    "KAPOK_PUSH_ALLOW": "push_allow",
    "KAPOK_SMS_PER_HOUR": "sms_per_hour",
    "KAPOK_CANARY": "canary",
    "KAPOK_ARCHIVE": "archive",
    "KAPOK_BACKUPS": "backups",
    "KAPOK_KEEP_DAYS": "keep_days",
    "KAPOK_BALLAST_MB": "ballast_mb",
}
"""Environment variable → field."""
FILED: Final = ("BUS_URL", "KAPOK_PUSH_URL", "KAPOK_PUSH_SECRET")
"""What may stand in a file instead, named by the same variable with `_FILE` at its end."""


class BadSetting(ValueError):
    """A variable holds what its setting cannot be; the message names both."""


def read(environment: Mapping[str, str], **given: object) -> Settings:
    """Return the settings of an environment; empty variables are absent, `given` goes first.

    Raises:
        BadSetting: a variable, or the file it names, holds what cannot be.
    """
    texts = {**environment, **_from_files(environment)}
    found = {f: v for name, f in ENVIRONMENT.items() if (v := texts.get(name))}
    try:
        settings = msgspec.convert({**found, **given}, Settings, strict=False, dec_hook=_hook)
    except msgspec.ValidationError as error:
        names = ", ".join(name for name, field in ENVIRONMENT.items() if field in str(error))
        raise BadSetting(f"{names or 'environment'}: {error}") from error
    bus_servers(settings.bus_url)
    _guard_router(settings.router_url)
    _guard_webhook(settings)
    return settings


def _hook(kind: type, value: object) -> object:
    if kind in {Path, Secret} and isinstance(value, str):
        return kind(value)
    return value


def _from_files(environment: Mapping[str, str]) -> dict[str, str]:
    named = {n: file for n in FILED if (file := environment.get(f"{n}_FILE"))}
    if twice := [n for n in named if environment.get(n)]:
        raise BadSetting(f"{twice[0]} and {twice[0]}_FILE: give one of them")
    return {name: _read(name, file) for name, file in named.items()}


def _read(name: str, file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"{name}_FILE: cannot read it ({type(error).__name__})") from error


def bus_servers(url: str | None) -> tuple[str, ...]:
    """Return the addresses in `nats://user:password@a:4222,b:4222,c:4222`, each one whole.

    Raises:
        BadSetting: one is none; the message does not repeat it, for it may hold a password.
    """
    if not url:
        return ()
    first, *others = (text.strip() for text in url.split(","))
    scheme, _, rest = first.partition("://")
    login, at, _ = rest.rpartition("@")
    named = (first, *(o if "://" in o else f"{scheme}://{login}{at}{o}" for o in others))
    for each in named:
        _guard_bus(each)
    return named


def _guard_bus(url: str) -> None:
    try:
        parts = urlsplit(url)
        named = parts.scheme in {"nats", "tls"} and parts.hostname and parts.port != 0
    except ValueError:
        named = False
    if not named:
        raise BadSetting("BUS_URL: not addresses of nats or tls, with commas between them")


def _guard_router(url: str | None) -> None:
    """Refuse what is no address: a router that is never asked would be missed by nobody."""
    if url is None:
        return
    try:
        parts = urlsplit(url)
        named = parts.hostname is not None and parts.port != 0
    except ValueError as error:
        raise BadSetting(f"ROUTER_URL: {error}") from error
    if parts.scheme not in {"http", "https"} or not named:
        raise BadSetting("ROUTER_URL: not an address of http or https")


# The webhook. -------------------------------------------------------------------------------------


def _guard_webhook(settings: Settings) -> None:
    networks(settings.push_allow)
    if settings.push_url is None:
        return
    _guard_url(settings.push_url)
    if len(settings.push_secret or "") < SECRET_LEAST:
        raise BadSetting(f"KAPOK_PUSH_SECRET: at least {SECRET_LEAST} characters, by chance")


def _guard_url(url: str) -> None:
    """Refuse what is neither https nor on this machine: pushes are signed, not encrypted."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise BadSetting(f"KAPOK_PUSH_URL: {error}") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise BadSetting("KAPOK_PUSH_URL: not an address of https")
    if parts.scheme == "http" and not is_local(host):
        raise BadSetting("KAPOK_PUSH_URL: has to be https; http is for this machine only")
    if parts.username is not None or parts.password is not None:
        raise BadSetting("KAPOK_PUSH_URL: carries a name or password; requests are signed instead")


def networks(allow: str) -> tuple[Network, ...]:
    """Return networks written as `10.1.0.0/16, fd00::/8`; raise `BadSetting` for anything else."""
    try:
        return tuple(ip_network(text.strip()) for text in allow.split(",") if text.strip())
    except ValueError as error:
        raise BadSetting(f"KAPOK_PUSH_ALLOW: {error}") from error


def is_local(host: str) -> bool:
    """Say whether a host is this machine by its very name."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
