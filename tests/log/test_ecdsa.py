"""ECDSA signatures hold for what was signed, in one of the two forms that mathematics allows."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log.dids import did_of_key
from log.ecdsa import ecdsa_public, ecdsa_signer, fault_of
from log.public_keys import PublicKey
from log.signatures import InvalidSignature, ed25519_public, ed25519_sign, verify, verify_key

ORDERS = {
    "secp256k1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    "p256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
}
KINDS = pytest.mark.parametrize("kind", ORDERS)
SECRET, MESSAGE = bytes(range(1, 33)), b'{"type":"rotate"}'
REGISTERED = "did:mun:" + "a" * 26


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize(
    ("kind", "secret", "message", "r", "s"),
    [
        # RFC 6979, A.2.5, with SHA-256; of the first the other s, the lower one.
        (
            "p256",
            "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
            b"sample",
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
            ORDERS["p256"] - 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8,
        ),
        (
            "p256",
            "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
            b"test",
            "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
            0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083,
        ),
        # A vector that Bitcoin's wallets share, for the private key 1.
        (
            "secp256k1",
            "00" * 31 + "01",
            b"Satoshi Nakamoto",
            "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8",
            0x2442CE9D2B916064108014783E923EC36B49743E2FFA1C4496F01A512AAFD9E5,
        ),
    ],
)
def test_published_signatures_are_made_and_hold(kind: str, secret: str, message: bytes, r: str, s: int) -> None:
    signature = bytes.fromhex(r) + s.to_bytes(32, "big")
    assert ecdsa_signer(kind, bytes.fromhex(secret))(message) == signature
    verify_key(ecdsa_public(kind, bytes.fromhex(secret)), message, b64(signature))


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(sorted(ORDERS)), st.integers(1, 2**255), st.binary(max_size=300))
def test_what_a_key_signs_its_did_verifies_and_s_is_low(kind: str, secret: int, message: bytes) -> None:
    private = secret.to_bytes(32, "big")
    signature = ecdsa_signer(kind, private)(message)
    assert int.from_bytes(signature[32:], "big") <= ORDERS[kind] // 2
    key = ecdsa_public(kind, private)
    verify(kind, did_of_key(key), message, b64(signature))
    verify(kind, REGISTERED, message, b64(signature), key)


@KINDS
def test_the_upper_half_of_s_is_refused_though_it_would_hold(kind: str) -> None:
    key, signature = ecdsa_public(kind, SECRET), ecdsa_signer(kind, SECRET)(MESSAGE)
    s = int.from_bytes(signature[32:], "big")
    high = signature[:32] + (ORDERS[kind] - s).to_bytes(32, "big")
    assert "upper half" in (fault_of(key, MESSAGE, high) or "")
    with pytest.raises(InvalidSignature, match="upper half"):
        verify_key(key, MESSAGE, b64(high))


@KINDS
@settings(deadline=None, max_examples=200)
@given(st.integers(0, 511))
def test_no_bit_of_a_signature_can_be_flipped(kind: str, bit: int) -> None:
    flipped = bytearray(ecdsa_signer(kind, SECRET)(MESSAGE))
    flipped[bit // 8] ^= 1 << bit % 8
    assert fault_of(ecdsa_public(kind, SECRET), MESSAGE, bytes(flipped)) is not None


@KINDS
@pytest.mark.parametrize("place", [slice(0, 32), slice(32, 64)], ids=["r", "s"])
@pytest.mark.parametrize("value", ["zero", "order", "ones"])
def test_a_number_out_of_range_is_refused(kind: str, place: slice, value: str) -> None:
    number = {"zero": 0, "order": ORDERS[kind], "ones": 2**256 - 1}[value]
    forged = bytearray(ecdsa_signer(kind, SECRET)(MESSAGE))
    forged[place] = number.to_bytes(32, "big")
    assert fault_of(ecdsa_public(kind, SECRET), MESSAGE, bytes(forged)) is not None


@KINDS
def test_a_signature_of_another_key_message_or_size_does_not_hold(kind: str) -> None:
    key, signature = ecdsa_public(kind, SECRET), ecdsa_signer(kind, SECRET)(MESSAGE)
    other = ecdsa_public(kind, bytes(31) + b"\x05")
    for who, message, signed in (
        (other, MESSAGE, signature),
        (key, MESSAGE + b" ", signature),
        (key, MESSAGE, signature[:63]),
        (key, MESSAGE, signature + b"\0"),
        (key, MESSAGE, b""),
    ):
        with pytest.raises(InvalidSignature):
            verify_key(who, message, b64(signed))


@KINDS
def test_an_algorithm_must_be_that_of_the_key(kind: str) -> None:
    key, signature = ecdsa_public(kind, SECRET), b64(ecdsa_signer(kind, SECRET)(MESSAGE))
    other = {"p256": "secp256k1", "secp256k1": "p256"}[kind]
    for alg in (other, "ed25519"):
        for did, registered in ((did_of_key(key), None), (REGISTERED, key)):
            with pytest.raises(InvalidSignature):
                verify(alg, did, MESSAGE, signature, registered)
    ours = PublicKey("ed25519", ed25519_public(SECRET))
    with pytest.raises(InvalidSignature):
        verify(kind, did_of_key(ours), MESSAGE, b64(ed25519_sign(SECRET, MESSAGE)))
    with pytest.raises(InvalidSignature):
        verify(kind, did_of_key(key), MESSAGE, b64(ecdsa_signer(kind, bytes(31) + b"\x05")(MESSAGE)), ours)
    with pytest.raises(InvalidSignature):
        verify(kind, REGISTERED, MESSAGE, signature)


def test_a_private_key_out_of_range_makes_nothing() -> None:
    for kind in ORDERS:
        for secret in (bytes(32), b"\xff" * 32):
            with pytest.raises(ValueError, match=r".*"):
                ecdsa_public(kind, secret)
