"""`kapok load prepare`: the synthetic city in a test database, with a key and tokens."""

import os
from pathlib import Path
from typing import Final

import click
import msgspec

from dispatch.auth import KEY_PREFIX, Role, token_hash
from dispatch.cli import database
from dispatch.cli.city import IssuedPhone, register
from dispatch.cli.codes import Failure
from dispatch.cli.load.phone_file import Token
from dispatch.clock import SystemClock, new_token
from dispatch.settings import Settings
from dispatch.store.connection import connected
from dispatch.store.migrate import migrate
from dispatch.store.registry import registry
from geo.city import UNITS
from geo.city.city import City
from geo.city.store import cached
from schemas.base import KeyId

SEED: Final = 20241
ROOT: Final = "gz"
NAME: Final = "load"
OWNER_ONLY: Final = 0o600
KEY_FILE: Final = "load.key"
PHONES_FILE: Final = "phones.jsonl"


@click.command()
@click.option("--units", type=click.IntRange(20, UNITS), default=UNITS, show_default=True)
@click.option("--phones", type=click.IntRange(1, UNITS), help="Units with a phone.  [all]")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help=f"A folder for {KEY_FILE} and {PHONES_FILE}, readable by their owner only.",
)
@click.option("--seed", type=click.IntRange(0), default=SEED, show_default=True)
@database.options
def prepare(settings: Settings, units: int, phones: int | None, out: Path, seed: int) -> None:
    """Register a synthetic city, for a test installation only.

    Units, members and phones of an earlier time keep their ids and get new tokens, as does the
    key. Start the service afterwards; one that runs must be started anew.
    """
    out.mkdir(parents=True, exist_ok=True)
    city = cached(settings.data / "city", seed, units)
    key = new_token(KEY_PREFIX)
    issued = database.run(_register(settings, city, phones or units, key))
    _write(out / KEY_FILE, f"{key}\n".encode())
    _write(out / PHONES_FILE, b"".join(_line(each) for each in issued))
    click.echo(
        f"{len(issued)} phones in {out / PHONES_FILE}, a dispatcher's key in {out / KEY_FILE}"
    )


async def _register(settings: Settings, city: City, phones: int, key: str) -> list[IssuedPhone]:
    async with database.database(settings) as dsn:
        async with connected(dsn) as connection:
            await migrate(connection)
        return await _registered(dsn, city, phones, key)


async def _registered(dsn: str, city: City, phones: int, key: str) -> list[IssuedPhone]:
    clock = SystemClock()
    async with registry(dsn) as opened:
        issued = await register(opened, city, phones, clock.new_id, lambda *_: None)
        for old in await opened.keys():
            if old.name == NAME and old.revoked_at is None:
                await opened.revoke_key(old.id)
        await opened.put_key(KeyId(clock.new_id()), NAME, Role.DISPATCHER, ROOT, token_hash(key))
    return issued


def _line(phone: IssuedPhone) -> bytes:
    token = Token(device=phone.device, token=phone.token, unit=phone.unit)
    return msgspec.json.encode(token) + b"\n"


def _write(path: Path, data: bytes) -> None:
    """Write a file for its owner only, whoever had it before."""
    path.unlink(missing_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except OSError as error:
        raise Failure(f"cannot make {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
