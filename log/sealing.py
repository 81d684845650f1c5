"""What must not lie in clear on the log: webhook secrets and the values of vaults.

A secret is sealed with a key of the deployment (NaCl secretbox). A value is sealed with its owner's key
(XChaCha20-Poly1305) and bound to what it is of, so that it opens nowhere else: a nonce of 24 bytes, then the
ciphertext with its tag.
"""

import base64
import binascii

import nacl.bindings
import nacl.exceptions
import nacl.secret
import nacl.utils

KEY_BYTES = nacl.secret.SecretBox.KEY_SIZE
NONCE_BYTES = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES


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


def new_key() -> bytes:
    """Make a key of 32 random bytes."""
    return nacl.utils.random(KEY_BYTES)


def seal_bound(key: bytes, content: bytes, bound_to: bytes) -> bytes:
    """Seal content with a key of 32 bytes so that it opens only as what it is bound to; differently each time."""
    nonce = nacl.utils.random(NONCE_BYTES)
    return nonce + nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(content, bound_to, nonce, key)


def unseal_bound(key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """Open what was sealed and bound to this. Raises CannotUnseal."""
    nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(ciphertext, bound_to, nonce, key)
    except (nacl.exceptions.CryptoError, TypeError, ValueError):
        raise CannotUnseal("this was not sealed with this key, or is not what it was bound to") from None
