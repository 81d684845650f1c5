"""ECDSA over SHA-256 on secp256k1 and P-256: 64 bytes r and s, of which s is in the lower half of the order.

Of the two values of s that would hold only the lower is taken, so that nobody makes a second signature of one.
Sources: SEC 1 version 2 section 4.1, FIPS 186-5, RFC 6979 (what signs here needs no randomness), BIP-62 (low s).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

import coincurve
from cryptography.exceptions import InvalidSignature as NotTheSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from log.public_keys import PublicKey, p256, public_key, remembered_keys, secp256k1

Signer = Callable[[bytes], bytes]

signature_bytes: Final = 64

_orders: Final[Mapping[str, int]] = {
    secp256k1: 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    p256: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
}


def fault_of(key: PublicKey, message: bytes, signature: bytes) -> str | None:
    """Say why a signature does not hold, in words that are safe to show; nothing where it holds."""
    order = _orders[key.type]
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not 0 < r < order or not 0 < s < order:
        return "the signature's r or s is no number from 1 to below the order"
    if s > order // 2:
        return "the signature's s is in the upper half of the order"
    encoded = encode_dss_signature(r, s)
    if key.type == secp256k1:
        holds = coincurve.PublicKey(key.content).verify(encoded, message)
    else:
        try:
            _p256_key(key.content).verify(encoded, message, ECDSA(SHA256()))
            holds = True
        except NotTheSignature:
            holds = False
    return None if holds else f"the {key.type} signature isn't the key's over this content"


@lru_cache(maxsize=remembered_keys)
def _p256_key(content: bytes) -> EllipticCurvePublicKey:
    return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), content)


def ecdsa_public(kind: str, private_key: bytes) -> PublicKey:
    """Return the public key of a private key of 32 bytes; `kind` is secp256k1 or p256. Raises `ValueError`."""
    if kind == secp256k1:
        return public_key(kind, coincurve.PrivateKey(private_key).public_key.format(compressed=True))
    point = _p256_private(private_key).public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return public_key(kind, point)


def ecdsa_signer(kind: str, private_key: bytes) -> Signer:
    """Return what signs with a private key of 32 bytes: r and the lower s, the same for the same message."""
    order = _orders[kind]
    wallet = coincurve.PrivateKey(private_key) if kind == secp256k1 else None
    other = _p256_private(private_key) if wallet is None else None

    def sign(message: bytes) -> bytes:
        if wallet is not None:
            encoded = wallet.sign(message)
        elif other is not None:
            encoded = other.sign(message, ECDSA(SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(encoded)
        return r.to_bytes(32, "big") + min(s, order - s).to_bytes(32, "big")

    return sign


def _p256_private(private_key: bytes) -> EllipticCurvePrivateKey:
    return derive_private_key(int.from_bytes(private_key, "big"), SECP256R1())
