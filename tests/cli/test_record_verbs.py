"""Verbs on records and files against a registry of canned answers: what is asked, sent and told."""

import io
import json
from pathlib import Path

import pytest

from tests.cli.canned import KEY, Registry, registry

POST = "org.example.post"
URI = f"mun://{KEY.did}/{POST}/a"
RECORD = {"uri": URI, "cid": "sha256-a", "value": [1], "schema_version": 1, "indexed_at": "2026-01-02T03:04:05.678Z"}
ERASE = f"dids/{KEY.did}/erase"
ERASURE = {"did": KEY.did, "erased_at": "2026-01-02T03:04:05.678Z"}


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


async def test_a_value_is_any_json_and_ones_own_vault_needs_no_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Registry(tmp_path, **{f"records/{KEY.did}/{POST}/a": (201, RECORD)})
    for name in (f"{POST}/a", URI):
        assert await found.verb("records", "put", name, "[1]") == 0
        assert found.sent.pop(f"/records/{KEY.did}/{POST}/a") == {"value": [1]}
    assert capsys.readouterr().out == f"kept {URI}: sha256-a\n" * 2


async def test_a_list_is_of_whom_one_signs_as_unless_another_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = registry(tmp_path, "records", {"items": [RECORD], "next_cursor": None})
    assert await found.verb("records", "list") == 0
    assert found.sent["/records"]["did"] == KEY.did
    assert URI in capsys.readouterr().out
    assert await found.verb("records", "list", "did:key:zOther", "--collection", POST, "--json") == 0
    assert (found.sent["/records"]["did"], found.sent["/records"]["collection"]) == ("did:key:zOther", POST)
    assert json.loads(capsys.readouterr().out)["items"] == [RECORD]


async def test_a_list_says_which_records_a_stolen_key_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("clean", "marked"):
        (tmp_path / name).mkdir()
    clean = registry(tmp_path / "clean", "records", {"items": [RECORD], "next_cursor": None})
    assert await clean.verb("records", "list") == 0
    assert "compromised" not in capsys.readouterr().out
    marked = {**RECORD, "key_compromised": True, "key_compromised_by": "KeyRevoked identity/0/1"}
    found = registry(tmp_path / "marked", "records", {"items": [marked, RECORD], "next_cursor": None})
    assert await found.verb("records", "list") == 0
    assert capsys.readouterr().out.count("KeyRevoked identity/0/1") == 1


@pytest.mark.parametrize(("typed", "status"), [(KEY.did, 0), ("yes", 2), ("", 2)])
async def test_who_erases_on_a_terminal_types_the_did_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, status: int
) -> None:
    found = registry(tmp_path, ERASE, ERASURE)
    monkeypatch.setattr("sys.stdin", Terminal(f"{typed}\n"))
    assert await found.verb("erase", KEY.did) == status
    assert found.sent.get(f"/{ERASE}") == ({"confirm": KEY.did} if status == 0 else None)


async def test_nobody_is_erased_by_a_program_that_does_not_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = registry(tmp_path, ERASE, ERASURE)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY.did}\n"))
    assert await found.verb("erase", KEY.did, "--json") == 2
    assert found.sent == {}
    assert await found.verb("erase", KEY.did, "--confirm", KEY.did, "--json") == 0
    assert json.loads(capsys.readouterr().out) == ERASURE


async def test_a_file_that_is_not_there_is_not_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = registry(tmp_path, "media", {}, 201)
    assert await found.verb("media", "upload", str(tmp_path / "none.png"), "--json") == 1
    assert json.loads(capsys.readouterr().err)["code"] == "unreadable_file"
    assert "/media" not in found.sent


async def test_an_upload_to_elsewhere_ends_with_status_1_and_sends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").write_bytes(b"a")
    upload = {"method": "PUT", "url": "http://elsewhere.example/a", "headers": {}, "expires_at": "2026"}
    file = {"id": "med_a", "did": KEY.did, "mime": "image/png", "size": 1, "sha256": "a", "status": "reserved"}
    found = registry(tmp_path, "media", {**file, "upload": upload}, 201)
    assert await found.verb("media", "upload", str(tmp_path / "a.png")) == 1
    assert "unexpected_answer" in capsys.readouterr().err
    assert list(found.sent) == ["/media"]
    assert found.sent["/media"]["mime"] == "image/png"
