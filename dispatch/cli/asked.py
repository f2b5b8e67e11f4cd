"""What commands ask of a running service, with a key as any client has one."""

from collections.abc import Callable, Iterator, Mapping
from math import inf
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import click
import httpx
import msgspec
import numpy as np

from dispatch.cli.codes import Away, Failure
from geo.coverage import Covered
from geo.jurisdiction import is_path
from geo.point import Floats
from schemas.coverage import CoverageView, GridFeature, GridPage
from schemas.rest import Problem

TIMEOUT_S: Final = 60.0
"""The first answer about a whole city takes some seconds."""
PAGE: Final = 2000
HEAD: Final = "path,weight"
URL: Final = "http://127.0.0.1:8110"

Command = Callable[..., None]
Page = TypeVar("Page", CoverageView, GridPage)


class Asked:
    """A running service, asked by one key; what it refuses ends the command with its reason."""

    def __init__(self, url: str, key: str, transport: httpx.BaseTransport | None = None) -> None:
        self._client = httpx.Client(
            base_url=url,
            timeout=TIMEOUT_S,
            headers={"Authorization": f"Bearer {key}"},
            transport=transport,
        )

    def __enter__(self) -> Self:
        """Begin to ask."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of all connections."""
        self._client.close()

    def coverage(self, jurisdiction: str | None, level: int | None) -> CoverageView:
        """Return the sums of a jurisdiction and of all its parts."""
        asked = {"jurisdiction": jurisdiction, "level": level, "limit": 200}
        pages = list(self._pages("/v1/coverage", asked, CoverageView))
        parts = [part for page in pages for part in page.parts]
        return msgspec.structs.replace(pages[0], parts=parts, next=None)

    def grids(self, jurisdiction: str | None) -> list[GridFeature]:
        """Return all grids of a jurisdiction, by path."""
        asked = {"jurisdiction": jurisdiction, "limit": PAGE}
        return [
            g for page in self._pages("/v1/coverage/grids", asked, GridPage) for g in page.features
        ]

    def _pages(self, path: str, asked: Mapping[str, Any], kind: type[Page]) -> Iterator[Page]:
        given = {name: value for name, value in asked.items() if value is not None}
        while True:
            page = self._get(path, given, kind)
            yield page
            if page.next is None:
                return
            given = {**given, "cursor": page.next}

    def _get(self, path: str, asked: Mapping[str, Any], kind: type[Page]) -> Page:
        try:
            answer = self._client.get(path, params=asked)
        except httpx.TransportError as error:
            raise Away(f"the service at {self._client.base_url} does not answer") from error
        if not answer.is_success:
            raise Failure(_why(answer))
        return msgspec.json.decode(answer.content, type=kind)


def _why(answer: httpx.Response) -> str:
    try:
        return f"refused: {msgspec.json.decode(answer.content, type=Problem).detail}"
    except msgspec.DecodeError:
        return f"refused with status {answer.status_code}"


def covered(grids: list[GridFeature]) -> tuple[Covered, Covered]:
    """Return how grids are covered, within each ring."""
    told = [grid.properties for grid in grids]
    return (
        Covered(np.array([t.units_180 for t in told], np.int32), np.array([t.p_180 for t in told])),
        Covered(np.array([t.units_300 for t in told], np.int32), np.array([t.p_300 for t in told])),
    )


def places(grids: list[GridFeature]) -> tuple[Floats, Floats]:
    """Return where grids are, lon and lat."""
    both = np.array([grid.geometry["coordinates"] for grid in grids], np.float64).reshape(-1, 2)
    return both[:, 0].copy(), both[:, 1].copy()


def read_weights(file: Path | None, paths: list[str]) -> Floats:
    """Return how much each grid counts: by a CSV of path,weight, 0 where it names none; else 1.

    A path stands for all grids under it that have no nearer one: a street's weight is that of
    each of its grids.
    """
    if file is None:
        return np.ones(len(paths))
    known = dict(_rows(file))
    return np.array([_nearest(known, path) for path in paths], np.float64)


def _nearest(known: Mapping[str, float], path: str) -> float:
    while path and path not in known:
        path = path.rpartition(".")[0]
    return known.get(path, 0.0)


def _rows(file: Path) -> Iterator[tuple[str, float]]:
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (number == 1 and line.replace(" ", "") == HEAD):
            continue
        path, _, text = (part.strip() for part in line.partition(","))
        weight = _weight(text)
        if not is_path(path) or weight is None:
            raise Failure(f"{file}, line {number}: expected a path and a weight of 0 or more")
        yield path, weight


def _weight(text: str) -> float | None:
    try:
        weight = float(text)
    except ValueError:
        return None
    return weight if 0.0 <= weight < inf else None


def options(command: Command) -> Command:
    """Give a command the options by which a service is asked."""
    for option in (
        click.option(
            "--url",
            envvar="KAPOK_URL",
            default=URL,
            show_default=True,
            show_envvar=True,
            help="The service that is asked.",
        ),
        click.option(
            "--key",
            envvar="KAPOK_KEY",
            required=True,
            show_envvar=True,
            help="An API key that may see units.",
        ),
        click.option(
            "--jurisdiction", metavar="PATH", help="What is asked about.  [default: the key's]"
        ),
        click.option(
            "--weights",
            "weights",
            metavar="FILE",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="How much each grid counts: CSV of path,weight.  [default: all alike]",
        ),
    ):
        command = option(command)
    return command
