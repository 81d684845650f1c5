"""What is asked of facts: one by its id, a page as of one moment.

A page walk is a question about the moment of its first page: whoever's status changes meanwhile is shown, or not, as it
was then. So a cursor carries that moment, as an offset for each partition.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.did import identity
from projections.facts import CONTENT, ISSUER, MARKS
from projections.generations import Generation
from projections.issued import Issued, Standing
from projections.postgres import Transaction

FOREVER = 1 << 62
"""Stands for no limit in a cut."""
ACTIVE = "active"
COUNTS = " AND f.compromised_by IS NULL"
"""A fact whose key was compromised is active and no longer counts as such."""
OF_STATUS = ("status", "changed_pos", "change", "reason", "compromised_by")
COLUMNS = (*CONTENT, *OF_STATUS)
FILTER_COLUMNS = {"kind": "f.kind", "origin": "f.origin", "type": "f.type", "ref": "f.ref"}
ISSUED = (*CONTENT[1:14], "at", "part", "pos")
EVENT_OF = {
    "issued": ("FactIssued", ""),
    "revoked": ("FactRevoked", "its issuer revoked it"),
    "expired": ("FactExpired", "its expires_at passed"),
    "quarantined": ("FactQuarantined", ""),
    "released": ("FactReleased", ""),
    "key_compromised": ("FactKeyCompromised", ""),
    "key_cleared": ("FactKeyCleared", ""),
}
"""By change, the event that it is, and its reason where none was given."""
OF_MARKS = "(" + ", ".join(f"'{each}'" for each in MARKS) + ")"
NEWEST = "ORDER BY at DESC, part DESC, pos DESC LIMIT %(limit)s"


@dataclass(frozen=True, slots=True)
class StoredFact:
    """A fact with its status as of some moment; times in ms, ``body`` RFC 8785 text.

    ``part`` and ``pos`` are where it was issued, ``changed_pos`` is the offset of the event that its status is of, in
    the same partition, ``change`` and ``reason`` what that event was; ``change`` is None while it was never changed.
    ``compromised_by`` is the event by which its key was compromised.
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
    compromised_by: str | None

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
        counted = f"f.status = %(status)s{COUNTS if status == ACTIVE else ''}"
        query = f"SELECT {columns()} FROM {generation.schema}.facts f WHERE {counted}{conditions} {NEWEST}"
    else:
        query, more = page_as_of(generation.schema, conditions, cut, active=status == ACTIVE)
        bound |= more
    return [StoredFact(*row) for row in await transaction.rows(query, bound)]


def page_as_of(schema: str, conditions: str, cut: Cut, *, active: bool) -> tuple[str, dict[str, Any]]:
    """Write the query of a page as of a moment, with its parameters; ``active`` ones are those that count.

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
        f" AND f.changed_pos <= {of_part[0]} AND f.changed_at <= {of_part[1]}"
        f" AND (f.marked_pos IS NULL OR (f.marked_pos <= {of_part[0]} AND f.marked_at <= {of_part[1]}))"
        f"{COUNTS if active else ''}{conditions} {NEWEST}"
    )
    changed = (
        f"SELECT c.fact_id FROM unnest(%(offsets)s::bigint[]) WITH ORDINALITY AS v (last, n)"
        f" CROSS JOIN LATERAL (SELECT fact_id FROM {schema}.facts x"
        " WHERE x.change IS NOT NULL AND x.part = v.n - 1 AND x.changed_pos > v.last) c"
        f" UNION SELECT c.fact_id FROM unnest(%(offsets)s::bigint[]) WITH ORDINALITY AS v (last, n)"
        f" CROSS JOIN LATERAL (SELECT fact_id FROM {schema}.facts x"
        " WHERE x.marked_pos IS NOT NULL AND x.part = v.n - 1 AND x.marked_pos > v.last) c"
    )
    bound = cut.bound()
    if bound["earliest"] < FOREVER:
        changed += (
            f" UNION SELECT x.fact_id FROM {schema}.facts x WHERE x.change IS NOT NULL AND x.changed_at > %(earliest)s"
            f" UNION SELECT x.fact_id FROM {schema}.facts x"
            " WHERE x.marked_pos IS NOT NULL AND x.marked_at > %(earliest)s"
        )
    until = f"x.fact_id = f.fact_id AND x.pos <= {of_part[0]} AND x.at <= {of_part[1]}"
    since = (
        f"SELECT {columns(status=False)}, coalesce(c.status, 'active') AS status,"
        " coalesce(c.pos, f.pos) AS changed_pos, c.change, c.reason, m.compromised_by"
        # Each by its id, however many the planner takes them for: OFFSET keeps it from joining the tables as wholes.
        f" FROM ({changed}) s CROSS JOIN LATERAL"
        f" (SELECT * FROM {schema}.facts x WHERE x.fact_id = s.fact_id OFFSET 0) f"
        f" LEFT JOIN LATERAL (SELECT x.status, x.pos, x.change, x.reason FROM {schema}.fact_changes x"
        f" WHERE {until} AND x.change NOT IN {OF_MARKS} ORDER BY x.pos DESC LIMIT 1) c ON true"
        f" LEFT JOIN LATERAL (SELECT x.compromised_by FROM {schema}.fact_changes x"
        f" WHERE {until} ORDER BY x.pos DESC LIMIT 1) m ON true"
        f" WHERE f.pos <= {of_part[0]} AND f.at <= {of_part[1]}"
        f" AND (f.changed_pos > {of_part[0]} OR f.changed_at > {of_part[1]}"
        f" OR f.marked_pos > {of_part[0]} OR f.marked_at > {of_part[1]})"
        f" AND coalesce(c.status, 'active') = %(status)s{' AND m.compromised_by IS NULL' if active else ''}"
        f"{conditions} {NEWEST}"
    )
    return f"SELECT * FROM (({unchanged}) UNION ALL ({since})) f {NEWEST}", bound
