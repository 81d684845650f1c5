"""The rows of the Postgres projections as an auditor folds them from events: one row by its table and key."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from domain.did import identity
from domain.facts import fact, mark, signer, webhook
from processors.audit_identity_rows import IdentityRows
from processors.audit_ledger_rows import LedgerRows
from processors.audit_publishing_rows import PublishingRows
from processors.audit_record_rows import RecordRows
from processors.audit_row_keys import row_key
from processors.audit_rows import Change, Get, RowRules

Place = tuple[int, int]


UNSIGNED: Final[Mapping[str, Any]] = {"alg": None, "key_id": None, "signature": None}


def _row(table: str, **columns: Any) -> Change:
    return row_key(table, columns), columns


class FactRows(RowRules):
    """The facts projection: what was said, its status, and every later change."""

    def change(self, get: Get, event: Any, place: Place, at: int) -> Iterable[Change]:
        """Give the rows that a fact's event changes."""
        part, pos = place
        match event:
            case fact.FactIssued():
                yield _row(
                    "facts",
                    **{name: getattr(event, name) for name in ("fact_id", "kind", "issuer_did", "body", "body_hash")},
                    **{
                        name: getattr(event, name) for name in ("alg", "key_id", "signature", "issued_at", "expires_at")
                    },
                    origin=event.subject.origin,
                    type=event.subject.type,
                    ref=event.subject.ref,
                    digest=event.subject.digest,
                    part=part,
                    pos=pos,
                    at=at,
                    status="active",
                    changed_pos=pos,
                    changed_at=at,
                    change=None,
                    reason=None,
                    compromised_by=None,
                    marked_pos=None,
                    marked_at=None,
                )
            case fact.FactRevoked():
                signed = {"alg": event.alg, "key_id": event.key_id, "signature": event.signature}
                change = ("revoked", "revoked")
                yield from self._changed(get, event, place, at, change, event.issuer_did, event.reason, signed)
            case fact.FactExpired():
                yield from self._changed(get, event, place, at, ("expired", "expired"), None, None)
            case fact.FactQuarantined():
                change = ("quarantined", "quarantined")
                yield from self._changed(get, event, place, at, change, event.quarantined_by, event.reason)
            case fact.FactReleased():
                yield from self._changed(get, event, place, at, ("released", "active"), event.released_by, None)
            case mark.FactKeyCompromised(fact_id, status, compromised_by):
                yield from self._marked(get, fact_id, place, at, ("key_compromised", status), compromised_by, None)
            case mark.FactKeyCleared(fact_id, status, cleared_by):
                yield from self._marked(get, fact_id, place, at, ("key_cleared", status), None, cleared_by)

    def _marked(  # noqa: PLR0917  # the columns of a mark, in their order
        self,
        get: Get,
        fact_id: str,
        place: Place,
        at: int,
        change: tuple[str, str],
        compromised_by: str | None,
        reason: str | None,
    ) -> Iterable[Change]:
        part, pos = place
        marked = {"compromised_by": compromised_by, "marked_pos": pos, "marked_at": at}
        yield f"facts/{fact_id}", {**(get(f"facts/{fact_id}") or {}), **marked}
        yield _row(
            "fact_changes",
            fact_id=fact_id,
            part=part,
            pos=pos,
            at=at,
            change=change[0],
            status=change[1],
            actor=None,
            reason=reason,
            compromised_by=compromised_by,
            **UNSIGNED,
        )

    def _changed(  # noqa: PLR0917  # the columns of a change, in their order
        self,
        get: Get,
        event: Any,
        place: Place,
        at: int,
        change: tuple[str, str],
        actor: str | None,
        reason: str | None,
        signed: Mapping[str, Any] | None = None,
    ) -> Iterable[Change]:
        fact_id: str = event.fact_id
        part, pos = place
        name, status = change
        known = get(f"facts/{fact_id}") or {}
        after = {"status": status, "changed_pos": pos, "changed_at": at, "change": name, "reason": reason}
        yield f"facts/{fact_id}", {**known, **after}
        signed = signed or UNSIGNED
        yield _row(
            "fact_changes",
            fact_id=fact_id,
            part=part,
            pos=pos,
            at=at,
            change=name,
            status=status,
            actor=actor,
            reason=reason,
            compromised_by=event.compromised_by,
            **signed,
        )


