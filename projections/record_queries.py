"""What is asked of records: one now or as of a moment, and an owner's in their order, as of where a walk began."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from projections.compromised_keys import Signed, said_of
from projections.fact_queries import Cut
from projections.generations import Generation
from projections.postgres import Transaction

COLUMNS: Final = (
    "did, collection, rkey, part, pos, at, indexed_at, cid, value, schema_version, size, until_pos, until_at, key_id"
)


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A version of a record; ``value`` is RFC 8785 text, None where it couldn't be opened. Times in ms.

    ``compromised_by`` is by whose word its key was in other hands when it was written.
    """

    did: str
    collection: str
    rkey: str
    part: int
    pos: int
    at: int
    indexed_at: int
    cid: str
    value: str | None
    schema_version: int
    size: int
    until_pos: int | None
    until_at: int | None
    key_id: str | None
    compromised_by: str | None = None


@dataclass(frozen=True, slots=True)
class Behind:
    """Where a page goes on: behind a record in the order of the list."""

    indexed_at: int
    rkey: str
    collection: str


async def marked(transaction: Transaction, generation: Generation, rows: Iterable[Sequence[Any]]) -> list[StoredRecord]:
    """Read rows of records, with whose word it is that a key was in other hands, as identity's tables say now."""
    found = [StoredRecord(*row) for row in rows]
    signed = [Signed(each.did, each.key_id, each.at) for each in found if each.key_id is not None]
    said = await said_of(transaction, generation.beside["identity"], signed)
    return [
        replace(each, compromised_by=said.get(Signed(each.did, each.key_id, each.at))) if each.key_id else each
        for each in found
    ]


async def erased_at(transaction: Transaction, generation: Generation, did: str) -> int | None:
    """Give when an owner was erased (ms)."""
    rows = await transaction.rows(f"SELECT at FROM {generation.schema}.erased_owners WHERE did = %s", did)
    return int(rows[0][0]) if rows else None


async def one(
    transaction: Transaction, generation: Generation, name: tuple[str, str, str], cut: Cut | None = None
) -> StoredRecord | None:
    """Find a record by owner, collection and rkey, as it is now or was at a cut."""
    query = f"SELECT {COLUMNS} FROM {generation.schema}.records WHERE did = %s AND collection = %s AND rkey = %s"
    if cut is None:
        rows = await transaction.rows(query + " AND until_pos IS NULL", *name)
        return (await marked(transaction, generation, rows))[0] if rows else None
    rows = await transaction.rows(
        query + " AND pos <= (%s::bigint[])[part + 1] AND at <= (%s::bigint[])[part + 1] ORDER BY pos DESC LIMIT 1",
        *name,
        list(cut.offsets),
        list(cut.times),
    )
    if not rows:
        return None
    (found,) = await marked(transaction, generation, rows)
    ended = (
        found.until_pos is not None
        and found.until_pos <= cut.offsets[found.part]
        and (found.until_at or 0) <= cut.times[found.part]
    )
    return None if ended else found


async def page(
    transaction: Transaction,
    generation: Generation,
    *,
    did: str,
    collection: str | None,
    offset: int,
    limit: int,
    behind: Behind | None = None,
) -> list[StoredRecord]:
    """Give an owner's records as they were at an offset of the owner's partition, newest first, ties by rkey.

    Those that still are as they were lie in one index, those that took another value since or ended in another, so
    that no page passes over what was written before the walk began.
    """
    chosen = "did = %(did)s AND pos <= %(offset)s"
    if collection is not None:
        chosen += " AND collection = %(collection)s"
    if behind is not None:
        chosen += (
            " AND (indexed_at < %(indexed_at)s OR (indexed_at = %(indexed_at)s"
            " AND (rkey, collection) > (%(rkey)s, %(behind)s)))"
        )
    order = "ORDER BY indexed_at DESC, rkey, collection LIMIT %(limit)s"
    table = f"{generation.schema}.records"
    rows = await transaction.rows(
        f"(SELECT {COLUMNS} FROM {table} WHERE {chosen} AND until_pos IS NULL {order})"
        f" UNION ALL (SELECT {COLUMNS} FROM {table} WHERE {chosen} AND until_pos > %(offset)s {order}) {order}",
        {
            "did": did,
            "collection": collection,
            "offset": offset,
            "limit": limit,
            "indexed_at": behind.indexed_at if behind else None,
            "rkey": behind.rkey if behind else None,
            "behind": behind.collection if behind else None,
        },
    )
    return await marked(transaction, generation, rows)
