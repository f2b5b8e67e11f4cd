"""Which apps are too old to be let in: `name=version` pairs, as an operator sets them."""

import re
from collections.abc import Mapping
from typing import Final

from schemas.wire import App

Version = tuple[int, ...]
Oldest = Mapping[str, Version]

NUMBERS: Final = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,5}")


class BadVersions(ValueError):
    """The setting is not `name=1.2,other=3`; the message says where."""


def oldest_of(text: str) -> dict[str, Version]:
    """Return the lowest version let in, by the name of the app; raise `BadVersions`."""
    pairs = (pair.strip() for pair in text.split(",") if pair.strip())
    return dict(_pair(pair) for pair in pairs)


def _pair(pair: str) -> tuple[str, Version]:
    name, _, version = (part.strip() for part in pair.partition("="))
    if not name or not NUMBERS.fullmatch(version):
        raise BadVersions(f"{pair!r} is not name=1.2")
    return name, version_of(version)


def version_of(text: str) -> Version:
    """Return the numbers a version begins with, without zeros at its end: 2.0 is 2."""
    found = NUMBERS.match(text)
    numbers = [int(part) for part in found[0].split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def too_old(app: App | None, oldest: Oldest) -> bool:
    """Say whether an app is below what its name asks; one that is not named may come in."""
    if app is None or app.n not in oldest:
        return False
    return version_of(app.v) < oldest[app.n]
