"""The OpenAPI document: the paths as Litestar knows them, the schemas as msgspec checks them."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ControllerRouterHandler

from dispatch.api import act, actions, feedback, follow, registered
from dispatch.api.alarms import AlarmDesk
from dispatch.api.candidates import CandidateUnits
from dispatch.api.closures import ClosureDesk
from dispatch.api.coverage import CoverageMap
from dispatch.api.device import Device
from dispatch.api.given import provided
from dispatch.api.health import Operations
from dispatch.api.idempotency import HEADER, REPLAYED
from dispatch.api.if_match import ETAG
from dispatch.api.incidents import Incidents
from dispatch.api.notices import Notices
from dispatch.api.places import HEADER as DATUM_HEADER
from dispatch.api.rings import RingMap
from dispatch.api.shield import TRACE
from dispatch.api.units import Units
from dispatch.api.ways import WayMap
from schemas import closure, coverage, device, notices, register, rest, way, wire
from schemas.actions import SplitIncident
from schemas.feeds import FeedbackPage, FollowedEvent

VERSION: Final = "1"
CONTROLLERS: Final[tuple[ControllerRouterHandler, ...]] = (
    Incidents,
    CandidateUnits,
    Units,
    Device,
    Notices,
    AlarmDesk,
    ClosureDesk,
    RingMap,
    WayMap,
    CoverageMap,
    Operations,
    *act.ROUTES,
    *registered.ROUTES,
    follow.follow,
    feedback.feedback,
)
COMPONENT: Final = "#/components/schemas/{name}"
ROOTS: Final = (
    rest.OpenIncident,
    *(row.body for row in actions.ACTIONS),
    SplitIncident,
    *(row.body for row in registered.CHANGES),
    register.Members,
    register.Devices,
    register.IssueCode,
    register.EnrolCode,
    register.EnrolDevice,
    register.Enrolled,
    FollowedEvent,
    FeedbackPage,
    notices.SendNotice,
    notices.WithdrawNotice,
    notices.NoticePage,
    notices.AtDesk,
    notices.Present,
    notices.AcknowledgeAlarm,
    notices.AlarmPage,
    closure.CloseRoads,
    closure.ClosurePage,
    coverage.Rings,
    way.WayFeature,
    coverage.CoverageView,
    coverage.GridPage,
    rest.IncidentPage,
    rest.Timeline,
    rest.Candidates,
    rest.UnitPage,
    device.DeviceMessages,
    device.DeviceLocation,
    device.DeviceReplies,
    device.DeviceInbox,
    device.DeviceStored,
    wire.Welcome,
    rest.Problem,
    rest.Health,
    rest.Readiness,
)
TEXT: Final = {"type": "string"}
NULL: Final = {"type": "null"}
KEY_SCHEMA: Final = {**TEXT, "minLength": 1, "maxLength": 64, "pattern": "^[!-~]+$"}
RETRIED: Final = frozenset({"409", "429", "503"})
METHODS: Final = ("get", "post", "delete")
OPEN_TAGS: Final = frozenset({"operations", "enrolment"})
OWN: Final = ("desk", "in_flight", "measured", "twin", "register", "streams", "attempts")
"""What `provided` is handed by whoever runs a service."""

Json = dict[str, Any]


@cache
def document() -> Json:
    """Return the OpenAPI document of the API, made once and not to be changed; it needs no desk."""
    made = _of_litestar()
    made["components"] = {
        "schemas": msgspec.json.schema_components(ROOTS, ref_template=COMPONENT)[1],
        "securitySchemes": {
            "key": {"type": "http", "scheme": "bearer", "bearerFormat": "kk_..."},
            "phone": {"type": "http", "scheme": "bearer", "bearerFormat": "kd_..."},
        },
    }
    made["security"] = [{"key": []}]
    made["paths"] = dict(sorted(made["paths"].items()))
    for operation in operations(made):
        _complete(operation)
    return made


def operations(made: Mapping[str, Any]) -> Iterator[Json]:
    """Yield every operation of a document."""
    for item in made["paths"].values():
        yield from (item[method] for method in METHODS if method in item)


def query_names(made: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return the query parameters that each operation documents, and so takes."""
    return {
        operation["operationId"]: frozenset(
            parameter["name"]
            for parameter in operation.get("parameters", ())
            if parameter["in"] == "query"
        )
        for operation in operations(made)
    }


def _of_litestar() -> Json:
    config = OpenAPIConfig(
        title="Kapok",
        version=VERSION,
        description="Dispatch of minimum emergency units: incidents, candidates, units.",
        render_plugins=[JsonRenderPlugin()],
    )
    app = Litestar(
        CONTROLLERS,
        dependencies=provided(**dict.fromkeys(OWN)),
        openapi_config=config,
        logging_config=None,
    )
    made: Json = msgspec.json.decode(
        msgspec.json.encode(app.openapi_schema.to_schema(), enc_hook=str)
    )
    return made


def _complete(operation: Json) -> None:
    """Say of an operation what is done for all of its kind."""
    if OPEN_TAGS & {*operation["tags"]}:
        operation["security"] = []
    names = {parameter["name"]: parameter for parameter in operation.get("parameters", ())}
    if "device" in operation["tags"]:
        operation["security"] = [{"phone": []}]
        names.get(DATUM_HEADER, {}).update(required=True)
    for parameter in names.values():
        _lean(parameter)
    if HEADER in names:
        names[HEADER].update(required=True, schema=KEY_SCHEMA)
    for status, response in operation["responses"].items():
        shows = _schema(response).get("$ref") == COMPONENT.format(name="IncidentView")
        if headers := _headers(status, frozenset(names), tagged=shows):
            response["headers"] = {name: {"schema": TEXT} for name in headers}


def _schema(response: Json) -> Json:
    """Return the schema of a response in JSON, empty where it has none."""
    found: Json = response.get("content", {}).get("application/json", {}).get("schema", {})
    return found


def _headers(status: str, taken: frozenset[str], *, tagged: bool) -> list[str]:
    """Return the headers of a response, by its status and the parameters that were taken."""
    good = status.startswith("2")
    told = {
        DATUM_HEADER: good and DATUM_HEADER in taken,
        REPLAYED: good and HEADER in taken,
        ETAG: (good and tagged) or status == "412",
        "Location": status == "201",
        "Retry-After": status in RETRIED,
        "WWW-Authenticate": status == "401",
        TRACE: True,
    }
    return [name for name, there in told.items() if there]


def _lean(parameter: Json) -> None:
    """Take null out of a parameter's schema: a parameter is absent, never null."""
    schema = parameter["schema"]
    choices = [one for one in schema.get("oneOf", ()) if one != NULL]
    if len(choices) == 1:
        parameter["schema"] = choices[0]
        parameter["description"] = schema.get("description") or parameter.get("description", "")
