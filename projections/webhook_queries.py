"""What is asked of webhooks: endpoints, and the deliveries due to one; secrets are never among it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from projections.generations import Generation
from projections.postgres import Transaction

ENDPOINT = ("webhook_id", "url", "kinds", "status", "status_reason", "at", "registered_by", "part", "pos")
DELIVERY = (
    "sequence", "about", "replay", "status", "attempts", "at", "attempted_at", "answer", "detail", "retry_at", "body",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoredEndpoint:
    """An endpoint; ``kinds`` is empty where it hears of all, ``at`` is when it was registered, in ms."""

    webhook_id: str
    url: str
    kinds: tuple[str, ...]
    status: str
    status_reason: str | None
    at: int
    registered_by: str
    part: int
    pos: int


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A delivery: ``pending``, ``delivered``, ``failed`` (tried again at ``retry_at``) or ``parked``; times in ms.

    ``about`` is the position of the change (``context/partition/offset``), ``answer`` the HTTP status that the latest
    attempt got, if it got one.
    """

    sequence: int
    about: str
    replay: str
    status: str
    attempts: int
    at: int
    attempted_at: int | None
    answer: int | None
    detail: str | None
    retry_at: int | None
    body: str


def _endpoint(row: Sequence[Any]) -> StoredEndpoint:
    webhook_id, url, kinds, *rest = row
    return StoredEndpoint(webhook_id, url, tuple(kinds.split()), *rest)


async def endpoint(transaction: Transaction, generation: Generation, webhook_id: str) -> StoredEndpoint | None:
    """Find an endpoint that isn't deleted."""
    rows = await transaction.rows(
        f"SELECT {', '.join(ENDPOINT)} FROM {generation.schema}.webhooks WHERE webhook_id = %s AND status <> 'deleted'",
        webhook_id,
    )
    return _endpoint(rows[0]) if rows else None


async def page(
    transaction: Transaction, generation: Generation, *, limit: int, offsets: Sequence[int], after: str | None = None
) -> list[StoredEndpoint]:
    """Give the endpoints that weren't deleted at these offsets, in the order of their ids, as they are now."""
    bound = {"offsets": list(offsets), "limit": limit, "after": after or ""}
    rows = await transaction.rows(
        f"SELECT {', '.join(ENDPOINT)} FROM {generation.schema}.webhooks WHERE webhook_id > %(after)s"
        " AND pos <= (%(offsets)s::bigint[])[part + 1]"
        " AND (status <> 'deleted' OR status_pos > (%(offsets)s::bigint[])[part + 1])"
        " ORDER BY webhook_id LIMIT %(limit)s",
        bound,
    )
    return [_endpoint(row) for row in rows]


async def deliveries(
    transaction: Transaction,
    generation: Generation,
    webhook_id: str,
    *,
    status: str | None,
    limit: int,
    before: int | None = None,
) -> list[StoredDelivery] | None:
    """Give the latest deliveries below a sequence; nothing where there is no such endpoint."""
    if await endpoint(transaction, generation, webhook_id) is None:
        return None
    bound = {"webhook_id": webhook_id, "limit": limit, "before": before, "status": status}
    conditions = "" if before is None else " AND sequence < %(before)s"
    if status is not None:
        conditions += " AND status = %(status)s"
        if status != "delivered":
            conditions += " AND status <> 'delivered'"
    rows = await transaction.rows(
        f"SELECT {', '.join(DELIVERY)} FROM {generation.schema}.deliveries WHERE webhook_id = %(webhook_id)s"
        f"{conditions} ORDER BY sequence DESC LIMIT %(limit)s",
        bound,
    )
    return [StoredDelivery(*row) for row in rows]
