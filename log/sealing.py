"""Webhook secrets never lie in clear on the log: they are sealed with a key of the deployment (NaCl secretbox)."""

import base64
import binascii

import nacl.exceptions
import nacl.secret

KEY_BYTES = nacl.secret.SecretBox.KEY_SIZE


class InvalidSealingKey(ValueError):
    """The text is no sealing key; the message never has it."""


class CannotUnseal(ValueError):
    """What is sealed was not sealed with this key, or was changed."""


def read_sealing_key(text: str) -> bytes:
    """Read a key in base64, as its file and its variable hold it: 32 bytes. Raises InvalidSealingKey."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidSealingKey(f"a sealing key is {KEY_BYTES} bytes in base64")
    return key


def seal(key: bytes, secret: str) -> bytes:
    """Seal a secret with a key of 32 bytes; the same secret is sealed differently each time."""
    return bytes(nacl.secret.SecretBox(key).encrypt(secret.encode()))


def unseal(key: bytes, sealed: bytes) -> str:
    """Open what was sealed. Raises CannotUnseal."""
    try:
        return nacl.secret.SecretBox(key).decrypt(sealed).decode()
    except (nacl.exceptions.CryptoError, ValueError):
        raise CannotUnseal("this was not sealed with this key") from None
