"""Signatures hold for what their issuer signed, in one encoding, and for nothing else."""

from __future__ import annotations

import base64
import json
import string
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given, settings
from hypothesis import strategies as st

from log.public_keys import PublicKey
from log.signatures import (
    InvalidDid,
    InvalidSignature,
    UnsupportedAlgorithm,
    did_key,
    did_pkh,
    ed25519_public,
    ed25519_sign,
    eip191_address,
    eip191_sign,
    parse_did,
    verify,
)

vectors = Path(__file__).parents[1] / "vectors"
rfc8032 = json.loads((vectors / "rfc8032.json").read_text())
ed25519_cases = json.loads((vectors / "ed25519_cases.json").read_text())
registered_did = "did:mun:" + "a" * 26
secp256k1_order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

seed = bytes(range(32))
issuer = did_key(ed25519_public(seed))
own = PublicKey("ed25519", ed25519_public(seed))
message = b'{"type":"muniment.fact.v1"}'
signature = base64.b64encode(ed25519_sign(seed, message)).decode()

private_key = bytes(range(1, 33))
wallet = did_pkh(eip191_address(private_key))
wallet_signature = eip191_sign(private_key, message)


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize("vector", rfc8032, ids=lambda vector: vector["name"])
def test_a_vector_of_rfc_8032_is_signed_and_verified(vector):
    secret, public, text, expected = (bytes.fromhex(vector[k]) for k in ("seed", "public_key", "message", "signature"))
    assert ed25519_public(secret) == public
    assert ed25519_sign(secret, text) == expected
    verify("ed25519", did_key(public), text, b64(expected))


@pytest.mark.parametrize("case", ed25519_cases, ids=lambda case: case["name"])
def test_an_ed25519_case_gets_the_strict_verdict(case):
    key, text, signed = (bytes.fromhex(case[member]) for member in ("public_key", "message", "signature"))
    if case["valid"]:
        verify("ed25519", registered_did, text, b64(signed), PublicKey("ed25519", key))
        verify("ed25519", did_key(key), text, b64(signed))
        return
    with pytest.raises(InvalidSignature):
        verify("ed25519", registered_did, text, b64(signed), PublicKey("ed25519", key))
    with pytest.raises((InvalidSignature, InvalidDid)):
        verify("ed25519", did_key(key), text, b64(signed))


@pytest.mark.slow
def test_the_ed25519_cases_are_those_that_the_reference_makes(tmp_path):
    from tests.vectors.ed25519_reference import write

    write(tmp_path / "cases.json")
    assert (tmp_path / "cases.json").read_text() == (vectors / "ed25519_cases.json").read_text()


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200))
def test_what_a_seed_signs_its_did_verifies(any_seed, text):
    verify("ed25519", did_key(ed25519_public(any_seed)), text, b64(ed25519_sign(any_seed, text)))


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 511))
def test_no_bit_of_an_ed25519_signature_can_be_flipped(bit):
    flipped = bytearray(base64.b64decode(signature))
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidSignature):
        verify("ed25519", issuer, message, b64(bytes(flipped)))


last_digit = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=",
        "====",
        signature[:-2],
        signature[:-1],
        signature + "=",
        signature + "\n",
        " " + signature,
        signature[:40] + "\n" + signature[40:],
        signature[:40] + " " + signature[41:],
        signature[:40] + "=" + signature[41:],
        signature[:40] + "-" + signature[41:],
        signature[:40] + "_" + signature[41:],
        signature[:40] + "\0" + signature[41:],
        signature[:40] + "é" + signature[41:],
        signature[:40] + "\uff21" + signature[41:],
        signature[:40] + "\ud800" + signature[41:],
        signature[:85] + last_digit[last_digit.index(signature[85]) + 1] + "==",
        signature[:84] + "====",
        "A" * 88,
        "A" * 10_000_000,
        base64.urlsafe_b64encode(b"\xfb\xff" * 32).decode(),
        base64.b64decode(signature).hex(),
    ],
)
def test_a_signature_that_is_not_canonical_base64_of_its_size_is_refused(text):
    with pytest.raises(InvalidSignature):
        verify("ed25519", issuer, message, text)


@settings(deadline=None)
@given(st.text(min_size=80, max_size=90))
def test_any_text_for_a_signature_is_refused(text):
    for alg, did in (("ed25519", issuer), ("eip191", wallet)):
        with pytest.raises(InvalidSignature):
            verify(alg, did, message, text)


@pytest.mark.parametrize("alg", ["bbs+", "", "Ed25519", "ES256K", "none", "ed25519 ", "P256", "secp256r1"])
def test_an_algorithm_that_is_not_verified_here_is_unsupported(alg):
    with pytest.raises(UnsupportedAlgorithm):
        verify(alg, issuer, message, signature)


