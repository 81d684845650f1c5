"""Publish intents: which bytes of a rights record its holder signs, the ids that follow, and whether a signature holds.

A record is signed by ECDSA on secp256k1 over the SHA-256 of its RFC 8785 text. The signature is DER (ITU-T X.690, of
which BIP-66 takes one spelling of each number) or 64 bytes r and s; s is in the lower half of the order (BIP-62).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from log import ecdsa
from log.canonical import base32_id, canonical_json
from log.der import InvalidDer, read_der
from log.public_keys import InvalidKey, PublicKey, public_key, secp256k1
from log.signatures import InvalidSignature

algorithm: Final = "bsv-ecdsa-secp256k1"
protocol: Final = "sl-drm"
version: Final = 1

_remembered_keys: Final = 4_096
"""Whether a point lies on the curve is a tenth of what an intent costs, and a label sends many by one key."""


def intent_signed_bytes(record: Mapping[str, object]) -> bytes:
    """Return the bytes of a record that its holder signs: RFC 8785 of all of it. Raises `NotCanonicalizable`."""
    return canonical_json(dict(record))


def record_hash(signed_bytes: bytes) -> str:
    """Return the hash that is anchored: SHA-256 of a record's signed bytes, 64 hex digits in lower case."""
    return hashlib.sha256(signed_bytes).hexdigest()


def job_id(pubkey: str, signed_bytes: bytes) -> str:
    """Return a job's id: `job_` and 52 characters of base32 of the SHA-256 of the key (hex), a line feed, the bytes."""
    return base32_id("job_", hashlib.sha256(pubkey.encode() + b"\n" + signed_bytes).digest())


@lru_cache(maxsize=_remembered_keys)
def publisher(pubkey: str) -> PublicKey:
    """Read a publisher's key: a compressed point of secp256k1, 66 hex digits in lower case. Raises `InvalidKey`."""
    try:
        content = bytes.fromhex(pubkey)
    except ValueError:
        content = b""
    if content.hex() != pubkey:
        raise InvalidKey("a public key is 66 hex digits in lower case")
    return public_key(secp256k1, content)


def verify_intent(key: PublicKey, signed_bytes: bytes, signature_b64: str) -> None:
    """Check a holder's signature (canonical standard base64); return only if it holds. Raises `InvalidSignature`."""
    signature = _decoded(signature_b64)
    try:
        compact = signature if len(signature) == ecdsa.signature_bytes else read_der(signature)
    except InvalidDer as error:
        raise InvalidSignature(error.detail) from None
    fault = ecdsa.fault_of(key, signed_bytes, compact)
    if fault is not None:
        raise InvalidSignature(fault)


def _decoded(signature_b64: str) -> bytes:
    try:
        signature = base64.b64decode(signature_b64, validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    if base64.b64encode(signature).decode("ascii") != signature_b64 or not signature:
        raise InvalidSignature("a signature is canonical standard base64")
    return signature
