"""Signatures over statements; pynacl, coincurve and pycryptodome have their door here, ECDSA over SHA-256 its own.

Verification is strict, so that no signature yields a second one and no two verifiers disagree: S is reduced, R and the
key are canonical, and the key lies in the group of prime order. Sources: RFC 8032 section 5.1.7; "Taming the many
EdDSAs" (Chalkias, Garillot, Nikolaenko; SSR 2020); EIP-191 version 0x45; EIP-2 (low s); EIP-55 (address checksum).
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import coincurve
import nacl.bindings
import nacl.exceptions
from Crypto.Hash import keccak

from log import ecdsa, public_keys
from log.dids import InvalidDid, ParsedDid, did_key, did_pkh, parse_did
from log.public_keys import InvalidKey, PublicKey, parse_multibase, remembered_keys

__all__ = [
    "InvalidDid",
    "InvalidSignature",
    "ParsedDid",
    "UnsupportedAlgorithm",
    "did_key",
    "did_pkh",
    "ed25519_public",
    "ed25519_sign",
    "ed25519_signer",
    "eip191_address",
    "eip191_sign",
    "eip191_signer",
    "parse_did",
    "usable_key",
    "verify",
    "verify_key",
]

Signer = Callable[[bytes], bytes]

seed_bytes: Final = 32

_key_signature_bytes: Final = 64
_eip191_signature_bytes: Final = 65
_secp256k1_half_order: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_recovery_ids: Final = {0: b"\0", 1: b"\1", 27: b"\0", 28: b"\1"}


class InvalidSignature(ValueError):
    """The signature does not hold; `detail` says why in words that are safe to show to whoever sent it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class UnsupportedAlgorithm(ValueError):
    """The signature's algorithm is not one that this registry verifies."""

    def __init__(self, alg: str) -> None:
        super().__init__("the signature's algorithm must be ed25519, eip191, secp256k1 or p256")
        self.alg = alg


def verify(alg: str, issuer_did: str, message: bytes, signature_b64: str, registered: PublicKey | None = None) -> None:
    """Check an issuer's signature over a message, and return only if it holds.

    `alg` is `ed25519`, `secp256k1` or `p256` (64 bytes; issuer `did:key`, or any registered DID with the key that it
    has `registered`), or `eip191` (65 bytes r, s, v; issuer `did:pkh:eip155`). The signature is canonical standard
    base64. Raises `InvalidSignature`, `InvalidDid` and `UnsupportedAlgorithm`.
    """
    if alg == "eip191":
        _verify_eip191(_issuer_address(issuer_did), message, signature_b64)
    elif alg in public_keys.key_types:
        key = _issuer_key(issuer_did, registered)
        if key.type != alg:
            raise InvalidSignature(f"the issuer's key is of {key.type}, and signs with no other algorithm")
        verify_key(key, message, signature_b64)
    else:
        raise UnsupportedAlgorithm(alg)


def verify_key(key: PublicKey, message: bytes, signature_b64: str) -> None:
    """Check a signature by one key over a message: 64 bytes in canonical standard base64. Raises `InvalidSignature`."""
    signature = _decode_signature(signature_b64, _key_signature_bytes)
    if key.type == public_keys.ed25519:
        _verify_ed25519(_prime_order(key.content), message, signature)
    elif (fault := ecdsa.fault_of(key, message, signature)) is not None:
        raise InvalidSignature(fault)


def usable_key(multibase: str) -> PublicKey:
    """Read the text of a public key for which all verifiers come to one verdict. Raises `InvalidKey`."""
    key = parse_multibase(multibase)
    if key.type == public_keys.ed25519:
        try:
            _prime_order(key.content)
        except InvalidSignature as error:
            raise InvalidKey(error.detail) from None
    return key


def _issuer_key(issuer_did: str, registered: PublicKey | None) -> PublicKey:
    own_key = _key_in_did(issuer_did)
    if registered is None:
        if own_key is None:
            raise InvalidSignature("no key is known for this issuer")
        return own_key
    if own_key is not None and own_key != registered:
        raise InvalidSignature("the key isn't the one that the issuer's did:key names")
    return registered


@lru_cache(maxsize=remembered_keys)
def _key_in_did(did: str) -> PublicKey | None:
    parsed = parse_did(did)
    if parsed.method == "pkh":
        raise InvalidSignature("a did:pkh issuer signs with eip191")
    return parsed.key


@lru_cache(maxsize=remembered_keys)
def _prime_order(content: bytes) -> bytes:
    """Refuse a key outside of the prime-order group, for which two verifiers could come to two verdicts."""
    if len(content) != 32 or not nacl.bindings.crypto_core_ed25519_is_valid_point(content):
        raise InvalidSignature("the public key is no point of prime order in its canonical encoding")
    return content


