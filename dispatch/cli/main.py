"""`kapok`: the table of commands, and what their ends mean to a shell."""

from collections.abc import Sequence
from typing import Final

import click

from dispatch.cli.backup import backup
from dispatch.cli.codes import MEANINGS, Code
from dispatch.cli.coverage import coverage
from dispatch.cli.demo import demo
from dispatch.cli.devices import devices
from dispatch.cli.doctor import doctor
from dispatch.cli.importing import import_
from dispatch.cli.keys import keys
from dispatch.cli.load import load
from dispatch.cli.migrate import migrate
from dispatch.cli.phones import phones
from dispatch.cli.plan import plan
from dispatch.cli.replay import replay_protocol
from dispatch.cli.restore import restore
from dispatch.cli.serve import serve
from dispatch.cli.worker import worker
from dispatch.settings import BadSetting

COMMANDS: Final[tuple[click.Command, ...]] = (
    serve,
    worker,
    demo,
    phones,
    load,
    migrate,
    import_,
    keys,
    devices,
    doctor,
    backup,
    restore,
    replay_protocol,
    coverage,
    plan,
)

_CODES: Final = "\n".join(f"{code:>5}  {meaning}" for code, meaning in MEANINGS.items())


@click.group(epilog=f"\b\nExit codes:\n{_CODES}")
@click.version_option(package_name="kapok")
def kapok() -> None:
    """Kapok finds the units that can be there in time, asks them, and keeps at it.

    Every setting is an environment variable or an option; the option wins.
    """


for _command in COMMANDS:
    kapok.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; expected failures are told on stderr."""
    given = None if arguments is None else list(arguments)
    try:
        code = kapok.main(args=given, prog_name="kapok", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BadSetting as error:
        click.echo(f"Error: {error}", err=True)
        return Code.USAGE
    except click.Abort:  # click's word for Ctrl-C
        click.echo("interrupted", err=True)
        return Code.INTERRUPTED
    return code if isinstance(code, int) else Code.OK
