"""The image and the compose file hold together, as far as can be seen without an engine."""

import shutil
import socket
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from dispatch.settings import ENVIRONMENT, Settings
from tests.house.containers import Stage, stages

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
BUILD, RUN = stages(ROOT / "Dockerfile")
KAPOK = COMPOSE["services"]["kapok"]
POSTGRES = COMPOSE["services"]["postgres"]
OF_PYTHON = {"PATH", "PYTHONUNBUFFERED"}


def copied_from_here(stage: Stage) -> Iterator[str]:
    """Yield every file or folder that the stage takes from the checkout."""
    for origin, sources, _ in stage.copies():
        if not origin:
            yield from sources


def test_the_first_stage_builds_and_the_second_runs() -> None:
    """No compiler, no sources and no build tools in what is shipped."""
    assert (BUILD.name, RUN.name) == ("build", "run")
    assert BUILD.image == RUN.image
    assert list(copied_from_here(RUN)) == []


def test_the_image_has_the_python_that_the_tests_ran_on() -> None:
    """The oldest Python that is promised is the one that is shipped."""
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert f"python:{oldest}-slim" == RUN.image


@pytest.mark.parametrize("source", list(copied_from_here(BUILD)))
def test_what_is_copied_is_there(source: str) -> None:
    """Every source of a COPY stands in the checkout, and .dockerignore lets it through."""
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert (ROOT / source).exists()
    assert f"!{source.rstrip('/')}" in allowed


def test_every_package_of_the_wheel_is_copied() -> None:
    """A package forgotten here would be missing only in the image."""
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {f"{package}/" for package in packages} <= set(copied_from_here(BUILD))


def test_every_package_is_installed_by_its_hash() -> None:
    """Each install either checks hashes or takes nothing from outside."""
    installs = [line for step in BUILD.arguments("RUN") for line in step.split("&&")]
    installs = [line for line in installs if "pip install" in line]
    assert len(installs) == 3
    for line in installs:
        assert "--require-hashes" in line or "--no-index" in line


def test_the_locks_named_in_the_build_are_there() -> None:
    """A renamed lock would stop the build."""
    named = {word for step in BUILD.arguments("RUN") for word in step.split() if ".txt" in word}
    assert named == {"requirements/run.txt", "requirements/build.txt"}
    assert all((ROOT / name).is_file() for name in named)


