"""Sessions of a registry that is elsewhere: its tokens are checked by the keys that it publishes."""

import base64
import binascii
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from api.caller import Caller
from api.problems import ProblemError
from api.session_tokens import AUDIENCE, CLOCK_LEEWAY_S, TOKEN_MAX
from domain.did import identity
from domain.json_value import JsonObject, JsonValue
from log import signatures, strict_json

KEYS_MAX = 64
KEY_BYTES = 32
REFETCH_EVERY_S = 5.0
"""How often a token with an unknown key may make the keys be fetched again."""
KEYS_GOOD_FOR_S = 300.0
"""How long a key that the registry took back may still be trusted."""

Fetch = Callable[[], Awaitable[JsonValue]]
"""Gives the registry's key set (RFC 7517); raises ConnectionError."""


@dataclass(frozen=True, slots=True)
class Visitor(Caller):
    """A caller with the roles that its token names."""

    roles: frozenset[str] = frozenset()


class RegistrySessions:
    """Checks tokens of the registry that names itself ``issuer``; its keys are fetched when one is asked for."""

    def __init__(self, issuer: str, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self.issuer, self._fetch, self._clock = issuer, fetch, clock
        self._keys: dict[str, bytes] = {}
        self._fetched_at = self._tried_at = float("-inf")

    def caller(self, token: str) -> Visitor | None:
        """Say whose session a token is, by the keys that are known; nothing for one that doesn't hold."""
        try:
            return self._visitor(token)
        except (ValueError, KeyError, TypeError, signatures.InvalidSignature):
            return None

    async def admit(self, token: str) -> Visitor | None:
        """Say whose session a token is, and fetch the keys anew for one that isn't known. Raises the problem 503."""
        now = self._clock()
        stale = now - self._fetched_at > KEYS_GOOD_FOR_S
        if (stale or _kid(token) not in self._keys) and now - self._tried_at > REFETCH_EVERY_S:
            self._tried_at = now
            try:
                self._keys = _keys(await self._fetch())
                self._fetched_at = self._clock()
            except ConnectionError:
                if stale:
                    self._keys = {}
        if not self._keys:
            detail = "the registry's keys can't be read now"
            raise ProblemError("read_model_unavailable", detail, headers={"Retry-After": "5"})
        return self.caller(token)

    def _visitor(self, token: str) -> Visitor | None:
        header, claims, signed, signature = _parts(token)
        key = self._keys.get(str(header.get("kid")))
        if key is None or header.get("alg") != "EdDSA" or "crit" in header:
            return None
        did = signatures.did_key(key)
        signatures.verify("ed25519", did, signed, base64.b64encode(signature).decode(), key)
        now = time.time()
        subject, expires, issued, roles = (claims.get(name) for name in ("sub", "exp", "iat", "roles"))
        if claims.get("iss") != self.issuer or claims.get("aud") != AUDIENCE or not isinstance(subject, str):
            return None
        if not isinstance(expires, int) or not isinstance(issued, int) or not isinstance(roles, list):
            return None
        if expires + CLOCK_LEEWAY_S <= now or issued - CLOCK_LEEWAY_S > now:
            return None
        named = frozenset(role for role in roles if isinstance(role, str))
        return Visitor(subject, identity(subject), None, expires, named)


def _raw(part: str) -> bytes:
    """Read base64url without padding (RFC 7515 section 2), in its one canonical form."""
    raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != part:
        raise ValueError("not base64url")
    return raw


def _object(raw: bytes) -> JsonObject:
    value = strict_json.parse(raw)
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _parts(token: str) -> tuple[JsonObject, JsonObject, bytes, bytes]:
    """Take a compact JWS apart (RFC 7515 section 3.1). Raises ValueError and TypeError."""
    if len(token) > TOKEN_MAX or not token.isascii():
        raise ValueError("not a token")
    header, claims, signature = token.split(".")
    return _object(_raw(header)), _object(_raw(claims)), f"{header}.{claims}".encode(), _raw(signature)


def _kid(token: str) -> str | None:
    try:
        kid = _parts(token)[0].get("kid")
    except (ValueError, TypeError):
        return None
    return kid if isinstance(kid, str) else None


def _keys(document: JsonValue) -> dict[str, bytes]:
    """Read the Ed25519 keys of a key set (RFC 8037); what else is in it is passed over."""
    found = document.get("keys") if isinstance(document, dict) else None
    keys: dict[str, bytes] = {}
    for entry in found[:KEYS_MAX] if isinstance(found, list) else []:
        if not isinstance(entry, dict) or (entry.get("kty"), entry.get("crv")) != ("OKP", "Ed25519"):
            continue
        kid, text = entry.get("kid"), entry.get("x")
        if not isinstance(kid, str) or not isinstance(text, str):
            continue
        try:
            key = _raw(text)
        except (binascii.Error, ValueError):
            continue
        if len(key) == KEY_BYTES:
            keys[kid] = key
    return keys
