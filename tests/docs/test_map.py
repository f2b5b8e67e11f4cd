"""The map of the documents leads to every one of them."""

import re
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[2] / "docs"
LINK: Final = re.compile(r"\]\(([^)#\s]+\.md)\)")


def test_the_map_leads_to_every_page() -> None:
    """A page that nobody finds is not there."""
    text = (DOCS / "README.md").read_text(encoding="utf-8")
    led_to = {(DOCS / target).resolve() for target in LINK.findall(text)}
    pages = {path for path in DOCS.rglob("*.md") if path != DOCS / "README.md"}
    assert sorted(path.name for path in pages - led_to) == []
