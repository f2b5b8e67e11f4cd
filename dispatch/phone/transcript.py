"""Golden transcripts: what is said on a socket and what has to be heard, a JSON object a line.

A text `$name` in what is heard is noted the first time and must be the same afterwards; in what is
said it is put in, as `$name+0.001` or `$name-60000` with that much more or less. `$any` is
anything, `$now` the time in ms, `$new:name` a fresh id noted as name.
Objects are matched by the fields a line names, lists element by element; a list of frames to be
heard is one in any order.
"""

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, TypeVar

import msgspec

from schemas.base import Record

ANY: Final = "$any"
NOW: Final = "$now"
NEW: Final = "$new:"
NAMED: Final = re.compile(r"\$[\w.]+")
SUM: Final = re.compile(r"(\$[\w.]+)([+-]\d+(?:\.\d+)?)")

Step = TypeVar("Step")
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]


class Call(Record, frozen=True, kw_only=True):
    """A request by HTTP; `phone` uses that phone's token instead of the API key."""

    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = {}
    phone: str | None = None


class Line(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step. Exactly one of note, connect, say, hear, closed, drop or call is given."""

    note: str | None = None
    connect: Name | None = None
    times: Annotated[int, msgspec.Meta(ge=1, le=200)] = 1
    say: Any = None
    hear: Any = None
    closed: int | None = None
    reason: Any = None
    drop: Name | None = None
    call: Call | None = None
    status: int = 200
    answer: Any = None
    on: Name = "a"


class BadTranscript(ValueError):
    """A line that is no step; names its number."""


class Mismatch(Exception):
    """What was heard is not what had to be heard."""


def read(text: str) -> list[Line]:
    """Return the steps of a transcript; raise `BadTranscript` at the first line that is none."""
    return read_as(Line, text)


def read_as(kind: type[Step], text: str) -> list[Step]:
    """Return the lines of a transcript of another kind; empty ones are passed over."""
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            lines.append(msgspec.json.decode(line, type=kind))
        except msgspec.DecodeError as error:
            raise BadTranscript(f"line {number}: {error}") from error
    return lines


class Notes:
    """What was noted so far, by name."""

    def __init__(self, known: dict[str, Any], new_id: Callable[[], str]) -> None:
        self._known = dict(known)
        self._new_id = new_id

    def filled(self, value: Any, now_ms: float) -> Any:  # noqa: ANN401 - any JSON
        """Return a value with every name replaced by what was noted."""
        if isinstance(value, dict):
            return {key: self.filled(part, now_ms) for key, part in value.items()}
        if isinstance(value, list):
            return [self.filled(part, now_ms) for part in value]
        return self._meant(value, now_ms) if isinstance(value, str) else value

    def path(self, path: str) -> str:
        """Return a path with every name in it replaced by what was noted."""
        return NAMED.sub(lambda found: str(self._meant(found[0], 0.0)), path)

    def _meant(self, text: str, now_ms: float) -> Any:  # noqa: ANN401 - any JSON
        sum_ = SUM.fullmatch(text)
        if sum_ is not None:
            return self._meant(sum_[1], now_ms) + msgspec.json.decode(sum_[2].lstrip("+"))
        if text == NOW:
            return now_ms
        if text.startswith(NEW):
            self._known[text.removeprefix(NEW)] = fresh = self._new_id()
            return fresh
        if text.startswith("$"):
            return self._look_up(text[1:])
        return text

    def _look_up(self, name: str) -> Any:  # noqa: ANN401 - any JSON
        if name not in self._known:
            raise Mismatch(f"nothing was noted as {name}")
        return self._known[name]

    def match(self, wanted: Any, heard: Any) -> None:  # noqa: ANN401 - any JSON
        """Note what is new in what was heard; raise `Mismatch` with every difference."""
        differences = list(self._differences(wanted, heard, ""))
        if differences:
            raise Mismatch("; ".join(differences))

    def _differences(self, wanted: Any, heard: Any, at: str) -> Iterator[str]:  # noqa: ANN401 - any JSON
        if isinstance(wanted, dict) and isinstance(heard, dict):
            yield from self._missing(wanted, heard, at)
        elif isinstance(wanted, list) and isinstance(heard, list) and len(wanted) == len(heard):
            for index, pair in enumerate(zip(wanted, heard, strict=True)):
                yield from self._differences(*pair, f"{at}[{index}]")
        elif isinstance(wanted, str) and wanted.startswith("$"):
            yield from self._named(wanted, heard, at)
        elif wanted != heard:
            yield f"{at or 'frame'} is {heard!r}, not {wanted!r}"

    def _missing(self, wanted: dict[str, Any], heard: dict[str, Any], at: str) -> Iterator[str]:
        for key, part in wanted.items():
            where = f"{at}.{key}" if at else key
            if key in heard:
                yield from self._differences(part, heard[key], where)
            else:
                yield f"{where} is missing"

    def _named(self, wanted: str, heard: Any, at: str) -> Iterator[str]:  # noqa: ANN401 - any JSON
        if wanted == ANY:
            return
        if SUM.fullmatch(wanted):
            known = self._meant(wanted, 0.0)
        else:
            known = self._known.setdefault(wanted[1:], heard)
        if known != heard:
            yield f"{at} is {heard!r}, not {known!r} as noted before"
