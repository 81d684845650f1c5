"""The exact bytes that a signer signs, and the ids that follow from them; clients, api and auditors make them alike."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from log.canonical import base32_id, canonical_json

fact_type = "muniment.fact.v1"
revocation_type = "muniment.revocation.v1"
publisher_type = "muniment.publisher.v1"
session_heading = "muniment-session-v1"
did_prefix = "did:mun:"
did_letters = 26
mandate_prefixes = {"transfer": "trf_", "payment": "pay_", "stake": "stk_", "unstake": "uns_", "vote": "vot_"}


def fact_signed_bytes(
    *, kind: str, subject: Mapping[str, object], issuer_did: str, body: Mapping[str, object]
) -> bytes:
    """Return the bytes of a fact that its issuer signs: RFC 8785 of body, issuer_did, kind, subject and type.

    Raises `NotCanonicalizable`.
    """
    statement = {"body": body, "issuer_did": issuer_did, "kind": kind, "subject": subject, "type": fact_type}
    return canonical_json(statement)


def fact_id(signed_bytes: bytes) -> str:
    """Return a fact's id: `fct_` and 52 characters of base32 of the SHA-256 of its signed bytes."""
    return base32_id("fct_", hashlib.sha256(signed_bytes).digest())


def revocation_signed_bytes(*, fact_id: str, issuer_did: str, reason: str | None) -> bytes:
    """Return the bytes of a revocation that the fact's issuer signs; an absent reason is signed as null.

    Raises `NotCanonicalizable`.
    """
    statement = {"fact_id": fact_id, "issuer_did": issuer_did, "reason": reason, "type": revocation_type}
    return canonical_json(statement)


def revocation_id(signed_bytes: bytes) -> str:
    """Return a revocation's id: `rvk_` and 52 characters of base32 of the SHA-256 of its signed bytes."""
    return base32_id("rvk_", hashlib.sha256(signed_bytes).digest())


def session_signed_bytes(*, issuer: str, did: str, nonce: str) -> bytes:
    """Return the bytes that open a session when signed: four lines in UTF-8.

    Raises `ValueError` where a part has a control character or a lone surrogate: a line break in one could pass for
    the next part.
    """
    if any(character < " " or character == "\x7f" for part in (issuer, did, nonce) for character in part):
        raise ValueError("a part of a session's statement has a control character")
    return f"{session_heading}\n{issuer}\n{did}\n{nonce}".encode()


def mandate_signed_bytes(what: str, members: Mapping[str, object]) -> bytes:
    """Return the bytes by which an account's owner orders something: RFC 8785 of the request's members and its type.

    ``what`` is transfer, payment, stake, unstake or vote; ``members`` are all that is sent but ``signature``.
    Raises `NotCanonicalizable`.
    """
    return canonical_json({**members, "type": f"muniment.{what}.v1"})


def mandate_id(what: str, signed_bytes: bytes) -> str:
    """Return the id of what a mandate orders: its prefix and 52 characters of base32 of the SHA-256 of its bytes."""
    return base32_id(mandate_prefixes[what], hashlib.sha256(signed_bytes).digest())


def publisher_signed_bytes(*, pubkey: str, label: str, registered_by: str) -> bytes:
    """Return the bytes by which the holder of a public key lets it publish in a DID's name; ``pubkey`` is hex.

    Raises `NotCanonicalizable`.
    """
    return canonical_json({"label": label, "pubkey": pubkey, "registered_by": registered_by, "type": publisher_type})


def operation_signed_bytes(operation: Mapping[str, object]) -> bytes:
    """Return the bytes of a DID's operation that a rotation key signs: RFC 8785 of all of it.

    Raises `NotCanonicalizable`.
    """
    return canonical_json(dict(operation))


def approval_signed_bytes(operation: Mapping[str, object]) -> bytes:
    """Return the bytes of a guardians' recovery that each guardian signs: RFC 8785 of it without `approvals`.

    Raises `NotCanonicalizable`.
    """
    return canonical_json({name: value for name, value in operation.items() if name != "approvals"})


def operation_hash(signed_bytes: bytes) -> str:
    """Return the hash by which the next operation names this one: `sha256-` and base64url of the SHA-256, unpadded."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(signed_bytes).digest())
    return "sha256-" + digest.decode("ascii").rstrip("=")


def did_of_genesis(signed_bytes: bytes) -> str:
    """Return the DID that a genesis makes: `did:mun:` and 26 characters of base32 of the SHA-256 of its bytes."""
    return base32_id(did_prefix, hashlib.sha256(signed_bytes).digest(), did_letters)
