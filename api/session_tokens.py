"""Sessions: a nonce that is used once, a signature over it, and a token that says whose session it is."""

import base64
import binascii
import hmac
import os
import secrets
import struct
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Protocol

from api.caller import Caller
from api.problems import ProblemError
from api.registered_keys import RegisteredKey
from api.service_keys import InvalidJwt, ServiceKeys
from domain.did import identity
from log.dids import InvalidDid
from log.jwks import AUDIENCE, CLOCK_LEEWAY_S, TOKEN_MAX
from log.message import Signature
from log.signatures import InvalidSignature, verify
from log.statements import session_signed_bytes
from projections.postgres import PostgresUnavailable

NONCE_LIFETIME_S = 5 * 60
SESSION_LIFETIME_S = 15 * 60
REFRESHED_FOR_S = 30 * 24 * 60 * 60
"""How long a session is given new tokens until its key must sign again."""
REMEMBERED_TOKENS = 10_000
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
        mac = _mac(self.keys.signing.nonce_key, content, did)
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
        self,
        did: str,
        nonce: str,
        *,
        alg: str,
        key_id: str | None,
        signature: str,
        roles: list[str],
        registered: RegisteredKey | None = None,
    ) -> tuple[str, int]:
        """Open a session; give its token and when it expires. Raises ``invalid_signature``.

        ``registered`` is the key that a registered DID has under ``key_id`` now.
        """
        nonce_expires_at = self._expiry(nonce, did)
        signed = session_signed_bytes(issuer=self.issuer, did=did, nonce=nonce)
        try:
            verify(alg, did, signed, signature, None if registered is None else registered.key)
        except (InvalidSignature, InvalidDid) as error:
            raise ProblemError("invalid_signature", error.detail) from None
        try:
            unused = await self._used.use(nonce, nonce_expires_at)
        except PostgresUnavailable:
            raise ProblemError("read_model_unavailable", headers={"Retry-After": "1"}) from None
        if not unused:
            raise ProblemError("invalid_signature", "the nonce was used already")
        if registered is None or key_id is None:
            proof = Signature(alg, did, key_id, signed, signature)
        else:
            proof = registered.signature(did, key_id, signed, signature)
        return self._token(did, proof, roles)

    def refresh(self, caller: Caller, roles: list[str]) -> tuple[str, int]:
        """Give another token of a session that stands, and when it expires. Raises ``unauthenticated``."""
        if caller.signed_in_at + REFRESHED_FOR_S <= time.time():
            raise ProblemError("unauthenticated", "the session is too old to be refreshed: sign another nonce")
        return self._token(caller.did, caller.proof, roles, caller)

    def _token(
        self, did: str, proof: Signature | None, roles: list[str], before: Caller | None = None
    ) -> tuple[str, int]:
        now, name = int(time.time()), secrets.token_urlsafe(16)
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": did,
            "iat": now,
            "exp": now + SESSION_LIFETIME_S,
            "jti": name,
            "sid": name if before is None else before.session_id,
            "auth_time": now if before is None else before.signed_in_at,
            "roles": roles,
        }
        if proof is not None:
            claims |= {} if proof.key_id is None else {"key_id": proof.key_id}
            claims["proof"] = _claim(proof)
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
        return caller_of(claims)


def caller_of(claims: Mapping[str, Any]) -> Caller:
    """Give whose session a token is that holds, by all that it claims."""
    did = str(claims["sub"])
    proof = _proof(did, claims.get("proof"))
    session_id, signed_in_at = str(claims.get("sid", claims["jti"])), int(claims.get("auth_time", claims["iat"]))
    return Caller(did, identity(did), proof, int(claims["exp"]), session_id, signed_in_at)


def _mac(key: bytes, content: bytes, did: str) -> bytes:
    return hmac.digest(key, content + did.encode(), "sha256")[:MAC_BYTES]


def _claim(proof: Signature) -> dict[str, str]:
    """Write the signature that opened a session, for its token."""
    _, issuer, _, nonce = proof.signed_bytes.decode().split("\n")
    members = {"key_id": proof.key_id, "public_key": proof.public_key}
    named = {name: value for name, value in members.items() if value is not None}
    return {"nonce": nonce, "issuer": issuer, "alg": proof.alg, "signature": proof.signature, **named}


def _proof(did: str, claim: Any) -> Signature | None:
    """Give the signature that opened a session, from the token that names it."""
    if not isinstance(claim, dict):
        return None
    signed = session_signed_bytes(issuer=str(claim["issuer"]), did=did, nonce=str(claim["nonce"]))
    alg, signature = str(claim["alg"]), str(claim["signature"])
    return Signature(alg, did, claim.get("key_id"), signed, signature, claim.get("public_key"))
