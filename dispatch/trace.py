"""Which piece of work this is: one id from the request to the log, the disk and the answer."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

HEADER: Final = "traceparent"
_TRACEPARENT: Final = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}"
    r"-[0-9a-f]{2}(?P<more>-.*)?"
)
_present: Final = ContextVar("trace", default="")


def present() -> str:
    """Return the trace id of what is done now, 32 hexadecimal digits; '' where nothing is."""
    return _present.get()


def begin(trace: str) -> None:
    """Do what follows in this task under a trace id: of loops, each round of which is one."""
    _present.set(trace)


@contextmanager
def traced(trace: str) -> Iterator[None]:
    """Do what follows, and all tasks it starts, under a trace id."""
    before = _present.set(trace)
    try:
        yield
    finally:
        _present.reset(before)


def trace_of(traceparent: str) -> str | None:
    """Return the trace id of a `traceparent` header (W3C Trace Context); None where it has none.

    A version to come may say more behind what we know; ours may not.
    """
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or (found["version"] == "00" and found["more"]):
        return None
    return found["trace"]


def traceparent(trace: str) -> str:
    """Return the header that hands a trace id on; the request is named by a part of it."""
    return f"00-{trace}-{trace[16:]}-00"
