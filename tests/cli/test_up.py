"""The whole system as a newcomer meets it: started, starred, read, audited, ended."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from muniment.cli import main
from muniment.signing_key import SigningKey
from projections.dump import PROJECTIONS
from tests.cli.did_story import live_a_life
from tests.cli.running import command, environment, muniment

READY_S = 240.0
END_S = 40.0
SEEN_S = 60.0

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


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SEEN_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


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


def test_a_person_keeps_records_and_files_gets_them_back_and_has_them_erased(
    up: Up, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, count = up.data.parent, "org.example.count"
    key, schema = folder / "dora.json", {"type": "object", "properties": {"n": {"type": "integer"}}}
    dora = SigningKey.generate()
    dora.save(key)

    def say(*arguments: str, status: int = 0) -> Any:
        """Do a verb in this process, which is quicker, and give what it said."""
        assert main([*arguments, "--json", "--data", str(up.data)]) == status
        said = capsys.readouterr()
        return json.loads(said.err if status else said.out)

    def as_dora(*arguments: str, status: int = 0) -> Any:
        return say(*arguments, "--as", str(key), status=status)

    def listed() -> list[str]:
        return [each["uri"] for each in say("records", "list", dora.did)["items"]]

    (folder / "count.json").write_text(json.dumps(schema))
    assert say("schemas", "put", count, str(folder / "count.json"))["version"] == 1
    assert [each["schema"] for each in say("schemas", "show", count)["versions"]] == [schema]
    made = as_dora("records", "post", "org.muniment.post", '{"text": "hello"}')
    first = as_dora("records", "put", f"{count}/a", '{"n": 1}', "--if-none-match")
    as_dora("records", "put", f"mun://{dora.did}/{count}/a", '{"n": 2}', "--if-match", first["cid"])
    stale = as_dora("records", "delete", f"{count}/a", "--if-match", first["cid"], status=1)
    assert stale["code"] == "cid_mismatch"
    # Each verb is a client of its own, which waits for nothing that another wrote.
    _until(lambda: listed() == [first["uri"], made["uri"]])
    _until(lambda: as_dora("records", "show", f"{count}/a")["value"] == {"n": 2})
    assert as_dora("records", "delete", f"{count}/a") == {"uri": first["uri"]}
    _until(lambda: listed() == [made["uri"]])
    picture, back = folder / "picture.png", folder / "back.png"
    picture.write_bytes(bytes(range(256)) * 8_000)
    kept = as_dora("media", "upload", str(picture), "--idempotency-key", "once")
    assert as_dora("media", "upload", str(picture), "--idempotency-key", "once")["id"] == kept["id"]
    assert say("media", "show", kept["id"])["status"] == "finalized"
    assert say("media", "download", kept["id"], str(back), "--sha256", kept["sha256"])["id"] == kept["id"]
    assert back.read_bytes() == picture.read_bytes()
    assert say("media", "download", kept["id"], str(back), status=1)["code"] == "file_exists"
    assert as_dora("erase", dora.did, "--confirm", dora.did)["did"] == dora.did
    for gone in (("records", "show", made["uri"]), ("media", "show", kept["id"])):
        assert say(*gone, status=1)["code"] == "erased"


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
    assert set(verdict["projections"]) >= {"playlists", *(each.name for each in PROJECTIONS)}
    assert up.ask("audit", "--from-log")["holds"] is True
    exported = tmp_path / "export"
    up.ask("export", str(exported))
    assert muniment("audit", "--from-export", str(exported), cwd=tmp_path).returncode == 0


def test_projections_are_rebuilt_while_all_goes_on(up: Up) -> None:
    done = muniment("rebuild", "all", "--json", "--data", str(up.data))
    assert done.returncode == 0, done.stderr
    rebuilt = [json.loads(line) for line in done.stdout.splitlines()]
    assert {each["projection"] for each in rebuilt} == {"playlists", *(each.name for each in PROJECTIONS)}
    assert up.ask("audit")["holds"] is True


def test_health_tells_an_operator_of_every_process(up: Up) -> None:
    health = up.ask("health")
    assert health["status"] == "ok"
    assert {"api", "decide", "project", "react"} <= set(health["processes"])


def test_a_service_key_is_followed_by_another_while_everybody_stays_signed_in(up: Up) -> None:
    url, operator = f"http://127.0.0.1:{up.port}", SigningKey.load(up.data / "operator.json")
    given = requests.post(f"{url}/auth/nonce", json={"did": operator.did}, timeout=20).json()
    statement = operator.sign_session(given["issuer"], operator.did, given["nonce"])
    opened = requests.post(f"{url}/auth/session", json=statement, timeout=20).json()
    headers = {"Authorization": f"Bearer {opened['token']}"}

    def published() -> set[str]:
        return {key["kid"] for key in requests.get(f"{url}/.well-known/jwks.json", timeout=20).json()["keys"]}

    (before,) = published()
    made = up.ask("keys", "rotate")
    deadline = time.monotonic() + READY_S
    while len(published()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert published() == {before, made["kid"]}
    assert requests.get(f"{url}/auth/session", headers=headers, timeout=20).json()["did"] == operator.did
    assert requests.post(f"{url}/auth/refresh", headers=headers, timeout=20).status_code == 201
    assert requests.post(f"{url}/auth/logout", headers=headers, timeout=20).status_code == 204
    assert requests.get(f"{url}/auth/session", headers=headers, timeout=20).status_code == 401
    told = "".join(path.read_text() for path in (up.data / "logs").glob("*.log"))
    for path in (up.data / "keys").glob("service-*.json"):
        assert path.stat().st_mode & 0o777 == 0o600
        assert json.loads(path.read_bytes())["seed_b64"] not in told


def test_a_did_lives_by_its_verbs_and_is_rescued_by_its_guardians(up: Up, tmp_path: Path) -> None:
    live_a_life(up, tmp_path)


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
