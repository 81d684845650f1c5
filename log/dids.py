"""Decentralized identifiers as text: which DIDs name a key or an address by themselves, and which are looked up.

Each DID that passes here has one spelling, but for the case of the letters in an Ethereum address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from log import public_keys
from log.public_keys import InvalidKey, PublicKey, parse_multibase

max_did_characters: Final = 128

_did_key: Final = re.compile(r"did:key:(z[1-9A-HJ-NP-Za-km-z]{47,48})")
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

    `method` is `key` (with `key`), `pkh` (with `chain_id` and `address`, as sent) or `mun` (neither: its keys are in
    the identity context). `identity` is the same text for every spelling of one DID.
    """

    did: str
    method: str
    key: PublicKey | None = None
    chain_id: str | None = None
    address: str | None = None

    @property
    def identity(self) -> str:
        return self.did.lower() if self.method == "pkh" else self.did


def parse_did(did: str) -> ParsedDid:
    """Read a `did:key` (Ed25519, secp256k1, P-256), `did:pkh:eip155` or `did:mun`; raises `InvalidDid`.

    Sources: W3C CCG did:key, did:pkh with CAIP-2 and CAIP-10.
    """
    if len(did) > max_did_characters:
        raise InvalidDid(f"a DID has at most {max_did_characters} characters")
    if match := _did_key.fullmatch(did):
        try:
            return ParsedDid(did, "key", key=parse_multibase(match[1]))
        except InvalidKey as error:
            raise InvalidDid(error.detail) from None
    if match := _did_pkh.fullmatch(did):
        return ParsedDid(did, "pkh", chain_id=match[1], address=match[2])
    if _did_mun.fullmatch(did):
        return ParsedDid(did, "mun")
    raise InvalidDid("a DID is did:key:z…, did:pkh:eip155:<chain>:<address> or did:mun:<id>")


def did_key(public_key: bytes) -> str:
    """Return the `did:key` of an Ed25519 public key of 32 bytes. Raises `InvalidDid`."""
    if len(public_key) != public_keys.key_types[public_keys.ed25519].size_bytes:
        raise InvalidDid("an Ed25519 public key has 32 bytes")
    return did_of_key(PublicKey(public_keys.ed25519, public_key))


def did_of_key(key: PublicKey) -> str:
    """Return the `did:key` of a public key."""
    return "did:key:" + key.multibase


def did_pkh(address: str, chain_id: int = 1) -> str:
    """Return the `did:pkh` of an Ethereum address on a chain; 1 is the main network."""
    return parse_did(f"did:pkh:eip155:{chain_id}:{address}").did
