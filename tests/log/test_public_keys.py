"""A public key has one text, and text that is none is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log.base58 import base58_encode
from log.ecdsa import ecdsa_public
from log.public_keys import InvalidKey, PublicKey, key_types, parse_multibase, point, public_key
from log.signatures import ed25519_public, usable_key

SECRET = bytes(range(1, 33))
KEYS = {
    "ed25519": PublicKey("ed25519", ed25519_public(SECRET)),
    "secp256k1": ecdsa_public("secp256k1", SECRET),
    "p256": ecdsa_public("p256", SECRET),
}
PRIMES = {"secp256k1": 2**256 - 2**32 - 977, "p256": 2**256 - 2**224 + 2**192 + 2**96 - 1}


def text_of(multicodec: bytes, content: bytes) -> str:
    return "z" + base58_encode(multicodec + content)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["secp256k1", "p256"]), st.integers(1, 2**255))
def test_a_key_and_its_text_name_each_other(kind: str, secret: int) -> None:
    key = ecdsa_public(kind, secret.to_bytes(32, "big"))
    assert parse_multibase(key.multibase) == key
    assert usable_key(key.multibase) == key
    assert key.multibase.startswith({"secp256k1": "zQ3s", "p256": "zDn"}[kind])


def test_the_shortest_and_the_longest_key_of_a_kind_have_texts_of_one_length() -> None:
    for kind, (multicodec, size, characters) in key_types.items():
        heads = (b"", b"") if kind == "ed25519" else (b"\x02", b"\x03")
        for head, byte in zip(heads, (b"\x00", b"\xff"), strict=True):
            text = text_of(multicodec, head + byte * (size - len(head)))
            assert len(text) == characters + 1


@pytest.mark.parametrize("kind", KEYS)
def test_other_spellings_are_refused(kind: str) -> None:
    text = KEYS[kind].multibase
    for other in ("", "z", text[1:], "m" + text[1:], text + "1", text[:-1], "z1" + text[1:], text + "\n", text.upper()):
        with pytest.raises(InvalidKey):
            parse_multibase(other)


@pytest.mark.parametrize("kind", ["secp256k1", "p256"])
def test_a_point_that_is_not_on_the_curve_or_not_compressed_is_refused(kind: str) -> None:
    multicodec, content = key_types[kind].multicodec, KEYS[kind].content
    x = int.from_bytes(content[1:], "big")
    off = next(x + step for step in range(1, 100) if refused(kind, x + step))
    again = PRIMES[kind].to_bytes(32, "big")
    for wrong in (b"\x04" + content[1:], b"\x00" + content[1:], b"\x02" + off.to_bytes(32, "big"), b"\x02" + again):
        with pytest.raises(InvalidKey):
            parse_multibase(text_of(multicodec, wrong))


def refused(kind: str, x: int) -> bool:
    """Tell whether the libraries that verify refuse a point."""
    import coincurve
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

    content = b"\x02" + x.to_bytes(32, "big")
    try:
        if kind == "secp256k1":
            coincurve.PublicKey(content)
        else:
            EllipticCurvePublicKey.from_encoded_point(SECP256R1(), content)
    except ValueError:
        return True
    return False


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["secp256k1", "p256"]), st.integers(0, 2**256 - 1), st.sampled_from([b"\x02", b"\x03"]))
def test_what_is_a_point_is_what_the_libraries_that_verify_take(kind: str, x: int, head: bytes) -> None:
    content = head + x.to_bytes(32, "big")
    try:
        public_key(kind, content)
    except InvalidKey:
        assert refused(kind, x)
    else:
        assert not refused(kind, x)


def test_a_key_of_small_order_is_read_and_is_not_usable() -> None:
    text = PublicKey("ed25519", b"\x01" + bytes(31)).multibase
    assert parse_multibase(text).type == "ed25519"
    with pytest.raises(InvalidKey):
        usable_key(text)


def test_a_kind_that_is_none_and_a_size_that_is_wrong_are_refused() -> None:
    for kind, content in (("rsa", bytes(32)), ("ed25519", bytes(31)), ("p256", bytes(65))):
        with pytest.raises(InvalidKey):
            public_key(kind, content)


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(["secp256k1", "p256"]), st.integers(1, 2**255))
def test_a_point_is_the_one_that_the_libraries_that_verify_see(kind: str, seed: int) -> None:
    import coincurve
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = ecdsa_public(kind, seed.to_bytes(32, "big"))
    if kind == "secp256k1":
        whole = coincurve.PublicKey(key.content).format(compressed=False)
    else:
        other = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key.content)
        whole = other.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert b"\x04" + b"".join(point(key)) == whole
