"""What the demo shows: its stages while it starts, then one live screen."""

from typing import Final

from rich.console import Console
from rich.table import Table

from dispatch.cli.bridge import ClosedBridge
from dispatch.cli.calls import Called
from dispatch.cli.terminal import Terminal
from dispatch.phone.process import FleetProgress
from dispatch.store.ledger import Counts
from geo.city import City

QUIET_S: Final = 5.0
"""Without a terminal a line is printed this often."""
STAGES: Final = {
    "city": "building the city (cached after the first time)",
    "database": "starting PostgreSQL",
    "service": "starting the service",
    "phones": "connecting the phones",
}


class Stages:
    """Says what is going on while the demo starts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: tuple[str, int] = ("", -1)

    def begin(self, stage: str) -> None:
        """Name the stage that begins."""
        self._console.print(f"[bold]{STAGES[stage]}[/] …")

    def progress(self, what: str, done: int, total: int) -> None:
        """Print a line a fifth of the way."""
        fifth = 5 * done // max(1, total)
        if (what, fifth) != self._last:
            self._console.print(f"  {what}: {done:,} of {total:,}")
            self._last = (what, fifth)

    def invite(self, url: str, key: str, city: City) -> None:
        """Tell how to take part."""
        place = city.units[0].home
        body = (
            '{"kind":"injury","priority":2,"title":"路人摔伤","drill":false,'
            f'"position":{{"lon":{place.lon},"lat":{place.lat},"datum":"wgs84"}}}}'
        )
        lines = (
            "",
            f"[bold]Kapok[/] answers at {url}   API description: {url}/schema/openapi.json",
            f"API key (dispatcher, until the next demo): {key}",
            "Try:",
            f"  curl -s {url}/v1/incidents?limit=3 -H 'Authorization: Bearer {key}'",
            f"  curl -s {url}/v1/incidents -H 'Authorization: Bearer {key}' \\",
            "    -H 'Idempotency-Key: try-1' -H 'Content-Type: application/json' \\",
            f"    -d '{body}'",
            "",
        )
        for line in lines:
            self._console.print(line, soft_wrap=True, highlight=False)

    def closed(self, bridge: ClosedBridge | None) -> None:
        """Tell what the closed bridge costs."""
        if bridge is None:
            return
        self._console.print(
            f"[bold]{bridge.bridge}[/] is closed: within five minutes of its end by motorbike"
            f" {bridge.km_before:.0f} km of road became {bridge.km_after:.0f}",
            soft_wrap=True,
            highlight=False,
        )


class Screen(Terminal):
    """The run on one screen; a line now and then where there is no terminal."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._said_s = -QUIET_S

    def show(
        self, seconds: float | None, fleet: FleetProgress, counts: Counts, called: Called
    ) -> None:
        """Show the figures as they stand; `seconds` is None once no more calls come."""
        if self.draw(lambda: _table(seconds, fleet, counts, called)):
            return
        if seconds is not None and seconds - self._said_s >= QUIET_S:
            self._said_s = seconds
            self._console.print(_line(seconds, fleet, counts), soft_wrap=True, highlight=False)


def _line(seconds: float, fleet: FleetProgress, counts: Counts) -> str:
    return (
        f"{seconds:4.0f} s  phones {fleet.tally.online}  incidents {counts.incidents}"
        f" ({counts.open} open)  offers {counts.offers}  accepted {counts.accepted}"
        f"  arrived {counts.arrived}  push p50 {fleet.push_ms.p50:.1f} ms"
    )


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _table(seconds: float | None, fleet: FleetProgress, counts: Counts, called: Called) -> Table:
    table = Table(title="Kapok 木棉", show_header=False, min_width=60)
    table.add_column(style="bold")
    table.add_column(justify="right")
    tally, push = fleet.tally, fleet.push_ms
    rows = (
        ("running", "the last calls" if seconds is None else f"{seconds:.0f} s"),
        ("phones online", f"{tally.online:,} of {tally.phones:,}"),
        ("fixes sent", f"{tally.fixes:,}"),
        ("incidents (acknowledged)", f"{counts.incidents:,} ({called.acknowledged:,})"),
        ("  open", f"{counts.open:,}"),
        ("offers", f"{counts.offers:,}"),
        ("accepted", f"{counts.accepted:,}"),
        ("arrived", f"{counts.arrived:,}"),
        ("  first inside 3 min / 5 min", f"{counts.within_180_s:,} / {counts.within_300_s:,}"),
        ("call to first accept, p50", _seconds(counts.accepted_p50_s)),
        ("push p50 / p99", f"{push.p50:.1f} / {push.p99:.1f} ms"),
    )
    for name, value in rows:
        table.add_row(name, value)
    return table
