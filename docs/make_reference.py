"""Writes what the documents take from the code: pages of the reference, the tree of the README."""

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import click
from prometheus_client.metrics import MetricWrapperBase

from dispatch.api.problems import KINDS, Code
from dispatch.cli.main import kapok
from dispatch.core.lifecycle import ASSIGNMENT, DUTY, INCIDENT, OFFER, UNIT, State, Table, mermaid
from dispatch.core.plans import HIGHEST, NEEDS, plan_for
from dispatch.gateway.limits import RETRY_AFTER_S
from dispatch.settings import ENVIRONMENT, Settings
from dispatch.telemetry import Metrics
from schemas.plan import IncidentKind, Plan, Step
from schemas.wire import TEMPORARY, Close, ErrorCode

ROOT: Final = Path(__file__).parents[1]
REFERENCE: Final = Path("docs/reference")
MADE: Final = "<!-- Made by `make docs` from {}: change that, not this. -->"
TREE: Final = re.compile(r"(?<=<!-- tree -->\n).*?(?=<!-- end of tree -->)", re.DOTALL)
WIDTH: Final = 96
COLUMN: Final = 18

Rows = Iterable[Sequence[object]]


# What the code cannot say of itself. --------------------------------------------------------------

UNTOLD: Final = "not told yet"
"""Stands where a table below has no line for something new; a test looks for it."""
SIDES: Final = (
    "Who may pull a trigger: M member, O operator, C commander, S the engine or a clock, A admin, "
    "F feed."
)
SETTINGS: Final[Mapping[str, str]] = {
    "data": "The data folder: the embedded database, the generated city, logs of the demo.",
    "database_url": "An outside PostgreSQL, 15 or later; without it the embedded one is used.",
    "roads": "The road file of `kapok import roads`; the only one in the data folder by default.",
    "road_hours": "A file in TOML: how much slower roads are at which hours.",
    "router_url": "A Valhalla server that is asked first; what it does not say in 50 ms, we say.",
    "canary": "`on` or `off`: a hidden incident through every stage each minute.",
    "archive": "The folder in which the embedded database's log is kept as it grows.",
    "backups": "The folder in which `kapok backup` makes backups, and `kapok doctor` looks.",
    "keep_days": "How long incidents that are over, and their log, are kept: 183 days at least.",
    "ballast_mb": "What is held back for incidents on the embedded database's disk, and the measure"
    " of how full it may be; 0: nothing is held or looked at.",
    "host": "The address to listen on.",
    "port": "The port to listen on; 0 takes a free one.",
    "bus_url": "NATS servers between processes, `nats://name:password@a:4222,b:4222`, or `tls` "
    "beyond a private network; `…_FILE` names a file.",
    "workers": "How many processes hold phones and serve REST on this machine, 1 to 8.",
    "push_url": "Where pushes and short messages are handed over: https, or this machine.",
    "push_secret": "What those are signed with, 32 characters at least; `…_FILE` names a file.",
    "push_allow": "Private networks that `KAPOK_PUSH_URL` may lie in, as `10.1.0.0/16, fd00::/8`.",
    "sms_per_hour": "How many short messages may be asked for in an hour.",
    "oldest_apps": "The lowest versions of apps let in, as `name=1.2,other=3`; older: 4005.",
}
ERRORS: Final[Mapping[ErrorCode, str]] = {
    ErrorCode.BAD_FRAME: "No JSON object in UTF-8, or nested too deep.",
    ErrorCode.UNKNOWN_TYPE: "No such message.",
    ErrorCode.INVALID: "A field is missing or makes no sense; the path names it.",
    ErrorCode.TOO_LARGE: "More bytes than allowed.",
    ErrorCode.UNAUTHENTICATED: "The token or key is not known, or was revoked.",
    ErrorCode.FORBIDDEN: "Known, and not allowed.",
    ErrorCode.NOT_FOUND: "There is no such thing, or it is not yours: both sound the same.",
    ErrorCode.CONSENT_REQUIRED: "The member has not agreed to be located: no position is taken.",
    ErrorCode.CONFLICT: "The state tables hold no such step; the state that stands is told.",
    ErrorCode.TAKEN: "Other units arrive sooner.",
    ErrorCode.EXPIRED: "The offer is past its hard end.",
    ErrorCode.WITHDRAWN: "The offer was called back.",
    ErrorCode.CANCELLED: "The incident was called off.",
    ErrorCode.STALE: "The answer was tapped more than 90 s ago: ask the person again.",
    ErrorCode.NOT_ON_DUTY: "Positions are taken on duty or on a call only.",
    ErrorCode.ID_REUSE: "The same id came with another payload.",
    ErrorCode.NOT_READY: "Before the welcome only hello is understood.",
    ErrorCode.RATE_LIMITED: "Too many messages from this one.",
    ErrorCode.OVERLOADED: "Too much at once, or the database does not answer.",
    ErrorCode.INTERNAL: "A fault of the service; it is in its log.",
}
REST_ONLY: Final[Mapping[Code, str]] = {
    Code.BAD_REQUEST: "The request itself cannot be understood.",
    Code.BAD_BODY: "The body is empty, no JSON, not UTF-8, or nested too deep.",
    Code.BAD_PARAMETER: "A parameter is unknown or makes no sense; `errors` names it.",
    Code.KEY_REQUIRED: "A change came without exactly one good `Idempotency-Key`.",
    Code.IN_FLIGHT: "The same change is being carried out; ask again for its answer.",
    Code.PRECONDITION_FAILED: "Another version stands than `If-Match` names: see `changes`.",
    Code.PLACE_GONE: "The place lies in a log before a restore or failover: read anew.",
    Code.METHOD_NOT_ALLOWED: "The address is right, the method is not.",
    Code.UNSUPPORTED_MEDIA_TYPE: "The body is not sent as `application/json`.",
}
CLOSES: Final[Mapping[Close, str]] = {
    Close.PROTOCOL: "No common subprotocol, or a frame that is not text.",
    Close.AUTH_INVALID: "A look-up says that the token is not known.",
    Close.DEVICE_REVOKED: "The phone's token was revoked or replaced while it was connected.",
    Close.REPLACED: "The same device connected from another process of its app.",
    Close.FORBIDDEN: "Eight phones of the unit are connected already.",
    Close.UPGRADE_APP: "The app is older than the operator lets in.",
    Close.UNIT_DISABLED: "The unit is disabled.",
    Close.HELLO_TIMEOUT: "No hello within 10 s.",
    Close.AUTH_EXPIRED: "The token ended while the phone was connected.",
    Close.SLOW_CONSUMER: "The phone does not read: its queue is full, or a write took over 10 s.",
    Close.RATE_LIMITED: "The phone goes on although it was told that it sends too much.",
    Close.SILENT: "Nothing was heard for two and a half heartbeats, at least 30 s.",
    Close.INTERNAL: "A fault of the service.",
    Close.OVERLOADED: "The token cannot be checked now, or too many phones arrive at once.",
    Close.TOO_MANY_ERRORS: "Ten frames that are no messages within 60 s.",
    Close.DRAINING: "The service stops, or the same app opened a newer socket.",
    Close.MOVED: "Reserved.",
    Close.RESYNC: "A frame may have been missed, or rows were lost: take the state anew.",
}
RANGES: Final[Mapping[int, str]] = {
    40: "stop: show that there is no connection",
    41: "back off, and honour `ra`",
    42: "come back in random(0, `ra`) seconds",
}
TOPS: Final[Mapping[str, str]] = {
    ".ci": "what a machine runs for every change.",
    "bench": "benchmarks with floors, and peers side by side.",
    "deploy": "systemd unit, files for three machines, Prometheus alert rules, Grafana dashboard.",
    "docs": "tutorial, how-to, reference, explanation with decision records, glossary.",
    "requirements": "what is installed, each file by its hash.",
}
"""Folders without a module whose docstring could say it."""


