"""Operations of DIDs as their owners write and sign them: the canonical bytes, their hash, the DID that they make."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from log.statements import approval_signed_bytes, did_of_genesis, operation_hash, operation_signed_bytes
from muniment.private_key import PrivateKey
from muniment.signing_key import SigningKey

VERSION: Final = 1
BOTH: Final = ("authentication", "assertion")
DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A public key that a DID has under an id; ``purposes`` are authentication, assertion or both."""

    id: str
    type: str
    public_key_multibase: str
    purposes: Sequence[str] = BOTH

    @classmethod
    def of(cls, name: str, key: PrivateKey, purposes: Sequence[str] = BOTH) -> "NamedKey":
        """Give the public half of a key under an id."""
        return cls(name, key.type, key.multibase, tuple(purposes))

    def to_json(self) -> dict[str, Any]:
        """Give the key as an operation names it."""
        named = {"id": self.id, "type": self.type, "public_key_multibase": self.public_key_multibase}
        return {**named, "purposes": list(self.purposes)}


def genesis(rotation: Sequence[PrivateKey], keys: Iterable[NamedKey], handle: str | None = None) -> dict[str, Any]:
    """Write the operation that makes a DID; the rotation keys are the highest first."""
    named = {} if handle is None else {"handle": handle}
    return {
        "type": "create",
        "version": VERSION,
        "prev": None,
        "rotation_keys": [each.multibase for each in rotation],
        "keys": [each.to_json() for each in keys],
        **named,
    }


def did_of(operation: Mapping[str, Any]) -> str:
    """Give the DID that a genesis makes."""
    return did_of_genesis(operation_signed_bytes(operation))


def operation(kind: str, did: str, prev: str, **members: Any) -> dict[str, Any]:
    """Write an operation behind another; members that are None are left out."""
    said = {name: value for name, value in members.items() if value is not None}
    return {"type": kind, "version": VERSION, "did": did, "prev": prev, **said}


def hash_of(said: Mapping[str, Any]) -> str:
    """Give the hash by which the next operation names this one. Raises NotCanonicalizable."""
    return operation_hash(operation_signed_bytes(said))


def signed(said: Mapping[str, Any], by: PrivateKey) -> dict[str, Any]:
    """Give the body that is sent: an operation with the signature of a rotation key. Raises NotCanonicalizable."""
    return {"operation": dict(said), "signature": by.sign(operation_signed_bytes(said))}


def rescue(did: str, prev: str, rotation: Sequence[PrivateKey], keys: Iterable[NamedKey]) -> dict[str, Any]:
    """Write a guardians' recovery as each of them signs it, without approvals."""
    rotation_keys = [each.multibase for each in rotation]
    return operation("guardian_recover", did, prev, rotation_keys=rotation_keys, keys=[each.to_json() for each in keys])


def approval(said: Mapping[str, Any], by: SigningKey) -> dict[str, Any]:
    """Give a guardian's approval of a recovery that was written without approvals. Raises NotCanonicalizable."""
    return {"did": by.did, "key_id": by.key_id or "", "signature": by.sign(approval_signed_bytes(said))}
