"""Facts as they were issued and what stands against them, in the key-value store: a fact is shown without Postgres."""

from collections.abc import Iterable
from typing import NamedTuple

from domain.decider import Change, Entry
from domain.facts.fact import FactExpired, FactIssued, FactQuarantined, FactReleased, FactRevoked, StatusEvent
from log.fold import Entries
from log.following import Decided


class Issued(NamedTuple):
    """A fact as its issuing decision has it; ``body`` is RFC 8785 text, times in ms, ``at`` the log's."""

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
    at: int
    partition: int
    offset: int


class Standing(NamedTuple):
    """The last event of a fact that isn't active, and where it lies."""

    event: str
    reason: str
    context: str
    partition: int
    offset: int


def issued_key(fact_id: str) -> str:
    """Give the key of a fact as it was issued."""
    return f"issued/{fact_id}"


def standing_key(fact_id: str) -> str:
    """Give the key of what stands against a fact."""
    return f"standing/{fact_id}"


def issued(entries: Entries, fact_id: str) -> Issued | None:
    """Find a fact as it was issued."""
    entry: Entry | None = entries.get(issued_key(fact_id))
    return None if entry is None else Issued(*entry)


def standing(entries: Entries, fact_id: str) -> Standing | None:
    """Find what stands against a fact; nothing while it is active."""
    entry: Entry | None = entries.get(standing_key(fact_id))
    return None if entry is None else Standing(*entry)


def as_issued(event: FactIssued, at: int, partition: int, offset: int) -> Issued:
    """Give a fact's entry from the event of its issuing decision."""
    subject = event.subject
    return Issued(
        event.kind,
        subject.origin,
        subject.type,
        subject.ref,
        subject.digest,
        event.issuer_did,
        event.body,
        event.body_hash,
        event.alg,
        event.key_id,
        event.signature,
        event.issued_at,
        event.expires_at,
        at,
        partition,
        offset,
    )


def as_standing(event: StatusEvent, context: str, partition: int, offset: int) -> Standing | None:
    """Give what an event makes stand against its fact."""
    match event:
        case FactRevoked():
            return Standing("FactRevoked", event.reason or "its issuer revoked it", context, partition, offset)
        case FactExpired():
            return Standing("FactExpired", "its expires_at passed", context, partition, offset)
        case FactQuarantined():
            return Standing("FactQuarantined", event.reason, context, partition, offset)
        case FactReleased():
            return None


def write_issued(_before: Entries, decided: Decided) -> Iterable[Change]:
    """Give the changes that a decision makes to the facts as they are shown; a writer of the mirror."""
    for event in decided.payloads:
        if isinstance(event, FactIssued):
            entry = as_issued(event, decided.decision.at, decided.partition, decided.offset)
            yield issued_key(event.fact_id), entry
        elif isinstance(event, FactRevoked | FactExpired | FactQuarantined | FactReleased):
            yield standing_key(event.fact_id), as_standing(event, decided.context, decided.partition, decided.offset)
