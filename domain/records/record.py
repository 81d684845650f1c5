"""A record is a value of its owner, under a key of a collection; the log has it sealed, and by its cid."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.did import identity
from domain.records.vault import counted, vault

ANY: Final = "*"
"""Of a condition: whatever the record is, as long as there is one."""
DIGITS: Final = "0123456789abcdefghijklmnopqrstuv"
TIME_DIGITS, PLACE_DIGITS = 10, 9


@dataclass(frozen=True, slots=True)
class RecordCreated:
    """An owner has a value more; ``sealed`` opens with the owner's key, ``size`` is the bytes of its RFC 8785 text.

    ``key_id`` names the key of a registered DID that opened the session which wrote it.
    """

    did: str
    collection: str
    rkey: str
    cid: str
    sealed: bytes
    size: int
    schema_version: int
    schema_seen_at: str
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class RecordUpdated:
    """A record has another value from now on; members as in RecordCreated.

    ``previous`` is the cid until then, ``indexed_at`` the log's time (ms) of the first write.
    """

    did: str
    collection: str
    rkey: str
    cid: str
    sealed: bytes
    size: int
    schema_version: int
    schema_seen_at: str
    previous: str
    indexed_at: int
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class RecordDeleted:
    """A record is there no more."""

    did: str
    collection: str
    rkey: str
    cid: str


class Record(NamedTuple):
    """A record's entry in the state: which value it has, of how many bytes, and since when (ms) there is a record."""

    cid: str
    size: int
    indexed_at: int


def record_key(did: str, collection: str, rkey: str) -> str:
    """Give the key of a record's entry; no part but a DID can hold the separator, and its end is known."""
    return f"record/{identity(did)}/{collection}/{rkey}"


def record(state: State, did: str, collection: str, rkey: str) -> Record | None:
    """Find a record."""
    entry = state.get(record_key(did, collection, rkey))
    return None if entry is None else Record(*entry)


def uri_of(did: str, collection: str, rkey: str) -> str:
    """Give a record's uri."""
    return f"mun://{did}/{collection}/{rkey}"


def bound_to(did: str, collection: str, cid: str) -> bytes:
    """Give what a sealed value is bound to: it opens as this owner's, in this collection, as this content only."""
    return f"mun://{did}/{collection}#{cid}".encode()


def made_rkey(at: int, offset: int) -> str:
    """Make an rkey of the log's time (ms) and the command's offset: later ones sort behind, and each is its own."""
    return _digits(at, TIME_DIGITS) + _digits(max(offset, 0), PLACE_DIGITS)


def _digits(number: int, width: int) -> str:
    text = ""
    for _ in range(width):
        number, digit = divmod(number, len(DIGITS))
        text = DIGITS[digit] + text
    return text


def evolve(state: State, event: RecordCreated | RecordUpdated | RecordDeleted, at: int) -> Iterable[Change]:
    """Fold one event of a record."""
    key = record_key(event.did, event.collection, event.rkey)
    match event:
        case RecordCreated():
            yield counted(state, event.did, records=1, record_bytes=event.size)
            yield key, Record(event.cid, event.size, at)
        case RecordUpdated():
            yield counted(state, event.did, record_bytes=event.size - Record(*state[key]).size)
            yield key, Record(event.cid, event.size, event.indexed_at)
        case RecordDeleted():
            yield counted(state, event.did, records=-1, record_bytes=-Record(*state[key]).size)
            yield key, None


@dataclass(frozen=True, slots=True)
class PutRecord:
    """Keep a value, checked before the log against the version that was seen at ``schema_seen_at``.

    Without ``rkey`` one is made. ``must_be_new`` refuses a key that is taken; ``if_match`` names the cids (or ``*``) of
    which the record must have one, ``if_none_match`` wants that there is none. The limits are what the settings say.
    ``key_id`` is as in RecordCreated.
    """

    did: str
    collection: str
    rkey: str | None
    cid: str
    sealed: bytes
    size: int
    schema_version: int
    schema_seen_at: str
    must_be_new: bool
    if_match: tuple[str, ...]
    if_none_match: bool
    max_records: int
    max_bytes: int
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteRecord:
    """Let a record be there no more; ``if_match`` as in PutRecord."""

    did: str
    collection: str
    rkey: str
    if_match: tuple[str, ...]


class RecordRefusal(StrEnum):
    """Why a vault stays as it is, in order of precedence."""

    FORBIDDEN = "forbidden"
    ERASED = "erased"
    RKEY_TAKEN = "rkey_taken"
    CID_MISMATCH = "cid_mismatch"
    NOT_FOUND = "not_found"
    QUOTA_EXCEEDED = "quota_exceeded"


def decide(
    state: State, command: PutRecord | DeleteRecord, around: Circumstances
) -> Sequence[RecordCreated | RecordUpdated | RecordDeleted] | Refusal:
    """Rule on a record: only its owner writes it."""
    did, collection = command.did, command.collection
    rkey = command.rkey or made_rkey(around.now, around.cause)
    owned, known = vault(state, did), record(state, did, collection, rkey)
    if identity(did) != around.actor:
        return Refusal(RecordRefusal.FORBIDDEN, {"detail": "only its owner writes into a vault"})
    if owned.erased_at is not None:
        return Refusal(RecordRefusal.ERASED, {"did": did})
    if isinstance(command, PutRecord) and command.must_be_new and known is not None:
        return Refusal(RecordRefusal.RKEY_TAKEN, {"rkey": rkey})
    if not _matches(command, known):
        return Refusal(RecordRefusal.CID_MISMATCH, {} if known is None else {"cid": known.cid})
    if isinstance(command, DeleteRecord):
        if known is None:
            return Refusal(RecordRefusal.NOT_FOUND, {"uri": uri_of(did, collection, rkey)})

        return [RecordDeleted(did, collection, rkey, known.cid)]
    count, size = (1, command.size) if known is None else (0, command.size - known.size)
    if count and owned.records + count > command.max_records:
        return exceeded("records", owned.records, command.max_records)
    if size > 0 and owned.record_bytes + size > command.max_bytes:
        return exceeded("bytes", owned.record_bytes, command.max_bytes)

    value = (did, collection, rkey, command.cid, command.sealed, command.size)
    checked = (command.schema_version, command.schema_seen_at)
    if known is None:
        return [RecordCreated(*value, *checked, command.key_id)]
    return [RecordUpdated(*value, *checked, known.cid, known.indexed_at, command.key_id)]


def exceeded(quota: str, used: int, limit: int) -> Refusal:
    """Refuse what a vault has no room for."""
    return Refusal(RecordRefusal.QUOTA_EXCEEDED, {"quota": quota, "used": str(used), "limit": str(limit)})


def _matches(command: PutRecord | DeleteRecord, known: Record | None) -> bool:
    if isinstance(command, PutRecord) and command.if_none_match and known is not None:
        return False
    return not command.if_match or (known is not None and not {ANY, known.cid}.isdisjoint(command.if_match))


RECORD = Decider(initial={}, decide=decide, evolve=evolve)
