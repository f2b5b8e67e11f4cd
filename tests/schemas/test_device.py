"""The bodies of the twin."""

from typing import Any

import msgspec
import pytest

from schemas.device import DeviceLocation, DeviceMessages, DeviceStored

PING = {"t": "ping", "ts": 1}


def decode(kind: type[Any], body: object) -> Any:
    """Return a body as it comes over the wire."""
    return msgspec.json.decode(msgspec.json.encode(body), type=kind)


def test_frames_come_undecoded() -> None:
    """So that a bad one loses no neighbour."""
    found = decode(DeviceMessages, {"frames": [PING, 7, None]})
    assert [bytes(raw) for raw in found.frames] == [b'{"t":"ping","ts":1}', b"7", b"null"]


@pytest.mark.parametrize("frames", [[], [PING] * 21])
def test_there_are_one_to_twenty(frames: list[object]) -> None:
    """More is another request."""
    with pytest.raises(msgspec.ValidationError):
        decode(DeviceMessages, {"frames": frames})


def test_a_location_service_may_add_what_it_likes() -> None:
    """Nobody can tell it not to."""
    assert (
        decode(DeviceLocation, {"d": "gcj02", "ts": 1, "f": [[1]], "activity": "on_foot"}).ts == 1
    )


def test_what_needs_no_telling_is_left_out() -> None:
    """No bad rows, no reason."""
    assert msgspec.json.encode(DeviceStored(stored=2)) == b'{"stored":2}'