# Pages. -------------------------------------------------------------------------------------------


def lifecycle() -> str:
    """Return the state tables as diagrams."""
    parts = (
        drawn("Incident", INCIDENT, "An incident follows its offers and assignments by itself."),
        drawn("Offer", OFFER, "A lapsed offer still counts: a late accept is honoured."),
        drawn("Assignment", ASSIGNMENT, "Of a unit's members the furthest counts."),
        drawn("Unit", UNIT, "Read from facts: an assignment outranks the crew, the crew an offer."),
        drawn("Duty of a member", DUTY, "Leaving while engaged waits for the release."),
    )
    lead = "What a table does not hold is refused (`conflict`) and changes nothing."
    return page("State tables", "dispatch/core/lifecycle.py", f"{lead}\n{SIDES}", *parts)


def settings() -> str:
    """Return the settings with their defaults."""
    default = Settings()
    rows = [
        (f"`{name}`", shown(getattr(default, field)), SETTINGS.get(field, UNTOLD))
        for name, field in ENVIRONMENT.items()
    ]
    lead = (
        "Every setting is an environment variable; an option of the same meaning goes before it.\n"
        "An empty variable counts as absent."
    )
    return page(
        "Settings", "dispatch/settings.py", lead, table(("variable", "default", "meaning"), rows)
    )


