"""The rules of the house that no linter knows."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions, packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("dispatch", "geo", "schemas")
CODE = (*PACKAGES, "tests", "bench")
LARGEST_BYTES = 500_000
TREE_DEEP = 2
JUNK_DRAWERS = {"common", "helpers", "misc", "models", "services", "shared", "util", "utils"}
# Written in halves, so that this file keeps the rule.
REGISTRIES = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "registry" + ".npmjs",
    "deb.debian" + ".org",
]
MACHINE_PATH = re.compile(r"(?<![\w.~}])/(?:home|root|work|Users)/[A-Za-z0-9_.-]+")
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(?:#[^)]*)?\)")
IGNORE = re.compile(r"#\s*(?:noqa|type:\s*ignore|pragma:\s*no)\b(.*)")
CODES = re.compile(r"^(?:\s*(?:cover|branch)|:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|\[[a-z, -]+\])")
FLOOR = re.compile(r"^floor = ([\d.]+)", re.MULTILINE)


def git(*arguments: str) -> str:
    """Return what git says about this checkout; '' when it cannot."""
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def kept_files() -> Iterator[Path]:
    """Yield every file that is committed, or will be with the next commit."""
    names = git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    yield from (ROOT / name for name in names if name and (ROOT / name).is_file())


def texts() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every kept file that is text."""
    for path in kept_files():
        data = path.read_bytes()
        if b"\0" not in data[:8192]:
            yield path.relative_to(ROOT).as_posix(), data.decode("utf-8")


def modules() -> list[Path]:
    """Return every Python file of the project."""
    return sorted(path for top in CODE for path in (ROOT / top).rglob("*.py"))


def project() -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins(lock: str) -> dict[str, str]:
    """Return the text of each pin in a lock, hashes included, by package and marker."""
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z])", "\n" + text)[1:]
    return {entry.split(" \\")[0]: entry.strip() for entry in entries}


def package(requirement: str) -> str:
    """Return the name of the package that a requirement asks for."""
    found = re.match(r"[A-Za-z0-9-]+", requirement)
    assert found
    return found[0]


def test_git_tells_which_files_are_kept() -> None:
    """The tests below look at something."""
    assert len(list(kept_files())) > 20


@pytest.mark.parametrize("host", REGISTRIES)
def test_no_file_names_a_package_registry(host: str) -> None:
    """Where packages come from is the reader's own setting."""
    assert [name for name, text in texts() if host in text] == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    """What works in one folder only does not work."""
    found = {name: MACHINE_PATH.findall(text) for name, text in texts()}
    assert {name: paths for name, paths in found.items() if paths} == {}


def test_no_file_is_large() -> None:
    """What is large is made from a seed, or is not ours to keep."""
    assert [path.name for path in kept_files() if path.stat().st_size > LARGEST_BYTES] == []


def test_there_is_no_junk_drawer() -> None:
    """A file is named by its noun, a folder by what it holds."""
    names = {part for path in modules() for part in path.relative_to(ROOT).with_suffix("").parts}
    assert names & JUNK_DRAWERS == set()


@pytest.mark.parametrize("name", ["dispatch", "geo"])
def test_the_strangers_of_the_same_name_are_absent(name: str) -> None:
    """Packages called dispatch and geo exist elsewhere, and would lie over ours."""
    installed = {found.metadata["Name"].lower() for found in distributions()}
    assert name not in installed
    assert set(packages_distributions().get(name, ["kapok"])) == {"kapok"}
    assert Path(__import__(name).__file__ or "").parent == ROOT / name


def opening(path: Path) -> list[str]:
    """Return the lines of a module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").splitlines()


def test_every_module_opens_with_one_line_that_says_what_it_is_for() -> None:
    """A sentence, alone on its line: the README's tree is made of them."""
    missing = []
    for path in modules():
        first, *rest = [*opening(path), ""]
        if not first.endswith(".") or (rest and rest[0]):
            missing.append(path.relative_to(ROOT).as_posix())
    assert missing == []


def reason(ignored: str) -> str:
    """Return the words that follow the codes of an ignore; '' when there are no codes."""
    return CODES.sub("", ignored).strip(" -#:") if CODES.match(ignored) else ""


