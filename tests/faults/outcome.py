"""What is asked of the long campaign, and what came of it: a table and JSON."""

from typing import Final

import msgspec

from tests.faults import crowds
from tests.faults.checker import RULES

ALL_RULES: Final = (*RULES, *crowds.RULES)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How much of it."""

    kills: int = 50
    messages: int = 100_000
    for_s: float = 600.0
    phones: int = 400
    workers: int = 2
    seed: int = 20241
    deaf: int = 1000
    acts: tuple[str, ...] = ("one_host", "far_store", "two_hosts", "crowds")


class Outcome(msgspec.Struct, kw_only=True):
    """What came of it; written as JSON."""

    seed: int
    options: Options
    seconds: float = 0.0
    strikes: dict[str, int] = {}
    kills: int = 0
    not_run: list[str] = []
    broken_off: list[str] = []
    slowest_back_s: dict[str, float] = {}
    messages: int = 0
    messages_heard: int = 0
    notices: int = 0
    incidents: int = 0
    given_up: int = 0
    accepts_answered: int = 0
    steps_answered: int = 0
    lines_lost: dict[str, int] = {}
    storms: list[crowds.Storm] = []
    deaf: list[crowds.Deaf] = []
    violations: dict[str, list[str]] = {}

    @property
    def failed(self) -> bool:
        """Whether anything is wrong, or something was left out."""
        return bool(
            self.violations
            or self.broken_off
            or self.kills < self.options.kills
            or self.messages < self.options.messages
        )

    def table(self) -> str:
        """Return it for people."""
        rows: list[tuple[str, object]] = [
            ("seed", self.seed),
            ("seconds", round(self.seconds)),
            ("kills -9", f"{self.kills} of {self.options.kills}"),
            *((f"  {name}", n) for name, n in sorted(self.strikes.items())),
            ("slowest back, s", max(self.slowest_back_s.values(), default=0.0)),
            ("reliable messages", f"{self.messages} of {self.options.messages}"),
            ("  heard by phones", self.messages_heard),
            ("notices", self.notices),
            ("incidents acknowledged", self.incidents),
            ("  calls given up", self.given_up),
            ("accepts answered", self.accepts_answered),
            ("steps answered", self.steps_answered),
            ("lines lost", sum(self.lines_lost.values())),
            *(row for storm in self.storms for row in storm.rows()),
            *(row for deaf in self.deaf for row in deaf.rows()),
            *(("not run", what) for what in self.not_run),
            *(("broken off", what) for what in self.broken_off),
            *((f"wrong: {rule}", len(self.violations.get(rule, ()))) for rule in ALL_RULES),
        ]
        wide = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:{wide}}  {value}" for name, value in rows)
