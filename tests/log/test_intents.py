"""Publish intents: what is signed, what follows from it, and each signature that doesn't hold."""

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from log.intents import intent_signed_bytes, job_id, publisher, record_hash, verify_intent
from log.public_keys import InvalidKey
from log.signatures import InvalidSignature
from tests.vectors import intents
from tests.vectors.intents import FILE, RECORD, intent, written

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(FILE.read_text())


def check(sent: dict[str, Any]) -> bytes:
    """Check an intent's signature, and give what is signed."""
    content = intent_signed_bytes(sent["record"])
    verify_intent(publisher(sent["signer"]["pubkey"]), content, sent["signature"]["sig"])
    return content


def test_the_vectors_are_what_they_say_they_are_made_of() -> None:
    assert FILE.read_text() == written()


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["about"])
def test_a_good_intent_holds_and_its_ids_follow(vector: dict[str, Any]) -> None:
    content = check(vector["intent"])
    assert content.hex() == vector["canonical"]
    assert record_hash(content) == vector["hash"]
    assert job_id(vector["intent"]["signer"]["pubkey"], content) == vector["job_id"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["about"])
def test_a_bad_intent_does_not(vector: dict[str, Any]) -> None:
    with pytest.raises(InvalidSignature):
        check(vector["intent"])


@settings(deadline=None, max_examples=100)
@given(text=st.text(max_size=20), number=st.integers(0, 255), place=st.integers(0, 71))
def test_either_form_holds_for_any_record_and_no_byte_may_be_another(text: str, number: int, place: int) -> None:
    record = {**RECORD, "assetId": text.encode("utf-8", "replace").decode()}
    for der in (True, False):
        sent = intent("wren", record, der=der)
        check(sent)
        content = bytearray(intents.base64.b64decode(sent["signature"]["sig"]))
        at = place % len(content)
        if content[at] != number:
            content[at] = number
            sent["signature"]["sig"] = intents.base64.b64encode(content).decode()
            with pytest.raises(InvalidSignature):
                check(sent)


@pytest.mark.parametrize(
    "pubkey", ["", "02", "02" + "AA" * 32, "04" + "aa" * 32, "02" + "ff" * 32, "zz" * 33, " " + "02" * 33]
)
def test_a_public_key_is_a_compressed_point_in_lower_case(pubkey: str) -> None:
    with pytest.raises(InvalidKey):
        publisher(pubkey)