def test_every_ignore_has_its_reason_in_words() -> None:
    """An exception from a rule names the rule, and says why on the same line."""
    bare = []
    for path in modules():
        lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        found = [(n, match[1]) for n, line in lines if (match := IGNORE.search(line))]
        bare += [f"{path.relative_to(ROOT)}:{n}" for n, rest in found if " " not in reason(rest)]
    assert bare == []


def folders_of_modules() -> list[str]:
    """Return the project's folders that hold modules, two levels deep, tests by their top only."""
    found = {path.parent.relative_to(ROOT) for path in modules()}
    tops = {folder.parts[0] for folder in found}
    rooms = {folder.name for folder in found if folder.parts[0] in PACKAGES}
    return sorted(
        tops | (rooms - {folder.name for folder in found if len(folder.parts) > TREE_DEEP})
    )


def test_the_tree_in_the_readme_names_every_folder() -> None:
    """A stranger finds the room for a change by it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [folder for folder in folders_of_modules() if f"{folder}/" not in readme] == []


def test_the_readmes_test_command_is_what_is_run_for_every_change() -> None:
    """One command, for a reader and for the machine that checks."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert "make test" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make test" in script


def test_links_between_documents_lead_somewhere() -> None:
    """Every relative link in a Markdown file is a file or a folder of the checkout."""
    broken = []
    for name, text in texts():
        if name.endswith(".md"):
            targets = [(ROOT / name).parent / target for target in LINK.findall(text)]
            broken += [f"{name}: {target.name}" for target in targets if not target.exists()]
    assert broken == []


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt", "build.txt"])
def test_every_pin_has_its_hashes_and_nothing_else(lock: str) -> None:
    """A lock names versions and contents; it names no place and no option."""
    found = pins(lock)
    assert found
    for name, entry in found.items():
        assert "==" in name
        assert "--hash=sha256:" in entry
        assert re.fullmatch(
            r"(?:\s+--hash=sha256:[0-9a-f]{64}(?: \\)?)+\s*", entry[len(name) + 2 :]
        )


def test_the_tests_run_on_what_the_service_runs_on() -> None:
    """The pins of run.txt and build.txt stand in dev.txt, to the last hash."""
    dev = pins("dev.txt")
    for lock in ("run.txt", "build.txt"):
        assert {name: dev.get(name) for name in pins(lock)} == pins(lock)


def test_every_dependency_is_pinned_and_has_its_reason() -> None:
    """What is asked for in pyproject.toml is in the lock and in dependencies.md."""
    asked = project()["project"]
    run = {package(name) for name in pins("run.txt")}
    dev = {package(name) for name in pins("dev.txt")}
    reasons = (ROOT / "docs/explanation/dependencies.md").read_text(encoding="utf-8")
    wanted_to_run = {package(one) for one in asked["dependencies"]}
    wanted_to_work = {package(one) for one in asked["optional-dependencies"]["dev"]}
    assert wanted_to_run <= run
    assert wanted_to_work <= dev
    assert [one for one in wanted_to_run | wanted_to_work if f"`{one}`" not in reasons] == []


def earlier_floors() -> list[float]:
    """Return the coverage floors of the last twenty versions of pyproject.toml that git knows."""
    commits = git("log", "-20", "--format=%H", "--", "pyproject.toml").split()
    found = [FLOOR.search(git("show", f"{commit}:pyproject.toml")) for commit in commits]
    return [float(match[1]) for match in found if match]


def test_the_coverage_floor_never_falls() -> None:
    """What was reached once is kept."""
    assert project()["tool"]["kapok"]["coverage"]["floor"] >= max(earlier_floors(), default=0)


def test_every_decision_record_has_the_same_four_parts() -> None:
    """One page each: context, decision, rejected, consequences."""
    records = sorted((ROOT / "docs/explanation/decisions").glob("[0-9]*.md"))
    assert [path.name[:4] for path in records] == [f"{n:04}" for n in range(1, len(records) + 1)]
    for path in records:
        heads = re.findall(r"^## (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert heads == ["Context", "Decision", "Rejected", "Consequences"], path.name
