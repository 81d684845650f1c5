"""What is signed is the same bytes for everyone, as the specification of facts writes them."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log.canonical import NotCanonicalizable
from log.statements import fact_id, fact_signed_bytes, revocation_id, revocation_signed_bytes, session_signed_bytes

issuer = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
star: dict[str, Any] = {
    "kind": "endorsement.star",
    "subject": {"type": "playlist", "ref": "pl-1", "origin": "feed.ff"},
    "issuer_did": issuer,
    "body": {"reason": "é", "issued_at": "2025-10-13T03:00:00.000Z"},
}


def test_a_fact_is_signed_as_canonical_json_of_its_five_members():
    assert fact_signed_bytes(**star).decode() == (
        '{"body":{"issued_at":"2025-10-13T03:00:00.000Z","reason":"é"},'
        f'"issuer_did":"{issuer}",'
        '"kind":"endorsement.star",'
        '"subject":{"origin":"feed.ff","ref":"pl-1","type":"playlist"},'
        '"type":"muniment.fact.v1"}'
    )


def test_a_fact_is_known_by_the_digest_of_its_signed_bytes():
    signed_bytes = fact_signed_bytes(**star)
    name = fact_id(signed_bytes)
    assert len(name) == 4 + 52
    assert name == name.lower()
    padded = name.removeprefix("fct_").upper() + "===="
    assert base64.b32decode(padded) == hashlib.sha256(signed_bytes).digest()


def test_a_fact_that_differs_anywhere_has_another_id():
    others = [
        {**star, "kind": "rights.grant"},
        {**star, "issuer_did": issuer + "x"},
        {**star, "subject": {**star["subject"], "digest": ""}},
        {**star, "body": {"issued_at": "2025-10-13T03:00:00.000Z"}},
    ]
    assert len({fact_id(fact_signed_bytes(**each)) for each in [star, *others]}) == 5


def test_a_revocation_is_signed_with_its_reason_or_with_null():
    with_reason = revocation_signed_bytes(fact_id="fct_a", issuer_did=issuer, reason="error")
    without = revocation_signed_bytes(fact_id="fct_a", issuer_did=issuer, reason=None)
    assert with_reason.decode() == (
        f'{{"fact_id":"fct_a","issuer_did":"{issuer}","reason":"error","type":"muniment.revocation.v1"}}'
    )
    assert without == with_reason.replace(b'"error"', b"null")
    assert revocation_id(without).startswith("rvk_")
    assert revocation_id(without) != revocation_id(with_reason)


def test_a_session_is_signed_as_four_lines():
    signed_bytes = session_signed_bytes(issuer="http://127.0.0.1:8080", did=issuer, nonce="abc")
    assert signed_bytes == b"muniment-session-v1\nhttp://127.0.0.1:8080\n" + issuer.encode() + b"\nabc"


@given(st.sampled_from(["issuer", "did", "nonce"]), st.sampled_from(["\n", "\r", "\0", "\x1f", "\x7f", "\ud800"]))
def test_no_part_of_a_session_can_pass_for_the_next(part, character):
    parts = {"issuer": "i", "did": "d", "nonce": "n"}
    with pytest.raises(ValueError):  # noqa: PT011 - one refusal for the control characters, one for the surrogates
        session_signed_bytes(**{**parts, part: f"a{character}b"})


def test_a_fact_without_a_canonical_form_can_not_be_signed():
    for body in ({"amount": 2**53}, {"amount": float("nan")}, {"text": "\ud800"}):
        with pytest.raises(NotCanonicalizable):
            fact_signed_bytes(**{**star, "body": body})
