"""What a registry answers of vaults, as values: records, schemas, files, erasures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from muniment.client.refusals import UnexpectedAnswer
from muniment.client.shapes import Json, Readers, Result


@dataclass(frozen=True, kw_only=True)
class Record(Result):
    """A value of an owner's; ``cid`` is ``sha256-`` and base64url(SHA-256(RFC 8785(value))).

    One that is ``key_compromised`` was written by a key in other hands, by the word of ``key_compromised_by``.
    """

    uri: str
    cid: str
    value: Any
    schema_version: int
    indexed_at: str
    updated_at: str | None = None
    key_compromised: bool = False
    key_compromised_by: str | None = None

    @property
    def rkey(self) -> str:
        """Give its key in its collection."""
        return self.uri.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class Deletion(Result):
    """A record that was let go of."""

    uri: str


@dataclass(frozen=True, kw_only=True)
class SchemaVersion(Result):
    """A version of a collection's schema; versions of one ``name`` let each other's records stay valid."""

    collection: str
    version: int
    name: str
    breaking: bool
    schema: Any
    put_by: str
    at: str


@dataclass(frozen=True, kw_only=True)
class Collection(Result):
    """A collection with every version of its schema, the oldest first; the last is in force."""

    collection: str
    versions: Sequence[Json]


@dataclass(frozen=True, slots=True)
class Upload:
    """How a file is to be sent: this request with the file as its body, begun before ``expires_at``."""

    method: str
    url: str
    headers: Mapping[str, str]
    expires_at: str


def _upload(found: Any) -> Upload:
    try:
        read = Upload(found["method"], found["url"], dict(found["headers"]), found["expires_at"])
    except (KeyError, TypeError, ValueError):
        raise UnexpectedAnswer("an upload lacks a member") from None
    said = (read.method, read.url, read.expires_at, *read.headers, *read.headers.values())
    if not all(isinstance(each, str) for each in said):
        raise UnexpectedAnswer("an upload has a member that is no text")
    return read


@dataclass(frozen=True, kw_only=True)
class Media(Result):
    """A file: its type, its size in bytes, its SHA-256 in hex; ``status`` is reserved or finalized."""

    id: str
    did: str
    mime: str
    size: int
    sha256: str
    status: str
    reserved_at: str | None = None
    expires_at: str | None = None
    finalized_at: str | None = None
    upload: Upload | None = None

    nested: ClassVar[Readers] = {"upload": _upload}


@dataclass(frozen=True, kw_only=True)
class Erasure(Result):
    """An owner, of whom nothing can be read any more."""

    did: str
    erased_at: str
