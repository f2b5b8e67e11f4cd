"""What the documents take from the code is what the code says now."""

import re
from pathlib import Path
from typing import Final

import pytest

from dispatch.api.openapi import METHODS, document
from dispatch.api.problems import KINDS
from dispatch.core.events import Event
from docs import make_reference

ROOT: Final = make_reference.ROOT
REST: Final = (ROOT / "docs/reference/rest.md").read_text(encoding="utf-8")
LOG: Final = (ROOT / "docs/howto/read-the-event-log.md").read_text(encoding="utf-8")
DESCRIPTIONS: Final = {("GET", f"/schema/{name}.json") for name in ("asyncapi", "openapi")}
ROUTE: Final = re.compile(r"^\| `(GET|POST|DELETE) (/\S+)` \|", re.MULTILINE)


@pytest.mark.parametrize("path", sorted(make_reference.made()), ids=str)
def test_a_made_page_is_as_it_would_be_made_now(path: Path) -> None:
    """`make docs` would change nothing."""
    assert (ROOT / path).read_text(encoding="utf-8") == make_reference.made()[path]


def test_nothing_is_left_untold() -> None:
    """A new setting or code needs its line in the tables of `make_reference`."""
    pages = {str(path): text for path, text in make_reference.made().items()}
    assert [name for name, text in pages.items() if make_reference.UNTOLD in text] == []


def test_every_route_is_told() -> None:
    """The page about REST has a line for each operation of the OpenAPI document."""
    routes = {
        (method.upper(), path)
        for path, item in document()["paths"].items()
        for method in METHODS
        if method in item
    }
    assert set(ROUTE.findall(REST)) == routes | DESCRIPTIONS


def test_every_problem_of_rest_is_told() -> None:
    """The generated page of codes is the one place that lists them."""
    errors = make_reference.errors()
    assert [code for code in KINDS if f"`{code}`" not in errors] == []


def test_every_kind_of_entry_in_the_log_is_told() -> None:
    """Whoever reads the log finds every type explained."""
    assert [event for event in Event if f"`{event}`" not in LOG] == []