def commands() -> str:
    """Return the help of every command."""
    parts = [
        f"## {name}\n\n```text\n{helped.rstrip()}\n```" for name, helped in helps(kapok, "kapok")
    ]
    return page("Commands", "the help of `dispatch/cli`", *parts)


def errors() -> str:
    """Return every code that a client can be told."""
    codes = [
        (
            f"`{code}`",
            KINDS[code].status,
            "yes" if code in TEMPORARY else "no",
            ERRORS.get(code, UNTOLD),
        )
        for code in ErrorCode
    ]
    rest = [(f"`{code}`", KINDS[code].status, REST_ONLY.get(code, UNTOLD)) for code in Code]
    closes = [
        (int(code), f"`{code.name.lower()}`", RETRY_AFTER_S.get(code, 0), CLOSES.get(code, UNTOLD))
        for code in Close
    ]
    ranges = [f"- {first}xx: {does}." for first, does in RANGES.items()]
    return page(
        "Error codes and close codes",
        "schemas/wire.py and dispatch/api/problems.py",
        "The code is the contract; texts may change.",
        "## Codes of both\n\nIn an `err` frame of the socket, and as `code` of a problem by REST.\n"
        "“Retry” means that the same id may be sent again, after `retry_ms` or `Retry-After`.",
        table(("code", "status by REST", "retry", "meaning"), codes),
        "## By REST only",
        table(("code", "status", "meaning"), rest),
        "## Close codes of the socket\n\nThe first two digits say what the client does:",
        "\n".join(ranges),
        "The reason of a close is JSON, `{“r”: name, “ra”: seconds}`; `ra` is usually the one "
        "given here.".replace("“", '"').replace("”", '"'),
        table(("code", "name", "ra", "when"), closes),
    )


def metrics() -> str:
    """Return what `/metrics` tells."""
    found = (m for m in vars(Metrics()).values() if isinstance(m, MetricWrapperBase))
    rows = [
        (f"`{name}`", kind, labels or "-", told) for name, kind, labels, told in map(fact, found)
    ]
    lead = (
        "`GET /metrics`, in the format of Prometheus. A histogram has `_bucket`, `_sum` and "
        "`_count`.\nBeside these there are the usual `process_…` of the worker."
    )
    return page(
        "Metrics",
        "dispatch/telemetry.py",
        lead,
        table(("name", "kind", "labels", "meaning"), rows),
    )


def plans() -> str:
    """Return the response plans in force."""
    urgent, usual = (plan_for(IncidentKind.OTHER, priority) for priority in (HIGHEST, 2))
    needs = [
        (f"`{kind}`", len(slots), "; ".join(map(str, map(slot, slots))))
        for kind, slots in ((kind, NEEDS[kind]) for kind in IncidentKind)
    ]
    return page(
        "Response plans",
        "dispatch/core/plans.py",
        "What an incident of a kind needs, unless `needs` in the call says otherwise, and how the "
        "response widens.",
        "## Needs by kind",
        table(("kind", "slots", "role (capabilities) of each"), needs),
        "## Numbers",
        table(("", "priority 1", "priorities 2 to 4"), numbers(urgent, usual)),
        "## Ladder\n\nClocks start at the call. A step is left out when its end has come before.",
        table(("seconds", "priority 1", "priorities 2 to 4", "until"), ladder(urgent, usual)),
    )


def modules() -> str:
    """Return every module with its line."""
    parts = []
    for top in ("dispatch", "geo", "schemas"):
        folders = sorted({path.parent for path in (ROOT / top).rglob("*.py")})
        parts += [f"## {folder.relative_to(ROOT)}\n\n{listed(folder)}" for folder in folders]
    return page("Every module in one line", "the first lines of the modules", *parts)


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "commands.md": commands,
    "errors.md": errors,
    "lifecycle.md": lifecycle,
    "metrics.md": metrics,
    "modules.md": modules,
    "plans.md": plans,
    "settings.md": settings,
}


# Pieces. ------------------------------------------------------------------------------------------


def page(title: str, source: str, *parts: str) -> str:
    """Return a page of the reference, with the word that it is made."""
    return "\n\n".join((f"# {title}", MADE.format(source), *parts)) + "\n"


def table(head: Sequence[str], rows: Rows) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)


def drawn(name: str, states: Table[State], told: str) -> str:
    """Return a section with the diagram of a state table."""
    return f"## {name}\n\n{told}\n\n```mermaid\n{mermaid(states)}\n```"


def shown(value: object) -> str:
    """Return a default as a reader would type it."""
    return "-" if value in {None, ""} else f"`{value}`"


