"""The unit socket described as AsyncAPI 3, made from the very structs that read and write it."""

from collections.abc import Iterable
from inspect import getdoc
from typing import Any, Final, get_args

import msgspec

from schemas import wire

REF: Final = "#/components/schemas/{name}"
PATH: Final = "/v1/ws/unit"
CHANNEL: Final = "unit"


def document(version: str) -> dict[str, Any]:
    """Return the description; every client and server frame is a message of it."""
    said = members(wire.ClientMessage)
    heard = members(wire.ServerMessage)
    _, schemas = msgspec.json.schema_components((*said, *heard), ref_template=REF)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Kapok unit socket",
            "version": version,
            "description": "One text frame is one JSON message. docs/reference/protocol.md is the"
            " contract; this is its form.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            CHANNEL: {
                "address": PATH,
                "description": f"Subprotocol {wire.SUBPROTOCOL}.",
                "messages": {tag(s): {"$ref": _message(s)} for s in (*said, *heard)},
                "bindings": {"ws": {"method": "GET"}},
            }
        },
        "operations": {
            "say": _operation("receive", said, "What a phone says."),
            "hear": _operation("send", heard, "What the server says."),
        },
        "components": {
            "schemas": schemas,
            "messages": {tag(s): _described(s) for s in (*said, *heard)},
        },
        "x-error-codes": [code.value for code in wire.ErrorCode],
        "x-close-codes": {str(code.value): code.name.lower() for code in wire.Close},
    }


def members(union: Any) -> tuple[type[wire.Frame], ...]:  # noqa: ANN401 - a union has no type
    """Return the frames of a union, in its order."""
    return tuple(get_args(union))


def tag(frame: type[wire.Frame]) -> str:
    """Return the value of `t` that says which frame it is."""
    return str(frame.__struct_config__.tag)


def _message(frame: type[wire.Frame]) -> str:
    return f"#/components/messages/{tag(frame)}"


def _described(frame: type[wire.Frame]) -> dict[str, Any]:
    return {
        "name": tag(frame),
        "summary": getdoc(frame),
        "payload": {"$ref": REF.format(name=frame.__name__)},
    }


def _operation(action: str, frames: Iterable[type[wire.Frame]], summary: str) -> dict[str, Any]:
    channel = f"#/channels/{CHANNEL}"
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{tag(frame)}"} for frame in frames],
    }