def _verify_ed25519(content: bytes, message: bytes, signature: bytes) -> None:
    try:
        # libsodium refuses S from the order up, an R or a key of small order, and any R but the one text that it
        # computes itself; what it lets through, a key of mixed order, has been refused before.
        nacl.bindings.crypto_sign_open(signature + message, content)
    except nacl.exceptions.BadSignatureError:
        raise InvalidSignature("the Ed25519 signature isn't the issuer's over this content") from None


@lru_cache(maxsize=remembered_keys)
def _issuer_address(did: str) -> bytes:
    address = parse_did(did).address
    if address is None:
        raise InvalidSignature("an eip191 signature needs a did:pkh:eip155 issuer")
    return bytes.fromhex(address[2:])


def _verify_eip191(address: bytes, message: bytes, signature_b64: str) -> None:
    signature = _decode_signature(signature_b64, _eip191_signature_bytes)
    recovery_id = _recovery_ids.get(signature[64])
    if recovery_id is None:
        raise InvalidSignature("the signature's v isn't 0, 1, 27 or 28")
    if int.from_bytes(signature[32:64], "big") > _secp256k1_half_order:
        raise InvalidSignature("the signature's s is in the upper half of the order")
    try:
        public_key = coincurve.PublicKey.from_signature_and_message(
            signature[:64] + recovery_id, _personal_digest(message), hasher=None
        )
    except ValueError:
        raise InvalidSignature("no key can be recovered from the signature") from None
    if _address_bytes(public_key) != address:
        raise InvalidSignature("the eip191 signature isn't the issuer's over this content")


def _decode_signature(signature_b64: str, size: int) -> bytes:
    encoded_size = (size + 2) // 3 * 4
    if len(signature_b64) == encoded_size and signature_b64.isascii():
        try:
            signature = binascii.a2b_base64(signature_b64)
        except binascii.Error:
            signature = b""
        # Encoded again it must be the same text: no other letters, and nothing in the bits after the last byte.
        if len(signature) == size and binascii.b2a_base64(signature, newline=False) == signature_b64.encode("ascii"):
            return signature
    raise InvalidSignature(f"the signature isn't {size} bytes in standard base64 with padding")


def ed25519_public(seed: bytes) -> bytes:
    """Return the 32-byte public key of a 32-byte seed (RFC 8032 section 5.1.5)."""
    public_key: bytes = nacl.bindings.crypto_sign_seed_keypair(seed)[0]
    return public_key


def ed25519_sign(seed: bytes, message: bytes) -> bytes:
    """Return the 64-byte Ed25519 signature of a message (RFC 8032 section 5.1.6)."""
    return ed25519_signer(seed)(message)


def ed25519_signer(seed: bytes) -> Signer:
    """Return what signs with a seed, expanded once: half the work of each `ed25519_sign`."""
    secret_key = nacl.bindings.crypto_sign_seed_keypair(seed)[1]

    def sign(message: bytes) -> bytes:
        return nacl.bindings.crypto_sign(message, secret_key)[:_key_signature_bytes]

    return sign


def eip191_sign(private_key: bytes, message: bytes) -> bytes:
    """Return the 65-byte `personal_sign` signature of a message: r, low s, and v of 27 or 28."""
    return eip191_signer(private_key)(message)


def eip191_signer(private_key: bytes) -> Signer:
    """Return what signs with a secp256k1 private key of 32 bytes, expanded once."""
    key = coincurve.PrivateKey(private_key)

    def sign(message: bytes) -> bytes:
        signature: bytes = key.sign_recoverable(_personal_digest(message), hasher=None)
        return signature[:64] + bytes([27 + signature[64]])

    return sign


def eip191_address(private_key: bytes) -> str:
    """Return the Ethereum address of a private key, its letters' case a checksum (EIP-55)."""
    address = _address_bytes(coincurve.PrivateKey(private_key).public_key).hex()
    checksum = _keccak256(address.encode("ascii")).hex()
    return "0x" + "".join(
        letter.upper() if nibble >= "8" else letter for letter, nibble in zip(address, checksum, strict=False)
    )


def _address_bytes(public_key: coincurve.PublicKey) -> bytes:
    return _keccak256(public_key.format(compressed=False)[1:])[-20:]


def _personal_digest(message: bytes) -> bytes:
    return _keccak256(b"\x19Ethereum Signed Message:\n%d%b" % (len(message), message))


def _keccak256(content: bytes) -> bytes:
    return keccak.new(data=content, digest_bits=256).digest()
