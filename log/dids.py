"""Decentralized identifiers as text: which DIDs name a key or an address by themselves, and which are looked up.

Each DID that passes here has one spelling, but for the case of the letters in an Ethereum address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

max_did_characters: Final = 128

_ed25519_multicodec: Final = b"\xed\x01"
_curve25519_prime: Final = 2**255 - 19
_base58_alphabet: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_base58_digits: Final = {character: digit for digit, character in enumerate(_base58_alphabet)}
# 0xed01 and 32 bytes always take 47 base58btc characters from `6Mk` on, and such 47 always stand for 34 bytes.
_did_key: Final = re.compile(r"did:key:z(6Mk[1-9A-HJ-NP-Za-km-z]{44})")
_did_pkh: Final = re.compile(r"did:pkh:eip155:([1-9][0-9]{0,31}):(0x[0-9a-fA-F]{40})")
_did_mun: Final = re.compile(r"did:mun:[a-z2-7]{26}")


class InvalidDid(ValueError):
    """The text is no DID that this registry knows how to read; `detail` is safe to show to whoever sent it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class ParsedDid:
    """What a DID says by itself.

    `method` is `key` (with `public_key`, 32 bytes of Ed25519), `pkh` (with `chain_id` and `address`, as sent) or `mun`
    (neither: its keys are in the identity context). `identity` is the same text for every spelling of one DID.
    """

    did: str
    method: str
    public_key: bytes | None = None
    chain_id: str | None = None
    address: str | None = None

    @property
    def identity(self) -> str:
        return self.did.lower() if self.method == "pkh" else self.did


def parse_did(did: str) -> ParsedDid:
    """Read a `did:key` (Ed25519), `did:pkh:eip155` or `did:mun`; raises `InvalidDid`.

    Sources: W3C CCG did:key (multicodec 0xed01 in base58btc), did:pkh with CAIP-2 and CAIP-10.
    """
    if len(did) > max_did_characters:
        raise InvalidDid(f"a DID has at most {max_did_characters} characters")
    if match := _did_key.fullmatch(did):
        return ParsedDid(did, "key", public_key=_public_key(match[1]))
    if match := _did_pkh.fullmatch(did):
        return ParsedDid(did, "pkh", chain_id=match[1], address=match[2])
    if _did_mun.fullmatch(did):
        return ParsedDid(did, "mun")
    raise InvalidDid("a DID is did:key:z6Mk…, did:pkh:eip155:<chain>:<address> or did:mun:<id>")


def did_key(public_key: bytes) -> str:
    """Return the `did:key` of an Ed25519 public key of 32 bytes."""
    if len(public_key) != 32:
        raise InvalidDid("an Ed25519 public key has 32 bytes")
    return "did:key:z" + base58_encode(_ed25519_multicodec + public_key)


def did_pkh(address: str, chain_id: int = 1) -> str:
    """Return the `did:pkh` of an Ethereum address on a chain; 1 is the main network."""
    return parse_did(f"did:pkh:eip155:{chain_id}:{address}").did


def _public_key(encoded: str) -> bytes:
    decoded = base58_decode(encoded)
    if not decoded.startswith(_ed25519_multicodec):
        raise InvalidDid("a did:key holds the multicodec 0xed01 and an Ed25519 key of 32 bytes")
    public_key = decoded[2:]
    if int.from_bytes(public_key, "little") % 2**255 >= _curve25519_prime:
        raise InvalidDid("the did:key's public key isn't in its canonical encoding")
    return public_key


def base58_encode(content: bytes) -> str:
    """Return bytes in base58btc; each leading zero byte is a `1`."""
    number = int.from_bytes(content, "big")
    digits = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_base58_alphabet[digit])
    leading_zeros = len(content) - len(content.lstrip(b"\0"))
    return "1" * leading_zeros + "".join(reversed(digits))


def base58_decode(text: str) -> bytes:
    """Return the bytes that base58btc text stands for; raises `InvalidDid` on other letters and on over-long text.

    The length is bounded first: the conversion takes time that grows with its square.
    """
    if len(text) > max_did_characters:
        raise InvalidDid(f"base58 of more than {max_did_characters} characters")
    number = 0
    for character in text:
        digit = _base58_digits.get(character)
        if digit is None:
            raise InvalidDid("not in the base58btc alphabet")
        number = number * 58 + digit
    leading_zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * leading_zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
