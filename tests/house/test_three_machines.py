"""The files for three machines hold together, as far as can be seen without them."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
import yaml

from dispatch.bus.program import find_program
from dispatch.settings import ENVIRONMENT, Settings, bus_servers, read
from dispatch.store.pools import CONNECTIONS

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "deploy" / "three-machines"
COMPOSE: Final[dict[str, Any]] = yaml.safe_load(
    (FOLDER / "compose.yaml").read_text(encoding="utf-8")
)
OF_THE_SERVER: Final = {"FORWARDED_ALLOW_IPS"}
SITE: Final = dict(
    line.split("=", 1)
    for line in (FOLDER / "site.env").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)
HERE: Final = {"KAPOK_HERE": SITE["KAPOK_A"]}
SECRETS: Final = {"KAPOK_DB_PASSWORD": "one", "KAPOK_BUS_PASSWORD": "other"}
MACHINES: Final = ("KAPOK_A", "KAPOK_B", "KAPOK_C")
WORKERS: Final = 2


def filled(text: str, given: Mapping[str, str]) -> str:
    """Put the variables in, as compose does; raises KeyError for one that nobody gives."""
    return re.sub(r"\$\{(\w+)(?::[-?][^}]*)?\}", lambda found: given[found[1]], text)


def environment() -> dict[str, str]:
    """Return what Kapok is told on the first machine."""
    told = COMPOSE["services"]["kapok"]["environment"]
    given = {**SITE, **SECRETS, **HERE}
    return {name: filled(str(value), given) for name, value in told.items()}


def test_every_variable_is_one_that_somebody_reads() -> None:
    """And the settings that they make are what three machines need."""
    assert set(environment()) - OF_THE_SERVER <= set(ENVIRONMENT)
    settings = read({k: v for k, v in environment().items() if k not in OF_THE_SERVER})
    assert (settings.port, settings.workers) == (Settings().port, WORKERS)
    assert settings.database_url == "postgresql://kapok:one@kapok-db:5432/kapok"
    assert bus_servers(settings.bus_url) == tuple(
        f"nats://kapok:other@{SITE[machine]}:4222" for machine in MACHINES
    )


def test_secrets_are_left_to_the_site() -> None:
    """An empty one stops compose."""
    assert [SITE[name] for name in SECRETS] == ["", ""]
    text = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
    assert "${KAPOK_DB_PASSWORD:?}" in text
    assert "${KAPOK_BUS_PASSWORD:?}" in text


def test_the_bus_is_one_that_nats_understands(tmp_path: Path) -> None:
    """The server itself reads its configuration; every machine is a route."""
    content = filled(COMPOSE["configs"]["bus"]["content"], {**SITE, **SECRETS, **HERE})
    told = json.loads(content)
    routes = told["cluster"]["routes"]
    assert routes == [f"nats://route:other@{SITE[machine]}:6222" for machine in MACHINES]
    config = tmp_path / "bus.json"
    config.write_text(content, encoding="utf-8")
    checked = subprocess.run(
        [find_program(), "-t", "-c", config], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_compose_takes_every_right_away_that_is_not_needed() -> None:
    """From both services; and the files of a city may be opened."""
    for service in COMPOSE["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
    assert COMPOSE["services"]["kapok"]["ulimits"]["nofile"] >= 30_000


def postgres_settings() -> Iterator[tuple[str, str]]:
    """Yield name and value of each line of the configuration."""
    for line in (FOLDER / "postgresql.conf").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition(" = ")
            yield name, value.strip("'")


@pytest.mark.postgres
@pytest.mark.asyncio
async def test_postgresql_knows_every_setting(postgres_dsn: str) -> None:
    """A misspelt one would keep the server from starting; and commits wait for one standby."""
    told = dict(postgres_settings())
    connection = await asyncpg.connect(postgres_dsn)
    known = await connection.fetch("select name from pg_settings where name = any($1)", list(told))
    await connection.close()
    assert {row["name"] for row in known} == set(told)
    assert told["synchronous_commit"] == "on"
    assert told["synchronous_standby_names"] == "ANY 1 (a, b, c)"


def test_postgresql_has_connections_for_all_workers() -> None:
    """And for one more of each machine, which is taking over, and for commands."""
    workers = len(MACHINES) * (WORKERS + 1)
    assert int(dict(postgres_settings())["max_connections"]) >= workers * CONNECTIONS + 20


def test_the_proxy_asks_every_machine_whether_it_is_ready() -> None:
    """And sends nobody to one that is not."""
    told = (FOLDER / "haproxy.cfg").read_text(encoding="utf-8")
    servers = re.findall(r"^ +server (\w) (\S+):(\d+)$", told, re.MULTILINE)
    assert servers == [
        (name, SITE[machine], str(Settings().port))
        for name, machine in zip("abc", MACHINES, strict=True)
    ]
    assert "option httpchk GET /readyz" in told