LATEST: Final = "\x02latest/"


class SignerRows(RowRules):
    """The signers projection: each signer as it was after each of its events."""

    def change(self, get: Get, event: Any, place: Place, at: int) -> Iterable[Change]:
        """Give the row of a signer's event."""
        if not isinstance(event, signer.SignerAdded | signer.SignerRolesSet | signer.SignerRevoked):
            return
        name = identity(event.did)
        before = get(LATEST + name) or {}
        match event:
            case signer.SignerAdded(did, roles, added_by):
                now = {"did": did, "roles": " ".join(roles), "added_by": added_by, "added_at": at, "revoked_at": None}
            case signer.SignerRolesSet(roles=roles):
                now = {**before, "roles": " ".join(roles)}
            case signer.SignerRevoked():
                now = {**before, "revoked_at": at}
        yield LATEST + name, now
        yield _row("signers", identity=name, part=place[0], pos=place[1], at=at, **now)


class WebhookRows(RowRules):
    """The webhooks projection: endpoints, and what became of each delivery."""

    def change(self, get: Get, event: Any, place: Place, at: int) -> Iterable[Change]:
        """Give the row that an endpoint's event changes."""
        part, pos = place
        match event:
            case webhook.WebhookRegistered():
                yield _row(
                    "webhooks",
                    webhook_id=event.webhook_id,
                    part=part,
                    pos=pos,
                    at=at,
                    url=event.url,
                    kinds=" ".join(event.kinds),
                    registered_by=event.registered_by,
                    status="active",
                    status_reason=None,
                    status_pos=pos,
                    status_at=at,
                    sealed_secret=event.sealed_secret.hex(),
                    previous_secret=None,
                    overlap_until=None,
                )
            case webhook.WebhookSecretRotated():
                key = f"webhooks/{event.webhook_id}"
                known = get(key) or {}
                secret, old = event.sealed_secret.hex(), known.get("sealed_secret")
                rotated = {"sealed_secret": secret, "previous_secret": old, "overlap_until": event.overlap_until}
                yield key, {**known, **rotated}
            case webhook.WebhookDeleted() | webhook.WebhookDisabled():
                key = f"webhooks/{event.webhook_id}"
                status = "deleted" if isinstance(event, webhook.WebhookDeleted) else "disabled"
                after = {"status": status, "status_reason": getattr(event, "reason", None)}
                yield key, {**(get(key) or {}), **after, "status_pos": pos, "status_at": at}
            case webhook.DeliveryScheduled() | webhook.DeliveryAttempted():
                yield from self._delivery(get, event, place, at)

    def _delivery(self, get: Get, event: Any, place: Place, at: int) -> Iterable[Change]:
        part, pos = place
        key = f"deliveries/{event.webhook_id}/{event.sequence}"
        if isinstance(event, webhook.DeliveryScheduled):
            parked = (get(f"webhooks/{event.webhook_id}") or {}).get("status") == "disabled"
            yield _row(
                "deliveries",
                webhook_id=event.webhook_id,
                sequence=event.sequence,
                part=part,
                pos=pos,
                at=at,
                about=event.about,
                replay=event.replay,
                body=event.body,
                status="parked" if parked else "pending",
                attempts=0,
                attempted_pos=None,
                attempted_at=None,
                answer=None,
                detail=None,
                retry_at=None,
            )
            return
        after = {"status": event.outcome, "attempts": event.attempt, "attempted_pos": pos, "attempted_at": at}
        said = {"answer": event.status, "detail": event.detail, "retry_at": event.retry_at}
        yield key, {**(get(key) or {}), **after, **said}


RULES: Final[Mapping[str, RowRules]] = {
    "facts": FactRows(),
    "signers": SignerRows(),
    "webhooks": WebhookRows(),
    "identity": IdentityRows(),
    "ledger": LedgerRows(),
    "records": RecordRows(),
    "publishing": PublishingRows(),
}
"""The Postgres projections by their name."""
