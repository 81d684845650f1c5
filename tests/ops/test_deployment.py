"""What is deployed elsewhere is checked here as far as it can be: structure, names, references."""

import argparse
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from muniment.cli import parser
from muniment.settings import TABLE

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.redpanda.yml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}
DASHBOARDS = sorted((ROOT / "ops/grafana/dashboards").glob("*.json"))
ALERTS = ROOT / "ops/prometheus/alerts.yml"


def verbs() -> set[str]:
    (choices,) = [action.choices for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return set(choices)


def metric_names() -> set[str]:
    """Every metric that the code declares."""
    source = "\n".join(
        path.read_text()
        for layer in ("log", "projections", "processors", "api", "muniment")
        for path in sorted((ROOT / layer).rglob("*.py"))
    )
    return {re.sub(r"_total$", "", name) for name in re.findall(r'"(muniment_[a-z_]+)"', source)}


def queried(expression: str) -> set[str]:
    names = set(re.findall(r"\bmuniment_[a-z_]+", expression))
    return {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in names}


def test_compose_runs_each_process_of_ours_by_a_verb_of_the_command_line() -> None:
    assert {service["command"][0] for service in OURS.values()} == {"muniment"}
    assert {service["command"][1] for service in OURS.values()} == {"api", "decide", "project", "react"}
    assert {service["command"][1] for service in OURS.values()} <= verbs()


def test_compose_sets_only_settings_that_are_in_the_table() -> None:
    known = {setting.variable for setting in TABLE}
    for name, service in OURS.items():
        assert set(service["environment"]) <= known, name


def test_compose_has_redpanda_postgres_prometheus_and_grafana() -> None:
    images = {service["image"].split(":")[0].split("/")[-1] for service in COMPOSE["services"].values()}
    assert images >= {"redpanda", "postgres", "prometheus", "grafana"}
    assert all(":" in service["image"] for service in COMPOSE["services"].values())


def test_compose_mounts_only_files_that_are_there_and_named_volumes() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_prometheus_scrapes_every_process_of_ours() -> None:
    config = yaml.safe_load((ROOT / "ops/prometheus/prometheus.yml").read_text())
    hosts = {
        target.split(":")[0]
        for job in config["scrape_configs"]
        for static in job["static_configs"]
        for target in static["targets"]
    }
    assert set(OURS) <= hosts
    assert all((ROOT / "ops/prometheus" / name).exists() for name in config["rule_files"])


def test_every_alert_has_a_summary_a_runbook_and_metrics_that_exist() -> None:
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    assert rules
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        runbook, _, anchor = rule["annotations"]["runbook"].partition("#")
        headings = re.findall(r"^## (.+)$", (ROOT / runbook).read_text(), flags=re.MULTILINE)
        assert anchor in {heading.lower().replace(" ", "-") for heading in headings}
        assert queried(rule["expr"]) <= metric_names(), rule["alert"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_asks_for_metrics_that_exist(path: Path) -> None:
    dashboard = json.loads(path.read_text())
    assert dashboard["uid"]
    for panel in dashboard["panels"]:
        assert panel["title"]
        for target in panel["targets"]:
            names = queried(target["expr"])
            assert names <= metric_names(), (panel["title"], names - metric_names())


def test_there_is_a_dashboard() -> None:
    assert DASHBOARDS
