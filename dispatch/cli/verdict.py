"""A verdict on one thing a site has to have right: what was found, and what to do about it."""

from collections.abc import Iterable
from enum import StrEnum

from schemas.base import Record


class Verdict(StrEnum):
    """How bad it is: `fail` means that Kapok is not to be relied on like this."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Line(Record, frozen=True, kw_only=True):
    """One thing that was looked at; `do` is empty only where all is well."""

    subject: str
    verdict: Verdict
    found: str
    do: str = ""


def ok(subject: str, found: str) -> Line:
    """Return a line of what is right."""
    return Line(subject=subject, verdict=Verdict.OK, found=found)


def warn(subject: str, found: str, do: str) -> Line:
    """Return a line of what works, and less well than it could; or of what cannot be seen."""
    return Line(subject=subject, verdict=Verdict.WARN, found=found, do=do)


def fail(subject: str, found: str, do: str) -> Line:
    """Return a line of what has to be mended first."""
    return Line(subject=subject, verdict=Verdict.FAIL, found=found, do=do)


def worst(lines: Iterable[Line]) -> Verdict:
    """Return the verdict on all of them together."""
    order = list(Verdict)
    return max((line.verdict for line in lines), key=order.index, default=Verdict.OK)
