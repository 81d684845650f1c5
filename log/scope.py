"""How a command gets its id: the scope in which it is asked once, and the request that is asked."""

import base64
import hashlib
import secrets

from domain.ruling import HALF, ID_PREFIX


def _half(digest: bytes) -> str:
    # 20 bytes are 32 characters: the rest of the digest would only be cut off.
    return base64.b32encode(digest[:20]).decode().lower()[:HALF]


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\x00".join(parts).encode()).digest()


def command_id(
    actor: str, request_hash: bytes, *, idempotency_key: str | None = None, content_id: str | None = None
) -> str:
    """Give a command's id.

    The scope is the actor's idempotency key; without one, the id of signed content that is unique by itself; without
    either the command is a new one each time. ``request_hash`` is the SHA-256 of what is asked.
    """
    if idempotency_key is not None:
        scope = _digest("key", actor, idempotency_key)
    elif content_id is not None:
        scope = _digest("content", actor, content_id)
    else:
        scope = secrets.token_bytes(32)
    return ID_PREFIX + _half(scope) + _half(request_hash)
