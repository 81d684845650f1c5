"""The keys that sign sessions: made once, rotated with an overlap, published as JWKS; PyJWT's only door."""

import base64
import binascii
import hashlib
import hmac
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.json_value import JsonObject
from log import strict_json
from log.canonical import canonical_json

ALGORITHM = "EdDSA"
SEED_BYTES = 32
OVERLAP_S = 60 * 60
"""How long a key is still published and accepted after a newer one was made: longer than any session lasts."""
REREAD_EVERY_S = 5.0
FILES = "service-*.json"


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


def make_key_file(folder: Path, now: float | None = None) -> ServiceKey:
    """Write a new key into its own file, mode 0600; from then on it signs, and the ones before overlap."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    seed, made_at = os.urandom(SEED_BYTES), time.time() if now is None else now
    key = service_key(seed, made_at)
    document = {"kid": key.kid, "made_at": made_at, "seed_b64": base64.b64encode(seed).decode()}
    path = folder / f"service-{key.kid}.json"
    draft = path.with_name(f".{path.name}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(strict_json.dump(document))
        file.flush()
        os.fsync(descriptor)
    draft.rename(path)
    return key


def read_key_file(path: Path) -> ServiceKey:
    """Read a key file that none but its owner can read. Raises InvalidServiceKey."""
    if path.stat().st_mode & 0o077:
        raise InvalidServiceKey(f"{path.name} is open to others; run chmod 600 on it")
    try:
        document = strict_json.parse(path.read_bytes())
    except strict_json.MalformedJson as error:
        raise InvalidServiceKey(f"{path.name}: {error.detail}") from None
    if not isinstance(document, dict) or not isinstance(made_at := document.get("made_at"), int | float):
        raise InvalidServiceKey(f"{path.name} is no key file")
    try:
        seed = base64.b64decode(str(document.get("seed_b64")), validate=True)
    except binascii.Error:
        raise InvalidServiceKey(f"{path.name} holds no key in base64") from None
    return service_key(seed, float(made_at))


class ServiceKeys:
    """The keys that are valid now: the newest signs, the ones before it are accepted during the overlap."""

    def __init__(self, keys: Sequence[ServiceKey] = (), folder: Path | None = None) -> None:
        """Take keys, or a folder of key files, which is read again so that a rotation is seen by every process."""
        self._folder, self._given = folder, list(keys)
        self._keys: dict[str, ServiceKey] = {}
        self._read_at = -REREAD_EVERY_S
        self._refresh()
        if not self._keys and folder is not None:
            make_key_file(folder)
            self._read_at = -REREAD_EVERY_S
            self._refresh()
        if not self._keys:
            raise InvalidServiceKey("there is no service key")

    def _refresh(self) -> None:
        if self._folder is None:
            self._keys = {key.kid: key for key in self._given}
            return
        if time.monotonic() - self._read_at < REREAD_EVERY_S:
            return
        self._read_at = time.monotonic()
        found = [*self._given, *(read_key_file(path) for path in self._folder.glob(FILES))]
        self._keys = {key.kid: key for key in sorted(found, key=lambda key: (key.made_at, key.kid))}

    def valid(self) -> Sequence[ServiceKey]:
        """Give the keys that are valid now, oldest first."""
        self._refresh()
        keys = list(self._keys.values())
        # A key's overlap begins when the next one was made.
        newer = [*(key.made_at for key in keys[1:]), float("inf")]
        return [key for key, next_at in zip(keys, newer, strict=True) if time.time() < next_at + OVERLAP_S]

    def jwks(self) -> JsonObject:
        """Give the public keys that are valid now (RFC 7517)."""
        return {"keys": [key.jwk for key in self.valid()]}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Sign claims with the newest key."""
        key = self.valid()[-1]
        return jwt.encode(dict(claims), key.private, ALGORITHM, headers={"kid": key.kid})

    def verified(self, token: str, *, issuer: str, audience: str, leeway_s: float) -> dict[str, Any]:
        """Give the claims of a token that one of our valid keys signed with EdDSA. Raises InvalidJwt."""
        try:
            header = jwt.get_unverified_header(token)
            key = next((key for key in self.valid() if key.kid == header.get("kid")), None)
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
