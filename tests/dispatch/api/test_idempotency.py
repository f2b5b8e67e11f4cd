"""A change happens once, whatever the network makes of it."""

import asyncio

import pytest

from dispatch.api.idempotency import InFlight, digest
from dispatch.api.problems import Refused
from dispatch.core.errors import IdReuse, Overloaded
from dispatch.ports import Once
from tests.dispatch.api.conftest import CALL, Api

ONCE = Once(scope="key:k1", id="a", digest=b"1")


@pytest.mark.asyncio
async def test_the_same_change_again_is_given_the_same_answer(api: Api) -> None:
    """Byte for byte, marked as a replay; nothing is done twice."""
    first = await api.post("/v1/incidents", CALL, once="call-1")
    second = await api.post("/v1/incidents", CALL, once="call-1")
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert (second.status_code, second.content) == (201, first.content)
    assert second.headers["Location"] == first.headers["Location"]
    assert len(api.desk.cases) == 1


@pytest.mark.asyncio
async def test_a_key_with_another_body_is_refused(api: Api) -> None:
    """It is a mistake of the client that must not pass as a success."""
    await api.post("/v1/incidents", CALL, once="call-1")
    response = await api.post("/v1/incidents", {**CALL, "priority": 2}, once="call-1")
    assert response.status_code == 422
    assert response.json()["code"] == "id_reuse"
    assert len(api.desk.cases) == 1


@pytest.mark.asyncio
async def test_a_key_at_another_address_is_refused(api: Api) -> None:
    """The same body at another address is another change."""
    one, two = await api.opened(), await api.opened()
    assert (await api.post(f"{one}/cancel", {"why": "x"}, once="c")).status_code == 200
    assert (await api.post(f"{two}/cancel", {"why": "x"}, once="c")).status_code == 422


@pytest.mark.asyncio
async def test_two_api_keys_may_use_the_same_idempotency_key(api: Api) -> None:
    """The scope is the API key."""
    await api.post("/v1/incidents", CALL, once="call-1")
    response = await api.post("/v1/incidents", CALL, once="call-1", key="kk_feed")
    assert response.status_code == 201
    assert len(api.desk.cases) == 2


@pytest.mark.asyncio
async def test_while_the_first_is_under_way_the_second_is_a_conflict(api: Api) -> None:
    """And afterwards the same key gives the answer."""
    api.desk.gate = asyncio.Event()
    first = asyncio.create_task(api.post("/v1/incidents", CALL, once="call-1"))
    await api.desk.waiting.wait()
    second = await api.post("/v1/incidents", CALL, once="call-1")
    other = await api.post("/v1/incidents", {**CALL, "priority": 3}, once="call-1")
    api.desk.gate.set()
    assert (second.status_code, second.json()["code"]) == (409, "in_flight")
    assert second.headers["Retry-After"] == "1"
    assert (other.status_code, other.json()["code"]) == (422, "id_reuse")
    assert (await first).status_code == 201
    again = await api.post("/v1/incidents", CALL, once="call-1")
    assert again.headers["Idempotency-Replayed"] == "true"


@pytest.mark.asyncio
async def test_a_refused_change_may_be_sent_again_with_its_key(api: Api) -> None:
    """Its key is free as soon as it was answered."""
    api.desk.failure = Overloaded("too much")
    assert (await api.post("/v1/incidents", CALL, once="call-1")).status_code == 503
    api.desk.failure = None
    assert (await api.post("/v1/incidents", CALL, once="call-1")).status_code == 201


@pytest.mark.asyncio
@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 65, "a\tb"])
async def test_a_change_without_a_proper_key_is_refused(api: Api, key: str) -> None:
    """The problem names the header."""
    given = {"Authorization": "Bearer kk_dispatcher", "Idempotency-Key": key}
    headers = {name.encode(): value.encode() for name, value in given.items() if value}
    response = await api.client.post("/v1/incidents", json=CALL, headers=headers)
    assert response.status_code == 400
    told = response.json()
    assert told["code"] == "idempotency_key_required"
    assert told["errors"][0]["parameter"] == "Idempotency-Key"
    assert api.desk.cases == {}


@pytest.mark.asyncio
async def test_two_keys_in_one_request_are_none(api: Api) -> None:
    """Nobody guesses which of them was meant."""
    headers = [
        ("Authorization", "Bearer kk_dispatcher"),
        ("Idempotency-Key", "a"),
        ("Idempotency-Key", "b"),
    ]
    response = await api.client.post("/v1/incidents", json=CALL, headers=headers)
    assert response.json()["code"] == "idempotency_key_required"


@pytest.mark.asyncio
async def test_the_longest_key_is_taken(api: Api) -> None:
    """64 visible characters."""
    assert (await api.post("/v1/incidents", CALL, once="~" * 64)).status_code == 201


def test_changes_under_way_are_bounded() -> None:
    """What is over the bound is refused for now, and room is made by every end."""
    under_way = InFlight(most=1)
    other = Once(scope="key:k1", id="b", digest=b"1")
    with under_way.hold(ONCE):
        with pytest.raises(Overloaded), under_way.hold(other):
            pass
        assert len(under_way) == 1
    with under_way.hold(other):
        assert len(under_way) == 1
    assert len(under_way) == 0


def test_a_key_is_let_go_when_its_change_fails() -> None:
    """No error leaves a key behind."""
    under_way = InFlight()
    with pytest.raises(ZeroDivisionError), under_way.hold(ONCE):
        raise ZeroDivisionError
    assert len(under_way) == 0


def test_a_key_under_way_is_told_apart_from_a_key_used_again() -> None:
    """By the digest of the request."""
    under_way = InFlight()
    other = Once(scope=ONCE.scope, id=ONCE.id, digest=b"2")
    with under_way.hold(ONCE):
        with pytest.raises(Refused), under_way.hold(ONCE):
            pass
        with pytest.raises(IdReuse), under_way.hold(other):
            pass


def test_method_path_and_body_are_in_the_digest() -> None:
    """Whatever differs makes another request."""
    told = {
        digest("POST", "/a", b"x"),
        digest("PUT", "/a", b"x"),
        digest("POST", "/b", b"x"),
        digest("POST", "/a", b"y"),
        digest("POST", "/a\nx", b""),
    }
    assert len(told) == 5
