"""The facts projection: one row a fact with what it says and its status now, and one row a later change.

That a fact was issued is in its own row; it isn't written a second time as a change. What is said of a fact's key
(``compromised_by``, from offset ``marked_pos`` on) changes no status.
"""

from collections.abc import Sequence
from typing import Any

from domain.facts.fact import FactExpired, FactIssued, FactQuarantined, FactReleased, FactRevoked
from domain.facts.mark import FACT_EVENTS, FactKeyCleared, FactKeyCompromised
from log.following import Decided
from projections.generations import Batch, Table
from projections.lines import Copying, line
from projections.postgres import Transaction

CONTENT = (
    "fact_id", "kind", "origin", "type", "ref", "digest", "issuer_did", "body", "body_hash", "alg", "key_id",
    "signature", "issued_at", "expires_at", "part", "pos", "at",
)  # fmt: skip
STATUS = ("status", "changed_pos", "changed_at", "change", "reason", "compromised_by", "marked_pos", "marked_at")
CHANGE = (
    "fact_id", "part", "pos", "at", "change", "status", "actor", "reason", "alg", "key_id", "signature",
    "compromised_by",
)  # fmt: skip
MARKS = ("key_compromised", "key_cleared")
"""Changes of what is said of a fact's key."""
STATUS_AFTER = {
    "issued": "active",
    "revoked": "revoked",
    "expired": "expired",
    "quarantined": "quarantined",
    "released": "active",
}
ISSUER = "(CASE WHEN issuer_did LIKE 'did:pkh:%' THEN lower(issuer_did COLLATE \"C\") ELSE issuer_did END)"
"""The issuer as it is compared: a did:pkh without case."""

DEFINITION = f"""
CREATE TABLE {{schema}}.facts (
  fact_id text COLLATE "C" PRIMARY KEY, kind text COLLATE "C" NOT NULL,
  origin text COLLATE "C" NOT NULL, type text COLLATE "C" NOT NULL, ref text COLLATE "C" NOT NULL,
  digest text COLLATE "C", issuer_did text COLLATE "C" NOT NULL, body text NOT NULL, body_hash text NOT NULL,
  alg text NOT NULL, key_id text, signature text NOT NULL, issued_at bigint NOT NULL, expires_at bigint,
  part integer NOT NULL, pos bigint NOT NULL, at bigint NOT NULL,
  status text COLLATE "C" NOT NULL, changed_pos bigint NOT NULL, changed_at bigint NOT NULL, change text, reason text,
  compromised_by text, marked_pos bigint, marked_at bigint);
CREATE INDEX facts_newest ON {{schema}}.facts (status, at, part, pos);
CREATE INDEX facts_kind ON {{schema}}.facts (kind, status, at, part, pos);
CREATE INDEX facts_issuer ON {{schema}}.facts ({ISSUER}, status, at, part, pos);
CREATE INDEX facts_subject ON {{schema}}.facts (origin, type, ref, at, part, pos);
CREATE INDEX facts_log ON {{schema}}.facts (part, pos);
CREATE INDEX facts_changed ON {{schema}}.facts (part, changed_pos) WHERE change IS NOT NULL;
CREATE INDEX facts_changed_at ON {{schema}}.facts (changed_at) WHERE change IS NOT NULL;
CREATE INDEX facts_marked ON {{schema}}.facts (part, marked_pos) WHERE marked_pos IS NOT NULL;
CREATE INDEX facts_marked_at ON {{schema}}.facts (marked_at) WHERE marked_pos IS NOT NULL;
CREATE TABLE {{schema}}.fact_changes (
  fact_id text COLLATE "C" NOT NULL, part integer NOT NULL, pos bigint NOT NULL, at bigint NOT NULL,
  change text COLLATE "C" NOT NULL, status text COLLATE "C" NOT NULL, actor text, reason text,
  alg text, key_id text, signature text, compromised_by text, PRIMARY KEY (fact_id, pos));
CREATE INDEX fact_changes_log ON {{schema}}.fact_changes (part, pos);
"""


