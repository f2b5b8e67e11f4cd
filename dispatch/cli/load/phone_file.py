"""The phones of a load run: a file of tokens, and where REST says that their units stand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from dispatch.cli.codes import Failure
from dispatch.phone.fleet import PhoneLine
from geo.eta import Moves
from geo.point import Point
from schemas.base import Record

NAMED_MOST: Final = 5


class Token(Record, frozen=True, kw_only=True):
    """A line as `kapok devices issue` writes it; `unit` is a code or an id.

    `lon` and `lat` (WGS-84) go before what REST says.
    """

    device: str
    token: str
    unit: str
    lon: float | None = None
    lat: float | None = None


class Post(Record, frozen=True, kw_only=True):
    """A unit as REST shows it, and where it is at home."""

    id: str
    code: str
    lon: float
    lat: float
    moves: Moves


def read_tokens(path: Path) -> list[Token]:
    """Return the lines of a file.

    Raises:
        Failure: it cannot be read, a line is none, or it is empty.
    """
    try:
        tokens = msgspec.json.Decoder(Token).decode_lines(path.read_bytes())
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise Failure(f"{path}: {error}; expected lines of `kapok devices issue`") from error
    if not tokens:
        raise Failure(f"{path} names no phone")
    return tokens


def placed(tokens: Sequence[Token], posts: Sequence[Post]) -> list[PhoneLine]:
    """Return the phones with the ids and places of their units.

    Raises:
        Failure: there is no such unit, or the key does not see it.
    """
    known = {name: post for post in posts for name in (post.code, post.id)}
    strange = sorted({token.unit for token in tokens} - known.keys())
    if strange:
        some = ", ".join(strange[:NAMED_MOST])
        raise Failure(f"{len(strange)} units are unknown to the service or this key: {some} …")
    return [_line(token, known) for token in tokens]


def _line(token: Token, known: Mapping[str, Post]) -> PhoneLine:
    post = known[token.unit]
    place = Point(post.lon, post.lat)
    if token.lon is not None and token.lat is not None:
        place = Point(token.lon, token.lat)
    return PhoneLine(
        device=token.device,
        token=token.token,
        unit=post.id,
        lon=place.lon,
        lat=place.lat,
        moves=post.moves,
    )


def shares(phones: Sequence[PhoneLine], processes: int) -> list[list[PhoneLine]]:
    """Return the phones for each process: as even as can be, the phones of a place spread."""
    return [list(phones[n::processes]) for n in range(processes)]
