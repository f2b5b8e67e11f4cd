"""`kapok phones`: the process of simulated phones; started by `kapok demo` and `load` only."""

import sys
from pathlib import Path

import click
import msgspec

from dispatch.clock import SystemClock
from dispatch.phone.fleet import FleetOptions, TooFewFiles
from dispatch.phone.process import FleetProgress, run_fleet


@click.command(hidden=True)
@click.option("--file", "file", type=click.Path(path_type=Path), required=True)
@click.option("--url", required=True)
@click.option("--options", "options", required=True, help="FleetOptions as JSON.")
def phones(file: Path, url: str, options: str) -> None:
    """Run the phones of a file until standard input says stop."""
    chosen = msgspec.json.decode(options, type=FleetOptions)
    try:
        sys.exit(run_fleet(file, url, chosen, _tell, clock=SystemClock()))
    except TooFewFiles as error:
        raise click.ClickException(str(error)) from error


def _tell(progress: FleetProgress) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(progress) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    phones()  # alone, without what other commands need: half the memory
