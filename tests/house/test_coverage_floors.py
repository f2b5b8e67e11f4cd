"""The coverage floors count a pure module's lines by its own test file only."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from coverage import Coverage

from tests.coverage_floors import gaps, lines_in_functions, main, own_test, total

CODE = '''"""Twice or not."""

LIMIT = 10


def twice(number: int) -> int:
    """Return the number, doubled unless it is large."""
    if number > LIMIT:
        return number
    return 2 * number


def half(number: int) -> int:
    if number:
        number //= 2
    return number
'''
OWN = """
from geo.twice import half, twice

def test_small():
    assert twice(2) == 4

def test_half():
    assert half(4) == 2
"""
OTHER = """
from geo.twice import half, twice

def test_large():
    assert twice(20) == 20

def test_nothing():
    assert half(0) == 0
"""
PROJECT = """
[tool.coverage.run]
branch = true
source = ["geo"]
[tool.kapok.coverage]
floor = {floor}
own = ["geo"]
"""


def run_tests() -> None:
    """Run the sample's tests as `make test` does, apart from any measurement around this test."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--import-mode=importlib",
        "-p",
        "no:cacheprovider",
    ]
    measured = ["--cov", "--cov-context=test", "--cov-report="]
    subprocess.run([*command, *measured], check=True, env=clean | {"PYTHONPATH": "."})


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of one module, its own test, another test, and the data of a measured run."""
    root = tmp_path_factory.mktemp("sample")
    files = {
        "geo/__init__.py": "",
        "geo/twice.py": CODE,
        "geo/alone.py": "ALONE = True\n",
        "tests/geo/test_twice.py": OWN,
        "tests/geo/test_other.py": OTHER,
        "pyproject.toml": PROJECT.format(floor=95),
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    before = Path.cwd()
    os.chdir(root)
    try:
        run_tests()
    finally:
        os.chdir(before)
    return root


@pytest.fixture
def measured(sample: Path, monkeypatch: pytest.MonkeyPatch) -> Coverage:
    """The sample's data, with the sample as the working folder."""
    monkeypatch.chdir(sample)
    monkeypatch.delenv("COVERAGE_FILE", raising=False)
    coverage = Coverage()
    coverage.load()
    return coverage


def test_a_module_answers_to_the_test_file_of_its_name() -> None:
    """tests/ mirrors the packages."""
    assert own_test(Path("dispatch/core/ladder.py")) == Path("tests/dispatch/core/test_ladder.py")


def test_only_the_bodies_of_functions_have_to_be_reached() -> None:
    """What runs at import is covered by any import."""
    assert lines_in_functions(CODE) == {7, 8, 9, 10, 14, 15, 16}


def test_lines_and_branches_reached_by_another_test_do_not_count(measured: Coverage) -> None:
    """The other test returns early and skips the if: neither helps the module's own test."""
    twice = next(one for one in gaps(measured, ["geo"]) if one.module == "geo/twice.py")
    assert twice.lines == [9]
    assert twice.branches == [(14, 16)]
    assert str(twice) == "geo/twice.py: tests/geo/test_twice.py does not reach 9, 14->16"


def test_a_module_without_a_test_file_is_named(measured: Coverage) -> None:
    """Even one that only declares: somebody has to say what it promises."""
    alone = next(one for one in gaps(measured, ["geo"]) if one.module == "geo/alone.py")
    assert str(alone) == "geo/alone.py: has no tests/geo/test_alone.py"


def test_the_whole_tree_counts_every_test(measured: Coverage) -> None:
    """Both tests together reach all of twice; alone.py is imported by nobody."""
    gaps(measured, ["geo"])
    assert 90 < total(measured) < 95


def test_the_run_fails_and_says_what_is_missing(
    measured: Coverage, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under the floor, with two gaps: both are told, and the exit code is not 0."""
    assert main() == 1
    told = capsys.readouterr().out
    assert "geo/twice.py" in told
    assert "under its floor of 95" in told
    assert "0 of 2 pure modules" in told


def test_the_run_passes_when_nothing_is_missing(
    measured: Coverage, sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A floor that is reached and modules that are whole give 0."""
    project = sample / "pyproject.toml"
    project.write_text(PROJECT.format(floor=80).replace('own = ["geo"]', "own = []"))
    assert main() == 0
    assert "(floor 80)" in capsys.readouterr().out
