"""A DID has one spelling, and text that is none is refused at any length."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log.base58 import base58_encode
from log.dids import InvalidDid, did_key, did_of_key, parse_did
from log.ecdsa import ecdsa_public
from log.signatures import ed25519_public, verify

issuer = did_key(ed25519_public(bytes(range(32))))


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_a_did_key_and_its_public_key_name_each_other(any_seed):
    public_key = ed25519_public(any_seed)
    parsed = parse_did(did_key(public_key))
    assert parsed.method == "key"
    assert parsed.key is not None
    assert (parsed.key.type, parsed.key.content) == ("ed25519", public_key)
    assert parsed.identity == parsed.did
    assert did_key(public_key).startswith("did:key:z6Mk")


def test_a_published_did_key_names_its_published_public_key():
    # The example of the did:key method's specification, section 3.1.
    parsed = parse_did("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK")
    assert parsed.key is not None
    assert parsed.key.content.hex() == "2e6fcce36701dc791488e0d0b1745cc1e33a4c1c9fcc41c63bd343dbbe0970e6"


def multibase(content: bytes) -> str:
    return "did:key:z" + base58_encode(content)


@pytest.mark.parametrize(
    "did",
    [
        "",
        "did",
        "did:key:",
        "did:key:z",
        "did:key:z6Mk",
        issuer + "1",
        issuer[:-1],
        issuer + "\n",
        " " + issuer,
        issuer + "#key-1",
        issuer.upper(),
        issuer.replace("did:key:z", "did:key:Z"),
        issuer.replace("did:key:z", "did:key:m"),
        issuer.replace("did:key:z", "did:key:z1"),
        issuer[:-1] + "0",
        issuer[:-1] + "O",
        issuer[:-1] + "é",
        issuer[:-1] + "\ud800",
        "did:key:z6Mk" + "z" * 44,
        "did:key:z6Mk" + "1" * 44,
        multibase(b"\xe7\x01" + b"\x04" * 33),
        multibase(b"\x80\x24" + b"\x05" * 33),
        multibase(b"\xe7\x01" + b"\x02" * 65),
        multibase(b"\x81\x24" + b"\x02" * 33),
        multibase(b"\xed\x01" + bytes(31)),
        multibase(b"\xed\x01" + bytes(33)),
        multibase(b"\xed\x01" + (2**255 - 19).to_bytes(32, "little")),
        multibase(b"\xed\x01" + b"\xff" * 32),
        "did:key:z6Mk" + "a" * 100_000,
        "did:pkh:eip155:1:" + "0x" + "a" * 39,
        "did:pkh:eip155:1:" + "0x" + "a" * 41,
        "did:pkh:eip155:1:" + "0X" + "a" * 40,
        "did:pkh:eip155:1:" + "0x" + "g" * 40,
        "did:pkh:eip155:1:" + "a" * 40,
        "did:pkh:eip155:0:" + "0x" + "a" * 40,
        "did:pkh:eip155:01:" + "0x" + "a" * 40,
        "did:pkh:eip155:-1:" + "0x" + "a" * 40,
        "did:pkh:eip155:\u0661:" + "0x" + "a" * 40,
        "did:pkh:eip155::" + "0x" + "a" * 40,
        "did:pkh:eip155:" + "9" * 33 + ":0x" + "a" * 40,
        "did:pkh:eip155:1:" + "0x" + "a" * 40 + "\n",
        "did:pkh:solana:1:" + "0x" + "a" * 40,
        "DID:pkh:eip155:1:" + "0x" + "a" * 40,
        "did:mun:" + "a" * 25,
        "did:mun:" + "A" * 26,
        "did:mun:" + "1" * 26,
        "did:web:example.org",
    ],
    ids=lambda did: repr(did[:60]),
)
def test_a_text_that_is_no_did_of_ours_is_refused(did):
    with pytest.raises(InvalidDid):
        parse_did(did)
    for alg in ("ed25519", "eip191"):
        with pytest.raises(InvalidDid):
            verify(alg, did, b"", "A" * 86 + "==")


@pytest.mark.parametrize(
    ("did", "kind"),
    [
        ("did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme", "secp256k1"),
        ("did:key:zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv", "p256"),
    ],
)
def test_the_published_did_keys_of_other_curves_are_read(did, kind):
    # Examples of the did:key method's specification, section 8.
    parsed = parse_did(did)
    assert parsed.key is not None
    assert parsed.key.type == kind
    assert did_of_key(parsed.key) == did


@pytest.mark.parametrize("kind", ["secp256k1", "p256"])
def test_a_did_key_of_another_curve_has_one_spelling(kind):
    did = did_of_key(ecdsa_public(kind, bytes(range(1, 33))))
    assert parse_did(did).identity == did
    for text in (did + "1", did[:-1], did.replace(":z", ":z1"), did.upper(), did.replace(":z", ":m"), did[:-1] + "0"):
        with pytest.raises(InvalidDid):
            parse_did(text)
