"""The description of the unit socket lacks nothing, and points at nothing that is not there."""

from typing import Any

import pytest

from dispatch.api.app import ASYNCAPI_PATH, ASYNCAPI_TYPE
from dispatch.api.asyncapi import document, members, tag
from schemas import wire

FRAMES = (*members(wire.ClientMessage), *members(wire.ServerMessage))


def references(part: Any) -> set[str]:
    """Return every `$ref` of a document."""
    if isinstance(part, dict):
        own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*map(references, part.values()))
    return set().union(*map(references, part)) if isinstance(part, list) else set()


def resolved(whole: dict[str, Any], reference: str) -> Any:
    """Follow a reference inside the document."""
    found: Any = whole
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def test_every_frame_is_a_message_of_the_channel() -> None:
    """A frame that is added to the unions is described without anybody thinking of it."""
    made = document("1")
    described = made["channels"]["unit"]["messages"].keys()
    assert described == {tag(frame) for frame in FRAMES}
    assert made["channels"]["unit"]["address"] == "/v1/ws/unit"


@pytest.mark.parametrize("frame", FRAMES, ids=tag)
def test_a_message_says_what_it_is_and_how_it_is_built(frame: type[wire.Frame]) -> None:
    """Its tag stands in its schema, and its summary is the line of its struct."""
    made = document("1")
    message = made["components"]["messages"][tag(frame)]
    schema = resolved(made, message["payload"]["$ref"])
    assert schema["properties"]["t"] == {"enum": [tag(frame)]}
    assert message["summary"]


def test_no_reference_leads_nowhere() -> None:
    """Every `$ref` is resolved inside the document: it is read offline."""
    made = document("1")
    assert all(resolved(made, reference) is not None for reference in references(made))


def test_each_side_says_only_its_own_frames() -> None:
    """What phones say is received, what the server says is sent."""
    made = document("1")
    said = {m["$ref"].rsplit("/", 1)[1] for m in made["operations"]["say"]["messages"]}
    heard = {m["$ref"].rsplit("/", 1)[1] for m in made["operations"]["hear"]["messages"]}
    assert "hello" in said - heard
    assert "welcome" in heard - said
    assert said.isdisjoint(heard)


def test_all_codes_are_listed() -> None:
    """App teams find every error and close code in the same file."""
    made = document("1")
    assert set(made["x-error-codes"]) == set(wire.ErrorCode)
    assert set(made["x-close-codes"]) == {str(int(code)) for code in wire.Close}


@pytest.mark.asyncio
async def test_it_is_served_without_a_key(api: Any) -> None:
    """Whoever writes an app reads it first."""
    response = await api.client.get(ASYNCAPI_PATH)
    assert response.status_code == 200
    assert response.headers["content-type"] == ASYNCAPI_TYPE
    assert response.json()["asyncapi"] == "3.0.0"
