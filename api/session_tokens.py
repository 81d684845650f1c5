"""Sessions: a nonce that is used once, a signature over it, and a token that says whose session it is."""

import base64
import binascii
import hmac
import os
import secrets
import struct
import time
from collections import OrderedDict
from typing import Any, Protocol

from api.caller import Caller
from api.problems import ProblemError
from api.service_keys import InvalidJwt, ServiceKeys
from domain.did import identity
from log.dids import InvalidDid
from log.message import Signature
from log.signatures import InvalidSignature, verify
from log.statements import session_signed_bytes
from projections.postgres import PostgresUnavailable

AUDIENCE = "muniment"
NONCE_LIFETIME_S = 5 * 60
SESSION_LIFETIME_S = 15 * 60
CLOCK_LEEWAY_S = 2
REMEMBERED_TOKENS = 10_000
TOKEN_MAX = 8192
USED_NONCES_MAX = 100_000
RANDOM_BYTES = 16
MAC_BYTES = 16
NONCE_BYTES = RANDOM_BYTES + 8 + MAC_BYTES


class UsedNonces(Protocol):
    """Remembers which nonces were used, across every process that opens sessions with the same key."""

    async def use(self, nonce: str, expires_at: int) -> bool:
        """Use a nonce up; say whether it was unused. It may be forgotten after ``expires_at`` (s since 1970 UTC)."""


class UsedNoncesInProcess:
    """Remembers within one process; what can't be remembered any more is refused, never let through."""

    def __init__(self, limit: int = USED_NONCES_MAX) -> None:
        self._used: OrderedDict[str, int] = OrderedDict()
        self._limit = limit

    async def use(self, nonce: str, expires_at: int) -> bool:
        """Use a nonce up; say whether it was unused."""
        now = time.time()
        while self._used and next(iter(self._used.values())) < now:
            self._used.popitem(last=False)
        if nonce in self._used or len(self._used) >= self._limit:
            return False
        self._used[nonce] = expires_at
        return True


class Sessions:
    """Gives nonces, opens sessions, and says whose session a token is."""

    def __init__(self, keys: ServiceKeys, issuer: str, used: UsedNonces) -> None:
        self.keys, self.issuer, self._used = keys, issuer, used
        self._callers: OrderedDict[str, Caller] = OrderedDict()
        self._known_by: list[str] = []

    def nonce(self, did: str) -> tuple[str, int]:
        """Make a nonce for a DID; give it and when it expires, in seconds since 1970 UTC."""
        expires_at = int(time.time()) + NONCE_LIFETIME_S
        content = os.urandom(RANDOM_BYTES) + struct.pack(">Q", expires_at)
        mac = _mac(self.keys.valid()[-1].nonce_key, content, did)
        return base64.urlsafe_b64encode(content + mac).decode().rstrip("="), expires_at

    def _expiry(self, nonce: str, did: str) -> int:
        """Give when a nonce of ours for this DID expires; raises ``invalid_signature`` for any other text."""
        try:
            raw = base64.b64decode(nonce + "=" * (-len(nonce) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        canonical = base64.urlsafe_b64encode(raw).decode().rstrip("=") == nonce
        content, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
        ours = len(raw) == NONCE_BYTES and any(
            hmac.compare_digest(mac, _mac(key.nonce_key, content, did)) for key in self.keys.valid()
        )
        if not canonical or not ours:
            raise ProblemError("invalid_signature", "the nonce was not given to this DID here")
        expires_at = int(struct.unpack(">Q", content[RANDOM_BYTES:])[0])
        if expires_at < time.time():
            raise ProblemError("invalid_signature", "the nonce has expired")
        return expires_at

    async def open(
        self, did: str, nonce: str, *, alg: str, key_id: str | None, signature: str, roles: list[str]
    ) -> tuple[str, int]:
        """Open a session; give its token and when it expires. Raises ``invalid_signature``."""
        nonce_expires_at = self._expiry(nonce, did)
        try:
            verify(alg, did, session_signed_bytes(issuer=self.issuer, did=did, nonce=nonce), signature)
        except (InvalidSignature, InvalidDid) as error:
            raise ProblemError("invalid_signature", error.detail) from None
        try:
            unused = await self._used.use(nonce, nonce_expires_at)
        except PostgresUnavailable:
            raise ProblemError("read_model_unavailable", headers={"Retry-After": "1"}) from None
        if not unused:
            raise ProblemError("invalid_signature", "the nonce was used already")
        now = int(time.time())
        proof = {"nonce": nonce, "issuer": self.issuer, "alg": alg, "signature": signature}
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": did,
            "iat": now,
            "exp": now + SESSION_LIFETIME_S,
            "jti": secrets.token_urlsafe(16),
            "roles": roles,
            "proof": proof if key_id is None else proof | {"key_id": key_id},
        }
        return self.keys.sign(claims), now + SESSION_LIFETIME_S

    def caller(self, token: str) -> Caller | None:
        """Say whose session a token is; nothing for one that doesn't hold."""
        valid = [key.kid for key in self.keys.valid()]
        if valid != self._known_by:
            # A key that was taken back takes its sessions with it.
            self._callers.clear()
            self._known_by = valid
        known = self._callers.get(token)
        if known is None:
            known = self._verified(token)
            if known is None:
                return None
            self._callers[token] = known
            if len(self._callers) > REMEMBERED_TOKENS:
                self._callers.popitem(last=False)
        if known.expires_at + CLOCK_LEEWAY_S <= time.time():
            self._callers.pop(token, None)
            return None
        return known

    def _verified(self, token: str) -> Caller | None:
        if len(token) > TOKEN_MAX or not token.isascii():
            return None
        try:
            claims = self.keys.verified(token, issuer=self.issuer, audience=AUDIENCE, leeway_s=CLOCK_LEEWAY_S)
        except InvalidJwt:
            return None
        did = str(claims["sub"])
        return Caller(did, identity(did), _proof(did, claims.get("proof")), int(claims["exp"]))


def _mac(key: bytes, content: bytes, did: str) -> bytes:
    return hmac.digest(key, content + did.encode(), "sha256")[:MAC_BYTES]


def _proof(did: str, claim: Any) -> Signature | None:
    """Give the signature that opened a session, from the token that names it."""
    if not isinstance(claim, dict):
        return None
    signed = session_signed_bytes(issuer=str(claim["issuer"]), did=did, nonce=str(claim["nonce"]))
    return Signature(str(claim["alg"]), did, claim.get("key_id"), signed, str(claim["signature"]))
