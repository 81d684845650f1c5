"""The whole system as a newcomer meets it: started, starred, read, audited, ended."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cli.running import command, environment, muniment

READY_S = 240.0
END_S = 40.0

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(600)]


class Up:
    """A running ``muniment up`` and its data directory, whose path has a space."""

    def __init__(self, data: Path) -> None:
        self.data, self.port = data, _free_port()
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        """Start it and give what it printed when it was ready."""
        arguments = ("up", "--data", str(self.data), "--port", str(self.port), "--rate-limits", "off")
        self.process = subprocess.Popen(
            command(*arguments, "--webhook-targets", "any"), env=environment(), stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def pids(self) -> list[int]:
        """Give every process that it started."""
        assert self.process is not None
        return [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]

    def end(self) -> tuple[int, str]:
        """Ask it to end; give its status and what else it had printed."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        rest, _ = self.process.communicate(timeout=END_S)
        return self.process.returncode, rest

    def ask(self, *arguments: str, stdin: str = "") -> Any:
        """Do a verb in JSON and give its answer."""
        done = muniment(*arguments, "--json", stdin=stdin, MUNIMENT_DATA=str(self.data))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("up") / "a data directory")
    assert running.start() == f"muniment is ready on http://127.0.0.1:{running.port}\n"
    yield running
    if running.process is not None and running.process.poll() is None:
        running.end()


@pytest.fixture(scope="module")
def curator(up: Up) -> Path:
    path = up.data.parent / "curator.json"
    made = up.ask("keygen", str(path))
    up.ask("signers", "add", made["did"], "curator")
    return path


def test_a_curator_stars_a_playlist_and_the_feed_shows_it(up: Up, curator: Path) -> None:
    playlist = {"id": "pl-1", "slug": "one", "title": "One", "created": "2025-10-13T03:00:00.000Z", "items": []}
    up.ask("playlists", "post", "-", stdin=json.dumps(playlist))
    fact = up.ask("facts", "star", "pl-1", "--as", str(curator), "--reason", "good")
    assert (fact["status"], fact["kind"]) == ("active", "endorsement.star")
    assert up.ask("facts", "show", fact["id"])["id"] == fact["id"]
    assert [each["id"] for each in up.ask("facts", "list", "--kind", "endorsement.star")["items"]] == [fact["id"]]
    assert up.ask("facts", "history", fact["id"])["items"][0]["type"] == "FactIssued"
    assert up.ask("facts", "verify", fact["id"])["verified"] is True
    assert up.ask("facts", "follow", "--until-now")["change"] == "issued"
    assert up.ask("playlists", "show", "pl-1")["star"] is True
    assert [each["id"] for each in up.ask("playlists", "list", "--starred")["items"]] == ["pl-1"]
    assert up.ask("facts", "unstar", "pl-1", "--as", str(curator))["status"] == "revoked"
    assert up.ask("playlists", "list", "--starred")["items"] == []


def test_a_refusal_ends_with_status_1_and_its_code(up: Up, curator: Path) -> None:
    done = muniment("signers", "add", "did:key:zX", "curator", "--as", str(curator), "--data", str(up.data), "--json")
    assert done.returncode == 1
    assert json.loads(done.stderr)["code"] in {"forbidden", "invalid_request"}
    done = muniment("facts", "show", "fct_" + "a" * 52, "--data", str(up.data))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("muniment: not_found: ")


def test_a_file_of_facts_is_issued_and_known_the_second_time(up: Up, curator: Path) -> None:
    lines = [
        {
            "kind": "endorsement.star",
            "subject": {"origin": "feed.ff", "type": "playlist", "ref": f"b{number}"},
            "body": body,
        }
        for number in range(1_100)
        for body in [{"issued_at": "2025-10-13T03:00:00.000Z"}]
    ]
    content = "\n".join(map(json.dumps, lines))
    first = up.ask("facts", "batch", "-", "--as", str(curator), stdin=content)
    again = up.ask("facts", "batch", "-", "--as", str(curator), stdin=content)
    assert first["summary"] == {"issued": 1_100, "known": 0, "refused": 0}
    assert again["summary"] == {"issued": 0, "known": 1_100, "refused": 0}
    assert len(up.ask("facts", "list", "--all")["items"]) >= 1_100


def test_webhooks_are_managed(up: Up) -> None:
    made = up.ask("webhooks", "add", "http://127.0.0.1:1/hook", "--kind", "rights.grant")
    assert made["secret"].startswith("whsec_")
    assert "secret" not in up.ask("webhooks", "show", made["id"])
    assert made["id"] in [each["id"] for each in up.ask("webhooks", "list")["items"]]
    assert up.ask("webhooks", "rotate-secret", made["id"])["secret"] != made["secret"]
    assert up.ask("webhooks", "deliveries", made["id"])["items"] == []
    up.ask("webhooks", "replay", made["id"])
    up.ask("webhooks", "remove", made["id"])


def test_the_audit_finds_every_projection_equal_to_the_log_and_an_export_needs_no_broker(
    up: Up, tmp_path: Path
) -> None:
    verdict = up.ask("audit")
    assert verdict["holds"] is True, verdict["difference"]
    assert set(verdict["projections"]) >= {"facts", "signers", "webhooks", "playlists", "ledger"}
    assert up.ask("audit", "--from-log")["holds"] is True
    exported = tmp_path / "export"
    up.ask("export", str(exported))
    assert muniment("audit", "--from-export", str(exported), cwd=tmp_path).returncode == 0


def test_projections_are_rebuilt_while_all_goes_on(up: Up) -> None:
    done = muniment("rebuild", "all", "--json", "--data", str(up.data))
    assert done.returncode == 0, done.stderr
    rebuilt = [json.loads(line) for line in done.stdout.splitlines()]
    assert {each["projection"] for each in rebuilt} == {"facts", "signers", "webhooks", "playlists", "ledger"}
    assert up.ask("audit")["holds"] is True


def test_health_tells_an_operator_of_every_process(up: Up) -> None:
    health = up.ask("health")
    assert health["status"] == "ok"
    assert {"api", "decide", "project", "react"} <= set(health["processes"])


def test_no_secret_lies_open_and_none_was_told(up: Up) -> None:
    for name in ("operator.json", "stack.json", "keys/webhook.key"):
        assert (up.data / name).stat().st_mode & 0o077 == 0
    secret = json.loads((up.data / "operator.json").read_text())["private_key_b64"]
    for log in (up.data / "logs").iterdir():
        assert secret not in log.read_text(errors="replace")


def test_it_ends_with_everything_that_it_started_and_starts_again_where_it_was(up: Up) -> None:
    before = up.ask("facts", "list")["items"]
    did = json.loads((up.data / "operator.json").read_text())["did"]
    pids = up.pids()
    assert len(pids) >= 6
    status, rest = up.end()
    assert (status, rest) == (0, "")
    deadline = time.monotonic() + 5
    while any(map(psutil.pid_exists, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(psutil.pid_exists, pids))
    assert not (up.data / "stack.json").exists()
    began = time.monotonic()
    assert "is ready on" in up.start()
    assert time.monotonic() - began < 60 * (2 if os.cpu_count() == 1 else 1)
    assert json.loads((up.data / "operator.json").read_text())["did"] == did
    assert up.ask("facts", "list")["items"] == before
    assert up.ask("audit")["holds"] is True
