"""JSON pointers, from every form a field is named in."""

import pytest

from dispatch.api.pointer import escaped, fault_of_message, pointer_of_path


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("$", ""),
        ("", ""),
        ("$.position.lon", "/position/lon"),
        ("position.lon", "/position/lon"),
        ("$.needs[1].capabilities[0]", "/needs/1/capabilities/0"),
        ("$[3]", "/3"),
        ("$.data[...]", "/data/..."),
        ("oid", "/oid"),
    ],
)
def test_a_path_becomes_a_pointer(path: str, pointer: str) -> None:
    """Of msgspec's form and of the desk's."""
    assert pointer_of_path(path) == pointer


@pytest.mark.parametrize(
    ("message", "pointer", "detail"),
    [
        ("Expected `int` <= 4 - at `$.priority`", "/priority", "Expected `int` <= 4"),
        ("Expected `object`, got `null`", "", "Expected `object`, got `null`"),
        (
            "Object missing required field `datum` - at `$.position`",
            "/position/datum",
            "Object missing required field `datum`",
        ),
        (
            "Object contains unknown field `a/b~c`",
            "/a~1b~0c",
            "Object contains unknown field `a/b~c`",
        ),
        (
            "Object contains unknown field `x\ny` - at `$.needs[0]`",
            "/needs/0/x\ny",
            "Object contains unknown field `x\ny`",
        ),
    ],
)
def test_a_message_becomes_a_fault(message: str, pointer: str, detail: str) -> None:
    """What is missing or unknown is pointed at itself."""
    assert fault_of_message(message) == (pointer, detail)


def test_names_are_escaped_as_rfc_6901_says() -> None:
    """A tilde first, then the slash."""
    assert escaped("~/") == "~0~1"