def helps(
    command: click.Command, name: str, above: click.Context | None = None
) -> Iterator[tuple[str, str]]:
    """Yield a command's name and help, then those of the commands below it that are not hidden."""
    context = click.Context(
        command, parent=above, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH
    )
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            inner = command.commands[below]
            if not inner.hidden:
                yield from helps(inner, below, context)


def fact(metric: MetricWrapperBase) -> tuple[str, str, str, str]:
    """Return name, kind, labels and meaning of a metric."""
    family = next(iter(metric.describe()))
    name = f"{family.name}_total" if family.type == "counter" else family.name
    labels = ", ".join(getattr(metric, "_labelnames", ()))
    return f"`{name}`", family.type, labels or "-", family.documentation


def slot(need: object) -> str:
    """Return a slot's role and what it asks for."""
    role, capabilities = getattr(need, "role", ""), getattr(need, "capabilities", ())
    return f"{role} ({', '.join(capabilities)})" if capabilities else str(role)


def numbers(urgent: Plan, usual: Plan) -> Rows:
    """Return the numbers of two plans side by side."""
    yield "offers that ring at a time, per free slot", urgent.k, usual.k
    aim = f"{urgent.aim_p} within {urgent.aim_s} s"
    yield "more are asked until P(somebody arrives) is", aim, "-"
    yield "offers open and lapsed at most, per slot", urgent.most, usual.most
    yield "first ring (s)", urgent.ring_s, usual.ring_s
    yield "an offer lapses after (s)", urgent.ttl_s, usual.ttl_s
    yield "an offer ends after (s)", urgent.exp_s, usual.exp_s


def ladder(urgent: Plan, usual: Plan) -> Rows:
    """Return the steps of two plans, clock by clock."""
    steps = {(s.after_s, s.until): None for s in sorted(urgent.steps + usual.steps, key=clock)}
    for after_s, until in steps:
        yield after_s, rungs(urgent, after_s, until), rungs(usual, after_s, until), until


def clock(step: Step) -> int:
    """Return when a step is due."""
    return step.after_s


def rungs(plan: Plan, after_s: int, until: str) -> str:
    """Return what a plan does at a clock."""
    due = [s for s in plan.steps if (s.after_s, s.until) == (after_s, until)]
    return ", ".join(f"{s.rung} to {s.ring_s} s" if s.ring_s else str(s.rung) for s in due) or "-"


def line(path: Path) -> str:
    """Return the line that a module opens with."""
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return doc.partition("\n")[0]


def listed(folder: Path) -> str:
    """Return the modules of a folder, each with its line."""
    rows = [(f"`{path.name}`", line(path)) for path in sorted(folder.glob("*.py"))]
    return table(("module", "what it is for"), rows)


# The tree. ----------------------------------------------------------------------------------------


def tree() -> str:
    """Return the tops of the house and the floors of its packages, each with its line."""
    names = sorted(path.name for path in ROOT.iterdir() if path.is_dir() and known(path))
    return "```text\n" + "\n".join(row for name in names for row in branch(ROOT / name)) + "\n```\n"


def known(folder: Path) -> bool:
    """Tell whether a folder belongs to the house."""
    return folder.name in TOPS or (folder / "__init__.py").exists()


def branch(top: Path) -> Iterator[str]:
    """Yield a top and, for a package of ours, its floors and lone modules."""
    init = top / "__init__.py"
    yield f"{top.name + '/':<{COLUMN}}{line(init) if init.exists() else TOPS[top.name]}"
    if top.name in {"dispatch", "geo", "schemas"}:
        for path in sorted(top.iterdir(), key=floors_first):
            yield from leaf(path)


def floors_first(path: Path) -> tuple[bool, str]:
    """Return what sorts folders before files."""
    return not path.is_dir(), path.name


def leaf(path: Path) -> Iterator[str]:
    """Yield a floor or a lone module."""
    init = path / "__init__.py"
    if path.suffix == ".py" and path.name != "__init__.py":
        yield f"  {path.name:<{COLUMN - 2}}{line(path)}"
    elif path.name in BARE or init.exists():
        yield f"  {path.name + '/':<{COLUMN - 2}}{line(init) if init.exists() else BARE[path.name]}"


BARE: Final[Mapping[str, str]] = {
    "store": "PostgreSQL: embedded or outside, its statements and migrations; the only arbiter.",
}
"""Floors whose package has no line of its own."""


def made() -> dict[Path, str]:
    """Return every file that is made, and what it should hold."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    texts = {REFERENCE / name: make() for name, make in PAGES.items()}
    return {**texts, Path("README.md"): TREE.sub(lambda _: tree(), readme)}


def main() -> None:
    """Write what differs, and name it."""
    for path, text in made().items():
        file = ROOT / path
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
