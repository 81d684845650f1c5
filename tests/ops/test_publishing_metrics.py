"""What publishing promises to be seen by lies, by these very names, where Prometheus asks for it."""

import re

import pytest
from prometheus_client import REGISTRY, generate_latest

from api.metrics import Metrics
from processors import publishing_metrics
from projections.postgres import CONNECTION_ERRORS

OF_A_REACTOR = (
    "publish_jobs_total",
    "publish_jobs_queued",
    "publish_jobs_sent",
    "publish_jobs_failed",
    "utxo_pool_size",
    "utxo_available",
    "utxo_reserved",
    "worker_lag",
    "database_connection_errors",
)
OF_AN_API = ("signature_verification_failures", "database_connection_errors")


def value(text: bytes, name: str) -> float:
    (found,) = re.findall(rf"^{name} (\S+)$", text.decode(), flags=re.MULTILINE)
    return float(found)


@pytest.mark.parametrize("name", OF_A_REACTOR)
def test_a_process_without_an_api_tells_it_on_the_port_of_its_metrics(name: str) -> None:
    publishing_metrics.fall_silent()
    assert value(generate_latest(REGISTRY), name) >= 0


@pytest.mark.parametrize("name", OF_AN_API)
def test_an_api_tells_it_among_its_own(name: str) -> None:
    metrics = Metrics()
    before = value(metrics.written(), name)
    {"signature_verification_failures": metrics.signature_failures}.get(name, CONNECTION_ERRORS).inc()
    assert value(metrics.written(), name) == before + 1
