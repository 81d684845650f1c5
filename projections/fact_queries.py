"""What is asked of facts: one by its id, a page as of one moment, the delta feed, a history.

A page walk is a question about the moment of its first page: whoever's status changes meanwhile is shown, or not, as it
was then. So a cursor carries that moment, as an offset for each partition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from domain.did import identity
from projections.facts import CONTENT, ISSUER, STATUS_AFTER
from projections.generations import Generation
from projections.issued import Issued, Standing
from projections.postgres import Row, Transaction

FOREVER = 1 << 62
"""Stands for no limit in a cut."""
OF_STATUS = ("status", "changed_pos", "change", "reason")
COLUMNS = (*CONTENT, *OF_STATUS)
FILTER_COLUMNS = {"kind": "f.kind", "origin": "f.origin", "type": "f.type", "ref": "f.ref"}
ISSUED = (*CONTENT[1:14], "at", "part", "pos")
EVENT_OF = {
    "issued": ("FactIssued", ""),
    "revoked": ("FactRevoked", "its issuer revoked it"),
    "expired": ("FactExpired", "its expires_at passed"),
    "quarantined": ("FactQuarantined", ""),
    "released": ("FactReleased", ""),
}
"""By change, the event that it is, and its reason where none was given."""
CHANGE_COLUMNS = ("change", "status", "pos", "at", "actor", "reason", "alg", "key_id", "signature")
NEWEST = "ORDER BY at DESC, part DESC, pos DESC LIMIT %(limit)s"


@dataclass(frozen=True, slots=True)
class StoredFact:
    """A fact with its status as of some moment; times in ms, ``body`` RFC 8785 text.

    ``part`` and ``pos`` are where it was issued, ``changed_pos`` is the offset of the event that its status is of, in
    the same partition, ``change`` and ``reason`` what that event was; ``change`` is None while it was never changed.
    """

    fact_id: str
    kind: str
    origin: str
    type: str
    ref: str
    digest: str | None
    issuer_did: str
    body: str
    body_hash: str
    alg: str
    key_id: str | None
    signature: str
    issued_at: int
    expires_at: int | None
    part: int
    pos: int
    at: int
    status: str
    changed_pos: int
    change: str | None
    reason: str | None

    def issued(self) -> Issued:
        """Give it as it was issued."""
        return Issued(*(getattr(self, name) for name in ISSUED))

    def standing(self, context: str) -> Standing | None:
        """Give what stands against it; nothing while it is active."""
        if self.status == "active" or self.change is None:
            return None
        event, unsaid = EVENT_OF[self.change]
        return Standing(event, self.reason or unsaid, context, self.part, self.changed_pos)


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


@dataclass(frozen=True, slots=True)
class Filters:
    """Which facts are meant: members that are None mean any."""

    kind: str | None = None
    origin: str | None = None
    type: str | None = None
    ref: str | None = None
    issuer: str | None = None

    def conditions(self, bound: dict[str, Any]) -> str:
        """Write them as SQL about ``f``, binding what they compare with; empty where all facts are meant."""
        written = []
        for name, column in FILTER_COLUMNS.items():
            value = getattr(self, name)
            if value is not None:
                written.append(f" AND {column} = %({name})s")
                bound[name] = value
        if self.issuer is not None:
            written.append(f" AND {ISSUER.replace('issuer_did', 'f.issuer_did').replace('%', '%%')} = %(issuer)s")
            bound["issuer"] = identity(self.issuer)
        return "".join(written)


@dataclass(frozen=True, slots=True)
class Cut:
    """A moment: by partition the last offset and the last time (ms) that belong to it."""

    offsets: Sequence[int]
    times: Sequence[int] = field(default_factory=tuple)

    def bound(self) -> dict[str, Any]:
        """Give it as parameters."""
        times = list(self.times) or [FOREVER] * len(self.offsets)
        return {"offsets": list(self.offsets), "times": times, "earliest": min(times), "latest": max(times)}


def columns(*, status: bool = True) -> str:
    """Write the columns of a fact, of ``f``."""
    return ", ".join(f"f.{name}" for name in (COLUMNS if status else CONTENT))


async def fact(transaction: Transaction, generation: Generation, fact_id: str) -> StoredFact | None:
    """Find a fact, in any status."""
    rows = await transaction.rows(f"SELECT {columns()} FROM {generation.schema}.facts f WHERE f.fact_id = %s", fact_id)
    return StoredFact(*rows[0]) if rows else None


async def page(
    transaction: Transaction,
    generation: Generation,
    filters: Filters,
    *,
    status: str,
    limit: int,
    cut: Cut | None = None,
    after: tuple[int, int, int] | None = None,
) -> list[StoredFact]:
    """Give the newest facts of a status, now or as of a moment, behind ``after`` (at, partition, offset)."""
    bound: dict[str, Any] = {"status": status, "limit": limit}
    conditions = filters.conditions(bound)
    if after is not None:
        conditions += " AND (f.at, f.part, f.pos) < (%(after_at)s, %(after_part)s, %(after_pos)s)"
        bound |= {"after_at": after[0], "after_part": after[1], "after_pos": after[2]}
    if cut is None:
        query = f"SELECT {columns()} FROM {generation.schema}.facts f WHERE f.status = %(status)s{conditions} {NEWEST}"
    else:
        query, more = page_as_of(generation.schema, conditions, cut)
        bound |= more
    return [StoredFact(*row) for row in await transaction.rows(query, bound)]


def page_as_of(schema: str, conditions: str, cut: Cut) -> tuple[str, dict[str, Any]]:
    """Write the query of a page as of a moment, with its parameters.

    Facts that weren't changed since are found by their status now; those that were, by the changes themselves.
    """
    of_part = "(%(offsets)s::bigint[])[f.part + 1]", "(%(times)s::bigint[])[f.part + 1]"
    # The log's time never goes back within a partition, so the newest fact of the moment bounds the walk of an index.
    newest = (
        "SELECT max(l.at) FROM unnest(%(offsets)s::bigint[]) WITH ORDINALITY AS v (last, n) CROSS JOIN LATERAL"
        f" (SELECT x.at FROM {schema}.facts x WHERE x.part = v.n - 1 AND x.pos <= v.last ORDER BY x.pos DESC LIMIT 1) l"
    )
    unchanged = (
        f"SELECT {columns()} FROM {schema}.facts f WHERE f.status = %(status)s"
        f" AND f.at <= least(%(latest)s, ({newest}))"
        f" AND f.changed_pos <= {of_part[0]} AND f.changed_at <= {of_part[1]}{conditions} {NEWEST}"
    )
    changed = (
        f"SELECT c.fact_id FROM unnest(%(offsets)s::bigint[]) WITH ORDINALITY AS v (last, n)"
        f" CROSS JOIN LATERAL (SELECT fact_id FROM {schema}.facts x"
        " WHERE x.change IS NOT NULL AND x.part = v.n - 1 AND x.changed_pos > v.last) c"
    )
    bound = cut.bound()
    if bound["earliest"] < FOREVER:
        changed += (
            f" UNION SELECT x.fact_id FROM {schema}.facts x WHERE x.change IS NOT NULL AND x.changed_at > %(earliest)s"
        )
    since = (
        f"SELECT {columns(status=False)}, coalesce(c.status, 'active') AS status,"
        " coalesce(c.pos, f.pos) AS changed_pos, c.change, c.reason"
        f" FROM ({changed}) s JOIN {schema}.facts f ON f.fact_id = s.fact_id"
        f" LEFT JOIN LATERAL (SELECT x.status, x.pos, x.change, x.reason FROM {schema}.fact_changes x"
        f" WHERE x.fact_id = f.fact_id AND x.pos <= {of_part[0]} AND x.at <= {of_part[1]}"
        " ORDER BY x.pos DESC LIMIT 1) c ON true"
        f" WHERE f.pos <= {of_part[0]} AND f.at <= {of_part[1]}"
        f" AND (f.changed_pos > {of_part[0]} OR f.changed_at > {of_part[1]})"
        f" AND coalesce(c.status, 'active') = %(status)s{conditions} {NEWEST}"
    )
    return f"SELECT * FROM (({unchanged}) UNION ALL ({since})) f {NEWEST}", bound


async def feed(
    transaction: Transaction,
    generation: Generation,
    filters: Filters,
    *,
    status: str | None,
    after: Mapping[int, int],
    limit: int,
) -> tuple[list[tuple[str, StoredFact]], dict[int, int]]:
    """Give the changes behind an offset in each partition, each with its fact as of it, and where to go on.

    Within a partition they come in the log's order; partitions are merged by the log's time, as far as that runs
    forward. Where fewer are left than asked for, all that the snapshot holds is behind the answer's offsets.
    """
    known = sorted(generation.marks)
    bound: dict[str, Any] = {"after": [after.get(p, -1) for p in range(max(known) + 1)], "limit": limit}
    conditions = filters.conditions(bound)
    issued = f"{conditions}{'' if status in (None, 'active') else ' AND false'}"
    changes = [change for change, becomes in STATUS_AFTER.items() if status in (None, becomes)]
    bound["changes"] = changes
    joined = f" JOIN {generation.schema}.facts f ON f.fact_id = c.fact_id" if conditions else ""
    query = (
        f"SELECT {columns(status=False)}, e.status, e.pos AS changed_pos, e.change, e.reason FROM ("
        " SELECT *, max(at) OVER (PARTITION BY n ORDER BY pos) AS reached FROM ("
        " SELECT v.n, d.* FROM unnest(%(after)s::bigint[]) WITH ORDINALITY AS v (last, n) CROSS JOIN LATERAL ("
        " (SELECT 'issued'::text AS change, 'active'::text AS status, NULL::text AS reason, f.fact_id, f.pos, f.at"
        f" FROM {generation.schema}.facts f WHERE f.part = v.n - 1 AND f.pos > v.last{issued}"
        " ORDER BY f.pos LIMIT %(limit)s) UNION ALL"
        " (SELECT c.change, c.status, c.reason, c.fact_id, c.pos, c.at"
        f" FROM {generation.schema}.fact_changes c{joined} WHERE c.part = v.n - 1 AND c.pos > v.last"
        f" AND c.change = ANY(%(changes)s){conditions} ORDER BY c.pos LIMIT %(limit)s)) d"
        " ) merged ORDER BY reached, n, pos LIMIT %(limit)s"
        f") e JOIN {generation.schema}.facts f ON f.fact_id = e.fact_id ORDER BY e.reached, e.n, e.pos"
    )
    rows = await transaction.rows(query, bound)
    items = [(row[-2], _as_of_change(row)) for row in rows]
    reached = {p: after.get(p, -1) for p in known}
    if len(items) < limit:
        return items, {p: max(reached[p], generation.marks[p].last) for p in known}
    return items, reached | {item.part: item.changed_pos for _, item in items}


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
            "issued", "active", known.pos, known.at, known.issuer_did, None, known.alg, known.key_id, known.signature
        )
        changes.insert(0, issued)
    return known, changes[:limit]
