"""The pool's key: read from WIF, locked to what other wallets lock to, and told to nobody."""

import pickle
import traceback

import pytest

from log.base58 import base58_decode, base58_encode
from log.bitcoin_bytes import twice
from processors.pool_key import InvalidPoolKey, PoolKey, written_wif
from tests.processors.pool_outputs import key_of

ONE = "KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn"
"""The key 1, whose public key is the generator of secp256k1."""
ONE_FOR_TESTS = "cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMTcA"


def wif(said: bytes) -> str:
    return base58_encode(said + twice(said)[:4])


@pytest.mark.parametrize("text", [ONE, ONE_FOR_TESTS])
def test_a_known_key_has_its_known_address(text: str) -> None:
    key = PoolKey.read(text, "bsv")
    assert key.pubkey.hex() == "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    # The address 1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH says the same hash.
    assert base58_decode("1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH")[1:21] == key.script[3:23]
    assert key.script.hex() == "76a914751e76e8199196d454941c45d1b3a323f1433bd688ac"
    assert written_wif(key.secret) == ONE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0OIl",
        "1" * 200,
        ONE[:-1],
        ONE + "1",
        ONE.replace("J", "K"),
        "5HpHagT65TZzG1PH3CSu63k8DbpvD8s5ip4nEB3kEsreAnchuDf",  # of a key that isn't compressed
        wif(b"\x80" + bytes(31) + b"\x01\x02"),
        wif(b"\x81" + bytes(31) + b"\x01\x01"),
        wif(b"\x80" + bytes(32) + b"\x01"),
        wif(b"\x80" + b"\xff" * 32 + b"\x01"),
    ],
)
def test_what_is_no_key_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(InvalidPoolKey) as refused:
        PoolKey.read(text, "bsv")
    told = "".join(traceback.format_exception(refused.value, chain=True))
    assert len(text) < 8 or text not in told
    assert refused.value.__cause__ is None


def test_a_key_is_shown_and_copied_nowhere() -> None:
    key = key_of("wren")
    for told in (repr(key), str(key), f"{key}", repr([key])):
        assert repr(key.secret) not in told
        assert key.secret.hex() not in told
        assert written_wif(key.secret) not in told
    with pytest.raises(TypeError, match="isn't pickled"):
        pickle.dumps(key)
