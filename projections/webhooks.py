"""The webhooks projection: endpoints, and one row for each delivery that is due or was."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from domain.facts.webhook import (
    DeliveryAttempted,
    DeliveryScheduled,
    WebhookDeleted,
    WebhookDisabled,
    WebhookRegistered,
    WebhookReplayed,
    WebhookSecretRotated,
)
from log.following import Decided
from projections.generations import Batch, Table
from projections.lines import Copying, line
from projections.postgres import Transaction

WEBHOOK = (
    "webhook_id", "part", "pos", "at", "url", "kinds", "registered_by", "status", "status_reason", "status_pos",
    "status_at", "sealed_secret", "previous_secret", "overlap_until",
)  # fmt: skip
DELIVERY = (
    "webhook_id", "sequence", "part", "pos", "at", "about", "replay", "body", "status", "attempts", "attempted_pos",
    "attempted_at", "answer", "detail", "retry_at",
)  # fmt: skip
DEFINITION = """
CREATE TABLE {schema}.webhooks (
  webhook_id text COLLATE "C" PRIMARY KEY, part integer NOT NULL, pos bigint NOT NULL, at bigint NOT NULL,
  url text NOT NULL, kinds text NOT NULL, registered_by text NOT NULL, status text NOT NULL, status_reason text,
  status_pos bigint NOT NULL, status_at bigint NOT NULL, sealed_secret text NOT NULL, previous_secret text,
  overlap_until bigint);
CREATE TABLE {schema}.deliveries (
  webhook_id text COLLATE "C" NOT NULL, sequence bigint NOT NULL, part integer NOT NULL, pos bigint NOT NULL,
  at bigint NOT NULL, about text NOT NULL, replay text NOT NULL, body text NOT NULL,
  status text COLLATE "C" NOT NULL, attempts integer NOT NULL, attempted_pos bigint, attempted_at bigint,
  answer integer, detail text, retry_at bigint, PRIMARY KEY (webhook_id, sequence));
CREATE INDEX deliveries_open ON {schema}.deliveries (webhook_id, status, sequence) WHERE status <> 'delivered';
"""


@dataclass(slots=True)
class Attempted:
    """What is known of a delivery's latest attempt."""

    status: str
    attempts: int
    pos: int | None = None
    at: int | None = None
    answer: int | None = None
    detail: str | None = None
    retry_at: int | None = None


def text(value: int | str | None) -> str | None:
    """Write a member of a line."""
    return None if value is None else str(value)


