"""The pool's key: what its outputs are locked to, read from WIF, and shown to nobody."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NoReturn, Self

from log.base58 import InvalidBase58, base58_decode, base58_encode
from log.bitcoin_bytes import twice
from log.ecdsa import Signer, ecdsa_public, ecdsa_signer
from log.public_keys import secp256k1
from log.signature_hash import pay_to
from processors.chain import Family

SECRET_BYTES: Final = 32
_networks: Final = (0x80, 0xEF)
"""First bytes of a key of a main chain, and of one for tests."""
_compressed: Final = b"\x01"
_checksum_bytes: Final = 4


class InvalidPoolKey(ValueError):
    """The text is no key; the message never repeats it."""


@dataclass(frozen=True, slots=True)
class PoolKey:
    """The private key (32 bytes) that spends the pool's outputs, on chains of one family.

    ``script`` locks an output to it (P2PKH); ``pubkey`` has 33 bytes. Raises InvalidPoolKey.
    """

    secret: bytes = field(repr=False)
    family: Family
    pubkey: bytes = field(init=False)
    script: bytes = field(init=False)
    signer: Signer = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Find what follows from the key."""
        try:
            public, signer = ecdsa_public(secp256k1, self.secret), ecdsa_signer(secp256k1, self.secret)
        except ValueError:
            raise InvalidPoolKey("a key is a number from 1 to below the order of secp256k1") from None
        object.__setattr__(self, "pubkey", public.content)
        object.__setattr__(self, "script", pay_to(public.content))
        object.__setattr__(self, "signer", signer)

    @classmethod
    def read(cls, wif: str, family: Family) -> Self:
        """Read a key's WIF, which says that its public key is compressed. Raises InvalidPoolKey."""
        try:
            content = base58_decode(wif)
        except InvalidBase58:
            raise InvalidPoolKey("a key is WIF: base58 of 38 bytes") from None
        said, checksum = content[:-_checksum_bytes], content[-_checksum_bytes:]
        if len(said) != SECRET_BYTES + 2 or said[0] not in _networks or said[-1:] != _compressed:
            raise InvalidPoolKey("a key is WIF of a compressed key, which begins with K, L or c")
        if twice(said)[:_checksum_bytes] != checksum:
            raise InvalidPoolKey("the key's checksum is another: a letter of it was changed")
        return cls(said[1:-1], family)

    def __reduce__(self) -> NoReturn:
        """Refuse to be copied."""
        raise TypeError("the pool's key isn't pickled: that would copy its secret")


def written_wif(secret: bytes) -> str:
    """Write a private key of 32 bytes as WIF of a main chain."""
    said = bytes([_networks[0]]) + secret + _compressed
    return base58_encode(said + twice(said)[:_checksum_bytes])
