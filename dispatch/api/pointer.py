"""JSON pointers (RFC 6901) from the paths in which msgspec and the desk name a field."""

import re
from typing import Final

PATH: Final = re.compile(r"^(?P<what>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?$", re.DOTALL)
FIELD: Final = re.compile(
    r"Object (?:missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL
)
STEP: Final = re.compile(r"\.?(?P<name>[^.\[\]]+)|\[(?P<index>\d+|\.\.\.)\]")


def pointer_of_path(path: str) -> str:
    """Return `/position/lon` of `$.position.lon`, `position.lon` or `/needs/0` of `needs[0]`."""
    steps = STEP.findall(path.removeprefix("$"))
    return "".join(f"/{escaped(name or index)}" for name, index in steps)


def escaped(name: str) -> str:
    """Return a member's name as one token of a pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def fault_of_message(message: str) -> tuple[str, str]:
    """Return the pointer and the sentence of a `msgspec.ValidationError`.

    A field that is missing or unknown is pointed at itself, not at the object it should be in.
    """
    found = PATH.match(message)
    what, path = (found["what"], found["path"] or "") if found else (message, "")
    named = FIELD.match(what)
    last = f"/{escaped(named['name'])}" if named else ""
    return pointer_of_path(path) + last, what
