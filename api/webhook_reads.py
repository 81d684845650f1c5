"""Webhooks as an admin reads them: endpoints and what is due to each; secrets are never shown again."""

import re
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from api.pages import page, read_cursor, write_cursor
from api.postgres_reads import PROBLEMS, offsets_in, read
from api.problems import ProblemError
from api.route import Asked, Route, Who, json_response
from api.shapes import FreshQuery, Maybe, PageQuery
from api.times import rfc3339
from api.wiring import CONTEXT
from domain.decider import Position
from domain.json_value import JsonObject, JsonValue
from log import strict_json
from log.token import Positions, token_of
from projections import webhook_queries
from projections.generations import Generation
from projections.postgres import Transaction
from projections.reads import vector
from projections.webhook_queries import StoredDelivery, StoredEndpoint

WEBHOOK_ID = re.compile(r"whk_[a-z2-7]{26}")


class EndpointView(BaseModel):
    """An endpoint; without ``kinds`` it hears of all."""

    model_config = ConfigDict(title="Endpoint")

    id: str
    url: str
    kinds: list[str]
    status: Literal["active", "disabled"]
    status_reason: str | None = None
    registered_by: str
    created_at: str


class EndpointPage(BaseModel):
    """Endpoints in the order of their ids."""

    items: list[EndpointView]
    next_cursor: str | None


class DeliveryView(BaseModel):
    """A delivery: the change that it is about, what was or is to be sent, and what came of the latest attempt."""

    sequence: int
    status: Literal["pending", "failed", "parked", "delivered"]
    attempts: int
    position: str
    replay: str | None = None
    scheduled_at: str
    attempted_at: str | None = None
    response_status: int | None = None
    detail: str | None = None
    retry_at: str | None = None
    body: dict[str, Any]


class DeliveryPage(BaseModel):
    """Deliveries, the latest first."""

    items: list[DeliveryView]
    next_cursor: str | None


class DeliveriesQuery(PageQuery):
    """Deliveries of a status, or all."""

    status: Maybe[Literal["pending", "failed", "parked", "delivered"]] = None


def shown(stored: StoredEndpoint) -> JsonObject:
    """Show an endpoint."""
    view: JsonObject = {
        "id": stored.webhook_id,
        "url": stored.url,
        "kinds": list(stored.kinds),
        "status": stored.status,
        "registered_by": stored.registered_by,
        "created_at": rfc3339(stored.at),
    }
    return view if stored.status_reason is None else view | {"status_reason": stored.status_reason}


def shown_delivery(stored: StoredDelivery) -> JsonObject:
    """Show a delivery; ``body`` has the sequence that it is sent with."""
    context, partition, offset = stored.about.split("/")
    body = strict_json.parse_own(stored.body)
    members: dict[str, Any] = {
        "sequence": stored.sequence,
        "status": stored.status,
        "attempts": stored.attempts,
        "position": token_of(Position(context, int(partition), int(offset))),
        "replay": stored.replay or None,
        "scheduled_at": rfc3339(stored.at),
        "attempted_at": None if stored.attempted_at is None else rfc3339(stored.attempted_at),
        "response_status": stored.answer,
        "detail": stored.detail or None,
        "retry_at": None if stored.retry_at is None else rfc3339(stored.retry_at),
        "body": {**(body if isinstance(body, dict) else {}), "sequence": stored.sequence},
    }
    return {name: value for name, value in members.items() if value is not None}


async def browse(asked: Asked) -> web.StreamResponse:
    """List the endpoints that there were when the walk began."""
    limit = asked.query.limit
    filters: dict[str, JsonValue] = {"of": "webhooks"}
    after: str | None = None
    held: list[int] | None = None
    wanted: Positions = {}
    if asked.query.cursor is not None:
        last, there = read_cursor(asked.query.cursor, filters, (str, list))
        after, held = str(last).replace("\0", ""), offsets_in(there)
        wanted = {(CONTEXT, partition): offset for partition, offset in enumerate(held) if offset >= 0}

    async def ask(transaction: Transaction, generation: Generation) -> tuple[list[StoredEndpoint], list[int]]:
        offsets = vector(generation) if held is None else held
        found = await webhook_queries.page(transaction, generation, limit=limit + 1, offsets=offsets, after=after)
        return found, offsets

    (found, offsets), headers = await read(asked, "webhooks", ask, wanted)
    items = found[:limit]
    cursor = write_cursor(filters, [items[-1].webhook_id, list(offsets)]) if len(found) > limit else None
    return json_response(page([shown(item) for item in items], cursor), headers=headers)


def known_form(asked: Asked) -> str:
    """Give the id in the path; raises ``not_found`` for what no webhook's id looks like."""
    webhook_id = asked.path("id")
    if WEBHOOK_ID.fullmatch(webhook_id) is None:
        raise ProblemError("not_found", "there is no webhook of this id")
    return webhook_id


async def show(asked: Asked) -> web.StreamResponse:
    """Show an endpoint."""
    webhook_id = known_form(asked)

    async def ask(transaction: Transaction, generation: Generation) -> StoredEndpoint | None:
        return await webhook_queries.endpoint(transaction, generation, webhook_id)

    found, headers = await read(asked, "webhooks", ask)
    if found is None:
        raise ProblemError("not_found", "there is no webhook of this id", headers=headers)
    return json_response(shown(found), headers=headers)


async def deliveries(asked: Asked) -> web.StreamResponse:
    """List what is due to an endpoint and what was sent to it."""
    webhook_id, query = known_form(asked), asked.query
    filters: dict[str, JsonValue] = {"of": "deliveries", "id": webhook_id, "status": query.status}
    before: int | None = None
    if query.cursor is not None:
        (before,) = offsets_in(read_cursor(query.cursor, filters, (int,)))

    async def ask(transaction: Transaction, generation: Generation) -> list[StoredDelivery] | None:
        return await webhook_queries.deliveries(
            transaction, generation, webhook_id, status=query.status, limit=query.limit + 1, before=before
        )

    found, headers = await read(asked, "webhooks", ask)
    if found is None:
        raise ProblemError("not_found", "there is no webhook of this id", headers=headers)
    items = found[: query.limit]
    cursor = write_cursor(filters, [items[-1].sequence]) if len(found) > query.limit else None
    return json_response(page([shown_delivery(item) for item in items], cursor), headers=headers)


ROUTES = [
    Route(
        "GET",
        "/webhooks",
        browse,
        "List endpoints",
        Who.ADMIN,
        query_model=PageQuery,
        responses={200: EndpointPage},
        problems=(*PROBLEMS, "invalid_cursor"),
    ),
    Route(
        "GET",
        "/webhooks/{id}",
        show,
        "Show an endpoint",
        Who.ADMIN,
        query_model=FreshQuery,
        responses={200: EndpointView},
        problems=(*PROBLEMS, "not_found"),
    ),
    Route(
        "GET",
        "/webhooks/{id}/deliveries",
        deliveries,
        "List what is due to an endpoint, and what was sent",
        Who.ADMIN,
        query_model=DeliveriesQuery,
        responses={200: DeliveryPage},
        problems=(*PROBLEMS, "not_found", "invalid_cursor"),
    ),
]
