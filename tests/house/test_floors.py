"""The rules about imports and the clock bite: a sample breaks each of them, and each is told."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SAMPLE = {
    "dispatch/__init__.py": "",
    "dispatch/__main__.py": "import dispatch.wiring",
    "dispatch/wiring.py": "import dispatch.desk",
    "dispatch/desk.py": "import dispatch.store",
    "dispatch/junk.py": "",
    "dispatch/settings.py": "import asyncpg",
    "dispatch/core/__init__.py": "import geo.osm",
    "dispatch/core/ladder.py": "import time",
    "dispatch/gateway/__init__.py": "import asyncio",
    "dispatch/gateway/session.py": "import asyncio",
    "dispatch/live/__init__.py": "import pathlib",
    "dispatch/store/__init__.py": "import asyncpg",
    "geo/__init__.py": "",
    "geo/osm/__init__.py": "import geo.osm.extract",
    "geo/osm/extract.py": "import os, pathlib",
    "geo/point.py": "import geo.ring",
    "geo/ring.py": "import geo.point",
    "schemas/__init__.py": "import dispatch.core",
}
BROKEN = [
    "schemas is not allowed to import dispatch",
    "dispatch.desk is not allowed to import dispatch.store",
    "dispatch.junk",
    "dispatch.core is not allowed to import time",
    "dispatch.gateway.session is not allowed to import asyncio",
    "dispatch.live is not allowed to import pathlib",
    "dispatch.settings -> asyncpg",
    "No cycles are allowed in geo",
]
ALLOWED = [
    "geo.osm is not allowed",
    "geo is not allowed",
    "dispatch.gateway is not allowed",
    "dispatch.store -> asyncpg",
    "dispatch.wiring is not allowed",
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the project's own contracts say about the sample."""
    root = tmp_path_factory.mktemp("floors")
    shutil.copy(ROOT / "pyproject.toml", root)
    for name, text in SAMPLE.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    command = [str(BIN / "lint-imports"), "--no-cache"]
    done = subprocess.run(
        command, cwd=root, env={"PYTHONPATH": "."}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    return done.stdout


@pytest.mark.parametrize("sentence", BROKEN)
def test_a_broken_floor_is_told(told: str, sentence: str) -> None:
    """Up, sideways, outside, round about, or into a new drawer."""
    assert sentence in told


@pytest.mark.parametrize("sentence", ALLOWED)
def test_what_is_allowed_is_not_told(told: str, sentence: str) -> None:
    """The exceptions of the contracts are exceptions."""
    assert sentence not in told


def complaints(name: str, code: str) -> str:
    """Return what ruff says about code in a file of that name."""
    command = [
        str(BIN / "ruff"),
        "check",
        "--no-cache",
        "--select=TID251",
        "--output-format=concise",
    ]
    done = subprocess.run(
        [*command, f"--stdin-filename={name}", "-"],
        cwd=ROOT,
        input=code,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "import time\ntime.time()\n",
        "from datetime import UTC, datetime\ndatetime.now(UTC)\n",
        "from datetime import datetime\ndatetime.utcnow()\n",
        "import random\nrandom.random()\n",
        "from random import choice\n",
        "import uuid\nuuid.uuid4()\n",
    ],
)
def test_time_and_dice_are_the_clocks(code: str) -> None:
    """Everybody else is handed `now` and ids."""
    assert "TID251" in complaints("dispatch/desk.py", code)
    assert "TID251" in complaints("tests/test_desk.py", code)
    assert "TID251" not in complaints("dispatch/clock.py", code)
