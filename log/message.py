"""What lies on the log: a message as Kafka carries it, and the command and the decision that are its values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeAlias

Hash: TypeAlias = Annotated[bytes, 32]
"""A SHA-256, written as Avro ``fixed(32)``."""

Union: TypeAlias = Annotated[Any, "payload"]
"""One of the context's payload classes, written as an Avro union of records."""


class Message(Protocol):
    """One message of a partition; ``timestamp`` is the broker's, in ms since 1970 UTC."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed exactly which bytes; ``signature`` is base64 (standard, padded).

    Where a registered DID signed, ``public_key`` is the multibase of its key ``key_id``, and ``key_seen_at`` the
    position of ``identity`` up to which that key was known to hold: ``identity/<partition>/<offset>``. A DID that says
    its key itself has neither.
    """

    alg: str
    did: str
    key_id: str | None
    signed_bytes: bytes
    signature: str
    public_key: str | None = None
    key_seen_at: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """A request to change something; its time is the timestamp that the broker gives its message."""

    id: str
    type: str
    actor: str
    idempotency_key: str | None
    request_hash: Hash
    payload: Union
    signature: Signature | None


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of a decision under its name and version."""

    type: str
    version: int
    payload: Union


@dataclass(frozen=True, slots=True)
class Refused:
    """A closed code and its details."""

    code: str
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one command: ``events``, or ``refusal`` and no events.

    ``prev`` is the chain value of the decision before it, ``cause`` the offset of its command in the commands
    partition of the same number, ``at`` the log's time in ms since 1970 UTC.
    """

    prev: Hash
    command_id: str
    cause: int
    at: int
    events: tuple[Happening, ...]
    refusal: Refused | None


PREV_AT = 10
"""A value starts with the two bytes ``C3 01`` and eight of fingerprint; then comes ``prev``."""
