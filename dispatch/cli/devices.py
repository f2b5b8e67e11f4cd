"""`kapok devices`: tokens for the phones of members, shown or written once."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Final

import click
import msgspec

from dispatch.auth import DEVICE_PREFIX, token_hash
from dispatch.cli import database
from dispatch.cli.codes import Failure, NothingGood
from dispatch.cli.progress import steps
from dispatch.cli.texts import shown
from dispatch.clock import SystemClock, new_token
from dispatch.settings import Settings
from dispatch.store.registry import IssuedDevice, Registry
from schemas.base import DeviceId, MemberId, Record, UnitId
from schemas.unit import Member

OWNER_ONLY: Final = 0o600


class Issued(Record, frozen=True, kw_only=True):
    """One line of what was issued: a unit's code, a member's name, a device's id and token."""

    unit: str
    member: str
    device: str
    token: str


class Choice(Record, frozen=True, kw_only=True):
    """Whose phones get tokens."""

    unit: str | None
    member: str | None
    again: bool


@click.group("devices")
def devices() -> None:
    """Phones of members."""


@devices.command("issue")
@click.option("--unit", metavar="CODE", help="The unit whose members' phones get tokens.")
@click.option("--member", metavar="NAME|ID", help="Only this member of the unit.")
@click.option("--all", "everyone", is_flag=True, help="All members who have no phone yet.")
@click.option("--again", is_flag=True, help="With --all: those who have one too; it is cut off.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A new file, readable by its owner only; JSON, a line each.",
)
@database.options
def issue(
    settings: Settings,
    unit: str | None,
    member: str | None,
    out: Path | None,
    *,
    everyone: bool,
    again: bool,
) -> None:
    """Issue tokens, each shown this once: only its SHA-256 is kept.

    A member has one phone: a new token cuts the earlier one off. Each line is JSON with unit
    (its code), member (the name), device and token.
    """
    if everyone == (unit is not None):
        raise click.UsageError("name either --unit or --all")
    if everyone and out is None:
        raise click.UsageError("--all writes a file: name it with --out")
    if member is not None and everyone:
        raise click.UsageError("--member goes with --unit")
    choice = Choice(unit=unit, member=member, again=again or not everyone)
    with _written(out) as file:
        issued = database.run(_issue(settings, choice, file))
    if file is None:
        click.echo(_lines(issued).decode(), nl=False)
    click.echo(f"{len(issued)} tokens issued; they are not shown again", err=True)


@contextmanager
def _written(out: Path | None) -> Iterator[FileIO | None]:
    """Make the file before anything is issued, and take it away when nothing was.

    Raises:
        Failure: there is such a file already, or it cannot be made.
    """
    if out is None:
        yield None
        return
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except FileExistsError as error:
        raise Failure(f"{out} is there already, and is not overwritten") from error
    except OSError as error:
        raise Failure(f"cannot make {out}: {error.strerror}") from error
    try:
        with FileIO(descriptor, "wb") as file:  # no buffer: closing it cannot fail
            yield file
    except BaseException:
        out.unlink(missing_ok=True)
        raise


async def _issue(settings: Settings, choice: Choice, file: FileIO | None) -> list[Issued]:
    """Issue, and have the tokens on disk before they open anything."""
    async with database.registered(settings) as registry:
        members, codes = await _chosen(registry, choice)
        async with registry.transaction():
            issued = await _put(registry, members, codes)
            if file is not None:
                _keep(file, issued)
    return issued


async def _chosen(registry: Registry, choice: Choice) -> tuple[list[Member], Mapping[UnitId, str]]:
    """Return the members to be given tokens, and the code of each unit by its id."""
    ids = await registry.unit_ids()
    codes = {unit_id: code for code, unit_id in ids.items()}
    if choice.unit is not None and choice.unit not in ids:
        raise Failure(f"there is no unit {shown(choice.unit)}")
    unit_id = ids.get(choice.unit or "")
    members = [m for m in await registry.members() if unit_id in {None, m.unit_id}]
    if choice.member is not None:
        members = [_only(members, choice.member)]
    if not choice.again:
        having = await registry.device_ids()
        members = [m for m in members if m.id not in having]
    if not members:
        raise NothingGood("nobody is left to be given a phone")
    return sorted(members, key=lambda m: (codes[m.unit_id], m.id)), codes


def _only(members: Sequence[Member], wanted: str) -> Member:
    found = [m for m in members if wanted in {m.id, m.name}]
    if not found:
        raise Failure(f"the unit has no member {shown(wanted)}")
    if len(found) > 1:
        ids = ", ".join(m.id for m in found)
        raise Failure(f"the unit has several members {shown(wanted)}: name one by id, of {ids}")
    return found[0]


async def _put(
    registry: Registry, members: Sequence[Member], codes: Mapping[UnitId, str]
) -> list[Issued]:
    new_id = SystemClock().new_id
    tokens = {m.id: new_token(DEVICE_PREFIX) for m in members}
    rows = [
        IssuedDevice(
            id=DeviceId(new_id()),
            unit_id=m.unit_id,
            member_id=m.id,
            token_hash=token_hash(tokens[m.id]),
        )
        for m in members
    ]
    for some in steps(rows, "phones"):
        await registry.put_devices(some)
    ids = await registry.device_ids()
    return [_issued(m, codes, ids, tokens) for m in members]


def _issued(
    member: Member,
    codes: Mapping[UnitId, str],
    ids: Mapping[MemberId, DeviceId],
    tokens: Mapping[MemberId, str],
) -> Issued:
    return Issued(
        unit=codes[member.unit_id],
        member=member.name,
        device=ids[member.id],
        token=tokens[member.id],
    )


def _keep(file: FileIO, issued: Sequence[Issued]) -> None:
    left = memoryview(_lines(issued))
    try:
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
    except OSError as error:
        raise Failure(f"cannot write the tokens, none is issued: {error.strerror}") from error


def _lines(issued: Sequence[Issued]) -> bytes:
    return b"".join(msgspec.json.encode(each) + b"\n" for each in issued)
