"""The auditor's own fold: what each event may do to what is, written from the specification and not from the deciders.

Its entries have the shape that the deciders read, so that the same state answers both questions: may this have
happened, and would the rules decide it so.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from domain.decider import Change, Entry
from domain.did import identity
from domain.facts import fact, mark, playlist, signer, webhook
from domain.facts.kinds import KINDS
from log.fold import Entries
from processors.audit_names import Fault

REGISTERED: Final = "did:mun:"
Statuses = Sequence[str]
MAY_BECOME: Final[Mapping[type, tuple[Statuses, str]]] = {
    fact.FactRevoked: (("active",), "revoked"),
    fact.FactExpired: (("active", "quarantined"), "expired"),
    fact.FactQuarantined: (("active",), "quarantined"),
    fact.FactReleased: (("quarantined",), "active"),
}
"""From which statuses an event leads to which."""
HOLDS: Final = ("active", "quarantined")
"""While a fact is one of these, no other may be active in its place."""
WRITES_ALLOWED: Final = ("admin",)
PUBLISHERS: Final = ("admin", "publisher")


def _fail(rule: str, detail: str) -> Fault:
    return Fault(rule, detail)


def changes(state: Entries, event: Any, command: Any, actor: str, at: int) -> Iterator[Change]:
    """Check an event against what is and give what it changes. Raises Fault."""
    match event:
        case fact.FactIssued():
            yield from _issued(state, event, at)
        case fact.FactRevoked() | fact.FactExpired() | fact.FactQuarantined() | fact.FactReleased():
            yield from _changed(state, event, actor, at)
        case mark.FactKeyCompromised() | mark.FactKeyCleared():
            yield from _marked(state, event, command)
        case signer.SignerAdded() | signer.SignerRolesSet() | signer.SignerRevoked():
            yield from _signer(state, event, command, actor, at)
        case playlist.PlaylistPosted(playlist_id, posted_by=posted_by):
            known = state.get(f"playlist/{playlist_id}")
            if posted_by != actor or (known is not None and known[0] != actor):
                raise _fail("publisher", f"playlist {playlist_id} is another publisher's")
            yield f"playlist/{playlist_id}", (actor, at)
        case _:
            yield from _webhook(state, event)


def _issued(state: Entries, event: fact.FactIssued, at: int) -> Iterator[Change]:
    kind = KINDS.get(event.kind)
    if kind is None:
        raise _fail("kind", f"{event.kind} is no kind of fact")
    _require_role(state, event.issuer_did, kind.roles, event.kind)
    if state.get(f"fact/{event.fact_id}") is not None:
        raise _fail("uniqueness", f"{event.fact_id} was issued before")
    subject = event.subject
    unique = "active/" + "\x1f".join(
        (
            identity(event.issuer_did),
            event.kind,
            subject.origin,
            subject.type,
            subject.ref,
            subject.digest or "",
            event.unique_by,
        )
    )
    holder = state.get(unique)
    if holder is not None:
        raise _fail("uniqueness", f"{holder[0]} is active already where {event.fact_id} was issued")
    if event.issued_at > at + fact.ISSUED_AT_TOLERANCE_MS:
        raise _fail("issued_at", "the fact was issued ahead of the log's time")
    yield f"fact/{event.fact_id}", (event.issuer_did, event.kind, "active", unique, event.expires_at, None)
    if event.issuer_did.startswith(REGISTERED):
        yield signed_key(event.fact_id), (event.issuer_did, event.key_id, at)
    yield unique, (event.fact_id,)


def _changed(state: Entries, event: Any, actor: str, at: int) -> Iterator[Change]:
    entry = state.get(f"fact/{event.fact_id}")
    if entry is None:
        raise _fail("status", f"{event.fact_id} changed and was never issued")
    issuer, kind, status, unique, expires_at, compromised_by = entry
    before, after = MAY_BECOME[type(event)]
    if status not in before:
        raise _fail("status", f"{event.fact_id} is {status} and can't become {after}")
    match event:
        case fact.FactRevoked():
            if identity(event.issuer_did) != identity(issuer):
                raise _fail("issuer", f"{event.fact_id} was revoked by another than its issuer")
            _require_role(state, event.issuer_did, KINDS[kind].roles, kind)
        case fact.FactExpired():
            if expires_at is None or expires_at > at:
                raise _fail("expiry", f"{event.fact_id} expired before its time")
        case fact.FactQuarantined(quarantined_by=by) | fact.FactReleased(released_by=by):
            if by != actor:
                raise _fail("actor", f"{event.fact_id}: the event names another than the actor")
    if event.compromised_by != compromised_by:
        raise _fail("key", f"{event.fact_id} is marked by {compromised_by}, and the event says {event.compromised_by}")
    yield f"fact/{event.fact_id}", (issuer, kind, after, unique, expires_at, compromised_by)
    if after not in HOLDS:
        yield unique, None


def signed_key(fact_id: str) -> str:
    """Give the key of who signed a fact of a registered DID: (DID, key id, the log's time in ms)."""
    return f"own/signed/{fact_id}"


def _marked(state: Entries, event: Any, command: Any) -> Iterator[Change]:
    """Check what is said of a fact's key but for whether it is true, which identity knows."""
    entry = state.get(f"fact/{event.fact_id}")
    if entry is None or state.get(signed_key(event.fact_id)) is None:
        raise _fail("key", f"{event.fact_id} was signed by no key of a registered DID")
    *others, compromised_by = entry
    marks = isinstance(event, mark.FactKeyCompromised)
    said = ("compromised_by", "cleared_by")[not marks]
    if (compromised_by is None) != marks:
        raise _fail(
            "key", f"{event.fact_id} is marked by {compromised_by}, and is to be {'marked' if marks else 'cleared'}"
        )
    if event.status != entry[2] or getattr(event, said) != getattr(command, said, None):
        raise _fail("key", f"what is said of the key of {event.fact_id} isn't what was asked")
    yield f"fact/{event.fact_id}", (*others, getattr(event, said) if marks else None)


def _require_role(state: Entries, did: str, roles: Sequence[str], kind: str) -> None:
    entry = state.get(f"signer/{identity(did)}")
    if entry is None or entry[3] is not None or not any(role in entry[0] for role in roles):
        raise _fail("role", f"{did} had no role that may issue or revoke {kind}")


def _signer(state: Entries, event: Any, command: Any, actor: str, at: int) -> Iterator[Change]:
    key = f"signer/{identity(event.did)}"
    known = state.get(key)
    active = known is not None and known[3] is None
    if event.authority != command.authority:
        raise _fail("authority", "the event cites another authority than its command")
    match event:
        case signer.SignerAdded(did, roles, added_by, _, reinstated):
            if active or reinstated != (known is not None):
                raise _fail("signer", f"{did} was added and was a signer before")
            by = added_by
            yield key, (roles, added_by, at, None)
        case signer.SignerRolesSet(did, roles, by, _):
            if known is None or not active:
                raise _fail("signer", f"{did} got other roles and is no signer")
            yield key, (roles, known[1], known[2], None)
        case signer.SignerRevoked(did, by, _):
            if known is None or not active:
                raise _fail("signer", f"{did} was revoked and is no signer")
            yield key, (known[0], known[1], known[2], at)
    if by != actor:
        raise _fail("actor", f"{event.did}: the event names another than the actor")


def _webhook(state: Entries, event: Any) -> Iterator[Change]:
    key = f"webhook/{event.webhook_id}"
    entry = state.get(key)
    if isinstance(event, webhook.WebhookRegistered):
        if entry is not None:
            raise _fail("webhook", f"{event.webhook_id} was registered before")
        yield key, ("active", 0)
        return
    if entry is None or entry[0] == "deleted":
        raise _fail("webhook", f"{event.webhook_id} is no webhook")
    status, sequence = entry
    match event:
        case webhook.WebhookDeleted():
            yield key, ("deleted", sequence)
        case webhook.WebhookDisabled():
            if status != "active":
                raise _fail("webhook", f"{event.webhook_id} was disabled and is {status}")
            yield key, ("disabled", sequence)
        case webhook.DeliveryScheduled():
            if event.sequence != sequence + 1:
                raise _fail("sequence", f"delivery {event.sequence} of {event.webhook_id} follows {sequence}")
            yield key, (status, event.sequence)
            yield f"delivery/{event.webhook_id}/{event.sequence}", (0, status == "disabled")
        case webhook.DeliveryAttempted():
            yield from _attempted(state, event)


def _attempted(state: Entries, event: webhook.DeliveryAttempted) -> Iterator[Change]:
    key = f"delivery/{event.webhook_id}/{event.sequence}"
    due = state.get(key)
    if due is None or event.attempt <= due[0]:
        raise _fail("delivery", f"delivery {event.sequence} of {event.webhook_id} was tried and wasn't due")
    delivered: Entry | None = (event.attempt, event.outcome == "parked")
    yield key, None if event.outcome == "delivered" else delivered


def roles_after(event: Any) -> tuple[str, ...] | None:
    """Give the roles that a signer's event leaves it with; nothing for another event."""
    match event:
        case signer.SignerAdded(roles=roles) | signer.SignerRolesSet(roles=roles):
            return tuple(roles)
        case signer.SignerRevoked():
            return ()
    return None


def authority_needed(command: Any) -> Sequence[str]:
    """Name the roles of which the actor of a command must have had one; none where its issuer's signature decides."""
    if isinstance(command, playlist.PostPlaylist):
        return PUBLISHERS
    return WRITES_ALLOWED if hasattr(command, "authority") else ()
