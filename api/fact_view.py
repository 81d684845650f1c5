"""A fact as every answer shows it, in reads, writes, feeds and webhooks alike."""

from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from api.times import rfc3339
from api.wiring import CONTEXT
from domain.facts.fact import Fact, fact_key
from domain.json_value import JsonObject
from log import strict_json
from log.fold import Entries
from log.token import token_at
from projections.issued import Issued, Standing, issued, standing


class SubjectView(BaseModel):
    """What a fact is about."""

    origin: str
    type: str
    ref: str
    digest: str | None = None


class FactView(BaseModel):
    """A signed statement of an issuer about a subject, with what became of it."""

    model_config = ConfigDict(title="Fact")

    id: str
    kind: str
    subject: SubjectView
    issuer_did: str
    body: dict[str, Any]
    body_hash: str
    alg: str
    key_id: str | None = None
    signature: str
    status: str
    status_reason: str | None = None
    key_compromised: Literal[True] | None = None
    key_compromised_by: str | None = None
    issued_at: str
    expires_at: str | None = None
    created_at: str
    position: str


def status_reason(against: Standing) -> str:
    """Say why a fact is not active, and name the event that caused it by its position."""
    return f"{against.event} {against.context}/{against.partition}/{against.offset}: {against.reason}"


class Status(NamedTuple):
    """What became of a fact: its status by name.

    ``reason`` is a text as ``status_reason`` gives it, for anything but ``active``; ``compromised_by`` names the event
    of identity by which the key that signed it was in other hands.
    """

    name: str
    reason: str | None = None
    compromised_by: str | None = None


def fact_view(fact_id: str, fact: Issued, status: Status, context: str = CONTEXT) -> JsonObject:
    """Show a fact; members that it doesn't have are absent."""
    subject: JsonObject = {"origin": fact.origin, "type": fact.type, "ref": fact.ref}
    if fact.digest is not None:
        subject["digest"] = fact.digest
    view: JsonObject = {
        "id": fact_id,
        "kind": fact.kind,
        "subject": subject,
        "issuer_did": fact.issuer_did,
        "body": strict_json.parse_own(fact.body),
        "body_hash": fact.body_hash,
        "alg": fact.alg,
    }
    if fact.key_id is not None:
        view["key_id"] = fact.key_id
    view["signature"] = fact.signature
    view["status"] = status.name
    if status.reason is not None:
        view["status_reason"] = status.reason
    if status.compromised_by is not None:
        view["key_compromised"] = True
        view["key_compromised_by"] = status.compromised_by
    view["issued_at"] = rfc3339(fact.issued_at)
    if fact.expires_at is not None:
        view["expires_at"] = rfc3339(fact.expires_at)
    view["created_at"] = rfc3339(fact.at)
    view["position"] = token_at(context, fact.partition, fact.offset)
    return view


def fact_as_it_is(entries: Entries, fact_id: str) -> "JsonObject | None":
    """Show a fact as the key-value store has it now, in any status; nothing where it has none of this id."""
    shown, known = issued(entries, fact_id), entries.get(fact_key(fact_id))
    if shown is None or known is None:
        return None
    against, stored = standing(entries, fact_id), Fact(*known)
    reason = None if against is None else status_reason(against)
    return fact_view(fact_id, shown, Status(stored.status, reason, stored.compromised_by))
