"""A registry's published keys as a service elsewhere keeps them, and the tokens that it checks by these alone.

The keys (RFC 7517, RFC 8037) are fetched when a token is to be checked, kept, and fetched anew for a ``kid`` that isn't
among them, but never more often than ``REFETCH_EVERY_S``. A token (RFC 7515, RFC 7519) counts only with EdDSA, the
issuer, the audience, and in its time. That its session was ended before its time no token says: a registry is asked.
"""

import asyncio
import base64
import binascii
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple, TypeGuard

from domain.json_value import JsonObject, JsonValue
from log import strict_json
from log.dids import did_key
from log.signatures import InvalidSignature, verify

ALGORITHM: Final = "EdDSA"
AUDIENCE: Final = "muniment"
CLOCK_LEEWAY_S: Final = 2
TOKEN_MAX: Final = 8192
REMEMBERED_TOKENS: Final = 10_000
KEYS_MAX: Final = 64
KEY_BYTES: Final = 32
REFETCH_EVERY_S: Final = 5.0
"""How often a token with an unknown key may make the keys be fetched again."""
KEYS_GOOD_FOR_S: Final = 300.0
"""How long a key that the registry took back may still be trusted."""
FETCH_TIMEOUT_S: Final = 5.0
KEY_SET_PATH: Final = "/.well-known/jwks.json"

Fetch = Callable[[], Awaitable[JsonValue]]
"""Gives the registry's key set; raises ConnectionError."""


class KeysUnavailable(Exception):
    """No key is known by which a token could be checked, and the registry didn't give any."""


class Claims(NamedTuple):
    """Whose session a token that holds is, with its roles, until when (s since 1970 UTC), and all that it claims."""

    did: str
    roles: frozenset[str]
    expires_at: int
    all: Mapping[str, JsonValue]


class KeySet:
    """The keys of the registry that names itself ``issuer``."""

    def __init__(self, issuer: str, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self.issuer, self._fetch, self._clock = issuer, fetch, clock
        self._keys: Mapping[str, bytes] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self._held: OrderedDict[str, Claims] = OrderedDict()

    async def admit(self, token: str) -> Claims | None:
        """Say whose session a token is, with keys fetched where need be; nothing for one that doesn't hold.

        Raises KeysUnavailable.
        """
        kid = _kid(token)
        if kid is None:
            return None
        if self._wanted(kid) and (self._fetching or self._clock() - self._tried_at > REFETCH_EVERY_S):
            # All who want the same keys wait for the same answer.
            self._fetching = self._fetching or asyncio.create_task(self._fetched())
            await asyncio.shield(self._fetching)
        if not self._keys:
            raise KeysUnavailable("the registry's keys can't be read now")
        return self.claims(token)

    def claims(self, token: str) -> Claims | None:
        """Say whose session a token is by the keys that are known; nothing for one that doesn't hold."""
        held = self._held.get(token)
        if held is None:
            try:
                held = self._claims(token)
            except (ValueError, KeyError, TypeError, InvalidSignature):
                return None
            if held is None:
                return None
            self._held[token] = held
            if len(self._held) > REMEMBERED_TOKENS:
                self._held.popitem(last=False)
        if held.expires_at + CLOCK_LEEWAY_S <= time.time():
            self._held.pop(token, None)
            return None
        return held

    def _wanted(self, kid: str) -> bool:
        return kid not in self._keys or self._clock() - self._fetched_at > KEYS_GOOD_FOR_S

    async def _fetched(self) -> None:
        self._tried_at = self._clock()
        found: Mapping[str, bytes]
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                found = _keys(await self._fetch())
            self._fetched_at = self._clock()
        except (ConnectionError, TimeoutError):
            found = self._keys if self._clock() - self._fetched_at <= KEYS_GOOD_FOR_S else {}
        finally:
            self._fetching = None
        if found != self._keys:
            # What a key signed that was taken back holds no more, though it was seen.
            self._held.clear()
            self._keys = found

    def _claims(self, token: str) -> Claims | None:
        header, claims, signed, signature = _parts(token)
        key = self._keys.get(str(header.get("kid")))
        if key is None or header.get("alg") != ALGORITHM or "crit" in header:
            return None
        verify("ed25519", did_key(key), signed, base64.b64encode(signature).decode())
        subject, expires, issued, roles = (claims.get(name) for name in ("sub", "exp", "iat", "roles"))
        if claims.get("iss") != self.issuer or claims.get("aud") != AUDIENCE:
            return None
        if not isinstance(subject, str) or not isinstance(claims.get("jti"), str):
            return None
        begins = claims.get("nbf", issued)
        if not (_is_moment(expires) and _is_moment(issued) and _is_moment(begins) and isinstance(roles, list)):
            return None
        if max(issued, begins) - CLOCK_LEEWAY_S > time.time():
            return None
        return Claims(subject, frozenset(role for role in roles if isinstance(role, str)), expires, claims)


def _is_moment(value: JsonValue) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


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
    """Name the key of a token of our algorithm; no other is worth a question."""
    try:
        header = _parts(token)[0]
    except (ValueError, TypeError):
        return None
    kid = header.get("kid")
    return kid if isinstance(kid, str) and header.get("alg") == ALGORITHM else None


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
