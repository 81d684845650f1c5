"""A fact is active, quarantined, revoked or expired; one issuer's facts are decided in one order.

One whose key was compromised (``mark``) counts no more, whatever its status: ``compromised_by`` says by which event.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.did import identity
from domain.facts.kinds import KINDS
from domain.facts.signer import signer

ISSUED_AT_TOLERANCE_MS = 5 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Subject:
    """What a fact is about; two subjects are the same when all four members are."""

    origin: str
    type: str
    ref: str
    digest: str | None


@dataclass(frozen=True, slots=True)
class FactIssued:
    """An issuer said this of a subject, and signed it. ``body`` is RFC 8785 text; times in ms."""

    fact_id: str
    kind: str
    subject: Subject
    issuer_did: str
    body: str
    body_hash: str
    alg: str
    key_id: str | None
    signature: str
    issued_at: int
    expires_at: int | None
    unique_by: str


@dataclass(frozen=True, slots=True)
class FactRevoked:
    """Its issuer took a fact back, and signed that."""

    fact_id: str
    issuer_did: str
    reason: str | None
    alg: str
    key_id: str | None
    signature: str
    compromised_by: str | None = None


@dataclass(frozen=True, slots=True)
class FactExpired:
    """The log's time passed a fact's ``expires_at``."""

    fact_id: str
    compromised_by: str | None = None


@dataclass(frozen=True, slots=True)
class FactQuarantined:
    """An admin set a fact aside."""

    fact_id: str
    reason: str
    quarantined_by: str
    compromised_by: str | None = None


@dataclass(frozen=True, slots=True)
class FactReleased:
    """An admin let a quarantined fact count again."""

    fact_id: str
    released_by: str
    compromised_by: str | None = None


StatusEvent = FactRevoked | FactExpired | FactQuarantined | FactReleased
FactEvent = FactIssued | StatusEvent


class Fact(NamedTuple):
    """A fact's entry in the state; ``unique`` is the key of its claim to be the only active one.

    A fact whose key was compromised keeps that claim, as a quarantined one does: its issuer takes it back first.
    """

    issuer_did: str
    kind: str
    status: str
    unique: str
    expires_at: int | None
    compromised_by: str | None = None


def fact_key(fact_id: str) -> str:
    """Give the key of a fact's entry."""
    return f"fact/{fact_id}"


def unique_key(issuer_did: str, kind: str, subject: Subject, unique_by: str) -> str:
    """Give the key under which at most one active fact lies; no part holds the separator, a control character."""
    parts = (identity(issuer_did), kind, subject.origin, subject.type, subject.ref, subject.digest or "", unique_by)
    return "active/" + "\x1f".join(parts)


def fact(state: State, fact_id: str) -> Fact | None:
    """Find a fact, whatever its status."""
    entry = state.get(fact_key(fact_id))
    return None if entry is None else Fact(*entry)


def evolve(state: State, event: FactEvent, _at: int) -> Iterable[Change]:
    """Fold one event of a fact."""
    key = fact_key(event.fact_id)
    if isinstance(event, FactIssued):
        unique = unique_key(event.issuer_did, event.kind, event.subject, event.unique_by)
        yield key, Fact(event.issuer_did, event.kind, "active", unique, event.expires_at)
        yield unique, (event.fact_id,)
        return
    known = Fact(*state[key])
    match event:
        case FactRevoked():
            status, holds = "revoked", False
        case FactExpired():
            status, holds = "expired", False
        case FactQuarantined():
            status, holds = "quarantined", True
        case FactReleased():
            status, holds = "active", True
    yield key, known._replace(status=status)
    if not holds:
        yield known.unique, None


@dataclass(frozen=True, slots=True)
class IssueFact:
    """Say this of a subject; the signature was checked against the signed bytes before the log."""

    fact_id: str
    kind: str
    subject: Subject
    issuer_did: str
    body: str
    body_hash: str
    alg: str
    key_id: str | None
    signature: str
    issued_at: int
    expires_at: int | None
    unique_by: str


@dataclass(frozen=True, slots=True)
class RevokeFact:
    """Take a fact back."""

    fact_id: str
    issuer_did: str
    reason: str | None
    alg: str
    key_id: str | None
    signature: str


@dataclass(frozen=True, slots=True)
class ExpireFact:
    """Let a fact end whose time is over."""

    fact_id: str


@dataclass(frozen=True, slots=True)
class QuarantineFact:
    """Set a fact aside; ``authority`` as in AddSigner."""

    fact_id: str
    reason: str
    authority: str


@dataclass(frozen=True, slots=True)
class ReleaseFact:
    """Let a quarantined fact count again; ``authority`` as in AddSigner."""

    fact_id: str
    authority: str


