"""The router over real HTTP, against a stand-in that can fail in every way."""

from collections.abc import AsyncIterator
from math import inf

import pytest
import pytest_asyncio

from dispatch.ports import RouterAway, Start
from dispatch.router.valhalla import AWAY_MOST, Valhalla
from geo.eta import Moves
from geo.point import Point
from tests.dispatch.router.stand_in import Mood, StandIn, stand_in

pytestmark = pytest.mark.asyncio

SCENE = Point(113.45, 23.10)
NEAR = Point(113.46, 23.10)
ABROAD = Point(120.0, 30.0)
PATIENT_S = 5.0


@pytest_asyncio.fixture
async def server() -> AsyncIterator[StandIn]:
    """A server that answers."""
    async with stand_in() as server:
        yield server


@pytest_asyncio.fixture
async def router(server: StandIn) -> AsyncIterator[Valhalla]:
    """A router with so much time that a busy machine fails no test."""
    async with Valhalla(server.url, PATIENT_S) as router:
        yield router


async def test_legs_come_in_the_order_of_their_starts(router: Valhalla, server: StandIn) -> None:
    """Each way of moving is one question; who has no way there is inf."""
    starts = [
        Start(NEAR, Moves.MOTORBIKE),
        Start(NEAR, Moves.FOOT),
        Start(ABROAD, Moves.FOOT),
        Start(NEAR, Moves.EBIKE),
        Start(NEAR, Moves.BICYCLE),
        Start(NEAR, Moves.CAR),
    ]
    legs = await router.legs(SCENE, starts)
    assert [round(leg.seconds / 10) for leg in legs if leg.seconds < inf] == [12, 73, 23, 23, 10]
    assert legs[2] == (inf, inf)
    assert {round(leg.metres, -1) for leg in legs if leg.metres < inf} == {1020}
    asked = {body["costing"]: len(body["sources"]) for _, body in server.asked}
    assert asked == {"motor_scooter": 1, "pedestrian": 2, "bicycle": 2, "auto": 1}


async def test_nobody_is_asked_for_nobody(router: Valhalla, server: StandIn) -> None:
    """No starts, no question."""
    assert await router.legs(SCENE, []) == []
    assert server.asked == []


async def test_a_way_is_a_line_from_start_to_scene(router: Valhalla) -> None:
    """Longitude goes first, as everywhere inside."""
    way = await router.way(Start(NEAR, Moves.FOOT), SCENE)
    assert way.line == (NEAR, SCENE)
    assert round(way.leg.seconds) == round(way.leg.metres / 1.4)


async def test_a_line_of_one_point_is_no_way(router: Valhalla, server: StandIn) -> None:
    """Nothing could be drawn of it."""
    server.mood = Mood.SPOT
    with pytest.raises(RouterAway):
        await router.way(Start(NEAR, Moves.FOOT), SCENE)


async def test_questions_share_a_connection(router: Valhalla, server: StandIn) -> None:
    """A new connection would cost more than the answer."""
    for _ in range(3):
        await router.legs(SCENE, [Start(NEAR, Moves.FOOT)])
    assert server.connections == 1


@pytest.mark.parametrize(
    "mood",
    [
        Mood.BROKEN,
        Mood.NONSENSE,
        Mood.SHORT,
        Mood.LONG,
        Mood.CUT,
        Mood.REFUSING,
        Mood.BACKWARDS,
    ],
)
async def test_whatever_it_says_amiss_is_one_error(
    router: Valhalla, server: StandIn, mood: Mood
) -> None:
    """The desk has to know one thing only: that it has to reckon by itself."""
    server.mood = mood
    with pytest.raises(RouterAway):
        await router.legs(SCENE, [Start(NEAR, Moves.FOOT)])


async def test_a_slow_one_is_not_waited_for(server: StandIn) -> None:
    """What it has not said within its time is reckoned by ourselves."""
    server.mood = Mood.SLOW
    async with Valhalla(server.url) as hasty:
        with pytest.raises(RouterAway):
            await hasty.legs(SCENE, [Start(NEAR, Moves.FOOT)])


async def test_none_at_its_address_is_the_same() -> None:
    """A port nobody listens on."""
    async with stand_in() as server:
        url = server.url
    async with Valhalla(url, PATIENT_S) as router:
        with pytest.raises(RouterAway):
            await router.legs(SCENE, [Start(NEAR, Moves.FOOT)])


async def test_one_that_keeps_failing_is_left_alone(router: Valhalla, server: StandIn) -> None:
    """Otherwise each decision would wait its 50 ms for nothing."""
    server.mood = Mood.BROKEN
    for _ in range(AWAY_MOST + 2):
        with pytest.raises(RouterAway):
            await router.legs(SCENE, [Start(NEAR, Moves.FOOT)])
    assert len(server.asked) == AWAY_MOST


async def test_a_place_without_a_way_is_no_failure(router: Valhalla, server: StandIn) -> None:
    """A unit on an island says nothing about the server."""
    server.mood = Mood.REFUSING
    for _ in range(AWAY_MOST + 2):
        with pytest.raises(RouterAway):
            await router.way(Start(NEAR, Moves.FOOT), SCENE)
    server.mood = Mood.GOOD
    assert (await router.way(Start(NEAR, Moves.FOOT), SCENE)).line


async def test_one_good_answer_is_a_new_beginning(router: Valhalla, server: StandIn) -> None:
    """Only failures in a row count."""
    for mood in [Mood.BROKEN, Mood.BROKEN, Mood.GOOD] * 2:
        server.mood = mood
        try:
            await router.legs(SCENE, [Start(NEAR, Moves.FOOT)])
        except RouterAway:
            assert mood is Mood.BROKEN
    assert len(server.asked) == 6
