"""Verbs on DIDs against a registry that answers as the contract says: what is signed, what is written, what is told."""

import asyncio
import contextlib
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from log.canonical import canonical_json
from log.public_keys import parse_multibase
from log.signatures import verify, verify_key
from log.statements import session_signed_bytes
from muniment.cli import main
from muniment.client import Client, StalePrev
from muniment.did_operations import NamedKey, approval, did_of, hash_of, rescue
from muniment.private_key import PrivateKey
from muniment.rotation_keys import RotationKeys
from muniment.signing_key import SigningKey
from tests.cli.canned import token


class Registry:
    """Keeps operation logs in memory, and refuses what it is told to."""

    def __init__(self) -> None:
        self.logs: dict[str, list[dict[str, Any]]] = {}
        self.sessions: list[dict[str, Any]] = []
        self.refusal: dict[str, Any] | None = None

    async def _answer(self, request: web.Request) -> web.Response:
        parts = request.path.strip("/").split("/")
        body = json.loads(text) if (text := await request.text()) else {}
        if request.path == "/auth/nonce":
            return web.json_response({"nonce": "n", "issuer": "i"}, status=201)
        if request.path == "/auth/session":
            self.sessions.append(body)
            return web.json_response({"token": token()}, status=201)
        if request.method == "POST" and self.refusal is not None:
            status = self.refusal["status"]
            return web.json_response(self.refusal, status=status, content_type="application/problem+json")
        if request.method == "POST":
            return self._taken(body, parts)
        if parts[-1] == "log":
            return web.json_response({"items": self.logs[parts[1]]})
        return self._document(parts[1], 200)

    def _taken(self, body: dict[str, Any], parts: list[str]) -> web.Response:
        said = body["operation"]
        did = did_of(said) if said["type"] == "create" else parts[1]
        log = self.logs.setdefault(did, [])
        assert said["prev"] == (log[-1]["hash"] if log else None) or said["type"] == "recover"
        log.append({**body, "hash": hash_of(said), "at": "2026-01-02T03:04:05.678Z", "nullified": False})
        return self._document(did, 201)

    @staticmethod
    def _document(did: str, status: int) -> web.Response:
        return web.json_response({"id": did}, status=status, content_type="application/did+json")

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Serve it."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        async with TestServer(app) as server:
            yield str(server.make_url("/"))

    async def run(self, *arguments: str) -> int:
        """Run one verb against it."""
        async with self.served() as url:
            return await asyncio.to_thread(main, ["did", *arguments, "--url", url])


async def created(registry: Registry, folder: Path, *more: str) -> tuple[Path, RotationKeys]:
    """Make a DID."""
    path = folder / "ada.json"
    assert await registry.run("create", str(path), *more) == 0
    return path, RotationKeys.load(folder / "ada.json.rotation")


def names(folder: Path) -> set[str]:
    """Give the names of the files in a folder."""
    return {path.name for path in folder.iterdir()}


def holds(body: dict[str, Any], by: PrivateKey) -> None:
    """See that an operation is signed over its canonical bytes by a rotation key."""
    verify_key(parse_multibase(by.multibase), canonical_json(body["operation"]), body["signature"])


@pytest.mark.parametrize("kind", ["ed25519", "secp256k1", "p256"])
async def test_a_did_is_made_of_a_genesis_that_its_highest_key_signs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    registry = Registry()
    path, rotation = await created(registry, tmp_path, "--handle", "ada", "--type", kind, "--backups", "2")
    ((did, (body,)),) = registry.logs.items()
    assert capsys.readouterr().out == f"{did}\n"
    key = SigningKey.load(path)
    assert (key.did, key.key_id, key.alg) == (did, "main", kind)
    assert rotation.did == did
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "ada.json.rotation").stat().st_mode) == 0o600
    holds(body, rotation.highest)
    said = body["operation"]
    assert said["rotation_keys"] == [each.multibase for each in rotation.keys]
    assert len(rotation.keys) == 3
    assert (said["handle"], said["version"], said["keys"][0]["type"]) == ("ada", 1, kind)
    held = parse_multibase(said["keys"][0]["public_key_multibase"])
    verify_key(held, b"words", key.sign(b"words"))


async def test_what_is_refused_leaves_no_key_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry()
    registry.refusal = {"code": "handle_taken", "detail": "it is another's", "status": 409}
    assert await registry.run("create", str(tmp_path / "ada.json"), "--handle", "ada") == 1
    assert "handle_taken" in capsys.readouterr().err
    assert names(tmp_path) == set()


async def test_what_may_have_happened_keeps_its_keys(tmp_path: Path) -> None:
    registry = Registry()
    registry.refusal = {"code": "outcome_unknown", "detail": "ask again", "status": 500}
    assert await registry.run("create", str(tmp_path / "ada.json")) == 1
    assert names(tmp_path) == {"ada.json", "ada.json.rotation"}


async def test_a_key_file_that_is_there_is_never_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ada.json"
    path.write_text("mine")
    registry = Registry()
    assert await registry.run("create", str(path)) == 1
    assert "key_file_exists" in capsys.readouterr().err
    assert (path.read_text(), registry.logs) == ("mine", {})
    assert names(tmp_path) == {"ada.json"}


