"""What every test may ask for: the real broker and the real Postgres, started once a run by our own command."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

STACK_READY_S = 240.0
SERVED = {
    *("api", "api_identity", "api_ledger", "api_publishing", "api_reads", "api_records"),
    *("chain", "events", "feed", "gateway", "media", "publishing"),
}
"""Folders whose tests each start an api or a chain: by the hundred that takes minutes."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the broker or Postgres by the fixture that it asks for, and what starts an api by its folder."""
    for item in items:
        if "services" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.stack)
        if item.path.relative_to(Path(__file__).parent).parts[0] in SERVED:
            item.add_marker(pytest.mark.slow)


@dataclass(frozen=True)
class Services:
    """Where the broker and Postgres of this test run are."""

    kafka: str
    postgres: str


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Start a broker and Postgres for the whole run, or use those that MUNIMENT_TEST_SERVICES (JSON) names."""
    given = os.environ.get("MUNIMENT_TEST_SERVICES")
    if given:
        yield Services(**json.loads(given))
        return
    data = tmp_path_factory.mktemp("services") / "data"
    with running_services(data) as found:
        yield found


@contextlib.contextmanager
def running_services(data: Path) -> Iterator[Services]:
    """Run `python -m muniment.stack` on a data directory."""
    stack = subprocess.Popen(  # our own command
        [sys.executable, "-m", "muniment.stack", str(data)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert stack.stdout is not None
        line = stack.stdout.readline()
        assert line, "the broker and Postgres did not start; what they said is above"
        yield Services(**json.loads(line))
    finally:
        stack.terminate()
        stack.wait(timeout=60)
        if stack.stdout is not None:
            stack.stdout.close()