class WebhooksBatch:
    """What a batch makes of endpoints and deliveries; an attempt at a delivery of the same batch is folded into it."""

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._events: list[tuple[Any, int, int, int]] = []

    def take(self, event: Any, decided: Decided, at: int) -> None:
        """Keep one event."""
        self._events.append((event, decided.partition, decided.offset, at))

    async def drain(self, transaction: Transaction) -> None:
        """Send nothing: a delivery may yet be attempted in this batch."""

    async def write(self, transaction: Transaction) -> None:
        """Fold the events on the endpoints as they were, and write endpoints and deliveries."""
        if not self._events:
            return
        endpoints = await self._endpoints(transaction)
        changed: set[str] = set()
        due: dict[tuple[str, int], tuple[str, ...]] = {}
        attempts: dict[tuple[str, int], Attempted] = {}
        for event, part, pos, at in self._events:
            match event:
                case DeliveryScheduled():
                    parked = endpoints[event.webhook_id]["status"] == "disabled"
                    key = event.webhook_id, event.sequence
                    due[key] = (str(part), str(pos), str(at), event.about, event.replay, event.body)
                    attempts[key] = Attempted("parked" if parked else "pending", 0)
                case DeliveryAttempted():
                    attempts[event.webhook_id, event.sequence] = Attempted(
                        event.outcome, event.attempt, pos, at, event.status, event.detail, event.retry_at
                    )
                case WebhookReplayed():
                    continue
                case _:
                    endpoints[event.webhook_id] = endpoint_after(endpoints.get(event.webhook_id), event, part, pos, at)
                    changed.add(event.webhook_id)
        await self._write_endpoints(transaction, [endpoints[webhook_id] for webhook_id in sorted(changed)])
        await self._write_deliveries(transaction, due, attempts)

    async def _endpoints(self, transaction: Transaction) -> dict[str, dict[str, Any]]:
        rows = await transaction.rows(
            f"SELECT {', '.join(WEBHOOK)} FROM {self._schema}.webhooks WHERE webhook_id = ANY(%s)",
            sorted({event.webhook_id for event, *_ in self._events}),
        )
        return {row[0]: dict(zip(WEBHOOK, row, strict=True)) for row in rows}

    async def _write_endpoints(self, transaction: Transaction, endpoints: Sequence[dict[str, Any]]) -> None:
        if not endpoints:
            return
        await transaction.run(
            f"DELETE FROM {self._schema}.webhooks WHERE webhook_id = ANY(%s)", [e["webhook_id"] for e in endpoints]
        )
        copying = Copying(f"{self._schema}.webhooks ({', '.join(WEBHOOK)})")
        for endpoint in endpoints:
            copying.add(line([text(endpoint[column]) for column in WEBHOOK]))
        await copying.end(transaction)

    async def _write_deliveries(
        self,
        transaction: Transaction,
        due: dict[tuple[str, int], tuple[str, ...]],
        attempts: dict[tuple[str, int], Attempted],
    ) -> None:
        copying = Copying(f"{self._schema}.deliveries ({', '.join(DELIVERY)})")
        for (webhook_id, sequence), members in due.items():
            last = attempts.pop((webhook_id, sequence))
            after = (last.status, last.attempts, last.pos, last.at, last.answer, last.detail, last.retry_at)
            copying.add(line((webhook_id, str(sequence), *members, *map(text, after))))
        await copying.end(transaction)
        if attempts:
            found = attempts.values()
            await transaction.run(
                f"UPDATE {self._schema}.deliveries d SET status = u.status, attempts = u.attempts,"
                " attempted_pos = u.pos, attempted_at = u.at, answer = u.answer, detail = u.detail,"
                " retry_at = u.retry_at FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::integer[],"
                " %s::bigint[], %s::bigint[], %s::integer[], %s::text[], %s::bigint[]) AS"
                " u (webhook_id, sequence, status, attempts, pos, at, answer, detail, retry_at)"
                " WHERE d.webhook_id = u.webhook_id AND d.sequence = u.sequence",
                [webhook_id for webhook_id, _ in attempts],
                [sequence for _, sequence in attempts],
                [a.status for a in found],
                [a.attempts for a in found],
                [a.pos for a in found],
                [a.at for a in found],
                [a.answer for a in found],
                [a.detail for a in found],
                [a.retry_at for a in found],
            )


def endpoint_after(known: dict[str, Any] | None, event: Any, part: int, pos: int, at: int) -> dict[str, Any]:
    """Give an endpoint's row after an event; secrets stay sealed, in hex."""
    if isinstance(event, WebhookRegistered):
        return {
            "webhook_id": event.webhook_id, "part": part, "pos": pos, "at": at, "url": event.url,
            "kinds": " ".join(event.kinds), "registered_by": event.registered_by, "status": "active",
            "status_reason": None, "status_pos": pos, "status_at": at, "sealed_secret": event.sealed_secret.hex(),
            "previous_secret": None, "overlap_until": None,
        }  # fmt: skip
    if known is None:
        raise LookupError(f"{type(event).__name__} is about an endpoint that was never registered")
    match event:
        case WebhookSecretRotated():
            return known | {
                "sealed_secret": event.sealed_secret.hex(),
                "previous_secret": known["sealed_secret"],
                "overlap_until": event.overlap_until,
            }
        case WebhookDeleted():
            return known | {"status": "deleted", "status_reason": None, "status_pos": pos, "status_at": at}
        case WebhookDisabled():
            return known | {"status": "disabled", "status_reason": event.reason, "status_pos": pos, "status_at": at}
    raise TypeError(f"{type(event).__name__} changes no endpoint")


class WebhooksProjection:
    """Endpoints and their deliveries."""

    name = "webhooks"
    context = "facts"
    events: tuple[type, ...] = (
        WebhookRegistered,
        WebhookSecretRotated,
        WebhookDeleted,
        WebhookDisabled,
        WebhookReplayed,
        DeliveryScheduled,
        DeliveryAttempted,
    )
    tables: Sequence[Table] = (
        Table("webhooks", WEBHOOK, ("webhook_id",), ("sealed_secret", "previous_secret")),
        Table("deliveries", DELIVERY, ("webhook_id", "sequence")),
    )

    def definition(self, schema: str) -> str:
        """Write the statements that make its tables."""
        return DEFINITION.format(schema=schema)

    def batch(self, schema: str) -> Batch:
        """Begin a batch."""
        return WebhooksBatch(schema)