async def test_every_operation_follows_the_latest_and_says_what_was_asked(tmp_path: Path) -> None:
    registry = Registry()
    path, rotation = await created(registry, tmp_path)
    did, with_keys = rotation.did, ("--rotation", str(tmp_path / "ada.json.rotation"))
    new = tmp_path / "phone.json"
    rotation_verb = ("rotate", str(new), "--id", "phone", "--end", "main", "--overlap", "60", *with_keys)
    assert await registry.run(*rotation_verb) == 0
    assert (SigningKey.load(new).did, SigningKey.load(new).key_id) == (did, "phone")
    assert await registry.run("revoke", "phone", "--reason", "compromised", "--since", "2026-01-01T00:00:00Z",
                              *with_keys) == 0  # fmt: skip
    friends = ("did:mun:" + "b" * 26, "did:mun:" + "c" * 26)
    assert await registry.run("guardians", *friends, "--threshold", "2", "--delay", "600", *with_keys) == 0
    assert await registry.run("handle", "lovelace", *with_keys) == 0
    assert await registry.run("cancel", "sha256-" + "a" * 43, *with_keys) == 0
    genesis = registry.logs[did][0]["hash"]
    fresh = tmp_path / "fresh.rotation"
    arguments = ("recover", str(tmp_path / "fresh.json"), "--from", genesis, "--new-rotation", str(fresh), *with_keys)
    assert await registry.run(*arguments) == 0
    _, rotate, revoke, guardians, handle, cancel, recover = (each["operation"] for each in registry.logs[did])
    assert (rotate["add"][0]["id"], rotate["end"], rotate["overlap_s"]) == ("phone", ["main"], 60)
    assert (revoke["key_id"], revoke["reason"], revoke["since"]) == ("phone", "compromised", "2026-01-01T00:00:00Z")
    assert (guardians["dids"], guardians["threshold"], guardians["delay_s"]) == ([*friends], 2, 600)
    assert (handle["handle"], cancel["operation"]) == ("lovelace", "sha256-" + "a" * 43)
    assert recover["prev"] == genesis
    assert recover["rotation_keys"] == [each.multibase for each in RotationKeys.load(fresh).keys]
    for body in registry.logs[did]:
        assert (body["operation"]["version"], body["operation"].get("did", did)) == (1, did)
        holds(body, rotation.highest)
    assert path.exists()


async def test_a_key_file_of_a_did_signs_in_under_its_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry()
    path, rotation = await created(registry, tmp_path)
    capsys.readouterr()
    assert await registry.run("show", "--as", str(path), "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"id": rotation.did}
    (session,) = registry.sessions
    assert (session["did"], session["key_id"]) == (rotation.did, "main")
    key = registry.logs[rotation.did][0]["operation"]["keys"][0]["public_key_multibase"]
    lines = session_signed_bytes(issuer="i", did=rotation.did, nonce="n")
    verify("ed25519", f"did:key:{key}", lines, session["signature"])
    fact = SigningKey.load(path).sign_fact("endorsement.star", {"origin": "o", "type": "t", "ref": "r"}, {})
    assert (fact["issuer_did"], fact["key_id"]) == (rotation.did, "main")


async def test_a_log_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry()
    _, rotation = await created(registry, tmp_path)
    capsys.readouterr()
    assert await registry.run("log", rotation.did) == 0
    said = capsys.readouterr().out
    assert "create" in said
    assert registry.logs[rotation.did][0]["hash"] in said


async def test_a_stale_operation_names_the_head_and_guardians_approve_what_they_read(tmp_path: Path) -> None:
    registry = Registry()
    _, rotation = await created(registry, tmp_path)
    high, fresh = rotation.highest, PrivateKey.generate("p256")
    friend = SigningKey.generate()
    async with registry.served() as url, Client(url) as client:
        head = await client.identity.head(rotation.did)
        said = rescue(rotation.did, head, [fresh], [NamedKey.of("new", fresh)])
        approved = approval(said, friend)
        await client.identity.recover_by_guardians(said, [approved], fresh)
        verify("ed25519", friend.did, canonical_json(said), approved["signature"])
        assert registry.logs[rotation.did][-1]["operation"]["approvals"] == [approved]
        registry.refusal = {"code": "stale_prev", "detail": "another came first", "status": 409, "head": "sha256-x"}
        with pytest.raises(StalePrev) as refused:
            await client.identity.rotate(rotation.did, high, end=["main"], prev=head)
    assert refused.value.head == "sha256-x"


@pytest.mark.parametrize(
    "document",
    [
        {"did": "did:mun:" + "a" * 26},
        {"did": "did:mun:" + "a" * 26, "rotation_keys": []},
        {"did": "did:mun:" + "a" * 26, "rotation_keys": [{"alg": "eip191", "private_key_b64": ""}]},
        {"did": 5, "rotation_keys": [{"alg": "p256", "private_key_b64": "AA=="}]},
        {"did": "did:mun:" + "a" * 26, "rotation_keys": ["x"]},
    ],
)
def test_a_damaged_file_of_rotation_keys_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], document: Any
) -> None:
    path = tmp_path / "keys"
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    assert main(["did", "handle", "ada", "--rotation", str(path), "--url", "http://127.0.0.1:1"]) == 1
    assert "key_file_malformed" in capsys.readouterr().err
