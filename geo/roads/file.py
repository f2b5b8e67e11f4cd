"""The road graph in one file of raw arrays, mapped read-only and so shared by all processes.

Line 1 names the format and its version, line 2 is the SHA-256 of line 3, and line 3 is JSON: what
the graph is about, the SHA-256 of all bytes after it, and where each array stands. Arrays are
little-endian, at multiples of 64 bytes from the first such multiple behind line 3.
"""

import json
import mmap
from collections.abc import Iterator
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from geo.point import Box
from geo.roads.graph import About, Grid, RoadGraph

# It rises with every change of the file.
VERSION: Final = 1
FORMAT: Final = b"kapok-roads "
MAGIC: Final = FORMAT + b"%d\n" % VERSION
VERSION_DIGITS: Final = 8
DIGEST_LINE: Final = 65
HEADER_BYTES_MOST: Final = 64 * 1024
ALIGNED: Final = 64

TYPES: Final[dict[str, str]] = {
    "node_lon": "<i4",
    "node_lat": "<i4",
    "segment_a": "<i4",
    "segment_b": "<i4",
    "segment_m": "<f4",
    "segment_class": "|u1",
    "segment_main": "|u1",
    "segment_s": "<f4",
    "shape_first": "<i4",
    "shape_lon": "<i4",
    "shape_lat": "<i4",
    "shape_m": "<f4",
    "arc_first": "<i4",
    "arc_from": "<i4",
    "arc_segment": "<i4",
    "arc_s": "<f4",
    "cell_first": "<i4",
    "cell_piece": "<i4",
    "cell_segment": "<i4",
}


class BadRoadsError(ValueError):
    """The file is no road graph of this version, or not a whole one."""


def save(graph: RoadGraph, path: Path) -> None:
    """Write the graph; a reader sees the old file or the new one, never a part."""
    header = _header(graph)
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(MAGIC + sha256(header).hexdigest().encode() + b"\n" + header)
            file.write(bytes(-file.tell() % ALIGNED))
            for block in _blocks(graph):
                file.write(block)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def load(path: Path, *, verify: bool = False) -> RoadGraph:
    """Return the graph of a file, its arrays read-only maps of it.

    Format, version and size are always checked, every byte with `verify` (about a second for a
    province). The file must not be written to while it is mapped; `save` never does, it replaces.

    Raises:
        FileNotFoundError: There is no file.
        BadRoadsError: It is none of this version, or damaged.
    """
    with path.open("rb") as file:
        header = _checked_header(file)
        start = file.tell() + -file.tell() % ALIGNED
        size = file.seek(0, 2)
        if size != start + header["bytes"]:
            raise BadRoadsError(
                f"{path} has {size:,} bytes and not the {start + header['bytes']:,} it should: "
                "it was not written or copied to its end"
            )
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if verify and sha256(memoryview(mapped)[start:]).hexdigest() != header["sha256"]:
        raise BadRoadsError(f"{path} is damaged: its SHA-256 is not the one it was written with")
    arrays = {
        name: np.frombuffer(mapped, kind, int(np.prod(shape)), start + offset).reshape(shape)
        for name, kind, shape, offset in header["arrays"]
    }
    return RoadGraph(**arrays, grid=Grid(*header["grid"]), about=_about(header["about"]))


def _checked_header(file: BinaryIO) -> dict[str, Any]:
    """Return line 3 of a file at its start; the file is then where the arrays begin, or before."""
    magic = file.readline(len(MAGIC) + VERSION_DIGITS)
    if magic != MAGIC:
        if magic.startswith(FORMAT):
            found = magic[len(FORMAT) :].decode(errors="replace").strip()
            raise BadRoadsError(
                f"{file.name} is of version {found}, not {VERSION}: import the roads again"
            )
        raise BadRoadsError(f"{file.name} is no file of roads: `kapok import roads` makes one")
    digest, line = file.readline(DIGEST_LINE), file.readline(HEADER_BYTES_MOST)
    if sha256(line).hexdigest().encode() != digest.rstrip():
        raise BadRoadsError(
            f"{file.name} is damaged: its header is not the one it was written with"
        )
    header: dict[str, Any] = json.loads(line)
    return header


def _about(given: dict[str, Any]) -> About:
    lists = {"box": Box(*given["box"]), "km": tuple(given["km"])}
    return About(**{**given, **lists, "main_share": tuple(given["main_share"])})


def _header(graph: RoadGraph) -> bytes:
    """Return line 3; the same graph gives the same bytes."""
    arrays, offset = [], 0
    for name, array in _arrays(graph):
        arrays.append((name, TYPES[name], array.shape, offset))
        offset += array.nbytes + -array.nbytes % ALIGNED
    digest = sha256()
    for block in _blocks(graph):
        digest.update(block)
    header = {
        "about": asdict(graph.about),
        "grid": graph.grid,
        "arrays": arrays,
        "bytes": offset,
        "sha256": digest.hexdigest(),
    }
    return json.dumps(header, ensure_ascii=False).encode() + b"\n"


def _arrays(graph: RoadGraph) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, kind in TYPES.items():
        yield name, np.ascontiguousarray(getattr(graph, name), dtype=kind)


def _blocks(graph: RoadGraph) -> Iterator[memoryview | bytes]:
    """Go through the bytes of all arrays, each filled up to where the next may begin."""
    for _, array in _arrays(graph):
        yield array.reshape(-1).view(np.uint8).data
        yield bytes(-array.nbytes % ALIGNED)
