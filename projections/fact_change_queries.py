"""What is asked of the changes of facts: the delta feed, a history."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from projections.fact_queries import ACTIVE, OF_MARKS, Filters, StoredFact, columns, fact
from projections.generations import Generation
from projections.postgres import Row, Transaction

CHANGE_COLUMNS = (
    "change", "status", "pos", "at", "actor", "reason", "alg", "key_id", "signature", "compromised_by",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FactChange:
    """One event of a fact; ``actor`` made it, and a revocation carries its issuer's signature."""

    change: str
    status: str
    pos: int
    at: int
    actor: str | None
    reason: str | None
    alg: str | None
    key_id: str | None
    signature: str | None
    compromised_by: str | None


class FeedItem(NamedTuple):
    """A change, the offset of its event, and the fact as of it."""

    change: str
    pos: int
    fact: StoredFact


async def feed(
    transaction: Transaction,
    generation: Generation,
    filters: Filters,
    *,
    status: str | None,
    after: Mapping[int, int],
    limit: int,
) -> tuple[list[FeedItem], dict[int, int]]:
    """Give the changes behind an offset in each partition, each with its fact as of it, and where to go on.

    Within a partition they come in the log's order; partitions are merged by the log's time, as far as that runs
    forward. Where fewer are left than asked for, all that the snapshot holds is behind the answer's offsets.
    """
    known = sorted(generation.marks)
    bound: dict[str, Any] = {"after": [after.get(p, -1) for p in range(max(known) + 1)], "limit": limit}
    conditions = filters.conditions(bound)
    issued = f"{conditions}{'' if status in (None, ACTIVE) else ' AND false'}"
    becomes = "" if status is None else " AND c.status = %(status)s"
    if status is not None:
        bound["status"] = status
    joined = f" JOIN {generation.schema}.facts f ON f.fact_id = c.fact_id" if conditions else ""
    query = (
        f"SELECT {columns(status=False)}, e.status, coalesce(s.pos, CASE WHEN e.change IN {OF_MARKS} THEN f.pos"
        f" ELSE e.pos END), CASE WHEN e.change IN {OF_MARKS} THEN s.change ELSE e.change END,"
        " coalesce(s.reason, e.reason), e.compromised_by, e.change, e.pos FROM ("
        " SELECT *, max(at) OVER (PARTITION BY n ORDER BY pos) AS reached FROM ("
        " SELECT v.n, d.* FROM unnest(%(after)s::bigint[]) WITH ORDINALITY AS v (last, n) CROSS JOIN LATERAL ("
        " (SELECT 'issued'::text AS change, 'active'::text AS status, NULL::text AS reason,"
        " NULL::text AS compromised_by, f.fact_id, f.pos, f.at"
        f" FROM {generation.schema}.facts f WHERE f.part = v.n - 1 AND f.pos > v.last{issued}"
        " ORDER BY f.pos LIMIT %(limit)s) UNION ALL"
        " (SELECT c.change, c.status, c.reason, c.compromised_by, c.fact_id, c.pos, c.at"
        f" FROM {generation.schema}.fact_changes c{joined} WHERE c.part = v.n - 1 AND c.pos > v.last"
        f"{becomes}{conditions} ORDER BY c.pos LIMIT %(limit)s)) d"
        " ) merged ORDER BY reached, n, pos LIMIT %(limit)s"
        f") e JOIN {generation.schema}.facts f ON f.fact_id = e.fact_id"
        # What is said of a key is no change of status: the one before it is what the status is of.
        f" LEFT JOIN LATERAL (SELECT x.pos, x.change, x.reason FROM {generation.schema}.fact_changes x"
        f" WHERE e.change IN {OF_MARKS} AND x.fact_id = e.fact_id AND x.pos < e.pos AND x.change NOT IN {OF_MARKS}"
        " ORDER BY x.pos DESC LIMIT 1) s ON true ORDER BY e.reached, e.n, e.pos"
    )
    rows = await transaction.rows(query, bound)
    items = [FeedItem(row[-2], row[-1], _as_of_change(row[:-2])) for row in rows]
    reached = {p: after.get(p, -1) for p in known}
    if len(items) < limit:
        return items, {p: max(reached[p], generation.marks[p].last) for p in known}
    return items, reached | {item.fact.part: item.pos for item in items}


def _as_of_change(row: Row) -> StoredFact:
    """Give a fact as of one of its events; being issued is no change of it."""
    stored = StoredFact(*row)
    if stored.change != "issued":
        return stored
    return replace(stored, change=None)


async def history(
    transaction: Transaction, generation: Generation, fact_id: str, limit: int, after: int | None = None
) -> tuple[StoredFact, list[FactChange]] | None:
    """Give a fact and its events behind an offset, oldest first; its being issued is the first of them."""
    known = await fact(transaction, generation, fact_id)
    if known is None:
        return None
    rows = await transaction.rows(
        f"SELECT {', '.join(CHANGE_COLUMNS)} FROM {generation.schema}.fact_changes"
        " WHERE fact_id = %s AND pos > %s ORDER BY pos LIMIT %s",
        fact_id,
        -1 if after is None else after,
        limit,
    )
    changes = [FactChange(*row) for row in rows]
    if after is None or after < known.pos:
        issued = FactChange(
            "issued",
            ACTIVE,
            known.pos,
            known.at,
            known.issuer_did,
            None,
            known.alg,
            known.key_id,
            known.signature,
            None,
        )
        changes.insert(0, issued)
    return known, changes[:limit]