FactChange = RevokeFact | ExpireFact | QuarantineFact | ReleaseFact
FactCommand = IssueFact | FactChange


class FactRefusal(StrEnum):
    """Why a fact stays as it is, in order of precedence."""

    INVALID_REQUEST = "invalid_request"
    REPEATED = "repeated"
    NOT_FOUND = "not_found"
    NOT_THE_ISSUER = "not_the_issuer"
    SIGNER_NOT_AUTHORIZED = "signer_not_authorized"
    NOT_ACTIVE = "not_active"
    NOT_QUARANTINED = "not_quarantined"
    NOT_EXPIRED = "not_expired"
    ALREADY_ACTIVE = "already_active"


def may_issue(state: State, did: str, kind: str) -> bool:
    """Tell whether a DID is a signer, not revoked, with a role that the kind asks for."""
    known = signer(state, did)
    return known is not None and known.revoked_at is None and not set(known.roles).isdisjoint(KINDS[kind].roles)


def decide_issue(state: State, command: IssueFact, around: Circumstances) -> Sequence[FactEvent] | Refusal:
    """Rule on a new fact."""
    if command.kind not in KINDS:
        return Refusal(FactRefusal.INVALID_REQUEST, {"pointer": "/kind", "detail": "this kind is not in the table"})
    if fact(state, command.fact_id) is not None:
        return Refusal(FactRefusal.REPEATED, {"fact_id": command.fact_id})
    if not may_issue(state, command.issuer_did, command.kind):
        return Refusal(FactRefusal.SIGNER_NOT_AUTHORIZED, {"roles": " or ".join(KINDS[command.kind].roles)})
    if command.issued_at > around.now + ISSUED_AT_TOLERANCE_MS:
        detail = "issued_at is more than 5 minutes ahead of the log's time"
        return Refusal(FactRefusal.INVALID_REQUEST, {"pointer": "/body/issued_at", "detail": detail})
    unique = unique_key(command.issuer_did, command.kind, command.subject, command.unique_by)
    holder = state.get(unique)
    if holder is not None:
        return Refusal(FactRefusal.ALREADY_ACTIVE, {"fact_id": str(holder[0])})

    return [
        FactIssued(
            command.fact_id,
            command.kind,
            command.subject,
            command.issuer_did,
            command.body,
            command.body_hash,
            command.alg,
            command.key_id,
            command.signature,
            command.issued_at,
            command.expires_at,
            command.unique_by,
        )
    ]


def decide_change(state: State, command: FactChange, around: Circumstances) -> Sequence[FactEvent] | Refusal:
    """Rule on a change of a fact's status."""
    known = fact(state, command.fact_id)
    if known is None:
        return Refusal(FactRefusal.NOT_FOUND, {"fact_id": command.fact_id})
    not_active = Refusal(FactRefusal.NOT_ACTIVE, {"fact_id": command.fact_id, "fact_status": known.status})
    match command:
        case RevokeFact(fact_id, issuer_did, reason, alg, key_id, signature):
            if identity(issuer_did) != identity(known.issuer_did):
                return Refusal(FactRefusal.NOT_THE_ISSUER, {"fact_id": fact_id})
            if not may_issue(state, issuer_did, known.kind):
                return Refusal(FactRefusal.SIGNER_NOT_AUTHORIZED, {"roles": " or ".join(KINDS[known.kind].roles)})
            if known.status != "active":
                return not_active

            return [FactRevoked(fact_id, issuer_did, reason, alg, key_id, signature, known.compromised_by)]
        case QuarantineFact(fact_id, reason, _):
            if known.status != "active":
                return not_active

            return [FactQuarantined(fact_id, reason, around.actor, known.compromised_by)]
        case ReleaseFact(fact_id, _):
            if known.status != "quarantined":
                return Refusal(FactRefusal.NOT_QUARANTINED, {"fact_id": fact_id, "fact_status": known.status})

            return [FactReleased(fact_id, around.actor, known.compromised_by)]
        case ExpireFact(fact_id):
            if known.status not in ("active", "quarantined"):
                return not_active
            if known.expires_at is None or known.expires_at > around.now:
                return Refusal(FactRefusal.NOT_EXPIRED, {"fact_id": fact_id})

            return [FactExpired(fact_id, known.compromised_by)]


def decide(state: State, command: FactCommand, around: Circumstances) -> Sequence[FactEvent] | Refusal:
    """Rule on a command about a fact."""
    if isinstance(command, IssueFact):
        return decide_issue(state, command, around)
    return decide_change(state, command, around)


FACT = Decider(initial={}, decide=decide, evolve=evolve)
