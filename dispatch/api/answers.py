"""Answers of changes: what the desk answered, with the datum asked for and the mark of a replay."""

import msgspec
from litestar import Response

from dispatch.api.facade import Outcome
from dispatch.api.idempotency import REPLAYED
from dispatch.api.if_match import etag
from dispatch.api.places import incident_in, named
from dispatch.ports import Answer
from geo.datum import Datum
from schemas.rest import IncidentView

JSON = "application/json"


class _Named(msgspec.Struct):
    id: str
    version: int = 0


def answered(outcome: Outcome, datum: Datum) -> Response[bytes]:
    """Return the answer of a change; in WGS-84, byte for byte as it was kept."""
    answer = outcome.answer
    headers = named(datum)
    if outcome.replayed:
        headers[REPLAYED] = "true"
    headers |= etag(msgspec.json.decode(answer.body, type=_Named).version)
    body = _in_datum(bytes(answer.body), datum)
    return Response(body, status_code=answer.status, media_type=JSON, headers=headers)


def created(outcome: Outcome, datum: Datum) -> Response[bytes]:
    """Return the answer of an opening; `Location` is the address of the incident."""
    response = answered(outcome, datum)
    made = msgspec.json.decode(outcome.answer.body, type=_Named)
    response.headers["Location"] = f"/v1/incidents/{made.id}"
    return response


def made(answer: Answer, path: str, *, replayed: bool) -> Response[bytes]:
    """Return the answer of what is no incident; `Location` is its address below `path`."""
    name = msgspec.json.decode(answer.body, type=_Named).id
    headers = {"Location": f"{path}/{name}"}
    if replayed:
        headers[REPLAYED] = "true"
    return Response(bytes(answer.body), status_code=201, media_type=JSON, headers=headers)


def _in_datum(body: bytes, datum: Datum) -> bytes:
    if datum is Datum.WGS84:
        return body
    view = msgspec.json.decode(body, type=IncidentView)
    return msgspec.json.encode(incident_in(datum, view))
