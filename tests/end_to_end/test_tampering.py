"""A row, a key or a byte that somebody changed: the audit names the place, and a rebuild makes it right."""

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from log.store import Store
from muniment import SigningKey
from muniment.cli import main
from tests.end_to_end.receiver import receiving, until
from tests.end_to_end.registry import Registry, running

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(600)]

TAMPERED = {
    "facts": ("facts", "body = '{}'", "fact_id"),
    "fact_changes": ("facts", "reason = 'it was never meant'", "fact_id"),
    "signers": ("signers", "roles = 'admin'", "identity"),
    "webhooks": ("webhooks", "url = 'http://elsewhere.test/'", "webhook_id"),
    "deliveries": ("webhooks", "body = '{}'", "webhook_id"),
    "frames": ("ledger", "issued = issued + 1", "frame_id"),
    "ledger_events": ("ledger", "event = '{}'", "frame_id"),
}
"""By table: its projection, what is changed, and a column of its key."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("tampering")
    with receiving() as receiver, running(folder / "data") as found:
        key, path = SigningKey.generate(), folder / "curator.json"
        key.save(path)
        found.cli("signers", "add", key.did, "curator")
        found.cli("webhooks", "add", f"{receiver.url}/hook")
        playlist = {"id": "pl-1", "slug": "s", "title": "t", "created": "2025-10-13T03:00:00.000Z", "items": []}
        found.started("playlists", "post", "-", input_text=json.dumps(playlist))
        for name in ("pl-1", "pl-2"):
            found.cli("facts", "star", name, "--as", str(path))
        found.cli("facts", "unstar", "pl-2", "--as", str(path), "--reason", "a mistake")
        until(lambda: len(receiver.heard) == 3)
        until(lambda: verdict(found)["holds"])
        yield found


def verdict(registry: Registry, *flags: str, expect: int | None = None) -> dict[str, Any]:
    """Audit, and give the verdict."""
    found: dict[str, Any] = json.loads(registry.cli("audit", *flags, "--json", expect=expect))
    return found


@pytest.mark.parametrize(("table", "how"), [*((table, "changed") for table in TAMPERED), ("facts", "removed")])
def test_a_row_that_somebody_touched_is_named_and_a_rebuild_makes_it_right(
    registry: Registry, table: str, how: str
) -> None:
    projection, change, key = TAMPERED[table]
    with psycopg.connect(registry.stack()["postgres"]) as database:
        query = "SELECT number FROM muniment.generations WHERE projection = %s AND live"
        ((number,),) = database.execute(query, (projection,)).fetchall()
        name = f"{projection}_g{number}.{table}"
        chosen = f"ctid = (SELECT ctid FROM {name} ORDER BY at DESC, {key} LIMIT 1)"  # noqa: S608  # names of our own tables
        statement = f"UPDATE {name} SET {change}" if how == "changed" else f"DELETE FROM {name}"  # noqa: S608
        ((touched,),) = database.execute(f"{statement} WHERE {chosen} RETURNING {key}".encode()).fetchall()
    found = verdict(registry, expect=1)
    place = found["difference"]["place"]
    assert place.startswith(f"{projection}:{table}/{touched}"), found["difference"]
    assert f" @ {'ledger' if projection == 'ledger' else 'facts'}/" in place
    if how == "changed":
        assert change.split(" ")[0] in found["difference"]["detail"]
    else:
        assert found["difference"]["detail"] == "the row is missing"
    if how == "changed":
        assert f"first difference: {place}" in registry.cli("audit", expect=1)
        # The log itself was not touched, and says so.
        assert verdict(registry, "--from-log", expect=0)["holds"]
    rebuilt = json.loads(registry.cli("rebuild", projection, "--json"))
    assert rebuilt["difference"]["table"] == table
    assert verdict(registry, expect=0)["holds"]


def test_a_row_that_somebody_added_is_named(registry: Registry) -> None:
    with psycopg.connect(registry.stack()["postgres"]) as database:
        query = "SELECT number FROM muniment.generations WHERE projection = 'signers' AND live"
        ((number,),) = database.execute(query).fetchall()
        database.execute(
            f"INSERT INTO signers_g{number}.signers (identity, did, part, pos, at, roles, added_by, added_at)"  # noqa: S608
            " VALUES ('did:key:zIntruder', 'did:key:zIntruder', 0, 0, 0, 'admin', 'nobody', 0)".encode()
        )
    difference = verdict(registry, expect=1)["difference"]
    assert difference["place"].startswith("signers:signers/did:key:zIntruder"), difference
    assert registry.get("/signers?role=admin")[0] == 200
    registry.cli("rebuild", "signers")
    assert verdict(registry, expect=0)["holds"]
    assert "zIntruder" not in json.dumps(registry.get("/signers?limit=100")[1])


def test_a_key_of_the_feed_that_somebody_touched_is_named_and_a_rebuild_makes_it_right(registry: Registry) -> None:
    # The store of another api process, as it were: a copy of the running one's, taken while that writes nothing.
    state = registry.data / "state"
    registry.kill("api", signal.SIGSTOP)
    try:
        shutil.copytree(state / "api" / "feed", state / "another" / "feed", ignore=shutil.ignore_patterns("LOCK"))
    finally:
        registry.kill("api", signal.SIGCONT)
    feed = state / "another" / "feed"
    assert verdict(registry, expect=0)["holds"]
    for name, entry in (("star:pl-1", ("pl-3",)), ("star:pl-1", None), ("star:pl-2", ("pl-2",))):
        store = Store(feed / (feed / "live").read_text().strip() if (feed / "live").exists() else feed / "1")
        assert (store.get("star:pl-1"), store.get("star:pl-2")) == (("pl-1",), None)
        store.write([(name, entry)], {})
        store.close()
        difference = verdict(registry, expect=1)["difference"]
        assert difference["place"].startswith(f"playlists:{name}"), difference
        registry.cli("rebuild", "playlists")
        assert verdict(registry, expect=0)["holds"]
    shutil.rmtree(state / "another")


def test_one_byte_of_an_export_that_somebody_changed_is_named(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "export"
    registry.cli("export", str(folder))
    whole = ("audit", "--from-export", str(folder))
    registry.cli(*whole)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    assert len(files) > 4
    for path in files:
        content = path.read_bytes()
        at = len(content) * 2 // 3
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert main([*whole, "--json"]) == 1
        found = json.loads(capsys.readouterr().out)
        assert path.stem in found["difference"]["place"], (path, found["difference"])
        path.write_bytes(content)
    largest = max(files, key=lambda path: path.stat().st_size)
    content = largest.read_bytes()
    for shorter in (content[:-1], content + b"\0"):
        largest.write_bytes(shorter)
        assert main(whole) == 1
    largest.write_bytes(content)
    largest.rename(folder / "gone")
    assert main(whole) == 1
    (folder / "gone").rename(largest)
    registry.cli(*whole)
