"""A service asked by REST that refuses for a while, for good, or is gone."""

import asyncio

import pytest

from dispatch.cli.codes import Away, Failure
from dispatch.cli.load.history import History
from dispatch.cli.load.phone_file import Post
from dispatch.cli.load.site import Site
from geo.eta import Moves
from tests.dispatch.cli.scripted import Answer, Asked, answered_by
from tests.fakes import START

pytestmark = pytest.mark.asyncio

UNIT = {"id": "u1", "code": "HP-001", "home": {"lon": 113.3, "lat": 23.1}, "moves": "hovercraft"}
REFUSED = {"detail": "that needs a dispatcher"}


def incident(iid: str, hour: int = 12) -> dict[str, object]:
    """Return an incident as REST shows it."""
    return {"id": iid, "opened_at": START.replace(hour=hour).isoformat(), "kind": "fire"}


async def test_all_units_are_read_page_by_page() -> None:
    """A way of moving that is not known here is on foot."""

    def script(request: Asked) -> Answer:
        assert request.headers["authorization"] == "Bearer kk_x"
        if "cursor=two" in request.path:
            return 200, {"items": [{**UNIT, "id": "u2", "moves": "car"}], "next": None}
        return 200, {"items": [UNIT], "next": "two"}

    async with answered_by(script) as url, Site(url, "kk_x") as site:
        assert await site.posts() == [
            Post(id="u1", code="HP-001", lon=113.3, lat=23.1, moves=Moves.FOOT),
            Post(id="u2", code="HP-001", lon=113.3, lat=23.1, moves=Moves.CAR),
        ]


async def test_a_key_that_may_not_see_units_ends_it() -> None:
    """With the service's own reason."""
    async with answered_by(lambda _: (403, REFUSED)) as url, Site(url, "kk_x") as site:
        with pytest.raises(Failure, match="403 that needs a dispatcher"):
            await site.posts()
    async with answered_by(lambda _: (500, "no problem")) as url, Site(url, "kk_x") as site:
        with pytest.raises(Failure, match="500"):
            await site.posts()


async def test_nobody_there_ends_it() -> None:
    """Before anything is started."""
    async with Site("http://127.0.0.1:1", "kk_x") as site:
        with pytest.raises(Away, match="does not answer"):
            await site.posts()


async def test_incidents_of_the_run_are_read_with_their_logs() -> None:
    """Those of others as well, and not those of before; one that is gone tells why."""
    tries = 0

    def script(request: Asked) -> Answer:
        nonlocal tries
        tries += 1
        if tries == 2:
            return 503, {"detail": "the store is away"}
        if tries == 3:
            return None
        path = request.path.split("?")[0]
        answers: dict[str, Answer] = {
            "/v1/incidents": (200, {"items": [incident("i2", 13), incident("i0", 2)], "next": "x"}),
            "/v1/incidents/i1": (404, {"detail": "there is no such incident"}),
            "/v1/incidents/i2": (200, incident("i2")),
            "/v1/incidents/i2/timeline": (200, {"items": [{"n": 1, "type": "reported"}]}),
        }
        return answers[path]

    async with answered_by(script) as url, Site(url, "kk_x") as site:
        found = await site.histories(START.replace(hour=12), ["i1"])
    assert found.keys() == {"i1", "i2"}
    assert found["i1"] == "404 there is no such incident"
    assert isinstance(found["i2"], History)
    assert [entry.type for entry in found["i2"].entries] == ["reported"]


async def test_a_service_that_is_gone_is_not_waited_for_once_per_incident() -> None:
    """Patience is one for all that is asked."""
    site = Site("http://127.0.0.1:1", "kk_x")
    async with site, asyncio.timeout(20):
        reading = asyncio.create_task(site.histories(START, [f"i{n}" for n in range(100)]))
        await asyncio.sleep(0)
        site._patience_s = 1.0
        found = await reading
    assert len(found) == 100
    assert all(isinstance(why, str) and "connection" in why.lower() for why in found.values())


async def test_acknowledged_incidents_are_read_though_none_can_be_listed() -> None:
    """A key that may not list them is told so for each."""
    async with answered_by(lambda _: (403, REFUSED)) as url, Site(url, "kk_x") as site:
        found = await site.histories(START, ["i1"])
    assert found == {"i1": "403 that needs a dispatcher"}
