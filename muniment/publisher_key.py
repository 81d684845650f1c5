"""A publisher's key: what signs rights records, kept in one file that only its owner can read."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from domain.json_value import JsonObject
from log import intents, statements
from log.der import write_der
from log.ecdsa import ecdsa_public, ecdsa_signer
from log.public_keys import secp256k1
from muniment.key_files import KeyFileError, KeyFileProblem, read_key_file, read_private_file, write_key_file
from processors.pool_key import SECRET_BYTES, InvalidPoolKey, PoolKey

nonce_bytes: Final = 16
"""Of the nonce that a record is given; one may have up to 64."""
_members: Final = {"pubkey", "alg", "private_key_b64"}


class PublisherKey:
    """A private key on secp256k1 that signs intents; ``pubkey`` is its public key, 33 bytes compressed, in hex."""

    __slots__ = ("_secret", "_signer", "pubkey")

    pubkey: str

    def __init__(self, secret: bytes) -> None:
        """Take 32 bytes, a number from 1 to below the curve's order. Raises `ValueError`."""
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"a private key has {SECRET_BYTES} bytes")
        self.pubkey = ecdsa_public(secp256k1, secret).content.hex()
        self._secret, self._signer = secret, ecdsa_signer(secp256k1, secret)

    @classmethod
    def generate(cls) -> PublisherKey:
        """Make a new key from the operating system's randomness."""
        while True:
            try:
                return cls(secrets.token_bytes(SECRET_BYTES))
            except ValueError:
                continue  # about one number in 2^128 is none below the order

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PublisherKey:
        """Read a key file, or one that holds a WIF of a compressed key, that none but its owner can read.

        Raises `KeyFileError`.
        """
        path = Path(path)
        content = read_private_file(path)
        return cls._from_document(path) if content.lstrip().startswith(b"{") else cls._from_wif(content, path)

    @classmethod
    def _from_document(cls, path: Path) -> PublisherKey:
        document = read_key_file(path)
        if set(document) != _members or document["alg"] != intents.algorithm:
            detail = f"a publisher's key file has pubkey, alg ({intents.algorithm}) and private_key_b64"
            raise KeyFileError(KeyFileProblem.MALFORMED, path, detail)
        encoded = document["private_key_b64"]
        try:
            key = cls(binascii.a2b_base64(encoded, strict_mode=True) if isinstance(encoded, str) else b"")
        except ValueError:
            detail = f"private_key_b64 isn't a key of {SECRET_BYTES} bytes"
            raise KeyFileError(KeyFileProblem.MALFORMED, path, detail) from None
        if key.pubkey != document["pubkey"]:
            raise KeyFileError(KeyFileProblem.MISMATCH, path, "the private key isn't that of the public key")
        return key

    @classmethod
    def _from_wif(cls, content: bytes, path: Path) -> PublisherKey:
        try:
            return cls(PoolKey.read(content.decode("ascii").strip(), "bsv").secret)
        except UnicodeDecodeError:
            raise KeyFileError(KeyFileProblem.MALFORMED, path, "isn't a key file") from None
        except InvalidPoolKey as error:
            raise KeyFileError(KeyFileProblem.MALFORMED, path, str(error)) from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the key file with mode 0600, whole or not at all; an existing one is never replaced.

        Raises `KeyFileError`.
        """
        encoded = base64.b64encode(self._secret).decode("ascii")
        document: JsonObject = {"pubkey": self.pubkey, "alg": intents.algorithm, "private_key_b64": encoded}
        write_key_file(Path(path), document)

    def sign(self, message: bytes) -> str:
        """Return the signature of a message: DER with the lower s in standard base64, the same each time."""
        return base64.b64encode(write_der(self._signer(message))).decode("ascii")

    def sign_intent(self, record: Mapping[str, object]) -> dict[str, object]:
        """Return the body of `POST /v1/publish`: the record as it is, signed. Raises `NotCanonicalizable`."""
        return {
            "protocol": intents.protocol,
            "version": intents.version,
            "record": dict(record),
            "signer": {"pubkey": self.pubkey},
            "signature": {
                "alg": intents.algorithm,
                "hash": "sha256",
                "sig": self.sign(intents.intent_signed_bytes(record)),
            },
        }

    def sign_publisher(self, label: str, registered_by: str) -> str:
        """Return the signature by which a DID may register this key under a label. Raises `NotCanonicalizable`."""
        signed = statements.publisher_signed_bytes(pubkey=self.pubkey, label=label, registered_by=registered_by)
        return self.sign(signed)

    def __repr__(self) -> str:
        return f"PublisherKey({self.pubkey})"

    def __reduce__(self) -> str:
        raise TypeError("a publisher's key isn't pickled: that would copy its secret")


def new_nonce() -> str:
    """Make a record's nonce: 16 bytes of the operating system's randomness in standard base64."""
    return base64.b64encode(secrets.token_bytes(nonce_bytes)).decode("ascii")
