"""What is asked of identity: DIDs and who has a handle, the windows of their keys, and their operation logs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from projections.generations import Generation
from projections.pages import columns
from projections.postgres import Transaction


@dataclass(frozen=True, slots=True)
class StoredDid:
    """A DID as it is; ``part`` and ``pos`` are where it was created, ``changed_*`` where it changed last, times in ms.

    ``pending`` is the hash of a guardians' recovery that takes effect at ``pending_at``.
    """

    did: str
    handle: str | None
    head: str
    rotation_keys: tuple[str, ...]
    guardians: tuple[str, ...] | None
    guardian_threshold: int | None
    guardian_delay_s: int | None
    pending: str | None
    pending_at: int | None
    part: int
    pos: int
    created_at: int
    changed_pos: int
    changed_at: int


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A window of a key, in ms of the log's time: from ``valid_from`` until before ``valid_until``.

    It began at ``part`` and ``pos``; ``compromised_by`` is the event, and its position, that says it was compromised.
    """

    did: str
    key_id: str
    valid_from: int
    type: str
    public_key: str
    purposes: tuple[str, ...]
    valid_until: int | None
    compromised_since: int | None
    part: int
    pos: int
    changed_pos: int
    compromised_by: str | None

    def holds(self, at: int) -> bool:
        """Tell whether the key holds at a time."""
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)


@dataclass(frozen=True, slots=True)
class StoredOperation:
    """An operation; ``nullified_pos`` is where it was taken back, in the partition that it lies in.

    ``effective_*`` are when (ms) and where a guardians' recovery took effect.
    """

    did: str
    hash: str
    prev: str | None
    signed_by: str
    operation: str
    signature: str
    part: int
    pos: int
    at: int
    nullified: bool
    nullified_pos: int | None
    effective_at: int | None
    effective_pos: int | None


def _did(row: Sequence[Any]) -> StoredDid:
    did, handle, head, rotation_keys, guardians, *rest = row
    return StoredDid(
        did, handle, head, tuple(rotation_keys.split()), None if guardians is None else tuple(guardians.split()), *rest
    )


def _key(row: Sequence[Any]) -> StoredKey:
    did, key_id, valid_from, kind, public_key, purposes, *rest = row
    return StoredKey(did, key_id, valid_from, kind, public_key, tuple(purposes.split()), *rest)


async def did(transaction: Transaction, generation: Generation, wanted: str) -> StoredDid | None:
    """Find a DID."""
    return (await dids(transaction, generation, [wanted])).get(wanted)


async def dids(transaction: Transaction, generation: Generation, wanted: Sequence[str]) -> dict[str, StoredDid]:
    """Find DIDs by themselves and by handles, each under what it was asked for as."""
    rows = await transaction.rows(
        f"SELECT {columns(StoredDid)} FROM {generation.schema}.dids WHERE did = ANY(%(wanted)s)"
        f" OR handle = ANY(%(wanted)s) ORDER BY changed_at",
        {"wanted": list(wanted)},
    )
    asked, found = set(wanted), [_did(row) for row in rows]
    by_handle = {each.handle: each for each in found if each.handle is not None and each.handle in asked}
    return by_handle | {each.did: each for each in found if each.did in asked}


async def keys(
    transaction: Transaction, generation: Generation, did: str, key_id: str | None = None
) -> list[StoredKey]:
    """Give every window of a DID's keys, or of one key, in the order in which they began."""
    named = "" if key_id is None else " AND key_id = %(key_id)s"
    rows = await transaction.rows(
        f"SELECT {columns(StoredKey)} FROM {generation.schema}.identity_keys WHERE did = %(did)s{named}"
        " ORDER BY valid_from, key_id",
        {"did": did, "key_id": key_id},
    )
    return [_key(row) for row in rows]


async def operations(
    transaction: Transaction, generation: Generation, did: str, *, limit: int | None = None, after: int = -1
) -> list[StoredOperation]:
    """Give a DID's operations in the log's order, behind an offset, those that were taken back too."""
    rows = await transaction.rows(
        f"SELECT {columns(StoredOperation)} FROM {generation.schema}.identity_operations"
        " WHERE did = %s AND pos > %s ORDER BY pos LIMIT %s",
        did,
        after,
        limit,
    )
    return [StoredOperation(*row) for row in rows]
