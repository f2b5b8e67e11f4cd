"""A load run while it goes on: one live table on a terminal, nothing elsewhere."""

from rich.table import Table

from dispatch.cli.calls import Called
from dispatch.cli.terminal import Terminal
from dispatch.phone.diary import Tally
from dispatch.phone.latency import Quantiles
from schemas.base import Record


class Look(Record, frozen=True, kw_only=True):
    """How it goes right now; latencies are those of the worst process."""

    doing: str
    seconds: float
    tally: Tally
    called: Called
    push_ms: Quantiles
    pong_ms: Quantiles
    dead: int


class Screen(Terminal):
    """The run on one screen."""

    def show(self, look: Look) -> None:
        """Show how it goes."""
        self.draw(lambda: table(look))


def table(look: Look) -> Table:
    """Return the table."""
    found = Table(title=f"kapok load: {look.doing}", show_header=False, min_width=60)
    found.add_column(style="bold")
    found.add_column(justify="right")
    tally, called = look.tally, look.called
    for name, value in (
        ("seconds", f"{look.seconds:.0f}"),
        ("phones online", f"{tally.online:,} of {tally.phones:,}"),
        (
            "lines lost / dropped off",
            f"{sum(tally.disconnects.values()):,} / {tally.dropped_off:,}",
        ),
        ("fixes", f"{tally.fixes:,}"),
        ("incidents (acknowledged)", f"{called.sent:,} ({called.acknowledged:,})"),
        ("offers / accepts / tasks", f"{tally.offers:,} / {tally.accepts:,} / {tally.tasks:,}"),
        ("push p50 / p99", f"{look.push_ms.p50:.1f} / {look.push_ms.p99:.1f} ms"),
        ("pong p50 / p99", f"{look.pong_ms.p50:.1f} / {look.pong_ms.p99:.1f} ms"),
        ("doubled / out of order", f"{tally.doubled:,} / {tally.disordered + tally.rewound:,}"),
        ("dead processes", f"{look.dead}"),
    ):
        found.add_row(name, value)
    return found
