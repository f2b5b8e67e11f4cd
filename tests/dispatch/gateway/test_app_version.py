"""Which apps are too old."""

import pytest

from dispatch.gateway.app_version import BadVersions, oldest_of, too_old, version_of
from schemas.wire import App


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", ()),
        ("1", (1,)),
        ("1.2.10", (1, 2, 10)),
        ("2.0", (2,)),
        ("2.0.1-beta.3", (2, 0, 1)),
        ("v2", ()),
        ("0.0", ()),
        ("9" * 30, (999_999_999,)),
    ],
)
def test_a_version_is_the_numbers_it_begins_with(text: str, numbers: tuple[int, ...]) -> None:
    """Anything is a version; what begins with no number is below all."""
    assert version_of(text) == numbers


def test_an_operator_names_the_lowest_version_of_each_app() -> None:
    """Blanks do not matter; nothing named, nobody is sent away."""
    assert oldest_of(" mini = 2.3, android=1.10 ,") == {"mini": (2, 3), "android": (1, 10)}
    assert oldest_of("") == {}


@pytest.mark.parametrize("text", ["mini", "mini=", "=1", "mini=x", "mini=1.x", "mini=1=2"])
def test_what_names_no_version_is_told(text: str) -> None:
    """At the start, not when a phone comes."""
    with pytest.raises(BadVersions, match="name=1"):
        oldest_of(text)


@pytest.mark.parametrize(
    ("app", "verdict"),
    [
        (App(n="mini", v="2.2.9"), True),
        (App(n="mini", v="2.3"), False),
        (App(n="mini", v="2.10"), False),
        (App(n="mini", v=""), True),
        (App(n="android", v="0.1"), False),
        (None, False),
    ],
)
def test_only_a_named_app_can_be_too_old(app: App | None, verdict: bool) -> None:
    """Numbers are compared as numbers."""
    assert too_old(app, {"mini": (2, 3)}) is verdict
