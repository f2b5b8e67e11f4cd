"""Read a Dockerfile as its instructions, for the tests that no container engine runs."""

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

HEALTHCHECK_OPTION = re.compile(r"^(--\S+\s+)*")


@dataclass
class Stage:
    """One FROM and what follows it, as (instruction, argument) pairs in order."""

    image: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def arguments(self, instruction: str) -> list[str]:
        """Return the arguments of every instruction of a kind, in order."""
        return [argument for kind, argument in self.steps if kind == instruction]

    def last(self, instruction: str) -> str:
        """Return the argument that holds in the end; '' when there is none."""
        return next(reversed(self.arguments(instruction)), "")

    def command(self, instruction: str) -> list[str]:
        """Return an exec-form command; raises ValueError for the shell form."""
        argument = HEALTHCHECK_OPTION.sub("", self.last(instruction)).removeprefix("CMD").strip()
        words: list[str] = json.loads(argument)
        return words

    def environment(self) -> dict[str, str]:
        """Return all variables set by ENV."""
        pairs = [pair for line in self.arguments("ENV") for pair in shlex.split(line)]
        return dict(pair.split("=", 1) for pair in pairs)

    def copies(self) -> list[tuple[str, list[str], str]]:
        """Return (stage copied from or '', sources, target) of every COPY."""
        return [copy(argument) for argument in self.arguments("COPY")]


def copy(argument: str) -> tuple[str, list[str], str]:
    """Return where a COPY takes its files from, which ones, and where they go."""
    options = [word for word in argument.split() if word.startswith("--")]
    *sources, target = (word for word in argument.split() if not word.startswith("--"))
    stage = next((one.removeprefix("--from=") for one in options if "--from=" in one), "")
    return stage, sources, target


def instructions(text: str) -> list[tuple[str, str]]:
    """Return (instruction, argument) pairs: comments dropped, continued lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    pairs = [line.split(maxsplit=1) for line in joined.splitlines()]
    return [(kind.upper(), argument) for kind, argument in pairs]


def stages(path: Path) -> list[Stage]:
    """Return the stages of a Dockerfile in order."""
    found: list[Stage] = []
    for kind, argument in instructions(path.read_text(encoding="utf-8")):
        if kind == "FROM":
            image, _, name = argument.partition(" AS ")
            found.append(Stage(image, name or str(len(found))))
        else:
            found[-1].steps.append((kind, argument))
    return found
