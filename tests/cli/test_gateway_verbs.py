"""The verbs of readers, against a registry of canned answers."""

import json
from pathlib import Path

import pytest

from log.signatures import verify
from log.statements import mandate_signed_bytes
from tests.cli.canned import KEY, A, B, Registry

DID = "did:mun:" + "a" * 26
URI = f"mun://{DID}/org.muniment.post/0b"
POST = {
    "uri": URI, "cid": "sha256-x", "value": {"text": "the \u202esea"}, "schema_version": 1,
    "indexed_at": "2026-01-02T03:04:05.678Z",
}  # fmt: skip
ANN = {
    "did": DID, "handle": "ann", "display_name": "Ann", "description": None, "avatar": None,
    "followers": 3, "following": 2, "posts": 1,
}  # fmt: skip
TIP = {"id": "trf_1", "from": A, "to": B, "amount": "1500000", "fee": "7500", "status": "settled"}


def made(folder: Path, name: str) -> Path:
    """Make a folder, for a registry's key of its own."""
    (folder / name).mkdir()
    return folder / name


def posts(path: str, tmp_path: Path, **more: str) -> Registry:
    """Give a registry that lists one post."""
    return Registry(tmp_path, **{path: (200, {"items": [POST | more], "next_cursor": None})})


async def test_feeds_are_read_by_people_and_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path, verb in ((f"feeds/author/{DID}", ("author", DID)), ("feeds/following", ("following",))):
        found = posts(path, made(tmp_path, verb[0]))
        assert await found.verb("feeds", *verb) == 0
        printed = capsys.readouterr().out
        assert URI in printed
        assert "the \ufffdsea" in printed
        assert await found.verb("feeds", *verb, "--json") == 0
        assert json.loads(capsys.readouterr().out)["items"] == [POST]


async def test_people_are_shown_one_or_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await Registry(tmp_path, **{"profiles/ann": (200, ANN)}).verb("profile", "ann") == 0
    assert capsys.readouterr().out == "Ann: 3 followers, 2 followed, 1 posts\n"
    several = Registry(made(tmp_path, "several"), profiles=(200, {"items": [ANN]}))
    assert await several.verb("profile", "ann", DID) == 0
    assert several.sent["/profiles"]["ids"] == f"ann,{DID}"
    assert DID in capsys.readouterr().out


async def test_words_are_sent_as_they_were_typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = posts("search", tmp_path, highlight="the <mark>sea</mark>")
    assert await found.verb("search", '"the sea" -moon', "--lang", "en", "--json") == 0
    asked = {name: found.sent["/search"][name] for name in ("q", "type", "lang")}
    assert asked == {"q": '"the sea" -moon', "type": "posts", "lang": "en"}
    assert json.loads(capsys.readouterr().out)["items"][0]["highlight"] == "the <mark>sea</mark>"
    people = Registry(
        made(tmp_path, "people"), search=(200, {"items": [ANN | {"highlight": "ann"}], "next_cursor": None})
    )
    assert await people.verb("search", "an", "--profiles") == 0
    assert people.sent["/search"]["type"] == "profiles"
    assert "Ann" in capsys.readouterr().out


async def test_a_tip_is_a_transfer_that_names_the_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = Registry(tmp_path, **{"payments/tip": (201, TIP)})
    assert await found.verb("tip", A, B, "1.5", URI) == 0
    assert capsys.readouterr().out == f"settled trf_1: 1.5 AVT for {URI}\n"
    sent = found.sent["/payments/tip"]
    assert (sent["memo"], sent["amount"]) == (URI, "1500000")
    signature = sent.pop("signature")
    verify("ed25519", KEY.did, mandate_signed_bytes("transfer", sent), signature)
