"""The page that states the log protocol is true: its vectors are what this project computes."""

import hashlib
import json
import re
from typing import Any

import pytest

from log import released, statements, token, topic
from log.avro import fingerprint
from log.canonical import canonical_hash
from log.chain import chain_start
from log.memory import MemoryMessage
from log.scope import command_id
from log.signatures import verify
from muniment.exporting import FORMAT, MAGIC, frame
from muniment.signing_key import SigningKey

PAGE = (released.FOLDER / "README.md").read_text()


@pytest.fixture
def vectors() -> Any:
    """Read the vectors from the page."""
    found = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_chains_partitions_and_tokens_are_as_the_page_says(vectors: Any) -> None:
    for place, start in vectors["chain_start"].items():
        name, _, partition = place.partition("/")
        assert chain_start(name, int(partition)).hex() == start
    for key, told in vectors["murmur2"].items():
        assert topic.murmur2(key.encode()) == told["hash"]
        assert (topic.partition_of(key, 4), topic.partition_of(key, 3)) == (told["of_4"], told["of_3"])
    for position, written in vectors["token"].items():
        context, partition, offset = position.split("/")
        assert token.write_token({(context, int(partition)): int(offset)}) == written


def test_every_schema_has_the_fingerprint_that_the_page_says(vectors: Any) -> None:
    held = {path.name: fingerprint(released.load(path)).hex() for path in released.FOLDER.glob("*.avsc")}
    assert vectors["fingerprints"] == held


def test_commands_are_named_as_the_page_says(vectors: Any) -> None:
    told = vectors["command_id"]
    asked = bytes.fromhex(told["request_hash"])
    assert asked == hashlib.sha256(b"request").digest()
    assert command_id(told["actor"], asked, idempotency_key="one") == told["idempotency_key one"]
    assert command_id(told["actor"], asked, content_id="fct_x") == told["content fct_x"]


def test_what_is_signed_is_as_the_page_says(vectors: Any) -> None:
    told = vectors["signed"]
    key = SigningKey(bytes.fromhex(told["seed"]))
    fact = json.loads(told["fact"]["bytes"])
    signed = statements.fact_signed_bytes(
        kind=fact["kind"], subject=fact["subject"], issuer_did=fact["issuer_did"], body=fact["body"]
    )
    revocation = statements.revocation_signed_bytes(fact_id=told["fact"]["id"], issuer_did=key.did, reason=None)
    session = statements.session_signed_bytes(issuer="http://127.0.0.1:8080", did=key.did, nonce="n1")
    assert key.did == told["did"]
    assert statements.fact_id(signed) == told["fact"]["id"]
    assert canonical_hash(fact["body"]) == told["fact"]["body_hash"]
    assert statements.revocation_id(revocation) == told["revocation"]["id"]
    for name, content in (("fact", signed), ("revocation", revocation), ("session", session)):
        assert content.decode() == told[name]["bytes"]
        verify("ed25519", key.did, content, told[name]["signature"])


def test_a_record_of_an_export_is_as_the_page_says(vectors: Any) -> None:
    told = vectors["record"]
    key, value = bytes.fromhex(told["key"]), bytes.fromhex(told["value"])
    message = MemoryMessage("t", 0, told["offset"], told["timestamp"], key, value)
    assert frame(message).hex() == told["bytes"]
    assert FORMAT in PAGE
    assert MAGIC.decode().strip() in PAGE


def test_the_page_names_every_topic() -> None:
    for name in (
        topic.SCHEMAS,
        topic.STATUS,
        topic.FACTS_INGEST,
        "muniment.<context>.commands",
        "muniment.<context>.events",
    ):
        assert name in PAGE
