"""Verdicts on a site: roads under its ground, somebody to ask, somebody who may."""

from datetime import UTC, datetime

import pytest

from dispatch.cli import site_verdicts
from dispatch.cli.verdict import Verdict
from dispatch.store.registry import KeyRow
from dispatch.store.server_facts import Registered
from geo.point import Box
from geo.roads.graph import About
from schemas.base import KeyId

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PATHS = frozenset({"gz"})


def about(taken: str) -> About:
    """A road file of an extract taken then."""
    return About("x.osm.pbf", "", taken, Box(113.0, 22.5, 114.0, 24.0), 1, 1, 1, 1, (1.0,), (1.0,))


def key(role: str, *, revoked: bool = False, juris: str = "gz") -> KeyRow:
    """A key as the register has it."""
    return KeyRow(
        id=KeyId("k"),
        name="k",
        role=role,
        juris=juris,
        created_at=NOW,
        revoked_at=NOW if revoked else None,
    )


@pytest.mark.parametrize(
    ("taken", "verdict"),
    [
        ("2026-05-01T00:00:00Z", Verdict.OK),
        ("2019-11-29T03:01:24Z", Verdict.WARN),
        ("2026-05-01T00:00:00", Verdict.WARN),
        ("", Verdict.WARN),
    ],
)
def test_roads_have_a_date(taken: str, verdict: Verdict) -> None:
    """An old one and none are told."""
    line = site_verdicts.on_roads(about(taken), "x.roads", NOW, verified=True)
    assert line.verdict is verdict
    assert line.found.endswith("every byte checked")


def test_roads_lie_under_the_jurisdictions() -> None:
    """Some kilometres at the border are nothing; more are told with their side."""
    roads = Box(113.0, 22.5, 114.0, 24.0)
    assert site_verdicts.on_cover(roads, Box(112.96, 22.5, 114.0, 24.0)).verdict is Verdict.OK
    line = site_verdicts.on_cover(roads, Box(113.2, 22.0, 114.3, 23.9))
    assert line.verdict is Verdict.WARN
    assert line.found.endswith("by 0.50° in the south, 0.30° in the east")


@pytest.mark.parametrize(
    ("units", "phones", "verdict"),
    [(0, 0, Verdict.FAIL), (3, 0, Verdict.WARN), (3, 2, Verdict.OK)],
)
def test_units_and_their_phones_are_counted(units: int, phones: int, verdict: Verdict) -> None:
    """Units without phones can be asked by voice only."""
    ground, asked = site_verdicts.on_register(1, Registered(units=units, phones=phones))
    assert (ground.verdict, asked.verdict) == (Verdict.OK, verdict)


def test_a_site_without_ground_fails() -> None:
    """No place belongs to anybody."""
    ground, _ = site_verdicts.on_register(0, Registered(units=1, phones=1))
    assert ground.verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("keys", "verdict"),
    [
        ([], Verdict.FAIL),
        ([key("dispatcher", revoked=True)], Verdict.FAIL),
        ([key("api_feed")], Verdict.WARN),
        ([key("dispatcher", juris="fs")], Verdict.WARN),
        ([key("commander"), key("dispatcher", revoked=True)], Verdict.OK),
    ],
)
def test_somebody_may_dispatch(keys: list[KeyRow], verdict: Verdict) -> None:
    """By a key in force, of a dispatcher or commander, under ground that is registered."""
    assert site_verdicts.on_keys(keys, PATHS).verdict is verdict


def test_a_site_without_a_webhook_is_told_what_it_misses() -> None:
    """The address itself is told to nobody."""
    assert site_verdicts.on_push(None).verdict is Verdict.WARN
    line = site_verdicts.on_push("https://push.example/secret-path")
    assert line.verdict is Verdict.OK
    assert "secret-path" not in line.found
