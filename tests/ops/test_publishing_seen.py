"""Publishing as an operator sees it: dashboards that show what they promise, and alerts at what they are for."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from domain.catalog import CATALOG
from tests.ops.test_deployment import ALERTS, DASHBOARDS, queried

HERE = Path(__file__).parent
PROMTOOL = shutil.which("promtool")
OF_THE_LEADER = "and on (instance) muniment_reactor_leading == 1"
ALARMS = {
    "PublishWorkerDown": ("(sum(muniment_reactor_leading) or vector(0)) == 0", "5m"),
    "PublishJobsWait": (f"max(worker_lag {OF_THE_LEADER}) > 300", None),
    "PublishBacklog": (f"max(publish_jobs_queued {OF_THE_LEADER}) > 1000", "1m"),
    "FewOutputsAvailable": (f"max(utxo_available {OF_THE_LEADER}) < 50", "1m"),
    "DatabaseConnectionsFail": ("sum(increase(database_connection_errors[5m])) > 3", None),
    "SignaturesFail": ("sum(increase(signature_verification_failures[1m])) > 10", None),
}
"""A reactor that doesn't lead tells zeros, which are no figures of the pool."""
SHOWN = {
    "realtime": {
        "Queue": {"publish_jobs_queued", "worker_lag"},
        "Worker": {"muniment_reactor_leading", "publish_jobs_total", "publish_jobs_sent"},
        "Errors": {"signature_verification_failures", "database_connection_errors", "publish_jobs_failed"},
    },
    "history": {
        "Throughput": {"publish_jobs_total", "publish_jobs_sent", "publish_jobs_failed"},
        "UTXO churn": {"utxo_pool_size", "utxo_available", "utxo_reserved", "muniment_events_total"},
        "Replay attempts": {"muniment_refusals_total"},
    },
}


@pytest.mark.parametrize("name", ALARMS)
def test_publishing_s_alarms_are_raised_at_what_they_are_for(name: str) -> None:
    rules = {rule["alert"]: rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]}
    assert (rules[name]["expr"], rules[name].get("for")) == ALARMS[name]


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
@pytest.mark.parametrize("asked", [("check", "rules", ALERTS), ("test", "rules", HERE / "alerts_raised.yml")])
def test_prometheus_takes_the_alerts_and_raises_them_when_it_should(asked: tuple[str, str, Path]) -> None:
    ran = subprocess.run(  # promtool, where the machine has it
        [str(PROMTOOL), *map(str, asked)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("dashboard", SHOWN)
def test_a_dashboard_shows_what_it_is_for(dashboard: str) -> None:
    (path,) = [path for path in DASHBOARDS if path.stem == dashboard]
    panels = json.loads(path.read_text())["panels"]
    for subject, wanted in SHOWN[dashboard].items():
        asked = [target["expr"] for each in panels if each["title"].startswith(subject) for target in each["targets"]]
        assert {name for expression in asked for name in queried(expression)} >= wanted, subject


def test_replay_attempts_are_the_refusals_of_a_nonce_or_a_record_that_was_there() -> None:
    panels = json.loads(next(path for path in DASHBOARDS if path.stem == "history").read_text())["panels"]
    (replays,) = [each["targets"] for each in panels if each["title"].startswith("Replay attempts")]
    assert 'code=~"nonce_used|record_exists"' in replays[0]["expr"]


def test_the_events_on_publishing_s_dashboards_are_publishing_s() -> None:
    known = {each.name for each in CATALOG if (each.context, each.role) == ("publishing", "event")}
    shown = {
        name
        for path in DASHBOARDS
        if path.stem in SHOWN
        for names in re.findall(r'muniment_events_total\{type=~\\"([^\\"]+)', path.read_text())
        for name in names.split("|")
    }
    assert shown
    assert shown <= known


def test_every_dashboard_has_an_id_of_its_own() -> None:
    found = [json.loads(path.read_text())["uid"] for path in DASHBOARDS]
    assert len(set(found)) == len(found)
