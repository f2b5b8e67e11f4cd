"""Hold the coverage floors: pure modules by their own tests, the whole tree by a number.

Run it after the tests (`make test` does). What runs at import is taken as covered, whoever imported
it; what is inside a function counts only when the module's own test file reached it. The floors are
in `[tool.kapok.coverage]` of pyproject.toml.
"""

import ast
import json
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from coverage import Coverage
from coverage.exceptions import NoDataError

Branch = tuple[int, int]


class Gap(NamedTuple):
    """What a module's own test file does not reach."""

    module: str
    test: str
    lines: list[int]
    branches: list[Branch]

    def __str__(self) -> str:
        """Return one line for the reader: which module, by which test, what is missing."""
        if not Path(self.test).exists():
            return f"{self.module}: has no {self.test}"
        missing = [str(line) for line in self.lines]
        missing += [f"{start}->{'exit' if end < 0 else end}" for start, end in self.branches]
        return f"{self.module}: {self.test} does not reach {', '.join(missing)}"


def own_test(module: Path) -> Path:
    """Return the test file that answers for a module: tests/geo/test_datum.py for geo/datum.py."""
    return Path("tests") / module.parent / f"test_{module.stem}.py"


def modules(owned: list[str]) -> Iterator[Path]:
    """Yield every module that the list names, or that is in a folder of it; no `__init__.py`."""
    for name in owned:
        path = Path(name)
        found = [path] if path.is_file() else sorted(path.rglob("*.py"))
        yield from (module for module in found if module.name != "__init__.py")


def lines_in_functions(source: str) -> set[int]:
    """Return the numbers of the lines that run when a function is called, not when defined."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines.update(range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def report(coverage: Coverage, **options: Any) -> dict[str, Any]:
    """Return coverage's own JSON report; {} when it has nothing to report on."""
    with tempfile.TemporaryDirectory() as folder:
        outfile = Path(folder) / "coverage.json"
        try:
            coverage.json_report(outfile=str(outfile), **options)
        except NoDataError:
            return {}
        answer: dict[str, Any] = json.loads(outfile.read_text())
        return answer


def gap(coverage: Coverage, module: Path) -> Gap:
    """Return what the module's own test file leaves out: lines and branches inside functions."""
    test = own_test(module)
    inside = lines_in_functions(module.read_text())
    found = report(coverage, include=[str(module)], contexts=[f"^{re.escape(test.as_posix())}::"])
    counts = found.get("files", {}).get(str(module))
    if counts is None:
        return Gap(str(module), str(test), sorted(inside), [])
    lines = [line for line in counts["missing_lines"] if line in inside]
    missing = counts.get("missing_branches", [])
    branches = [(start, end) for start, end in missing if start in inside and end not in lines]
    return Gap(str(module), str(test), lines, branches)


def gaps(coverage: Coverage, owned: list[str]) -> list[Gap]:
    """Return the gaps of all modules that must be covered by their own test file."""
    found = [gap(coverage, module) for module in modules(owned)]
    return [one for one in found if one.lines or one.branches or not Path(one.test).exists()]


def total(coverage: Coverage) -> float:
    """Return the share of all lines and branches that any test reached, in percent."""
    totals = report(coverage, contexts=None).get("totals", {})
    return float(totals.get("percent_covered", 0.0))


def main() -> int:
    """Print what is under its floor; return 1 when anything is."""
    settings = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["kapok"]["coverage"]
    coverage = Coverage()
    coverage.load()
    reached = total(coverage)
    missing = gaps(coverage, settings["own"])
    for one in missing:
        print(f"not covered by its own test: {one}")
    if reached < settings["floor"]:
        print(
            f"the whole tree is covered by {reached:.1f} %, under its floor of {settings['floor']}"
        )
    counted = sum(1 for _ in modules(settings["own"]))
    print(
        f"coverage: {reached:.1f} % of the whole tree (floor {settings['floor']}), "
        f"{counted - len(missing)} of {counted} pure modules whole by their own test"
    )
    return 1 if missing or reached < settings["floor"] else 0


if __name__ == "__main__":
    sys.exit(main())
