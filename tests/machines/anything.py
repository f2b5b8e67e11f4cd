"""Frames of every kind, drawn from the structs that define them, and what may happen to them."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, get_args

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from schemas.wire import ClientMessage, FixRow

KINDS: Final = get_args(ClientMessage)
JSON: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
BYTES: Final = st.binary(min_size=1, max_size=3)


@cache
def frames() -> st.SearchStrategy[dict[str, Any]]:
    """Return any valid frame, as its JSON object."""
    return st.one_of([_frame(kind) for kind in KINDS])


def frames_of(kind: type, **given: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return any valid frame of a kind, with some fields drawn as told."""
    told = st.fixed_dictionaries(dict(given))
    return st.builds(lambda frame, fields: {**frame, **fields}, _frame(kind), told)


@st.composite
def wounded(draw: st.DrawFn) -> bytes:
    """Return the bytes of a frame to which one thing or two has happened."""
    frame = draw(frames())
    for _ in range(draw(st.integers(0, 2))):
        frame = _wound(draw, frame)
    text = msgspec.json.encode(frame)
    if draw(st.booleans()):
        return text
    at = draw(st.integers(0, len(text)))
    cut = draw(st.integers(0, 4))
    return text[:at] + draw(BYTES | st.just(b"")) + text[at + cut :]


def _wound(draw: st.DrawFn, frame: dict[str, Any]) -> dict[str, Any]:
    name = draw(st.sampled_from(sorted(frame) or ["t"]))
    match draw(st.sampled_from(["lose", "change", "add", "deepen", "other"])):
        case "lose":
            return {key: value for key, value in frame.items() if key != name}
        case "change":
            return {**frame, name: draw(JSON)}
        case "add":
            return {**frame, draw(st.text(max_size=6)): draw(JSON)}
        case "deepen":
            return {**frame, name: [[frame.get(name)] * 3]}
        case _:
            return {**frame, "t": draw(frames())["t"]}


# From a type to its values. ----------------------------------------------------------------------


@cache
def _frame(kind: type) -> st.SearchStrategy[dict[str, Any]]:
    return _values(inspect.type_info(kind))


def _values(known: inspect.Type) -> st.SearchStrategy[Any]:
    match known:
        case inspect.Metadata(type=inner):
            return _values(inner)
        case inspect.StructType():
            return _struct(known)
        case inspect.UnionType(types=types):
            return st.one_of([_values(one) for one in types])
        case inspect.ListType(item_type=item, min_length=least, max_length=most):
            return st.lists(_values(item), min_size=least or 0, max_size=min(most or 4, 4))
        case inspect.EnumType(cls=cls):
            return st.sampled_from([one.value for one in cls])
        case inspect.StrType():
            return _text(known)
        case inspect.IntType(ge=ge, le=le):
            return st.integers(_or(ge, -(2**63)), _or(le, 2**63 - 1))
        case inspect.FloatType(ge=ge, le=le):
            return st.floats(ge, le, allow_nan=False, allow_infinity=False)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.RawType():
            return _values(inspect.type_info(FixRow)) | JSON
        case _:
            raise TypeError(f"no values are known of {known}")


def _or(bound: float | None, usual: int) -> int:
    return usual if bound is None else int(bound)


def _text(known: inspect.StrType) -> st.SearchStrategy[str]:
    if known.pattern is not None:
        return st.from_regex(r"[0-9A-Za-z-]{16,36}", fullmatch=True)
    most = min(known.max_length or 12, 12)
    words = st.text(st.characters(exclude_categories=["Cs"]), max_size=most)
    return words.filter(lambda word: len(word) >= (known.min_length or 0))


def _struct(known: inspect.StructType) -> st.SearchStrategy[Any]:
    fields: Mapping[str, st.SearchStrategy[Any]] = {
        field.encode_name: _values(field.type) for field in known.fields
    }
    if known.array_like:
        return st.tuples(*fields.values()).map(list)
    needed = {f.encode_name for f in known.fields if f.required}
    tag = {"t": st.just(known.tag)} if known.tag_field else {}
    return st.fixed_dictionaries(
        {**tag, **{name: fields[name] for name in fields if name in needed}},
        optional={name: fields[name] for name in fields if name not in needed},
    )
