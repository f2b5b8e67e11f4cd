"""Request bodies: bounded JSON, decoded strictly, with a JSON pointer to what is wrong in them."""

from collections.abc import Generator, Iterator
from datetime import UTC
from functools import cache
from typing import Any, Final, Protocol, TypeVar

import msgspec
from litestar.dto import AbstractDTO, DTOFieldDefinition
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from dispatch.api.pointer import escaped, fault_of_message
from dispatch.api.problems import AnyRequest, Code, Refused
from schemas.base import Instant
from schemas.rest import Fault
from schemas.wire import ErrorCode

MAX_BODY_BYTES: Final = 256 * 1024
JSON: Final = "application/json"
NUL: Final = "\x00"

T = TypeVar("T", bound=msgspec.Struct)


class Schemas(Protocol):
    """What Litestar writes schemas with."""

    def for_field_definition(self, field_definition: FieldDefinition) -> Schema | Reference:
        """Return the schema of a type."""


class Strict(AbstractDTO[T]):
    """Decodes the body by msgspec alone: nothing is coerced, nothing unknown is skipped."""

    def decode_bytes(self, value: bytes) -> object:
        """Return the body; raise `Refused` for anything it should not be."""
        return decode(self.model_type, value)

    @classmethod
    def create_for_field_definition(cls, *args: Any, **kwargs: Any) -> None:
        """Prepare nothing: the struct is its own transfer model."""

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Schemas
    ) -> Reference | Schema:
        """Return the schema of the struct itself."""
        return schema_creator.for_field_definition(field_definition)

    @classmethod
    def generate_field_definitions(
        cls, model_type: type[Any]
    ) -> Generator[DTOFieldDefinition, None, None]:
        """Return none: see `create_for_field_definition`."""
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        """Return no: there are no fields to look into."""
        return False


async def admit(request: AnyRequest) -> None:
    """Refuse a body that need not be looked into: too large, no JSON by its own word, or absent."""
    if request.method != "POST":
        return
    media_type, _ = request.content_type
    if media_type.lower() != JSON:
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, f"send the body as {JSON}")
    if not await request.body():
        raise Refused(Code.BAD_BODY, "the body is empty")


def decode(kind: type[T], raw: bytes) -> T:
    """Return the body as a struct; raise `Refused` with a pointer for what is wrong in it."""
    try:
        body: T = _decoder(kind).decode(raw)
    except msgspec.ValidationError as error:
        pointer, detail = fault_of_message(str(error))
        raise invalid(pointer, detail) from error
    except UnicodeDecodeError as error:
        raise Refused(Code.BAD_BODY, "the body is not UTF-8") from error
    except RecursionError as error:
        raise Refused(Code.BAD_BODY, "the body is nested too deeply") from error
    except msgspec.DecodeError as error:
        raise Refused(Code.BAD_BODY, str(error)) from error
    _refuse_nul(raw, body)
    return body


@cache
def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(kind)


def _refuse_nul(raw: bytes, body: msgspec.Struct) -> None:
    r"""Refuse `\u0000`: PostgreSQL's text has no such character."""
    if b"\\u0000" not in raw:
        return
    for pointer in _nuls(msgspec.to_builtins(body, enc_hook=_left_to_others), ""):
        raise invalid(pointer, "the character U+0000 is not allowed")


def _left_to_others(_: object) -> None:
    """Look into no `Raw`: who decodes it looks himself."""


def _nuls(value: object, pointer: str) -> Iterator[str]:
    if isinstance(value, str) and NUL in value:
        yield pointer
    members = value.items() if isinstance(value, dict) else ()
    elements = enumerate(value) if isinstance(value, list | tuple) else ()
    for name, inner in (*members, *elements):
        yield from _nuls(inner, f"{pointer}/{escaped(str(name))}")


def in_utc(instant: Instant, pointer: str) -> Instant:
    """Return an instant of a body in UTC."""
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise invalid(pointer, "no calendar has this instant") from error


def invalid(pointer: str, detail: str) -> Refused:
    """Return the refusal of one value of the body."""
    where = f"{pointer}: " if pointer else ""
    fault = Fault(pointer=pointer, detail=detail)
    return Refused(ErrorCode.INVALID, f"{where}{detail}", fault)
