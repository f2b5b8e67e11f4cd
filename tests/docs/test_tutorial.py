"""The tutorial, run as it stands: its commands, in its order, and what it says they print."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

PAGE: Final = Path(__file__).parents[2] / "docs" / "tutorial" / "first-offer.md"
BLOCK: Final = re.compile(r"^```(bash|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LIMIT_S: Final = 120
END_OF_BLOCK: Final = "--- end of block ---"


def blocks() -> list[tuple[str, str]]:
    """Return each block of commands with the text that the page shows after it, '' for none."""
    found = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    shown = [*found[1:], ("bash", "")]
    return [
        (body, text if kind == "text" else "")
        for (language, body), (kind, text) in zip(found, shown, strict=True)
        if language == "bash"
    ]


def script() -> str:
    """Return all commands as one script that stops at the first failure."""
    marked = "\n".join(f"{body}printf '%s\\n' '{END_OF_BLOCK}'" for body, _ in blocks())
    return f"set -euo pipefail\n{marked}\n"


def pattern(shown: str) -> str:
    """Return what a shown text stands for: `…` alone is any lines, in a line any characters."""
    lines = [
        r"(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + r"(?:\n|$)"
        for line in shown.splitlines()
    ]
    return "".join(lines)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each block printed on its standard output, when the script was run once."""
    if shutil.which("curl") is None and not os.environ.get("CI"):
        pytest.skip("the tutorial's reader has curl; this machine has not")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TMPDIR": str(tmp_path_factory.mktemp("tutorial")),
        "KAPOK_PORT": str(free_port()),
    }
    environment.pop("DATABASE_URL", None)
    running = subprocess.Popen(
        ["bash", "-c", script()],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = running.communicate(timeout=LIMIT_S)
    finally:
        end(running)
    assert running.returncode == 0, output
    return [part.lstrip("\n") for part in output.split(f"{END_OF_BLOCK}\n")]


def end(running: "subprocess.Popen[str]") -> None:
    """End whatever of the script still runs: the service ends with its process group."""
    try:
        os.killpg(running.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    running.wait(LIMIT_S)


def test_the_page_has_commands_and_says_what_they_print() -> None:
    """The tests below look at something."""
    found = blocks()
    assert len(found) > 8
    assert sum(bool(shown) for _, shown in found) > 8


@pytest.mark.e2e
@pytest.mark.parametrize("number", range(len(blocks())))
def test_a_block_prints_what_the_page_says(printed: list[str], number: int) -> None:
    """A reader who pastes sees what is written, up to an accepted offer."""
    _, shown = blocks()[number]
    assert re.match(pattern(shown), printed[number]), printed[number]


@pytest.mark.e2e
def test_the_walk_ends_with_somebody_on_the_way(printed: list[str]) -> None:
    """The last thing that the reader asks for is the incident, and it is answered."""
    assert any(part.startswith("responding [('assigned',") for part in printed)
