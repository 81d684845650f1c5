"""What is deployed elsewhere is checked here as far as it can be: structure, names, references."""

import argparse
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from domain.catalog import CATALOG
from muniment.cli import parser
from muniment.settings import TABLE
from tests.house import reference

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.redpanda.yml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}
DASHBOARDS = sorted((ROOT / "ops/grafana/dashboards").glob("*.json"))
ALERTS = ROOT / "ops/prometheus/alerts.yml"


def verbs() -> set[str]:
    (choices,) = [action.choices for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return set(choices)


SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
OF_PROMETHEUS = {"up", "process_resident_memory_bytes"}
"""What Prometheus and its client tell by themselves."""
WORDS = {"and", "or", "unless", "bool", "by", "on", "without", "ignoring", "group_left", "group_right", "offset"}


@cache
def metric_names() -> set[str]:
    """Every series that the code's metrics are scraped as."""
    return OF_PROMETHEUS | {
        name.removesuffix("_total" if kind == "counter" else "") + suffix
        for name, kind, _, _ in reference.metrics()
        for suffix in SUFFIXES[kind]
    }


def queried(expression: str) -> set[str]:
    """Every series that an expression asks for: its words that are no function, no label and no duration."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]', " ", expression)
    bare = re.sub(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    return set(re.findall(r"(?<![\w.])[a-zA-Z_:][\w:]*\b(?!\s*\()", bare)) - WORDS


def test_the_metrics_of_an_expression_are_told_from_its_other_words() -> None:
    asked = 'sum by (a, b) (rate(one_total{c="two"}[5m])) or max(three and on (d) four == 1) offset 5m > 1e3'
    assert queried(asked) == {"one_total", "three", "four"}


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


@pytest.mark.parametrize("shared", ["keys", "media", "devnet"])
def test_compose_lets_api_and_react_share_what_they_must_and_its_owner_may_write_there(shared: str) -> None:
    for name in ("api", "react"):
        assert f"{shared}:/data/{shared}" in OURS[name]["volumes"], name
    assert f"/data/{shared}" in (ROOT / "ops/Dockerfile").read_text()


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
        assert queried(rule["expr"])
        assert queried(rule["expr"]) <= metric_names(), rule["alert"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_asks_for_metrics_that_exist(path: Path) -> None:
    dashboard = json.loads(path.read_text())
    assert dashboard["uid"]
    for panel in dashboard["panels"]:
        assert panel["title"]
        for target in panel["targets"]:
            names = queried(target["expr"])
            assert names, panel["title"]
            assert names <= metric_names(), (panel["title"], names - metric_names())


def test_there_is_a_dashboard() -> None:
    assert DASHBOARDS


SHOWN_OF_THE_LEDGER = {
    "muniment_supply_micro_avt": "frame, figure",
    "muniment_supply_holds": "frame",
    "muniment_events_total": "type",
    "muniment_refusals_total": "code",
    "muniment_transits": "phase",
    "muniment_transit_oldest_seconds": "",
    "muniment_treasury_micro_avt": "frame, registry",
    "muniment_settlement_agrees": "frame",
    "muniment_settlement_pending": "answer",
    "muniment_settlement_oldest_seconds": "",
    "muniment_invariants_hold": "frame",
}
"""What an operator sees of the ledger, and by what it is told apart."""


@pytest.mark.parametrize("metric", SHOWN_OF_THE_LEDGER)
def test_what_is_to_be_seen_of_the_ledger_is_on_its_dashboard(metric: str) -> None:
    panels = [panel for path in DASHBOARDS for panel in json.loads(path.read_text())["panels"]]
    asked = [
        target["expr"]
        for panel in panels
        if panel["title"].startswith("Ledger: ")
        for target in panel["targets"]
        if re.search(rf"\b{metric}\b", target["expr"])
    ]
    assert asked
    by = SHOWN_OF_THE_LEDGER[metric]
    assert not by or any(f"by ({by})" in expression for expression in asked)


def test_the_transfers_on_the_dashboard_are_all_that_a_decider_can_say_of_one() -> None:
    (panel,) = [
        panel
        for path in DASHBOARDS
        for panel in json.loads(path.read_text())["panels"]
        if panel["title"] == "Ledger: transfers decided a second"
    ]
    (names,) = re.findall(r'muniment_events_total\{type=~"([^"]+)"\}\[1m\]', panel["targets"][0]["expr"])
    assert set(names.split("|")) == {
        entry.name for entry in CATALOG if entry.role == "event" and entry.name.startswith("Transfer")
    }


ALARMS = {
    "SupplyDoesNotHold": ("min by (frame) (muniment_supply_holds) != 1", "page"),
    "SettlementDiffers": ("min by (frame) (muniment_settlement_agrees) != 1", "page"),
    "InvariantsDoNotHold": ("min by (frame) (muniment_invariants_hold) != 1", "page"),
    "TransferStuck": (
        "max(muniment_transit_oldest_seconds and on (instance) muniment_reactor_leading == 1) > 300",
        "page",
    ),
    "TransfersTimeOut": ("increase(muniment_transits_timed_out_total[10m]) > 10", "ticket"),
}


@pytest.mark.parametrize("name", ALARMS)
def test_the_ledger_s_alarms_are_raised_at_what_they_are_for(name: str) -> None:
    rules = {rule["alert"]: rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]}
    assert (rules[name]["expr"], rules[name]["labels"]["severity"]) == ALARMS[name]
    assert "for" not in rules[name], "what is so needn't be so for long"


def test_panels_have_ids_of_their_own_and_do_not_lie_on_each_other() -> None:
    for path in DASHBOARDS:
        panels = json.loads(path.read_text())["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        taken = [
            (x, y)
            for panel in panels
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        ]
        assert len(set(taken)) == len(taken)
        assert max(x for x, _ in taken) < 24
