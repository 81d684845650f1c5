"""Public keys as multibase text: which kind, which bytes, and one spelling of each.

Sources: multicodec's table, multibase (base58btc), SEC 1 section 2.3.3 (compressed points), RFC 8032, FIPS 186-4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from log.base58 import InvalidBase58, base58_decode, base58_encode

ed25519: Final = "ed25519"
secp256k1: Final = "secp256k1"
p256: Final = "p256"
remembered_keys: Final = 16_384

_curve25519_prime: Final = 2**255 - 19


class InvalidKey(ValueError):
    """The text or the bytes are no public key; `detail` is safe to show to whoever sent it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class _Kind(NamedTuple):
    """How the keys of a kind are written: their multicodec, bytes and base58 characters."""

    multicodec: bytes
    size_bytes: int
    characters: int


class _Curve(NamedTuple):
    """y² = x³ + ax + b over the numbers below a prime."""

    prime: int
    a: int
    b: int


key_types: Final[Mapping[str, _Kind]] = {
    ed25519: _Kind(b"\xed\x01", 32, 47),
    secp256k1: _Kind(b"\xe7\x01", 33, 48),
    p256: _Kind(b"\x80\x24", 33, 48),
}
_curves: Final[Mapping[str, _Curve]] = {
    secp256k1: _Curve(2**256 - 2**32 - 977, 0, 7),
    p256: _Curve(
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        -3,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    ),
}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key: `type` is ed25519 (32 bytes), secp256k1 or p256 (33 bytes, a compressed point)."""

    type: str
    content: bytes

    @property
    def multibase(self) -> str:
        """Give the key as text: `z` and base58btc of its multicodec and bytes."""
        return "z" + base58_encode(key_types[self.type].multicodec + self.content)


def public_key(kind: str, content: bytes) -> PublicKey:
    """Take the bytes of a key in their canonical encoding; raises `InvalidKey`.

    An Ed25519 key that is no point of the prime-order group passes here and is refused where signatures are checked.
    """
    if kind not in key_types:
        raise InvalidKey("a key is ed25519, secp256k1 or p256")
    size = key_types[kind].size_bytes
    if len(content) != size:
        raise InvalidKey(f"a public key of {kind} has {size} bytes")
    curve = _curves.get(kind)
    canonical = int.from_bytes(content, "little") % 2**255 < _curve25519_prime if curve is None else _on(curve, content)
    if not canonical:
        raise InvalidKey(f"the public key is no point of {kind} in its canonical encoding")
    return PublicKey(kind, content)


def _on(curve: _Curve, content: bytes) -> bool:
    x = int.from_bytes(content[1:], "big")
    square = (x**3 + curve.a * x + curve.b) % curve.prime
    # Euler's criterion; no point of either curve has y = 0, since their orders are odd.
    return content[0] in (2, 3) and x < curve.prime and pow(square, (curve.prime - 1) // 2, curve.prime) == 1


def point(key: PublicKey) -> tuple[bytes, bytes]:
    """Return x and y, 32 bytes each, of a key that is a compressed point."""
    curve, x = _curves[key.type], int.from_bytes(key.content[1:], "big")
    square = (x**3 + curve.a * x + curve.b) % curve.prime
    # Both primes are 3 modulo 4, so a root is a power.
    root = pow(square, (curve.prime + 1) // 4, curve.prime)
    y = root if root % 2 == key.content[0] % 2 else curve.prime - root
    return key.content[1:], y.to_bytes(32, "big")


@lru_cache(maxsize=remembered_keys)
def parse_multibase(text: str) -> PublicKey:
    """Read a public key's text; each key has one. Raises `InvalidKey`."""
    for kind, (multicodec, _, characters) in key_types.items():
        if len(text) == characters + 1 and text[0] == "z":
            try:
                decoded = base58_decode(text[1:])
            except InvalidBase58 as error:
                raise InvalidKey(error.detail) from None
            if decoded.startswith(multicodec):
                return public_key(kind, decoded[len(multicodec) :])
    raise InvalidKey("a public key is z6Mk… (Ed25519), zQ3s… (secp256k1) or zDn… (P-256)")
