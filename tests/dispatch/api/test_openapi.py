"""The OpenAPI document: complete, true to the code, and served from here."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from litestar import Litestar

from dispatch.api import registered
from dispatch.api.actions import ACTIONS
from dispatch.api.openapi import document, operations
from dispatch.api.problems import KINDS
from schemas import rest
from tests.dispatch.api.conftest import CALL, Api

MADE = document()
ACTS = {row.name for row in ACTIONS} | {"split_incident"}
REGISTERED = {row.name for row in registered.CHANGES}
CHANGES = {"open_incident"} | ACTS | REGISTERED
MADE_NEW = {"open_incident", "split_incident", "create_unit", "add_member"}


def references(value: Any) -> Iterator[str]:
    """Yield every $ref in a document."""
    if isinstance(value, dict):
        if isinstance(ref := value.get("$ref"), str):
            yield ref
        value = list(value.values())
    for inner in value if isinstance(value, list) else []:
        yield from references(inner)


def by_id() -> dict[str, dict[str, Any]]:
    """Return the operations by their ids."""
    return {operation["operationId"]: operation for operation in operations(MADE)}


@pytest.mark.asyncio
async def test_the_document_is_served_without_a_key(api: Api) -> None:
    """As JSON, the same as is made without a service."""
    response = await api.client.get("/schema/openapi.json")
    assert response.headers["content-type"] == "application/vnd.oai.openapi+json"
    assert response.json() == msgspec.json.decode(msgspec.json.encode(MADE))
    assert response.json()["openapi"].startswith("3.1")


@pytest.mark.asyncio
async def test_the_document_loads_nothing_from_elsewhere(api: Api) -> None:
    """No address of another host stands in it."""
    text = (await api.client.get("/schema/openapi.json")).text
    assert "http://" not in text
    assert "https://" not in text


def test_every_route_is_documented(app: Litestar) -> None:
    """All but the document itself, and the OPTIONS that Litestar adds."""
    served = {
        (route.path_format, method.lower())
        for route in app.routes
        for method in getattr(route, "methods", ())
        if method != "OPTIONS"
    }
    told = {(path, method) for path, item in MADE["paths"].items() for method in item}
    assert served - told == {("/schema/openapi.json", "get"), ("/schema/asyncapi.json", "get")}
    assert told <= served


def test_every_operation_has_a_name_a_summary_and_a_tag() -> None:
    """Names are what generated clients call."""
    assert len(by_id()) >= 50
    for operation in by_id().values():
        assert operation["summary"]
        assert operation["tags"]


def test_every_reference_leads_somewhere() -> None:
    """Into the components."""
    known = {f"#/components/schemas/{name}" for name in MADE["components"]["schemas"]}
    found = set(references(MADE))
    assert found
    assert found <= known


def test_every_problem_is_documented_as_one() -> None:
    """Whatever is no success, in the media type of problems; only readiness has its own shape."""
    for name, operation in by_id().items():
        for status, response in operation["responses"].items():
            if status.startswith("2") or (name, status) == ("get_readiness", "503"):
                continue
            content = response["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, (name, status)
            assert "`" in response["description"]


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_change_documents_its_key_and_its_answers(name: str) -> None:
    """Required, bounded, and with the conflicts it may meet."""
    operation = by_id()[name]
    (key,) = [p for p in operation["parameters"] if p["name"] == "Idempotency-Key"]
    assert (key["in"], key["required"], key["schema"]["maxLength"]) == ("header", True, 64)
    success = "201" if name in MADE_NEW else "200"
    told = set(operation["responses"])
    assert told - {"412"} == {
        success, "400", "401", "403", "404", "409", "413", "415", "422", "500", "503"
    }  # fmt: skip
    assert ("412" in told) is (name in ACTS)
    taken = {p["name"] for p in operation["parameters"]}
    assert ("If-Match" in taken) is (name in ACTS)
    assert ("ETag" in operation["responses"][success]["headers"]) is (name not in REGISTERED)
    assert "Idempotency-Replayed" in operation["responses"][success]["headers"]
    assert "Retry-After" in operation["responses"]["503"]["headers"]


def test_only_changes_ask_for_a_key() -> None:
    """A look needs none."""
    asking = {
        name
        for name, operation in by_id().items()
        if any(p["name"] == "Idempotency-Key" for p in operation.get("parameters", ()))
    }
    assert asking >= CHANGES
    assert not [name for name in asking if name.startswith(("get_", "list_", "preview_"))]


def test_whatever_shows_positions_takes_a_datum() -> None:
    """By query or header, and its answer names it."""
    placed = {
        *("IncidentView", "IncidentPage", "UnitView", "UnitPage"),
        *("GridPage", "Rings", "WayFeature"),
    }
    for name, operation in by_id().items():
        if operation["tags"] == ["device"]:
            continue
        success = next(r for s, r in operation["responses"].items() if s.startswith("2"))
        shown = {ref.rsplit("/", 1)[1] for ref in references(success)} & placed
        taken = {p["name"] for p in operation.get("parameters", ())}
        assert bool(shown) is ({"datum", "Kapok-Datum"} <= taken), name
        assert bool(shown) is ("Kapok-Datum" in success.get("headers", {})), name


def test_bodies_are_shut_to_unknown_fields() -> None:
    """`additionalProperties: false`, for the bodies and for what is in them."""
    schemas = MADE["components"]["schemas"]
    bodies = {
        ref.rsplit("/", 1)[1]
        for operation in by_id().values()
        for ref in references(operation.get("requestBody", {}))
    }
    phones = {"DeviceMessages", "DeviceLocation"}
    assert bodies - phones >= {"OpenIncident", "Triage", "CorrectIncident", "ChangeUnit"}
    assert bodies >= {row.body.__name__ for row in ACTIONS}
    assert bodies >= {row.body.__name__ for row in registered.CHANGES}
    for name in bodies - {"DeviceLocation"} | {"Place", "NeedBody"}:
        assert schemas[name]["additionalProperties"] is False
    assert {"kind", "priority", "position", "title", "drill"} == set(
        schemas["OpenIncident"]["required"]
    )


def test_only_the_operations_of_keepers_need_no_key() -> None:
    """The document's own default is a bearer token."""
    assert MADE["security"] == [{"key": []}]
    free = {name for name, operation in by_id().items() if operation.get("security") == []}
    assert free == {"get_health", "get_readiness", "get_metrics", "enrol_device"}


def test_parameters_are_described() -> None:
    """All but the ids in addresses, which name themselves."""
    for operation in by_id().values():
        for parameter in operation.get("parameters", ()):
            assert parameter["in"] == "path" or parameter.get("description"), parameter["name"]


@pytest.mark.asyncio
async def test_every_status_that_is_answered_is_documented(api: Api) -> None:
    """Of each row of the table, on a route that may meet it."""
    told = set(by_id()["open_incident"]["responses"])
    assert {str(kind.status) for kind in KINDS.values()} - told == {"405", "410", "412", "429"}
    assert str((await api.post("/v1/incidents", CALL)).status_code) in told


def test_the_document_knows_every_body_of_the_api() -> None:
    """Each struct under its own name."""
    for kind in (rest.OpenIncident, rest.IncidentView, rest.UnitView, rest.Problem):
        assert kind.__name__ in MADE["components"]["schemas"]
