"""A publisher's key signs what the registry verifies, and its file is for its owner alone."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import stat
from pathlib import Path
from typing import Any

import pytest

from log.intents import intent_signed_bytes, publisher, record_hash, verify_intent
from log.statements import publisher_signed_bytes
from muniment.key_files import KeyFileError, KeyFileProblem
from muniment.publisher_key import PublisherKey, new_nonce
from processors.pool_key import written_wif
from tests.vectors.intents import FILE, ORDER, secret

WREN = PublisherKey(secret("wren"))
VECTORS = json.loads(FILE.read_text())["good"]


def written(path: Path, content: Any, mode: int = 0o600) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return path


def refusal_of(path: Path) -> KeyFileProblem:
    with pytest.raises(KeyFileError) as refusal:
        PublisherKey.load(path)
    assert str(path) in str(refusal.value)
    return refusal.value.code


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["about"])
def test_signing_gives_exactly_the_published_intents(vector: dict[str, Any]) -> None:
    record = vector["intent"]["record"]
    signed = WREN.sign_intent(record)
    assert intent_signed_bytes(record).hex() == vector["canonical"]
    assert record_hash(intent_signed_bytes(record)) == vector["hash"]
    if "compact" not in vector["about"]:
        assert signed == vector["intent"]
    verify_intent(publisher(WREN.pubkey), intent_signed_bytes(record), signed["signature"]["sig"])  # type: ignore[index]  # what it gives is an object


def test_what_is_signed_is_signed_the_same_each_time_with_the_lower_s() -> None:
    for number in range(64):
        message = number.to_bytes(2, "big")
        assert WREN.sign(message) == WREN.sign(message)
        verify_intent(publisher(WREN.pubkey), message, WREN.sign(message))


def test_a_did_registers_a_key_by_the_keys_own_signature() -> None:
    signed = publisher_signed_bytes(pubkey=WREN.pubkey, label="Wren", registered_by="did:key:z6Mk")
    verify_intent(publisher(WREN.pubkey), signed, WREN.sign_publisher("Wren", "did:key:z6Mk"))


def test_a_saved_key_loads_as_the_same_key_and_its_file_has_the_published_members(tmp_path: Path) -> None:
    WREN.save(tmp_path / "key.json")
    assert json.loads((tmp_path / "key.json").read_text()) == {
        "pubkey": WREN.pubkey,
        "alg": "bsv-ecdsa-secp256k1",
        "private_key_b64": base64.b64encode(secret("wren")).decode(),
    }
    assert stat.S_IMODE((tmp_path / "key.json").stat().st_mode) == 0o600
    loaded = PublisherKey.load(str(tmp_path / "key.json"))
    assert (loaded.pubkey, loaded.sign(b"x")) == (WREN.pubkey, WREN.sign(b"x"))
    with pytest.raises(KeyFileError) as refusal:
        PublisherKey.generate().save(tmp_path / "key.json")
    assert refusal.value.code == KeyFileProblem.EXISTS


def test_a_file_that_holds_a_wif_is_that_key(tmp_path: Path) -> None:
    assert PublisherKey.load(written(tmp_path / "key.wif", written_wif(secret("wren")) + "\n")).pubkey == WREN.pubkey


def test_a_file_that_is_no_key_is_refused_without_telling_what_it_holds(tmp_path: Path) -> None:
    kept = {"pubkey": WREN.pubkey, "alg": "bsv-ecdsa-secp256k1"}
    encoded = base64.b64encode(secret("wren")).decode()
    wif = written_wif(secret("wren"))
    malformed = [
        {**kept},
        {**kept, "private_key_b64": encoded, "did": "did:key:z6Mk"},
        {**kept, "private_key_b64": encoded, "alg": "ed25519"},
        {**kept, "private_key_b64": encoded[:-4]},
        {**kept, "private_key_b64": base64.b64encode(bytes(32)).decode()},
        {**kept, "private_key_b64": base64.b64encode(ORDER.to_bytes(32, "big")).decode()},
        {**kept, "private_key_b64": 7},
        "{",
        "",
        "ß",
        wif[:-1] + ("1" if wif[-1] != "1" else "2"),
        wif[:-1],
    ]
    for number, content in enumerate(malformed):
        path = written(tmp_path / f"{number}", content)
        assert refusal_of(path) == KeyFileProblem.MALFORMED, content
        with pytest.raises(KeyFileError) as refusal:
            PublisherKey.load(path)
        assert encoded[:-4] not in str(refusal.value)
        assert wif[:-1] not in str(refusal.value)
    other = written(tmp_path / "other", {**kept, "pubkey": PublisherKey.generate().pubkey, "private_key_b64": encoded})
    assert refusal_of(other) == KeyFileProblem.MISMATCH
    assert refusal_of(tmp_path / "none") == KeyFileProblem.MISSING
    assert refusal_of(written(tmp_path / "open", wif, 0o644)) == KeyFileProblem.EXPOSED


@pytest.mark.parametrize("content", [b"", bytes(31), bytes(32), ORDER.to_bytes(32, "big"), b"\xff" * 33])
def test_only_a_number_below_the_order_is_a_private_key(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".") as refusal:
        PublisherKey(content)
    assert content.hex() not in str(refusal.value) or not content


def test_a_key_shows_and_copies_its_secret_nowhere() -> None:
    assert repr(WREN) == f"PublisherKey({WREN.pubkey})"
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="pickled"):
            copied(WREN)


def test_every_nonce_is_another_of_16_bytes() -> None:
    made = {new_nonce() for _ in range(100)}
    assert len(made) == 100
    assert {len(base64.b64decode(each)) for each in made} == {16}
