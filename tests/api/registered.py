"""People whose DIDs are registered, as their operations make them: keys of every type, rotated, revoked, recovered."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.appending import settle
from api.intent import Intent, Outcome
from api.times import rfc3339
from domain.identity.creation import CreateDid
from domain.identity.identifier import identifier
from domain.identity.key import Key
from domain.identity.operation import SignedOperation
from domain.identity.recovery import RecoverDid
from domain.identity.rotation import RevokeKey, RotateKeys
from log.scope import command_id
from log.statements import operation_signed_bytes
from muniment.did_operations import NamedKey, did_of, genesis, hash_of, operation
from muniment.private_key import PrivateKey
from muniment.signing_key import SigningKey
from tests.api.serving import Answer, Registry

BOTH = ("authentication", "assertion")


def private(name: str, kind: Any = "ed25519") -> PrivateKey:
    """Give a test key of a type, the same for the same name."""
    return PrivateKey(kind, hashlib.sha256(f"registered {name}".encode()).digest())


@dataclass
class Person:
    """A registered DID with the keys that it was created with."""

    registry: Registry
    did: str
    rotation: PrivateKey

    def signer(self, name: str, kind: Any = "ed25519", key_id: str | None = None) -> SigningKey:
        """Give a key of theirs, which signs as the DID, known under its name or another id."""
        return SigningKey(private(name, kind).secret, kind, did=self.did, key_id=key_id or name)

    async def rotate(self, *add: Key, end: Sequence[str] = (), overlap_ms: int = 0) -> None:
        """Add keys, and end others."""
        signed = self._signed("rotate", add=written(add), end=[*end], overlap_s=overlap_ms // 1000)
        await self.ask(RotateKeys(self.did, signed, add, tuple(end), overlap_ms))

    async def revoke(self, key_id: str, reason: str = "lost", since: int | None = None) -> None:
        """End a key at once; one that was compromised, since a moment (ms)."""
        moment = {} if since is None else {"since": rfc3339(since)}
        signed = self._signed("revoke", key_id=key_id, reason=reason, **moment)
        await self.ask(RevokeKey(self.did, signed, key_id, reason, since))

    async def recover(self, *keys: Key) -> None:
        """Begin anew with these keys."""
        signed = self._signed("recover", rotation_keys=[self.rotation.multibase], keys=written(keys))
        await self.ask(RecoverDid(self.did, signed, (self.rotation.multibase,), keys))

    def _signed(self, kind: str, **members: Any) -> SignedOperation:
        known = identifier(self.registry.api.mirror.store, self.did)  # type: ignore[arg-type]  # only asked by key
        assert known is not None
        return signed_operation(operation(kind, self.did, known.head, **members), self.rotation)

    async def ask(self, payload: Any) -> None:
        """Send an operation, as the api does."""
        asked = hashlib.sha256(payload.signed.hash.encode()).digest()
        name = command_id(self.did, asked, content_id=payload.signed.hash)
        (outcome,) = await settle(self.registry.api, [Intent(name, self.did, self.did, payload, asked, None, None)])
        assert isinstance(outcome, Outcome), outcome
        assert outcome.decided is not None
        assert outcome.decided.decision.refusal is None, outcome.decided.decision.refusal


def key_of(name: str, kind: str = "ed25519", purposes: tuple[str, ...] = BOTH, key_id: str | None = None) -> Key:
    """Give a test key as an operation names it."""
    return Key(key_id or name, kind, private(name, kind).multibase, purposes)


def written(keys: Sequence[Key]) -> list[dict[str, Any]]:
    """Write keys as an operation does."""
    return [NamedKey(each.id, each.type, each.public_key_multibase, each.purposes).to_json() for each in keys]


def signed_operation(said: dict[str, Any], by: PrivateKey) -> SignedOperation:
    """Sign an operation."""
    content = operation_signed_bytes(said)
    return SignedOperation(hash_of(said), said["prev"], by.multibase, content.decode(), by.sign(content))


async def person(registry: Registry, name: str, *keys: Key) -> Person:
    """Register a DID, with the key ``main`` unless others are given."""
    rotation, named = private(f"rotation of {name}"), keys or (key_of("main"),)
    said = {**genesis([rotation], []), "keys": written(named)}
    found = Person(registry, did_of(said), rotation)
    genesis_signed = signed_operation(said, rotation)
    await found.ask(CreateDid(found.did, genesis_signed, (rotation.multibase,), named, None, None))
    return found


async def opened(registry: Registry, by: SigningKey, **change: Any) -> Answer:
    """Open a session as a key, with members of its request changed."""
    given = await registry.ask("POST", "/auth/nonce", {"did": by.did})
    body = by.sign_session(given.json["issuer"], by.did, given.json["nonce"]) | change
    return await registry.ask("POST", "/auth/session", {name: value for name, value in body.items() if value != ""})


async def token(registry: Registry, by: SigningKey) -> str:
    """Open a session as a key, and give its token."""
    answer = await opened(registry, by)
    assert answer.status == 201, answer.text
    return str(answer.json["token"])


async def let_in(registry: Registry, sent: str) -> bool:
    """Tell whether a token is somebody's."""
    answer = await registry.ask("GET", "/webhooks", headers={"Authorization": f"Bearer {sent}"})
    assert answer.code in {"unauthenticated", "forbidden", "read_model_unavailable", None}, answer.text
    return answer.code != "unauthenticated"


async def auth(registry: Registry, what: str, sent: str, **headers: str) -> Answer:
    """Ask to refresh a session or to log out."""
    return await registry.ask("POST", f"/auth/{what}", headers={"Authorization": f"Bearer {sent}", **headers})