def test_the_wheel_builds_from_what_is_copied(tmp_path: Path) -> None:
    """The sources, the migrations and the type marker are inside, the tests are not."""
    for source in copied_from_here(BUILD):
        origin, target = ROOT / source, tmp_path / source
        if origin.is_dir():
            shutil.copytree(origin, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin, target)
    command = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "--target",
        "wheel",
        "--directory",
        "dist",
    ]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("kapok-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    migrations = {f"dispatch/store/migrations/{path.name}" for path in migration_files()}
    assert {"dispatch/py.typed", "dispatch/settings.py", *migrations} <= set(names)
    assert not [name for name in names if name.startswith("tests/")]


def migration_files() -> list[Path]:
    """Return the numbered SQL files that the service needs at start."""
    found = sorted((ROOT / "dispatch/store/migrations").glob("*.sql"))
    assert found
    return found


def test_the_environment_is_copied_to_where_it_was_made() -> None:
    """A virtual environment holds absolute paths: it works in its own place only."""
    assert RUN.copies() == [("build", ["/opt/kapok"], "/opt/kapok")]
    assert any("venv /opt/kapok " in step for step in BUILD.arguments("RUN"))
    assert RUN.environment()["PATH"].split(":")[0] == "/opt/kapok/bin"


def test_it_does_not_run_as_root() -> None:
    """The user is a number, made in the image, and stays set until the end."""
    uid, gid = RUN.last("USER").split(":")
    made = " ".join(RUN.arguments("RUN"))
    assert int(uid) > 0
    assert f"--uid {uid}" in made
    assert f"groupadd --gid {gid}" in made
    kinds = [kind for kind, _ in RUN.steps]
    assert "RUN" not in kinds[kinds.index("USER") :]


def test_its_data_is_in_a_volume_that_its_user_owns() -> None:
    """KAPOK_DATA, the volume, the working folder and the user's home are one."""
    data = RUN.environment()["KAPOK_DATA"]
    assert RUN.last("VOLUME") == f'["{data}"]'
    assert RUN.last("WORKDIR") == data
    assert f"--home-dir {data} --create-home" in " ".join(RUN.arguments("RUN"))


def test_the_command_is_one_that_kapok_has() -> None:
    """The console script exists, takes the sub-command, and knows every flag that is given."""
    script, subcommand, *flags = RUN.command("ENTRYPOINT") + RUN.command("CMD")
    assert script in PROJECT["project"]["scripts"]
    command = [str(Path(sys.executable).parent / script), subcommand, "--help"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for flag in [*flags, *KAPOK.get("command", [])]:
        assert flag.split("=")[0] in told


def test_every_variable_is_one_that_kapok_reads() -> None:
    """A misspelt variable would be ignored in silence."""
    given = set(RUN.environment()) - OF_PYTHON | set(KAPOK["environment"])
    assert given <= set(ENVIRONMENT)


def test_it_stops_by_the_signal_that_drains() -> None:
    """SIGTERM reaches kapok itself (exec form), and compose waits long enough for the drain."""
    assert RUN.last("STOPSIGNAL") == "SIGTERM"
    assert RUN.command("ENTRYPOINT") == ["kapok"]
    assert int(KAPOK["stop_grace_period"].removesuffix("s")) >= 20


def reply(server: socket.socket, status: str) -> str:
    """Answer one request with a status, and return its first line."""
    with server, server.accept()[0] as client:
        asked = client.recv(4096).decode().splitlines()[0]
        client.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        return asked


@pytest.mark.parametrize(("status", "healthy"), [("200 OK", True), ("503 Unready", False)])
def test_the_health_check_asks_whether_kapok_is_ready(status: str, healthy: bool) -> None:
    """Its command is run against a small server: 200 is healthy, 503 is not."""
    server = socket.create_server(("127.0.0.1", 0))
    _, *arguments = RUN.command("HEALTHCHECK")
    port = RUN.environment()["KAPOK_PORT"]
    here = [word.replace(f":{port}/", f":{server.getsockname()[1]}/") for word in arguments]
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(reply, server, status)
        done = subprocess.run([sys.executable, *here], check=False, capture_output=True)
    assert asked.result() == "GET /readyz HTTP/1.1"
    assert (done.returncode == 0) is healthy


def test_one_port_is_listened_on_exposed_checked_and_published() -> None:
    """And it is published on loopback only: TLS is the proxy's."""
    port = RUN.environment()["KAPOK_PORT"]
    assert int(port) == Settings().port
    assert RUN.last("EXPOSE") == port
    assert f"127.0.0.1:{port}/readyz" in RUN.last("HEALTHCHECK")
    assert KAPOK["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_compose_points_kapok_at_its_own_postgres() -> None:
    """User, password, host and database of DATABASE_URL are those PostgreSQL is made with."""
    given = POSTGRES["environment"]
    url = KAPOK["environment"]["DATABASE_URL"]
    secret = given["POSTGRES_PASSWORD"]
    parts = urlsplit(url.replace(secret, "secret"))
    assert secret.startswith("${KAPOK_DB_PASSWORD:?")
    assert (parts.username, parts.password) == (given["POSTGRES_USER"], "secret")
    assert (parts.hostname, parts.path) == ("postgres", f"/{given['POSTGRES_DB']}")


def test_compose_waits_for_the_database() -> None:
    """Kapok starts when PostgreSQL answers, as the user and for the database that Kapok uses."""
    given = POSTGRES["environment"]
    check = POSTGRES["healthcheck"]["test"]
    assert KAPOK["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert f"--username={given['POSTGRES_USER']}" in check
    assert f"--dbname={given['POSTGRES_DB']}" in check


def test_compose_keeps_what_must_be_kept() -> None:
    """Both volumes are named and declared; the one of Kapok is where its data is."""
    mounts = dict(volume.split(":") for one in (KAPOK, POSTGRES) for volume in one["volumes"])
    assert set(mounts) == set(COMPOSE["volumes"])
    assert mounts["kapok-data"] == RUN.environment()["KAPOK_DATA"]
    assert mounts["postgres-data"] == "/var/lib/postgresql"


def test_compose_takes_every_right_away_that_is_not_needed() -> None:
    """A read-only image, no capabilities, no way to gain any; files enough for the phones."""
    assert KAPOK["read_only"] is True
    assert KAPOK["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in KAPOK["security_opt"]
    assert KAPOK["tmpfs"] == ["/tmp"]  # noqa: S108 - a mount inside the container
    assert KAPOK["ulimits"]["nofile"] >= 30_000
