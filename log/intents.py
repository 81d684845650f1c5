"""Publish intents: which bytes of a rights record its holder signs, the ids that follow, and whether a signature holds.

A record is signed by ECDSA on secp256k1 over the SHA-256 of its RFC 8785 text. The signature is DER (ITU-T X.690, of
which BIP-66 takes one spelling of each number) or 64 bytes r and s; s is in the lower half of the order (BIP-62).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Final

from log import ecdsa
from log.canonical import base32_id, canonical_json
from log.public_keys import InvalidKey, PublicKey, public_key, secp256k1
from log.signatures import InvalidSignature

algorithm: Final = "bsv-ecdsa-secp256k1"
protocol: Final = "sl-drm"
version: Final = 1

_compact_bytes: Final = 64
_der_bytes: Final = (8, 72)
_integer: Final = 0x02
_sequence: Final = 0x30


def intent_signed_bytes(record: Mapping[str, object]) -> bytes:
    """Return the bytes of a record that its holder signs: RFC 8785 of all of it. Raises `NotCanonicalizable`."""
    return canonical_json(dict(record))


def record_hash(signed_bytes: bytes) -> str:
    """Return the hash that is anchored: SHA-256 of a record's signed bytes, 64 hex digits in lower case."""
    return hashlib.sha256(signed_bytes).hexdigest()


def job_id(pubkey: str, signed_bytes: bytes) -> str:
    """Return a job's id: `job_` and 52 characters of base32 of the SHA-256 of the key (hex), a line feed, the bytes."""
    return base32_id("job_", hashlib.sha256(pubkey.encode() + b"\n" + signed_bytes).digest())


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
    compact = signature if len(signature) == _compact_bytes else _compact(signature)
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


def _compact(signature: bytes) -> bytes:
    """Read DER in its one spelling."""
    least, most = _der_bytes
    if not least <= len(signature) <= most or signature[:2] != bytes([_sequence, len(signature) - 2]):
        raise InvalidSignature("a signature is DER, or 64 bytes r and s")
    r, rest = _number(signature[2:])
    s, rest = _number(rest)
    if rest:
        raise InvalidSignature("the signature's DER goes on behind s")
    return r + s


def _number(content: bytes) -> tuple[bytes, bytes]:
    """Read a positive number of at most 32 bytes as 32, and what comes behind it."""
    size = content[1] if len(content) > 1 else 0
    number, rest = content[2 : 2 + size], content[2 + size :]
    spelled = len(number) == size > 0 and content[0] == _integer and number[0] < 0x80  # no sign
    padded = size > 1 and number[0] == 0 and number[1] < 0x80  # as above
    value = number.lstrip(b"\0")
    if not spelled or padded or len(value) > _compact_bytes // 2:
        raise InvalidSignature("the signature's DER spells r or s in another way than the shortest")
    return value.rjust(_compact_bytes // 2, b"\0"), rest
