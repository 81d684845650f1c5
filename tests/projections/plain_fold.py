"""What the tables must hold: the log folded in plain Python, sharing no code with the projector."""

import hashlib
from typing import Any

from domain.facts import fact, mark, signer, webhook
from log import released, topic
from log.memory import MemoryLog

Tables = dict[str, dict[Any, dict[str, Any]]]
BECOMES = {
    fact.FactRevoked: ("revoked", "revoked"),
    fact.FactExpired: ("expired", "expired"),
    fact.FactQuarantined: ("quarantined", "quarantined"),
    fact.FactReleased: ("released", "active"),
}


def counted(log: MemoryLog, below: dict[int, int] | None = None) -> list[tuple[int, int, Any]]:
    """Give the decisions that count, partition by partition, as (partition, offset, decision)."""
    name, found = topic.events("facts"), []
    partitions = len(log._topics[name])
    for partition in range(partitions):
        chain = hashlib.sha256(f"muniment:{name}:{partition}".encode()).digest()
        for message in log.messages(name, partition):
            if below is not None and message.offset >= below.get(partition, 0):
                break
            if message.value[10:42] == chain:
                chain = hashlib.sha256(message.value).digest()
                found.append((partition, message.offset, released.codec("facts", "decision").decode(message.value)))
    return found


def folded(log: MemoryLog, below: dict[int, int] | None = None) -> Tables:
    """Fold the log, up to the offsets ``below`` where they are given."""
    tables: Tables = {"facts": {}, "fact_changes": {}, "signers": {}, "webhooks": {}, "deliveries": {}}
    signers: dict[str, dict[str, Any]] = {}
    for part, pos, decision in counted(log, below):
        for event in (happening.payload for happening in decision.events):
            where = {"part": part, "pos": pos, "at": decision.at}
            if isinstance(event, fact.FactIssued):
                tables["facts"][event.fact_id,] = issued(event, where)
            elif type(event) in BECOMES:
                changed(tables, event, where)
            elif isinstance(event, mark.FactKeyCompromised | mark.FactKeyCleared):
                marked(tables, event, where)
            elif isinstance(event, signer.SignerAdded | signer.SignerRolesSet | signer.SignerRevoked):
                name = event.did.lower() if event.did.startswith("did:pkh:") else event.did
                known = signers.get(name, {})
                if isinstance(event, signer.SignerAdded):
                    known = {"did": event.did, "added_by": event.added_by, "added_at": decision.at, "revoked_at": None}
                if isinstance(event, signer.SignerRevoked):
                    known = known | {"revoked_at": decision.at}
                else:
                    known = known | {"roles": " ".join(event.roles)}
                signers[name] = known
                tables["signers"][name, pos] = {"identity": name, **where, **known}
            else:
                endpoint(tables, event, where)
    return tables


def issued(event: fact.FactIssued, where: dict[str, int]) -> dict[str, Any]:
    """Give the row of a new fact."""
    plain = {name: getattr(event, name) for name in fact.FactIssued.__slots__ if name not in ("subject", "unique_by")}
    about = {name: getattr(event.subject, name) for name in ("origin", "type", "ref", "digest")}
    status = {"status": "active", "changed_pos": where["pos"], "changed_at": where["at"]}
    unmarked = {"compromised_by": None, "marked_pos": None, "marked_at": None}
    return plain | about | where | status | unmarked | {"change": None, "reason": None}


def changed(tables: Tables, event: Any, where: dict[str, int]) -> None:
    """Fold a change of a fact's status."""
    change, status = BECOMES[type(event)]
    reason = getattr(event, "reason", None)
    actor = next(
        (getattr(event, n) for n in ("issuer_did", "quarantined_by", "released_by") if hasattr(event, n)), None
    )
    signed = {name: getattr(event, name, None) for name in ("alg", "key_id", "signature")}
    key = event.fact_id, where["pos"]
    row = {"fact_id": event.fact_id, **where, "change": change, "status": status, "actor": actor, "reason": reason}
    tables["fact_changes"][key] = row | signed | {"compromised_by": tables["facts"][event.fact_id,]["compromised_by"]}
    tables["facts"][event.fact_id,] |= {
        "status": status, "changed_pos": where["pos"], "changed_at": where["at"], "change": change, "reason": reason,
    }  # fmt: skip


def marked(tables: Tables, event: Any, where: dict[str, int]) -> None:
    """Fold what is said of a fact's key."""
    marks = isinstance(event, mark.FactKeyCompromised)
    said_by = event.compromised_by if marks else None
    known = tables["facts"][event.fact_id,]
    known |= {"compromised_by": said_by, "marked_pos": where["pos"], "marked_at": where["at"]}
    tables["fact_changes"][event.fact_id, where["pos"]] = {
        "fact_id": event.fact_id, **where, "change": "key_compromised" if marks else "key_cleared",
        "status": known["status"], "actor": None, "reason": None if marks else event.cleared_by,
        "alg": None, "key_id": None, "signature": None, "compromised_by": said_by,
    }  # fmt: skip


def endpoint(tables: Tables, event: Any, where: dict[str, int]) -> None:
    """Fold an event of an endpoint."""
    hooks, deliveries, key = tables["webhooks"], tables["deliveries"], (event.webhook_id,)
    now = {"status_pos": where["pos"], "status_at": where["at"]}
    match event:
        case webhook.WebhookRegistered():
            hooks[key] = {
                "webhook_id": event.webhook_id, **where, "url": event.url, "kinds": " ".join(event.kinds),
                "registered_by": event.registered_by, "status": "active", "status_reason": None, **now,
                "sealed_secret": event.sealed_secret.hex(), "previous_secret": None, "overlap_until": None,
            }  # fmt: skip
        case webhook.WebhookSecretRotated():
            old = hooks[key]["sealed_secret"]
            secrets = {"sealed_secret": event.sealed_secret.hex(), "previous_secret": old}
            hooks[key] |= secrets | {"overlap_until": event.overlap_until}
        case webhook.WebhookDeleted():
            hooks[key] |= {"status": "deleted", "status_reason": None, **now}
        case webhook.WebhookDisabled():
            hooks[key] |= {"status": "disabled", "status_reason": event.reason, **now}
        case webhook.DeliveryScheduled():
            status = "parked" if hooks[key]["status"] == "disabled" else "pending"
            deliveries[event.webhook_id, event.sequence] = {
                "webhook_id": event.webhook_id, "sequence": event.sequence, **where, "about": event.about,
                "replay": event.replay, "body": event.body, "status": status, "attempts": 0, "attempted_pos": None,
                "attempted_at": None, "answer": None, "detail": None, "retry_at": None,
            }  # fmt: skip
        case webhook.DeliveryAttempted():
            deliveries[event.webhook_id, event.sequence] |= {
                "status": event.outcome, "attempts": event.attempt, "attempted_pos": where["pos"],
                "attempted_at": where["at"], "answer": event.status, "detail": event.detail,
                "retry_at": event.retry_at,
            }  # fmt: skip
