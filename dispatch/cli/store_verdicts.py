"""What is right and wrong about a database: reached, kept, in time, up to date."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from dispatch.cli.verdict import Line, Verdict, fail, ok, warn
from dispatch.core.service_time import SLEW
from dispatch.store.pools import CONNECTIONS
from dispatch.store.server_facts import Alive, ServerFacts

OLDEST: Final = 150_000
CONNECTIONS_LEAST: Final = 20
OFF_WARN: Final = timedelta(seconds=1)
OFF_FAIL: Final = timedelta(seconds=30)
COMMITS: Final[dict[str, Verdict]] = {
    "on": Verdict.OK,
    "remote_apply": Verdict.OK,
    "local": Verdict.WARN,
    "remote_write": Verdict.WARN,
    "off": Verdict.FAIL,
}
"""What `synchronous_commit` may be; the two in the middle forget the standby, or its disk."""

NO_DATABASE: Final = warn(
    "database",
    "the embedded database is stopped: its settings, migrations, clock, units and keys "
    "cannot be seen",
    "run this again beside a running `kapok serve`, or with DATABASE_URL",
)


def hidden_by(holder: int) -> Line:
    """Return the line of an embedded database that runs, and whose socket is another user's."""
    return warn(
        "database",
        f"process {holder} runs it, and its socket is not to be seen from here",
        "run this as the user that Kapok runs as, on the same machine or in the same container",
    )


def unreachable(reason: str) -> Line:
    """Return the line of a database that does not answer."""
    return fail(
        "database",
        f"cannot be reached: {reason or 'no answer'}",
        "look whether it runs, and whether DATABASE_URL names its host, port, user and password",
    )


def on_server(facts: ServerFacts) -> Iterator[Line]:
    """Judge version, role and the three settings that a commit is worth."""
    yield _version(facts.version)
    if facts.is_standby or facts.read_only:
        found = "it is a standby" if facts.is_standby else "it takes no writes"
        yield fail("writes", found, "name the primary in DATABASE_URL")
    if facts.connections_most < CONNECTIONS_LEAST:
        found = f"max_connections is {facts.connections_most}"
        remedy = f"a worker keeps {CONNECTIONS}: set {CONNECTIONS_LEAST} or more"
        yield warn("connections", found, remedy)
    yield _switch("fsync", facts.durable["fsync"])
    yield _commit(facts.durable["synchronous_commit"], facts.standbys)
    yield _switch("full_page_writes", facts.durable["full_page_writes"])


def _version(number: int) -> Line:
    found = f"PostgreSQL {number // 10_000}.{number % 10_000} answers"
    if number >= OLDEST:
        return ok("database", found)
    return fail("database", found, f"PostgreSQL {OLDEST // 10_000} or later is needed")


def _switch(name: str, value: str) -> Line:
    if value == "on":
        return ok(name, "on")
    return fail(name, f"{value}: a power cut can lose what was acknowledged", f"set {name} = on")


def _commit(value: str, standbys: str) -> Line:
    found = f"{value}, and waits for {standbys}" if standbys else value
    verdict = COMMITS.get(value, Verdict.FAIL)
    if verdict is Verdict.OK or (verdict is Verdict.WARN and not standbys):
        return ok("synchronous_commit", found)
    if verdict is Verdict.WARN:
        risk = "a commit can be acknowledged that the standby's disk does not have"
        return warn("synchronous_commit", f"{found}: {risk}", "set synchronous_commit = on")
    return fail(
        "synchronous_commit",
        f"{found}: a crash loses what was acknowledged",
        "set synchronous_commit = on",
    )


def on_clock(off: timedelta, unsure: timedelta) -> Line:
    """Judge how far this machine's clock is from the database's; `unsure` is half a round trip."""
    subject = "clock"
    seconds, least = abs(off.total_seconds()), max(timedelta(), abs(off) - unsure)
    side = "ahead of" if off > timedelta() else "behind"
    found = f"{seconds:.3f} s {side} the database, ± {unsure.total_seconds():.3f} s"
    do = "let both follow the same time server (chrony, systemd-timesyncd)"
    if least < OFF_WARN:
        return ok(subject, found)
    return (warn if least < OFF_FAIL else fail)(subject, found, do)


def on_step(ahead_s: float) -> Line:
    """Judge what is left of a step of the database's clock: the service is so far ahead of it."""
    subject, seconds = "service time", abs(ahead_s)
    if seconds < OFF_WARN.total_seconds():
        return ok(subject, "is the database's")
    side = "ahead of" if ahead_s > 0 else "behind"
    left_h = seconds / SLEW / 3600
    return warn(
        subject,
        f"{seconds:.0f} s {side} the database, whose clock was stepped",
        f"let that follow a time server; where it is right, the rest is absorbed in {left_h:.1f} h",
    )


def on_migrations(pending: Sequence[str]) -> Line:
    """Judge whether the tables are those of this version."""
    if not pending:
        return ok("migrations", "all are applied")
    found = f"{len(pending)} pending, from {pending[0]}"
    return warn("migrations", found, "run `kapok migrate`; the next start does it too")


def parted(reason: str) -> Line:
    """Return the line of a database whose migrations are not those of this version."""
    return fail("migrations", reason, "nothing is applied or started until that is mended")


def on_alive(alive: Alive) -> Line:
    """Say how many processes share the work."""
    found = f"{alive.processes} alive, machines: {alive.machines}"
    if alive.builds > 1:
        do = "let the renewal come to its end, or start those that were left behind anew"
        return warn("processes", f"{found}, of {alive.builds} versions", do)
    return ok("processes", found)
