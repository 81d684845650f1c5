"""What a delivery says and how it is signed: our own header and the Standard Webhooks ones.

``X-Signature`` is ``sha256=<base64(HMAC-SHA256(body))>`` with the secret's text as its key. While a rotation overlaps
it holds one such value per secret, the new one first, separated by commas: a receiver takes the delivery when one of
them is what it expects, and outside an overlap there is exactly one. ``webhook-signature`` (Standard Webhooks 1.0.0)
signs ``<id>.<timestamp>.<body>`` with the secret's decoded bytes, and separates several by blanks.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from typing import Final

SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # a prefix that all secrets share
USER_AGENT: Final = "muniment-webhooks/1"


def body_of(unnumbered: str, sequence: int) -> bytes:
    """Give the bytes that are sent: the scheduled JSON object with its ``sequence``."""
    numbered = {**json.loads(unnumbered), "sequence": sequence}
    return json.dumps(numbered, ensure_ascii=False, separators=(",", ":")).encode()


def message_id(webhook_id: str, sequence: int) -> str:
    """Name a delivery, the same for each attempt: it is both ``webhook-id`` and ``X-Idempotency-Key``."""
    return f"{webhook_id}_{sequence}"


def _mac(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _decoded(secret: str) -> bytes:
    """Give the bytes that a secret stands for; text that isn't base64 stands for itself."""
    text = secret.removeprefix(SECRET_PREFIX)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True) or secret.encode()
    except (binascii.Error, ValueError):
        return secret.encode()


def signed_headers(name: str, body: bytes, secrets: Sequence[str], now_s: int) -> Mapping[str, str]:
    """Give the headers of one attempt at a time (seconds since 1970 UTC), signed with each secret, newest first."""
    to_sign = f"{name}.{now_s}.".encode() + body
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "Date": formatdate(now_s, usegmt=True),
        "X-Idempotency-Key": name,
        "X-Signature": ",".join(f"sha256={_mac(secret.encode(), body)}" for secret in secrets),
        "webhook-id": name,
        "webhook-timestamp": str(now_s),
        "webhook-signature": " ".join(f"v1,{_mac(_decoded(secret), to_sign)}" for secret in secrets),
    }
