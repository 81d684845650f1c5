"""Webhook secrets lie on the log sealed, under a key that only the deployment has (NaCl's SecretBox)."""

import base64
import binascii
import os
import secrets
from pathlib import Path
from typing import Final

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

KEY_BYTES: Final = SecretBox.KEY_SIZE


class NotSealedHere(ValueError):
    """Bytes that this deployment's key didn't seal."""


class InvalidKey(ValueError):
    """Text that is no sealing key; the message never repeats it."""


def seal(key: bytes, secret: str) -> bytes:
    """Seal a secret."""
    return bytes(SecretBox(key).encrypt(secret.encode()))


def unseal(key: bytes, sealed: bytes) -> str:
    """Give a sealed secret. Raises NotSealedHere."""
    try:
        return SecretBox(key).decrypt(sealed).decode()
    except (CryptoError, ValueError) as error:
        raise NotSealedHere("this deployment's key did not seal this") from error


def read_key(text: str) -> bytes:
    """Read a key: 32 bytes in base64. Raises InvalidKey."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidKey("a sealing key is 32 bytes in base64") from None
    if len(key) != KEY_BYTES:
        raise InvalidKey("a sealing key is 32 bytes in base64")
    return key


def load_key(path: Path, given: str | None = None) -> bytes:
    """Give the deployment's key: the one given as text, else the file's, which is made (mode 0600) when it is absent.

    Raises InvalidKey.
    """
    if given is not None:
        return read_key(given)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            # Whole or not at all, and the first of several processes wins.
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return read_key(path.read_text())
