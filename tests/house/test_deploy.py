"""What is shipped for operators names only what is there: metrics, labels, commands, variables."""

import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from dispatch.cli.main import COMMANDS
from dispatch.cli.open_files import FILES_FOR_OTHERS
from dispatch.settings import ENVIRONMENT, FILED, Settings
from dispatch.store.backlog import BACKLOG
from dispatch.telemetry import Metrics

ROOT: Final = Path(__file__).parents[2]
RULES: Final[dict[str, Any]] = yaml.safe_load(
    (ROOT / "deploy/prometheus/kapok.rules.yml").read_text(encoding="utf-8")
)
ALERTS: Final[list[dict[str, Any]]] = [rule for g in RULES["groups"] for rule in g["rules"]]
DASHBOARD: Final[dict[str, Any]] = json.loads(
    (ROOT / "deploy/grafana/kapok.json").read_text(encoding="utf-8")
)
RUNBOOK: Final = (ROOT / "docs/howto/runbook.md").read_text(encoding="utf-8")
UNIT: Final = (ROOT / "deploy/systemd/kapok.service").read_text(encoding="utf-8")
OF_OTHERS: Final = {"PYTHONUNBUFFERED", "TMPDIR"}
CITY_PHONES: Final = 23_334

USED: Final = re.compile(r"\b((?:kapok|process)_\w+)(?:\{([^}]*)\})?")
LABEL: Final = re.compile(r"(\w+)\s*[=!]")
BY: Final = re.compile(r"\bby \(([^)]*)\)")
OF_PROMETHEUS: Final = {"instance", "job", "le"}


def exported() -> dict[str, set[str]]:
    """Return every series that a scrape can have, and its labels."""
    found: dict[str, set[str]] = {}
    registry = Metrics().registry
    for family in registry.collect():
        found.update({sample.name: set() for sample in family.samples})
    for name, collector in registry._names_to_collectors.items():
        found[name] = set(getattr(collector, "_labelnames", ()))
    return found


EXPORTED: Final = exported()


def panels() -> Iterator[dict[str, Any]]:
    """Yield every panel that shows something."""
    yield from (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


QUERIES: Final = [
    *((alert["alert"], alert["expr"]) for alert in ALERTS),
    *((panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]),
]


@pytest.mark.parametrize(("whose", "query"), QUERIES)
def test_every_metric_and_label_that_is_asked_for_exists(whose: str, query: str) -> None:
    """A misspelt name would be an alert that never rings, or a panel without a line."""
    used = USED.findall(query)
    assert used or query.startswith("up"), whose
    assert {name for name, _ in used} <= set(EXPORTED), whose
    labels = set[str]().union(*(EXPORTED[name] for name, _ in used)) | OF_PROMETHEUS
    assert {label for _, chosen in used for label in LABEL.findall(chosen)} <= labels
    grouped = {label.strip() for group in BY.findall(query) for label in group.split(",")}
    assert grouped <= labels, whose


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    """What is counted can be seen."""
    shown = {
        name for panel in panels() for t in panel["targets"] for name, _ in USED.findall(t["expr"])
    }
    families = {family.name for family in Metrics().registry.collect()}
    ours = {name for name in families if name.startswith("kapok_")}
    assert {name for name in ours if not any(each.startswith(name) for each in shown)} == set()


def test_the_dashboards_panels_lie_side_by_side() -> None:
    """Each has an id of its own and a place that no other has, on a grid of 24 columns."""
    taken = set[tuple[int, int]]()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


def test_every_alert_has_its_section_in_the_runbook() -> None:
    """In the order of the rules, and the runbook has no section for an alert that is gone."""
    assert re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE) == [each["alert"] for each in ALERTS]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_an_alert_says_how_urgent_it_is_and_where_to_read(alert: dict[str, Any]) -> None:
    """The runbook's section says the same of its urgency."""
    severity = alert["labels"]["severity"]
    section = RUNBOOK.split(f"## {alert['alert']}\n")[1]
    assert severity in {"page", "ticket"}
    assert section.strip().startswith(f"**{severity.capitalize()}.**")
    assert alert["annotations"]["runbook"] == f"docs/howto/runbook.md#{alert['alert'].lower()}"
    assert alert["annotations"]["summary"]


def test_the_queues_that_ring_are_counted() -> None:
    """A queue's name is a label's value, which no registry knows."""
    named = {name for _, query in QUERIES for name in re.findall(r'queue="store_(\w+)"', query)}
    assert named
    assert [name for name in named if f") as {name}" not in BACKLOG] == []


# The unit of systemd. -----------------------------------------------------------------------------


def given(key: str) -> list[str]:
    """Return the values of a key of the unit, in order."""
    return re.findall(rf"^{key}=(.*)$", UNIT, re.MULTILINE)


def variables() -> dict[str, str]:
    """Return the environment that the unit gives."""
    return dict(line.split("=", 1) for line in given("Environment"))


def test_the_units_command_is_one_that_kapok_has() -> None:
    """The console script exists, and takes the sub-command without an argument."""
    (line,) = given("ExecStart")
    script, *arguments = shlex.split(line)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert Path(script).name in project["project"]["scripts"]
    assert arguments == ["serve"]
    (serve,) = (command for command in COMMANDS if command.name == "serve")
    assert not [each.name for each in serve.params if each.required]
    assert (Path(sys.executable).parent / Path(script).name).is_file()


def test_every_variable_of_the_unit_is_one_that_kapok_reads() -> None:
    """And those its comments name are, too."""
    assert set(variables()) - OF_OTHERS <= set(ENVIRONMENT)
    told = set(re.findall(r"\b(?:KAPOK_\w+|BUS_URL|DATABASE_URL|ROUTER_URL)", UNIT))
    assert told <= {*ENVIRONMENT, *(f"{name}_FILE" for name in FILED)}


def test_a_reload_of_the_unit_renews_the_workers() -> None:
    """By the signal that the parent listens to."""
    assert given("ExecReload") == ["/bin/kill -HUP $MAINPID"]


def test_the_unit_writes_in_its_own_folders_only() -> None:
    """The data folder is the state folder, the socket's is the runtime folder; both are closed."""
    assert variables()["KAPOK_DATA"] == f"/var/lib/{given('StateDirectory')[0]}"
    assert given("WorkingDirectory") == [variables()["KAPOK_DATA"]]
    assert variables()["TMPDIR"] == f"/run/{given('RuntimeDirectory')[0]}"
    assert given("StateDirectoryMode") == given("RuntimeDirectoryMode") == ["0700"]
    assert given("ProtectSystem") == ["strict"]


def test_the_unit_takes_every_right_away_that_is_not_needed() -> None:
    """No root, no capability, no way to gain any; loopback only, TLS is the proxy's."""
    assert given("User") == ["kapok"]
    assert given("NoNewPrivileges") == ["true"]
    assert given("CapabilityBoundingSet") == [""]
    assert variables()["KAPOK_HOST"] == Settings().host
    assert int(variables()["KAPOK_PORT"]) == Settings().port


def test_the_unit_holds_a_city_and_comes_back() -> None:
    """A file for each phone, time for the drain, and a restart whatever ended it."""
    assert int(given("LimitNOFILE")[0]) >= CITY_PHONES + FILES_FOR_OTHERS
    assert given("Restart") == ["always"]
    assert given("StartLimitIntervalSec") == ["0"]
    assert given("KillSignal") == ["SIGTERM"]
    assert int(given("TimeoutStopSec")[0]) >= 30
