"""The comparison with Valhalla: against a stand-in over real HTTP, and without any."""

import asyncio

import numpy as np
import pytest

from bench import valhalla
from bench.harness.result import NOT_RUN
from geo.point import Point
from tests.dispatch.router.stand_in import Mood, StandIn, stand_in
from tests.samples import BAYFRONT, osm_sample


def test_without_a_service_it_reads_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """No figure is better than one that nobody measured."""
    monkeypatch.delenv(valhalla.URL, raising=False)
    assert [row.unit for row in valhalla.measure(1.0).rows] == [NOT_RUN]


def test_without_an_extract_it_reads_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service alone is not enough: both need the same map."""
    monkeypatch.setenv(valhalla.URL, "http://127.0.0.1:9")
    monkeypatch.setenv("KAPOK_OSM_SAMPLES", "/nowhere")
    assert [row.unit for row in valhalla.measure(1.0).rows] == [NOT_RUN]


async def run_against(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> dict[str, float | None]:
    """Run a small comparison; return its rows by name."""
    osm_sample(BAYFRONT)
    monkeypatch.setenv(valhalla.URL, server.url)
    found = await asyncio.to_thread(valhalla.measure, 0.01)
    return {row.what: row.median for row in found.rows}


@pytest.mark.asyncio
async def test_a_small_run_asks_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """By routes and by a matrix, at our pace on foot; the two of the stand-in are one."""
    async with stand_in() as server:
        rows = await run_against(server, monkeypatch)
    asked = [body for path, body in server.asked if path == "/route"]
    assert len(asked) == 5 * valhalla.NEAREST
    assert all(b["costing_options"]["pedestrian"]["walking_speed"] == 5.04 for b in asked)
    assert rows["incidents, 20 units each"] == 5
    apart = rows["its own matrix to its own routes"]
    assert apart is not None
    assert apart <= 0.5
    assert rows["ours to its routes, one pair a question"] is not None


@pytest.mark.asyncio
async def test_one_that_refuses_everything_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is in common then, and nothing came in time."""
    async with stand_in() as server:
        server.mood = Mood.REFUSING
        rows = await run_against(server, monkeypatch)
    assert rows["pairs that both know a way for"] == 0
    assert rows["ours to its matrix, all units at once"] is None
    assert rows["answered so, in the time the desk has"] == 0


def test_both_are_compared_where_both_know_a_way() -> None:
    """Who is the best is asked of all."""
    inf = np.inf
    question = valhalla.Question(
        Point(0.0, 0.0), np.zeros((3, 2)), np.array([10.0, 20.0, inf]), np.array([0.0, 1.0, 2.0])
    )
    theirs = valhalla.Theirs(np.array([12.0, inf, 5.0]), np.array([13.0, 25.0, inf]))
    found = valhalla.compared([question], [theirs], [4.0])
    rows = {row.what: row.median for row in found.rows}
    assert rows["ours to its routes, one pair a question"] == 2.0
    assert rows["ours to its matrix, all units at once"] == 4.0
    assert rows["another best unit than by its routes"] == 1.0
    assert rows["another best unit than by its matrix"] == 0.0
    assert [mark.met for mark in found.marks.values()] == [True, False, False, True]
