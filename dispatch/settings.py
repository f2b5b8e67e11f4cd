"""The settings of a service: one environment variable each, all with a default."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from schemas.base import Record


class Settings(Record, frozen=True, kw_only=True):
    """Where things are and how much of them is allowed."""

    data: Path = Path(".kapok")
    database_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8110


ENVIRONMENT: Final[Mapping[str, str]] = {
    "KAPOK_DATA": "data",
    "DATABASE_URL": "database_url",
    "KAPOK_HOST": "host",
    "KAPOK_PORT": "port",
}
"""Environment variable → field."""


class BadSetting(ValueError):
    """A variable holds what its setting cannot be; the message names both."""


def read(environment: Mapping[str, str], **given: object) -> Settings:
    """Return the settings of an environment; empty variables are absent, `given` goes first."""
    found = {f: v for name, f in ENVIRONMENT.items() if (v := environment.get(name))}
    try:
        return msgspec.convert({**found, **given}, Settings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        names = ", ".join(name for name, field in ENVIRONMENT.items() if field in str(error))
        raise BadSetting(f"{names or 'environment'}: {error}") from error


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    return value
