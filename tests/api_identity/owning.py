"""People who own DIDs, over HTTP: what they sign is made by the client's own code."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.identity.handle import Handle, handle_of
from domain.identity.identifier import identifier
from log.statements import operation_hash, operation_signed_bytes
from muniment.did_operations import NamedKey, did_of, genesis, operation, signed
from muniment.private_key import PrivateKey
from tests.api.registered import private
from tests.api.serving import Answer, Registry


def key(name: str, kind: str = "ed25519", purposes: Sequence[str] = ("authentication", "assertion")) -> NamedKey:
    """Give a test key under its own name."""
    return NamedKey.of(name, private(name, kind), purposes)


class Owner:
    """A DID with three rotation keys, highest first, and what was answered to its genesis."""

    def __init__(self, registry: Registry, name: str, rotation: Sequence[PrivateKey], keys: Sequence[NamedKey]) -> None:
        self.registry, self.name, self.rotation, self.keys = registry, name, rotation, keys

    def genesis(self, handle: str | None = None) -> dict[str, Any]:
        """Sign its genesis."""
        return signed(genesis(self.rotation, self.keys, handle), self.rotation[0])

    async def create(self, handle: str | None = None) -> Answer:
        """Send its genesis, which names it."""
        body = self.genesis(handle)
        self.did = did_of(body["operation"])
        return await send(self.registry, body)

    @property
    def head(self) -> str:
        """Give the hash of its latest operation, as the log has it."""
        known = identifier(self.registry.api.mirror.store, self.did)  # type: ignore[arg-type]  # only asked by key
        assert known is not None
        return known.head

    def sign(self, kind: str, by: PrivateKey | None = None, prev: str | None = None, **members: Any) -> dict[str, Any]:
        """Sign an operation behind the latest one."""
        return signed(operation(kind, self.did, prev or self.head, **members), by or self.rotation[0])

    async def say(self, kind: str, by: PrivateKey | None = None, prev: str | None = None, **members: Any) -> Answer:
        """Sign an operation and send it."""
        return await send(self.registry, self.sign(kind, by, prev, **members), self.did)


async def send(registry: Registry, body: Any, did: str | None = None, query: str = "", **headers: str) -> Answer:
    """Send an operation as it is."""
    path = "/dids" if did is None else f"/dids/{did}/operations"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await registry.ask("POST", path + query, body, headers=named)


def owner(registry: Registry, name: str, kind: str = "ed25519", *more: NamedKey) -> Owner:
    """Give somebody who has no DID yet."""
    rotation = [private(f"{name} {rank}", kind) for rank in ("high", "middle", "low")]
    return Owner(registry, name, rotation, [key("main"), *more])


async def owned(registry: Registry, name: str, *more: NamedKey, handle: str | None = None) -> Owner:
    """Give somebody whose DID was created."""
    found = owner(registry, name, "ed25519", *more)
    answer = await found.create(handle)
    assert answer.status == 201, answer.text
    return found


def hash_of(body: Mapping[str, Any]) -> str:
    """Give the hash of an operation that is sent."""
    return operation_hash(operation_signed_bytes(body["operation"]))


def handle_at(registry: Registry, handle: str) -> Handle | None:
    """Give who has a handle, as the log says in its own stream."""
    return handle_of(registry.api.mirror.store, handle)  # type: ignore[arg-type]  # only asked by key


def names(answer: Answer) -> list[str]:
    """Give the bare ids of the keys that a document shows."""
    return [method["id"].partition("#")[2] for method in answer.json["verificationMethod"]]
