"""What the first screen of the README promises, from the first key to the last process, on one registry."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest
import requests

from domain.catalog import CONTEXTS
from muniment import SigningKey
from projections.dump import PROJECTIONS
from tests.audit import independent_did_verifier
from tests.end_to_end.receiver import Receiver, receiving, until, verify
from tests.end_to_end.registry import END_S, READY_S, Registry, environment, free_port, running

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(600)]

PLAYLISTS = ("pl-1", "pl-2", "pl:3;odd ✶")


class Story:
    """A registry, a receiver, and the files of a curator who works with the command line alone."""

    def __init__(self, registry: Registry, receiver: Receiver, folder: Path) -> None:
        self.registry, self.receiver, self.folder = registry, receiver, folder
        self.curator = folder / "a curator.json"
        self.did = json.loads(registry.cli("keygen", str(self.curator), "--json"))["did"]

    def ask(self, *arguments: str, input_text: str | None = None) -> Any:
        return json.loads(self.registry.started(*arguments, "--json", input_text=input_text))

    def star(self, playlist: str) -> Any:
        return self.ask("facts", "star", playlist, "--as", str(self.curator))

    def starred(self, url: str | None = None) -> list[str]:
        answer = requests.get((url or self.registry.url) + "/playlists?star=true&order=asc", timeout=20)
        return [each["id"] for each in answer.json()["items"]]

    def feed(self, url: str) -> list[Any]:
        """Give all that a feed shows: its list, and each playlist with its last stars."""
        listed = requests.get(url + "/playlists?order=asc", timeout=20).json()["items"]
        paths = [f"{url}/playlists/{quote(each['id'], safe='')}" for each in listed]
        return [listed, [requests.get(path, timeout=20).json() for path in paths]]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("first screen")
    with receiving() as receiver, running(folder / "data") as registry:
        yield Story(registry, receiver, folder)


def playlist(name: str) -> dict[str, Any]:
    number = PLAYLISTS.index(name)
    created = f"2025-10-1{number}T03:00:00.000Z"
    return {"id": name, "slug": f"s{number}", "title": f"No. {number}", "created": created, "items": [{"n": number}]}


def test_a_curator_stars_the_feed_shows_it_and_a_receiver_hears_of_it(story: Story) -> None:
    assert story.curator.stat().st_mode & 0o077 == 0
    assert story.ask("signers", "add", story.did, "curator")["roles"] == ["curator"]
    for name in PLAYLISTS:
        story.ask("playlists", "post", "-", input_text=json.dumps(playlist(name)))
    webhook = story.ask("webhooks", "add", f"{story.receiver.url}/hook")

    facts = [story.star(name) for name in PLAYLISTS]
    assert story.starred() == list(PLAYLISTS)
    until(lambda: len(story.receiver.heard) >= 3)
    heard = sorted(story.receiver.heard, key=lambda each: each.json["sequence"])
    assert [each.json["id"] for each in heard] == [fact["id"] for fact in facts]
    assert [each.json["sequence"] for each in heard] == [1, 2, 3]
    for each, fact in zip(heard, facts, strict=True):
        verify(each, webhook["secret"])
        assert {name: each.json[name] for name in ("kind", "subject", "issuer_did", "status", "position")} == {
            name: fact[name] for name in ("kind", "subject", "issuer_did", "status", "position")
        }
    shown = requests.get(story.registry.url + "/playlists/pl-1", timeout=20).json()
    assert (shown["dpVersion"], shown["star"], len(shown["stars_recent"])) == ("1.0.0", True, 1)

    status, read = story.registry.get(f"/facts/{facts[0]['id']}")
    assert (status, read) == (200, {name: facts[0][name] for name in read})
    assert story.ask("facts", "verify", facts[0]["id"])["verified"] is True


def test_it_is_taken_back_and_its_history_tells_of_both(story: Story) -> None:
    taken = story.ask("facts", "unstar", "pl-1", "--as", str(story.curator), "--reason", "no longer")
    assert (taken["status"], "FactRevoked" in taken["status_reason"]) == ("revoked", True)
    assert story.starred() == list(PLAYLISTS[1:])
    history = story.ask("facts", "history", taken["id"])["items"]
    assert [event["type"] for event in history] == ["FactIssued", "FactRevoked"]
    assert history[1]["reason"] == "no longer"
    told = until(lambda: len(story.receiver.heard) >= 4 and story.receiver.heard[3])
    assert (told.json["id"], told.json["status"], told.json["sequence"]) == (taken["id"], "revoked", 4)
    assert story.star("pl-1")["id"] != taken["id"]
    assert story.starred() == list(PLAYLISTS)


def test_a_command_is_shown_by_the_address_that_its_answer_gave(story: Story) -> None:
    key = SigningKey.load(story.curator)
    token = signed_in(story.registry.url, key)
    signed = key.sign_fact("endorsement.star", subject("pl-2"), {"issued_at": "2025-10-13T03:00:00.000Z"})
    headers = {"Authorization": f"Bearer {token}", "Prefer": "respond-async"}
    answer = requests.post(story.registry.url + "/facts", json=signed, headers=headers, timeout=20)
    assert answer.status_code == 202
    location = answer.headers["Location"]

    def settled() -> Any:
        found = story.ask("commands", "show", location.removeprefix("/commands/"))
        return found if found["status"] != "pending" else None

    found = until(settled)
    # This curator's star on it is active already.
    assert (found["status"], found["problem"]["code"]) == ("refused", "already_active")


def subject(ref: str) -> dict[str, str]:
    return {"origin": "feed.ff", "type": "playlist", "ref": ref}


def signed_in(url: str, key: SigningKey) -> str:
    nonce = requests.post(url + "/auth/nonce", json={"did": key.did}, timeout=20).json()
    statement: Any = key.sign_session(nonce["issuer"], key.did, nonce["nonce"])
    return str(requests.post(url + "/auth/session", json=statement, timeout=20).json()["token"])


def test_a_did_is_shown_by_the_command_line_and_its_log_verified_by_an_outsider(story: Story) -> None:
    keys = [str(story.folder / f"ada {number}.json") for number in range(2)]
    made = story.ask("did", "create", keys[0], "--handle", "ada", "--backups", "1")
    did, rotation = made["did"], made["rotation"]
    first = story.ask("did", "log", did)["items"][0]
    story.ask("did", "rotate", keys[1], "--id", "next", "--end", "main", "--overlap", "0", "--rotation", rotation)
    document = story.ask("did", "show", did)
    assert (document["id"], document["alsoKnownAs"]) == (did, ["mun://ada"])
    assert document["authentication"] == document["assertionMethod"] == [f"{did}#next"]
    assert story.ask("did", "show", "--as", keys[1]) == document
    assert story.ask("did", "show", did, "--as-of", first["at"])["authentication"] == [f"{did}#main"]
    operations = story.ask("did", "log", did)["items"]
    assert [each["operation"]["type"] for each in operations] == ["create", "rotate"]
    assert "rotate" in story.registry.cli("did", "log", did)
    assert did in story.registry.cli("did", "show", did)
    served = story.registry.get(f"/dids/{did}/log")[1]["items"]
    assert served == operations
    verified = independent_did_verifier.verify(did, served)
    assert [key["id"] for key in verified.holding(verified.at)] == ["next"]
    resolved = story.registry.get(f"/1.0/identifiers/{did}")[1]
    assert (resolved["didDocument"], resolved["didDocumentMetadata"]["versionId"]) == (document, served[-1]["hash"])
    web = story.registry.get("/u/ada/did.json")[1]
    port = story.registry.url.rpartition(":")[2]
    assert (web["id"], web["controller"]) == (f"did:web:127.0.0.1%3A{port}:u:ada", did)
    assert story.registry.get("/.well-known/did.json")[1]["id"] == f"did:web:127.0.0.1%3A{port}"
    assert story.ask("audit", "identity")["holds"]


def test_the_log_is_audited_exported_and_its_projections_rebuilt(story: Story, tmp_path: Path) -> None:
    verdict = story.ask("audit")
    assert verdict["holds"]
    assert verdict["facts"] == 4
    assert {"playlists", *(each.name for each in PROJECTIONS)} <= set(verdict["projections"])
    assert "no difference found" in story.registry.cli("audit")
    story.ask("export", str(tmp_path / "an export"))
    # An auditor has the export and nothing else: no data directory, no broker, no database.
    apart = [sys.executable, "-m", "muniment", "audit", "--from-export", str(tmp_path / "an export"), "--json"]
    done = subprocess.run(apart, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    exported = json.loads(done.stdout)
    assert {name: exported[name] for name in ("facts", "decisions", "signatures")} == {
        name: story.ask("audit", "--from-log")[name] for name in ("facts", "decisions", "signatures")
    }
    rebuilt = [json.loads(line) for line in story.registry.cli("rebuild", "all", "--json").splitlines()]
    assert {each["projection"] for each in rebuilt} == {"playlists", *(each.name for each in PROJECTIONS)}
    assert [each for each in rebuilt if each["difference"] is not None] == []
    told = {each["projection"] for each in rebuilt if each["rows"] > 0}
    # This story keeps no record: what it brings forth is compared, the rest is empty.
    assert told == {"playlists", *(each.name for each in PROJECTIONS)} - {"records"}
    assert story.ask("audit")["holds"]
    assert story.starred() == list(PLAYLISTS)


def test_health_names_the_broker_to_an_operator_alone(story: Story) -> None:
    health = story.ask("health")
    assert health["broker"] == story.registry.stack()["kafka"]
    assert health["status"] == "ok"
    numbers = range(len(health["partitions"]) // len(CONTEXTS))
    assert set(health["partitions"]) == {f"{of}/{number}" for of in CONTEXTS for number in numbers}
    assert set(story.registry.get("/health")[1]) <= {"status", "log"}
    other = requests.get(
        story.registry.url + "/health",
        headers={"Authorization": f"Bearer {signed_in(story.registry.url, SigningKey.load(story.curator))}"},
        timeout=20,
    )
    assert set(other.json()) <= {"status", "log"}


def test_a_second_registry_on_the_same_data_is_refused_and_harms_nothing(story: Story) -> None:
    second = [sys.executable, "-m", "muniment", "up", "--data", str(story.registry.data), "--port", str(free_port())]
    done = subprocess.run(second, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"in use by the stack with pid {story.registry.process.pid}" in done.stderr
    assert "Traceback" not in done.stderr
    assert story.registry.get("/health")[0] == 200


def test_a_feed_apart_shows_what_the_registrys_own_feed_shows(story: Story) -> None:
    port = free_port()
    command = [sys.executable, "-m", "muniment", "feed", "--registry", story.registry.url]
    command += ["--data", str(story.folder / "feed"), "--port", str(port), "--rate-limits", "off"]
    command += ["--as", str(story.registry.data / "operator.json")]
    feed = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
    url = f"http://127.0.0.1:{port}"
    try:
        assert first_line(feed) == f"muniment feed is ready on {url}\n"
        admin = signed_in(story.registry.url, SigningKey.load(story.registry.data / "operator.json"))
        for name in PLAYLISTS:
            headers = {"Authorization": f"Bearer {admin}"}
            posted = requests.post(url + "/playlists", json=playlist(name), headers=headers, timeout=20)
            assert posted.status_code == 201, posted.text
        # What was starred before it started comes by the delta feed, what comes now by its webhook.
        same(story, url)
        assert story.starred(url) == list(PLAYLISTS)
        story.ask("facts", "unstar", "pl-2", "--as", str(story.curator))
        same(story, url)
        assert story.starred(url) == [PLAYLISTS[0], PLAYLISTS[2]]
        story.star("pl-2")
        same(story, url)
        pids = [child.pid for child in psutil.Process(feed.pid).children(recursive=True)]
        feed.send_signal(signal.SIGINT)
        assert feed.wait(END_S) == 0
        until(lambda: not any(map(psutil.pid_exists, pids)))
    finally:
        if feed.poll() is None:
            feed.kill()
            feed.wait()
        assert feed.stdout is not None
        feed.stdout.close()


def same(story: Story, url: str) -> None:
    """Wait until both feeds show the same, whole."""
    until(lambda: story.feed(url) == story.feed(story.registry.url), 30.0)


def first_line(process: "subprocess.Popen[str]") -> str:
    lines: queue.Queue[str] = queue.Queue()
    stdout = process.stdout
    assert stdout is not None
    threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
    return lines.get(timeout=READY_S)


def test_ctrl_c_ends_every_process_that_it_started(story: Story) -> None:
    pids = [child.pid for child in psutil.Process(story.registry.process.pid).children(recursive=True)]
    assert len(pids) >= 6
    os.kill(story.registry.process.pid, signal.SIGINT)
    assert story.registry.process.wait(END_S) == 0
    until(lambda: not any(map(psutil.pid_exists, pids)))
    assert not (story.registry.data / "stack.json").exists()
