"""The receiver's code in the how-to, run on what is really sent."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from dispatch.push.letter import Letter, letter
from tests.dispatch.push.letters import SECRET, claimed
from tests.fakes import START

PAGE: Final = Path(__file__).parents[2] / "docs" / "howto" / "push-webhook.md"
NOW_S: Final = START.timestamp()


@pytest.fixture(scope="module")
def is_ours() -> Callable[..., bool]:
    """The function of the page."""
    [code] = re.findall(
        r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - the page's own code is what is tested
    found: Callable[..., bool] = names["is_ours"]
    return found


@pytest.fixture
def sent() -> Letter:
    """What the webhook is sent."""
    return letter(claimed(), "e1", SECRET, START)


def test_the_pages_receiver_takes_what_is_ours(is_ours: Callable[..., bool], sent: Letter) -> None:
    """As it comes, and a little later."""
    assert is_ours(SECRET, sent.headers, sent.body, NOW_S)
    assert is_ours(SECRET, sent.headers, sent.body, NOW_S + 299)


def test_the_pages_receiver_refuses_all_else(is_ours: Callable[..., bool], sent: Letter) -> None:
    """Another body, an old one, one without a signature, one by another secret."""
    assert not is_ours(SECRET, sent.headers, sent.body + b" ", NOW_S)
    assert not is_ours(SECRET, sent.headers, sent.body, NOW_S + 301)
    assert not is_ours(SECRET, {}, sent.body, NOW_S)
    assert not is_ours("t" * 40, sent.headers, sent.body, NOW_S)
