"""`kapok load`: its options, and how it ends."""

from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console

from dispatch.cli.asked import URL
from dispatch.cli.codes import Code, Failure
from dispatch.cli.database import run
from dispatch.cli.load.prepare import prepare
from dispatch.cli.load.report import Report, text
from dispatch.cli.load.run import Run
from dispatch.cli.load.threshold import BadThreshold, Threshold, parse
from dispatch.cli.load.wish import Wish
from dispatch.cli.phone_fleet import DRAIN_S
from dispatch.phone.behaviour import Habits

USUAL: Final = Habits(roam=0.3)
CONNECT_WITHIN_S: Final = 180.0
FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
SHARE: Final = click.FloatRange(0, 1)


def _thresholds(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[Threshold, ...]:
    try:
        return tuple(map(parse, texts))
    except BadThreshold as error:
        raise click.BadParameter(str(error)) from error


@click.group("load", invoke_without_command=True)
@click.option("--url", default=URL, show_default=True, help="The service under load.")
@click.option("--key-file", type=FILE, help="Holds an API key of a dispatcher.")
@click.option("--phones-file", type=FILE, help="Lines of `kapok devices issue --out`.")
@click.option("--phones", "phones_most", type=click.IntRange(1), help="Only so many of them.")
@click.option("--processes", type=click.IntRange(1, 64), help="[as many as open files need]")
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(1, 86_400),
    default=60.0,
    show_default=True,
    help="Seconds that are measured, once all phones are online.",
)
@click.option(
    "--incidents-per-minute",
    "per_minute",
    type=click.FloatRange(0, 6000),
    default=30.0,
    show_default=True,
    help="Called in as drills, near the phones' posts.",
)
@click.option(
    "--fixes-per-second",
    "fixes_per_s",
    type=click.FloatRange(0, 100_000),
    default=0.0,
    help="Let who moves report so often that all together are so many.  [as the policy says]",
)
@click.option("--accept", type=SHARE, default=USUAL.accept, show_default=True, help="Of offers.")
@click.option(
    "--decline",
    type=SHARE,
    default=USUAL.decline,
    show_default=True,
    help="Of offers; the rest is ignored.",
)
@click.option(
    "--moving", type=SHARE, default=USUAL.roam, show_default=True, help="Of phones, when idle."
)
@click.option(
    "--haste",
    type=click.FloatRange(0.1, 100),
    default=1.0,
    show_default=True,
    help="People see, decide and finish so many times as fast.",
)
@click.option(
    "--drops-per-minute",
    "drops_per_min",
    type=click.FloatRange(0, 600_000),
    default=0.0,
    show_default=True,
    help="Phones that drop off the net, and come back.",
)
@click.option(
    "--connects-per-second",
    "connect_per_s",
    type=click.IntRange(1, 10_000),
    default=1000,
    show_default=True,
    help="At most.",
)
@click.option(
    "--connect-within",
    "connect_within_s",
    type=click.FloatRange(1, 3600),
    default=CONNECT_WITHIN_S,
    show_default=True,
    help="Seconds; then it goes on with the phones that are there.",
)
@click.option(
    "--drain",
    "drain_s",
    type=click.FloatRange(0, 60),
    default=DRAIN_S,
    show_default=True,
    help="Seconds in which phones still listen at the end.",
)
@click.option(
    "--server-pid",
    "server_pids",
    type=click.IntRange(1),
    multiple=True,
    help="A process of the service on this machine, to be watched with all it starts.",
)
@click.option(
    "--fail-if",
    "thresholds",
    multiple=True,
    callback=_thresholds,
    metavar="NAME>NUMBER",
    help="Exit code 1 if so; or <, >=, <=. Losses fail without it.",
)
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write JSON here.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.pass_context
def load(
    context: click.Context,
    /,
    url: str,
    key_file: Path | None,
    phones_file: Path | None,
    accept: float,
    decline: float,
    moving: float,
    haste: float,
    **asked: object,
) -> int:
    """Put a running service under load: real phones, real calls, and a proof of what came of it.

    It knows the service by its address, a key and the phones' tokens, and never sees its database.
    Incidents are real to everybody who is on duty there: use a test installation.
    """
    if context.invoked_subcommand is not None:
        return Code.OK
    if key_file is None or phones_file is None:
        raise click.UsageError("name --key-file and --phones-file")
    if accept + decline > 1:
        raise click.UsageError(
            "--accept and --decline are shares of all offers: 1 together at most"
        )
    wish = msgspec.convert(
        {
            **asked,
            "url": url.rstrip("/"),
            "key": _key(key_file),
            "phones_file": phones_file,
            "habits": people(accept, decline, moving, haste),
        },
        Wish,
    )
    report = run(Run(wish, Console(stderr=True)).run())
    _hand_over(report, wish.report)
    return Code.FAILED if report.failed else Code.OK


load.add_command(prepare)


def people(accept: float, decline: float, moving: float, haste: float) -> Habits:
    """Return how people are; only their own seconds are shorter in haste, never the way."""
    return Habits(
        accept=accept,
        decline=decline,
        roam=moving,
        see_s=USUAL.see_s / haste,
        decide_s=USUAL.decide_s / haste,
        turnout_s=USUAL.turnout_s / haste,
        control_s=USUAL.control_s / haste,
        resolve_s=USUAL.resolve_s / haste,
    )


def _key(path: Path) -> str:
    key = path.read_text(encoding="utf-8").strip()
    if not key.isascii() or not key.isprintable() or not key:
        raise Failure(f"{path} holds no API key")
    return key


def _hand_over(report: Report, path: Path | None) -> None:
    if path is not None:
        data = msgspec.json.format(msgspec.json.encode(report), indent=2)
        path.write_bytes(data + b"\n")
    click.echo(text(report))
