"""The keys that sign sessions: made once, rotated with an overlap, published as JWKS; PyJWT's only door."""

import base64
import binascii
import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.json_value import JsonObject
from log.canonical import canonical_json

LOG = logging.getLogger("muniment.api")
ALGORITHM = "EdDSA"
SEED_BYTES = 32
OVERLAP_S = 60 * 60
"""How long a key is still published and accepted after a newer one was made: longer than a token lasts, and than others
keep what was published."""
JWKS_MAX_AGE_S = 60
"""How long others may keep what `/.well-known/jwks.json` answered."""
REREAD_EVERY_S = 2.0
UNKNOWN_KEY_EVERY_S = 0.5
"""How often a token with an unknown key may make the files be read again."""
SIGNS_AFTER_S = 10.0
"""How long a new key is published before it signs: until then every process has read of it, and can verify by it."""


class InvalidServiceKey(ValueError):
    """A key file or variable that holds no service key, or that others can read; the message never has the key."""


class InvalidJwt(ValueError):
    """A token that doesn't hold."""


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """One signing key; ``kid`` is its JWK thumbprint (RFC 7638), ``made_at`` in seconds since 1970 UTC."""

    kid: str
    private: Ed25519PrivateKey
    nonce_key: bytes
    made_at: float

    @property
    def jwk(self) -> JsonObject:
        """Give the public key as a JWK (RFC 8037)."""
        return {**_public_jwk(self.private), "kid": self.kid, "use": "sig", "alg": ALGORITHM}


def _public_jwk(private: Ed25519PrivateKey) -> JsonObject:
    x = base64.urlsafe_b64encode(private.public_key().public_bytes_raw()).decode().rstrip("=")
    return {"kty": "OKP", "crv": "Ed25519", "x": x}


def service_key(seed: bytes, made_at: float = 0.0) -> ServiceKey:
    """Make a service key of a 32-byte seed. Raises InvalidServiceKey."""
    if len(seed) != SEED_BYTES:
        raise InvalidServiceKey(f"a service key has {SEED_BYTES} bytes")
    private = Ed25519PrivateKey.from_private_bytes(seed)
    thumbprint = hashlib.sha256(canonical_json(_public_jwk(private))).digest()
    kid = base64.urlsafe_b64encode(thumbprint).decode().rstrip("=")
    return ServiceKey(kid, private, hmac.digest(seed, b"muniment-nonce-v1", "sha256"), made_at)


def service_key_of_text(text: str) -> ServiceKey:
    """Make a service key of a seed in base64. Raises InvalidServiceKey."""
    try:
        return service_key(base64.b64decode(text.strip(), validate=True))
    except binascii.Error:
        raise InvalidServiceKey("a service key is 32 bytes in base64") from None


def service_keys_of_text(text: str) -> Sequence[ServiceKey]:
    """Make service keys of seeds in base64, separated by commas: the first signs, the others are still accepted.

    Raises InvalidServiceKey.
    """
    found = [service_key_of_text(each) for each in text.split(",")]
    # The one that signs is the newest, as it is among files.
    return [replace(key, made_at=float(len(found) - index)) for index, key in enumerate(found)]


def ages(keys: Sequence[ServiceKey]) -> Sequence[tuple[ServiceKey, float]]:
    """Give each key with the time at which the next one was made, when its overlap begins."""
    return list(zip(keys, [*(key.made_at for key in keys[1:]), float("inf")], strict=True))


class ServiceKeys:
    """The keys that are valid now: the newest that every process knows of signs, the others have their overlap."""

    def __init__(self, keys: Sequence[ServiceKey] = (), read: Callable[[], Sequence[ServiceKey]] | None = None) -> None:
        """Take keys, the newest last, or what reads them from files again and again: so every process sees a rotation.

        Raises InvalidServiceKey where there is none.
        """
        self._read = read
        self._keys: Sequence[ServiceKey] = sorted(keys, key=lambda key: key.made_at)
        self._read_at = float("-inf")
        self._refresh(REREAD_EVERY_S)
        if not self._keys:
            raise InvalidServiceKey("there is no service key")

    def _refresh(self, every_s: float) -> None:
        if self._read is None or time.monotonic() - self._read_at < every_s:
            return
        self._read_at = time.monotonic()
        try:
            found = self._read()
        except (InvalidServiceKey, OSError) as error:
            if not self._keys:
                raise
            # Sessions go on by the keys that are known; whoever keeps the files is told.
            LOG.warning("service_keys_unreadable", extra={"error": str(error)})
            return
        self._keys = found or self._keys

    def valid(self, every_s: float | None = None) -> Sequence[ServiceKey]:
        """Give the keys that are valid now, oldest first; the files are read again after so many seconds."""
        self._refresh(REREAD_EVERY_S if every_s is None else every_s)
        if self._read is None:
            return self._keys
        now = time.time()
        return [key for key, followed_at in ages(self._keys) if now < followed_at + OVERLAP_S]

    @property
    def signing(self) -> ServiceKey:
        """Give the key that signs: the newest that was published for a while, or the first there is."""
        keys = self.valid()
        ready = [key for key in keys if key.made_at + SIGNS_AFTER_S <= time.time()]
        return ready[-1] if ready else keys[0]

    def _named(self, kid: Any) -> ServiceKey | None:
        found = next((key for key in self.valid() if key.kid == kid), None)
        if found is None:
            # Another process may have begun with a key that this one hasn't read of.
            found = next((key for key in self.valid(UNKNOWN_KEY_EVERY_S) if key.kid == kid), None)
        return found

    def jwks(self) -> JsonObject:
        """Give the public keys that are valid now (RFC 7517)."""
        return {"keys": [key.jwk for key in self.valid()]}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Sign claims."""
        key = self.signing
        return jwt.encode(dict(claims), key.private, ALGORITHM, headers={"kid": key.kid})

    def verified(self, token: str, *, issuer: str, audience: str, leeway_s: float) -> dict[str, Any]:
        """Give the claims of a token that one of our valid keys signed with EdDSA. Raises InvalidJwt."""
        try:
            header = jwt.get_unverified_header(token)
            key = self._named(header.get("kid"))
            if key is None or header.get("alg") != ALGORITHM:
                raise InvalidJwt("no key of ours signed this")
            claims: dict[str, Any] = jwt.decode(
                token,
                key.private.public_key(),
                algorithms=[ALGORITHM],
                audience=audience,
                issuer=issuer,
                leeway=leeway_s,
                options={"require": ["iss", "aud", "sub", "iat", "exp", "jti"]},
            )
        except jwt.PyJWTError as error:
            raise InvalidJwt(type(error).__name__) from None
        return claims
