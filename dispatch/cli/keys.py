"""`kapok keys`: API keys, shown once when made, revoked by their id."""

import click

from dispatch.auth import KEY_PREFIX, Role, token_hash
from dispatch.cli import database
from dispatch.cli.codes import Failure
from dispatch.cli.texts import NAME_CHARS, is_plain
from dispatch.clock import SystemClock, new_token
from dispatch.settings import Settings
from dispatch.store.registry import KeyRow
from geo.jurisdiction import is_path
from schemas.base import KeyId

HEAD = ("id", "name", "role", "jurisdiction", "created", "revoked")


@click.group("keys")
def keys() -> None:
    """API keys of feeds, consoles and registrars."""


def _plain(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    if not is_plain(text.strip(), NAME_CHARS):
        raise click.BadParameter(f"not 1 to {NAME_CHARS} printable characters")
    return text.strip()


def _path(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    if not is_path(text):
        raise click.BadParameter(f"{text!r} is no path like gz.huangpu")
    return text


@keys.command("create")
@click.option("--name", required=True, callback=_plain, help="Whose key it is.")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]))
@click.option(
    "--jurisdiction", required=True, callback=_path, metavar="PATH", help="The key's scope, gz.…"
)
@database.options
def create(settings: Settings, name: str, role: str, jurisdiction: str) -> None:
    """Make a key and print its token, this once: only its SHA-256 is kept."""
    token, key = new_token(KEY_PREFIX), KeyId(SystemClock().new_id())
    known = database.run(_put(settings, key, name, role, jurisdiction, token))
    click.echo(token)
    click.echo(f"key {key}: {role} under {jurisdiction}; the token is not shown again", err=True)
    if not known:
        click.echo(f"note: there is no jurisdiction {jurisdiction} yet", err=True)


@keys.command("list")
@database.options
def list_(settings: Settings) -> None:
    """List all keys, oldest first, revoked ones too; a line each, columns parted by tabs."""
    for row in (HEAD, *map(_columns, database.run(_all(settings)))):
        click.echo("\t".join(row))


@keys.command("revoke")
@click.argument("key", metavar="ID")
@database.options
def revoke(settings: Settings, key: str) -> None:
    """Let a key open nothing any more; a running service knows within a second."""
    if not database.run(_revoke(settings, KeyId(key))):
        raise Failure(f"no key {key!r} is in force")
    click.echo(f"revoked {key}")


async def _put(
    settings: Settings, key: KeyId, name: str, role: str, juris: str, token: str
) -> bool:
    """Return whether the jurisdiction is known."""
    async with database.registered(settings) as registry:
        await registry.put_key(key, name, role, juris, token_hash(token))
        return any(each.path == juris for each in await registry.jurisdictions())


async def _all(settings: Settings) -> list[KeyRow]:
    async with database.registered(settings) as registry:
        return await registry.keys()


async def _revoke(settings: Settings, key: KeyId) -> bool:
    async with database.registered(settings) as registry:
        return await registry.revoke_key(key)


def _columns(row: KeyRow) -> tuple[str, ...]:
    revoked = row.revoked_at.isoformat(timespec="seconds") if row.revoked_at else "-"
    created = row.created_at.isoformat(timespec="seconds")
    return (row.id, row.name, row.role, row.juris, created, revoked)
