"""A private key of a DID's: one that rotates it, or one that signs as it."""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

from domain.json_value import JsonObject
from log import signatures
from log.ecdsa import Signer, ecdsa_public, ecdsa_signer
from log.public_keys import public_key
from muniment.key_files import KeyFileError, KeyFileProblem

KeyType: TypeAlias = Literal["ed25519", "secp256k1", "p256"]
key_types: Final[tuple[KeyType, ...]] = ("ed25519", "secp256k1", "p256")


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """32 bytes that sign; ``multibase`` is the public key as operations name it. Raises `ValueError`."""

    type: KeyType
    secret: bytes = field(repr=False)
    multibase: str = field(init=False)
    signer: Signer = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Find the public key."""
        if len(self.secret) != signatures.seed_bytes:
            raise ValueError(f"a private key has {signatures.seed_bytes} bytes")
        edwards = self.type == "ed25519"
        public = (
            public_key(self.type, signatures.ed25519_public(self.secret))
            if edwards
            else ecdsa_public(self.type, self.secret)
        )
        signer = signatures.ed25519_signer(self.secret) if edwards else ecdsa_signer(self.type, self.secret)
        object.__setattr__(self, "multibase", public.multibase)
        object.__setattr__(self, "signer", signer)

    @classmethod
    def generate(cls, kind: KeyType = "ed25519") -> PrivateKey:
        """Make a new key from the operating system's randomness."""
        return cls(kind, secrets.token_bytes(signatures.seed_bytes))

    @classmethod
    def read(cls, document: JsonObject, path: Path) -> PrivateKey:
        """Read ``alg`` and ``private_key_b64`` of a key file. Raises `KeyFileError`."""
        kind = next((known for known in key_types if known == document.get("alg")), None)
        encoded = document.get("private_key_b64")
        if kind is None:
            raise KeyFileError(KeyFileProblem.MALFORMED, path, f"alg must be {', '.join(key_types)}")
        try:
            return cls(kind, binascii.a2b_base64(encoded, strict_mode=True) if isinstance(encoded, str) else b"")
        except ValueError:
            raise KeyFileError(KeyFileProblem.MALFORMED, path, "private_key_b64 isn't a key of 32 bytes") from None

    def to_json(self) -> JsonObject:
        """Give the key as a key file holds it."""
        return {"alg": self.type, "private_key_b64": base64.b64encode(self.secret).decode("ascii")}

    def sign(self, message: bytes) -> str:
        """Return the signature of a message in standard base64."""
        return base64.b64encode(self.signer(message)).decode("ascii")

    def __reduce__(self) -> str:
        """Refuse to be copied."""
        raise TypeError("a private key isn't pickled: that would copy its secret")
