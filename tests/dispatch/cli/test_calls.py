"""Callers that are refused for a while, for good, or never answered."""

import asyncio
from typing import Any

import msgspec
import numpy as np
import pytest

from dispatch.cli.calls import PLACES_MOST, Called, Caller
from dispatch.cli.load.places import ASIDE_M, BesidePosts
from dispatch.clock import SystemClock
from dispatch.phone.fleet import PhoneLine
from geo.distance import metres
from geo.point import Point
from tests.dispatch.cli.scripted import Answer, Asked, answered_by

pytestmark = pytest.mark.asyncio

HOME = Point(113.3, 23.1)
PLACES = BesidePosts([PhoneLine(device="d1", token="t", unit="u1", lon=HOME.lon, lat=HOME.lat)])


def caller(url: str, **options: Any) -> Caller:
    """Return someone who calls 50 times a second."""
    dice = np.random.default_rng(5)
    return Caller(PLACES, url, "kk_x", 3_000, dice, SystemClock().new_id, **options)


async def calls(called: Caller, until: int) -> None:
    """Let somebody call until so many calls are over."""
    stop = asyncio.Event()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(called.run(stop))
        while _over(called.called) < until:  # noqa: ASYNC110 - a caller counts, and has no event
            await asyncio.sleep(0.01)
        stop.set()


def _over(called: Called) -> int:
    return called.acknowledged + called.refused + called.given_up


async def test_a_call_is_sent_again_under_its_key_until_it_is_answered() -> None:
    """Whether it was refused for now, or the line broke; it is one incident."""
    asked: list[Asked] = []

    def script(request: Asked) -> Answer:
        asked.append(request)
        key = request.headers["idempotency-key"]
        tried = sum(each.headers["idempotency-key"] == key for each in asked)
        return {1: (503, {}), 2: None}.get(tried, (201, {"id": key}))

    async with answered_by(script) as url:
        here = caller(url, source="load", drill=True, now_ms=iter(range(1_000)).__next__)
        await calls(here, 1)
    keys = [request.headers["idempotency-key"] for request in asked]
    first = [msgspec.json.decode(a.body) for a in asked if a.headers["idempotency-key"] == keys[0]]
    assert here.called.acknowledged == len(set(keys))
    assert here.called.repeated == 2 * len(set(keys))
    assert first[0] == first[1] == first[2]
    assert (first[0]["source"], first[0]["drill"]) == ("load", True)
    assert all(post.sent_ms < post.answered_ms for post in here.posts)
    assert set(here.acknowledged) == set(keys)


@pytest.mark.parametrize("status", [409, 429, 500, 502, 503, 504])
async def test_what_may_be_sent_again_is(status: int) -> None:
    """Whatever the reference of errors says so of, and what a proxy says of a service away."""
    asked: list[Asked] = []

    def script(request: Asked) -> Answer:
        asked.append(request)
        return (status, {}) if len(asked) == 1 else (201, {"id": "i"})

    async with answered_by(script) as url:
        here = caller(url)
        await calls(here, 1)
    assert (here.called.repeated, here.called.refused) == (1, 0)


@pytest.mark.parametrize(("status", "code"), [(422, "invalid"), (403, "forbidden")])
async def test_who_stands_beyond_the_city_calls_from_elsewhere(status: int, code: str) -> None:
    """Only the service knows its borders; it is one call, under a key of its own each time."""
    asked: list[Asked] = []

    def script(request: Asked) -> Answer:
        asked.append(request)
        return (status, {"code": code}) if len(asked) == 1 else (201, {"id": str(len(asked))})

    async with answered_by(script) as url:
        here = caller(url, now_ms=iter(range(1_000)).__next__)
        await calls(here, 1)
    assert here.called.acknowledged == here.called.sent == len(asked) - 1
    assert (here.called.moved, here.called.repeated, here.called.refused) == (1, 0, 0)
    assert len({request.headers["idempotency-key"] for request in asked}) == len(asked)
    assert len({str(msgspec.json.decode(request.body)["position"]) for request in asked}) > 1
    assert all(post.sent_ms > 0 for post in here.posts if post.incident == "2")


async def test_a_call_counts_from_when_its_first_request_leaves() -> None:
    """Not from when our own library was asked to send it; nor anew where it is sent again."""
    clock = iter(range(1_000)).__next__
    heard: dict[str, list[int]] = {}

    def script(request: Asked) -> Answer:
        key = request.headers["idempotency-key"]
        heard.setdefault(key, []).append(clock())
        return (503, {}) if len(heard[key]) == 1 else (201, {"id": key})

    async with answered_by(script) as url:
        here = caller(url, now_ms=clock)
        await calls(here, 1)
    assert here.posts
    for post in here.posts:
        first, second = heard[post.incident]
        assert 0 < post.sent_ms < first < second < post.answered_ms


async def test_a_call_that_never_left_counts_from_when_it_was_tried() -> None:
    """Who finds nobody there at first has waited all the same."""
    clock = iter(range(1_000)).__next__
    async with answered_by(lambda _: (201, {"id": "1"})) as url:
        port = int(url.rsplit(":", 1)[1])
    here = caller(url, now_ms=clock)
    stop = asyncio.Event()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(here.run(stop))
        while not here.called.repeated:  # noqa: ASYNC110 - a caller counts, and has no event
            await asyncio.sleep(0.01)
        stop.set()
        async with answered_by(lambda _: (201, {"id": "1"}), port):
            while not here.posts:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
    assert min(post.sent_ms for post in here.posts) == 0


async def test_a_refusal_for_good_is_not_asked_again() -> None:
    """It is counted, by its code."""
    async with answered_by(lambda _: (422, {"code": "id_reuse"})) as url:
        here = caller(url)
        await calls(here, 1)
    assert here.called.refused == here.called.sent
    assert here.called.codes == {"id_reuse": here.called.sent}
    assert (here.called.repeated, here.called.moved) == (0, 0)


async def test_who_is_refused_everywhere_is_refused_for_good() -> None:
    """After some places; the reason stays to be read."""
    async with answered_by(lambda _: (422, {"code": "invalid"})) as url:
        here = caller(url)
        await calls(here, 1)
    assert here.called.codes == {"invalid": here.called.sent}
    assert here.called.moved == (PLACES_MOST - 1) * here.called.sent


async def test_a_refusal_without_words_counts_by_its_status() -> None:
    """Something between us and the service may have said it."""
    async with answered_by(lambda _: (403, {})) as url:
        here = caller(url)
        await calls(here, 1)
    assert here.called.codes == {"403": here.called.sent}


async def test_who_is_never_answered_gives_up() -> None:
    """After the time that it was given."""
    here = caller("http://127.0.0.1:1", tries_s=0.05)
    await calls(here, 1)
    assert here.called.given_up == here.called.sent
    assert here.called.repeated >= here.called.sent


async def test_nobody_calls_at_a_rate_of_none() -> None:
    """It returns at once."""
    here = Caller(PLACES, "http://127.0.0.1:1", "kk_x", 0, np.random.default_rng(1), str)
    async with asyncio.timeout(5):
        await here.run(asyncio.Event())
    assert here.called == Called()


async def test_calls_of_a_load_run_come_from_beside_its_posts() -> None:
    """Not farther than a street or two."""
    places = PLACES.incident_places(np.random.default_rng(2), 200)
    ways = [metres(HOME, place.point) for place in places]
    assert max(ways) < 1.5 * ASIDE_M
    assert len({place.point for place in places}) == 200
    assert not any(place.on_bank for place in places)