def test_an_algorithm_must_fit_its_issuer():
    for alg, did in (("ed25519", wallet), ("eip191", issuer), ("eip191", registered_did), ("ed25519", registered_did)):
        with pytest.raises(InvalidSignature):
            verify(alg, did, message, signature)
    with pytest.raises(InvalidSignature):
        verify("ed25519", wallet, message, signature, own)


def test_a_registered_did_is_verified_with_its_key_and_a_did_key_with_no_other_than_its_own():
    verify("ed25519", registered_did, message, signature, own)
    verify("ed25519", issuer, message, signature, own)
    other = PublicKey("ed25519", ed25519_public(bytes(32)))
    with pytest.raises(InvalidSignature):
        verify("ed25519", registered_did, message, signature, other)
    other_signature = b64(ed25519_sign(bytes(32), message))
    with pytest.raises(InvalidSignature):
        verify("ed25519", issuer, message, other_signature, other)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, secp256k1_order - 1), st.text())
def test_an_ethereum_wallet_and_this_registry_sign_and_verify_alike(secret, text):
    account = Account.from_key(secret.to_bytes(32, "big"))
    signed = account.sign_message(encode_defunct(primitive=text.encode("utf-8", "replace")))
    content = text.encode("utf-8", "replace")
    assert eip191_address(secret.to_bytes(32, "big")) == account.address
    assert eip191_sign(secret.to_bytes(32, "big"), content) == bytes(signed.signature)
    verify("eip191", f"did:pkh:eip155:1:{account.address}", content, b64(bytes(signed.signature)))


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_a_wallet_recovers_the_address_of_what_was_signed_here(content):
    ours = eip191_sign(private_key, content)
    recovered = Account.recover_message(encode_defunct(primitive=content), signature=ours)
    assert recovered == eip191_address(private_key)


def test_the_upper_half_of_s_is_refused_though_it_recovers_the_address():
    s = int.from_bytes(wallet_signature[32:64], "big")
    high = wallet_signature[:32] + (secp256k1_order - s).to_bytes(32, "big") + bytes([55 - wallet_signature[64]])
    verify("eip191", wallet, message, b64(wallet_signature))
    with pytest.raises(InvalidSignature, match="upper half"):
        verify("eip191", wallet, message, b64(high))


def test_v_may_count_from_0_or_from_27_and_nothing_else():
    parity = wallet_signature[64] - 27
    for v in range(256):
        text = b64(wallet_signature[:64] + bytes([v]))
        if v in (parity, parity + 27):
            verify("eip191", wallet, message, text)
        else:
            with pytest.raises(InvalidSignature):
                verify("eip191", wallet, message, text)


@pytest.mark.parametrize(
    "address",
    [str.lower, lambda text: "0x" + text[2:].upper(), lambda text: "0x" + text[2:].swapcase(), str],
    ids=["lower case", "upper case", "wrong checksum", "checksum"],
)
@pytest.mark.parametrize("chain", ["1", "137", "11155111"])
def test_an_address_is_compared_without_case_on_any_chain(address, chain):
    did = f"did:pkh:eip155:{chain}:{address(eip191_address(private_key))}"
    verify("eip191", did, message, b64(wallet_signature))
    assert parse_did(did).did == did
    assert parse_did(did).identity == did.lower()


@pytest.mark.parametrize(
    "forged",
    [
        bytes(65),
        b"\xff" * 65,
        bytes(32) + wallet_signature[32:],
        wallet_signature[:32] + bytes(32) + wallet_signature[64:],
        secp256k1_order.to_bytes(32, "big") + wallet_signature[32:],
        wallet_signature[:32] + secp256k1_order.to_bytes(32, "big") + wallet_signature[64:],
        wallet_signature[32:64] + wallet_signature[:32] + wallet_signature[64:],
        wallet_signature[:64],
        wallet_signature + b"\0",
        wallet_signature[64:] + wallet_signature[:64],
        b"",
    ],
    ids=[
        "zeros", "ones", "r is zero", "s is zero", "r is the order", "s is the order", "r and s exchanged", "no v",
        "one byte more", "v in front", "empty",
    ],
)  # fmt: skip
def test_a_forged_wallet_signature_is_refused(forged):
    with pytest.raises(InvalidSignature):
        verify("eip191", wallet, message, b64(forged))


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 519))
def test_no_bit_of_a_wallet_signature_can_be_flipped(bit):
    flipped = bytearray(wallet_signature)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidSignature):
        verify("eip191", wallet, message, b64(bytes(flipped)))


def test_a_wallet_signature_over_other_content_is_refused():
    for text in (message + b" ", b"", b"\x19Ethereum Signed Message:\n" + message):
        with pytest.raises(InvalidSignature):
            verify("eip191", wallet, text, b64(wallet_signature))


def test_a_key_of_another_size_signs_nothing_and_names_nothing():
    for size in (0, 31, 33):
        with pytest.raises(InvalidDid):
            did_key(bytes(size))
        with pytest.raises(InvalidSignature):
            verify("ed25519", registered_did, message, signature, PublicKey("ed25519", bytes(size)))