def change_of(event: Any) -> tuple[str, str | None, str | None, str | None, str | None, str | None]:
    """Give of a later event: the change, who made it, why, and the signature (alg, key_id, signature) it carries."""
    match event:
        case FactRevoked():
            return "revoked", event.issuer_did, event.reason, event.alg, event.key_id, event.signature
        case FactExpired():
            return "expired", None, None, None, None, None
        case FactQuarantined():
            return "quarantined", event.quarantined_by, event.reason, None, None, None
        case FactReleased():
            return "released", event.released_by, None, None, None, None
        case FactKeyCompromised():
            return "key_compromised", None, None, None, None, None
        case FactKeyCleared():
            return "key_cleared", None, event.cleared_by, None, None, None
    raise TypeError(f"{type(event).__name__} changes no fact")


def new_line(event: FactIssued, decided: Decided, at: int) -> str:
    """Write the row of a new fact."""
    pos, when, subject, expires_at = str(decided.offset), str(at), event.subject, event.expires_at
    return line((
        event.fact_id, event.kind, subject.origin, subject.type, subject.ref, subject.digest, event.issuer_did,
        event.body, event.body_hash, event.alg, event.key_id, event.signature, str(event.issued_at),
        None if expires_at is None else str(expires_at),
        str(decided.partition), pos, when, "active", pos, when, None, None, None, None, None,
    ))  # fmt: skip


class FactsBatch:
    """What a batch makes of facts: new ones go to Postgres while the next are decoded, changes are folded first."""

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._facts = Copying(f"{schema}.facts ({', '.join((*CONTENT, *STATUS))})")
        self._changes = Copying(f"{schema}.fact_changes ({', '.join(CHANGE)})")
        self._latest: dict[str, tuple[str, int, int, str, str | None]] = {}
        self._marks: dict[str, tuple[str | None, int, int]] = {}

    def take(self, event: Any, decided: Decided, at: int) -> None:
        """Take a new fact, or a change of one."""
        if isinstance(event, FactIssued):
            self._facts.add(new_line(event, decided, at))
            return
        part, pos = decided.partition, decided.offset
        change, actor, reason, alg, key_id, signature = change_of(event)
        marks = isinstance(event, FactKeyCompromised | FactKeyCleared)
        status = event.status if marks else STATUS_AFTER[change]
        compromised_by = getattr(event, "compromised_by", None)
        self._changes.add(
            line((
                event.fact_id, str(part), str(pos), str(at), change, status, actor, reason, alg, key_id, signature,
                compromised_by,
            ))
        )  # fmt: skip
        if marks:
            self._marks[event.fact_id] = (compromised_by, pos, at)
        else:
            self._latest[event.fact_id] = (status, pos, at, change, reason)

    async def drain(self, transaction: Transaction) -> None:
        """Send the new facts made so far."""
        await self._facts.send(transaction)

    async def write(self, transaction: Transaction) -> None:
        """End the new facts, then write the changes and the status that each of their facts has in the end."""
        await self._facts.end(transaction)
        await self._changes.end(transaction)
        if self._latest:
            status, pos, at, change, reason = zip(*self._latest.values(), strict=True)
            await transaction.run(
                f"UPDATE {self._schema}.facts f SET status = u.status, changed_pos = u.pos, changed_at = u.at,"
                " change = u.change, reason = u.reason FROM unnest(%s::text[], %s::text[], %s::bigint[],"
                " %s::bigint[], %s::text[], %s::text[]) AS u (fact_id, status, pos, at, change, reason)"
                " WHERE f.fact_id = u.fact_id",
                *map(list, (self._latest, status, pos, at, change, reason)),
            )
        if self._marks:
            compromised_by, pos, at = zip(*self._marks.values(), strict=True)
            await transaction.run(
                f"UPDATE {self._schema}.facts f SET compromised_by = u.compromised_by, marked_pos = u.pos,"
                " marked_at = u.at FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[])"
                " AS u (fact_id, compromised_by, pos, at) WHERE f.fact_id = u.fact_id",
                *map(list, (self._marks, compromised_by, pos, at)),
            )


class FactsProjection:
    """Facts and their changes."""

    name = "facts"
    context = "facts"
    events: tuple[type, ...] = FACT_EVENTS
    tables: Sequence[Table] = (
        Table("facts", (*CONTENT, *STATUS), ("fact_id",)),
        Table("fact_changes", CHANGE, ("fact_id", "pos")),
    )

    def definition(self, schema: str) -> str:
        """Write the statements that make its tables."""
        return DEFINITION.format(schema=schema)

    def batch(self, schema: str) -> Batch:
        """Begin a batch."""
        return FactsBatch(schema)
