"""Facts as they are read: one, a page of now or of a moment, the delta feed, a history."""

import re
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel

from api.fact_view import FactView, Status, fact_view, status_reason
from api.moments import Moment, read_moment
from api.pages import page, read_cursor, write_cursor
from api.postgres_reads import PROBLEMS, offsets_in, read
from api.problems import ProblemError, invalid
from api.route import Asked, Route, json_response
from api.shapes import FreshQuery, Maybe, PageQuery, Text
from api.since import read_since, write_since
from api.times import rfc3339
from api.wiring import CONTEXT
from domain.decider import Position
from domain.json_value import JsonObject, JsonValue
from log.token import Positions, token_of
from projections import fact_queries
from projections.fact_change_queries import FactChange, FeedItem, feed
from projections.fact_change_queries import history as fact_history
from projections.fact_queries import EVENT_OF, FOREVER, Cut, Filters, StoredFact
from projections.generations import Generation
from projections.postgres import Transaction
from projections.reads import vector

FACT_ID = re.compile(r"fct_[a-z2-7]{52}")


class FactsQuery(PageQuery):
    """Which facts: by kind, subject, issuer and status; now, at a moment (``as_of``), or as a feed (``since``)."""

    kind: Maybe[Text] = None
    origin: Maybe[Text] = None
    type: Maybe[Text] = None
    ref: Maybe[Text] = None
    issuer: Maybe[Text] = None
    status: Maybe[Literal["active", "revoked", "expired", "quarantined"]] = None
    since: Maybe[str] = None
    as_of: Maybe[str] = None

    def filters(self) -> Filters:
        """Give what the facts are filtered by, besides their status."""
        return Filters(self.kind, self.origin, self.type, self.ref, self.issuer)

    def binding(self) -> dict[str, JsonValue]:
        """Give what a cursor of this list is bound to."""
        names = ("kind", "origin", "type", "ref", "issuer", "status", "as_of")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


class ChangeView(BaseModel):
    """A change of a fact's status, or of what is said of its key, with the fact as of it."""

    change: Literal["issued", "revoked", "expired", "quarantined", "released", "key_compromised", "key_cleared"]
    fact: FactView
    position: str


class FactPage(BaseModel):
    """Facts, newest first; of the delta feed, changes in the log's order, whose ``next_cursor`` is never null."""

    items: list[FactView | ChangeView]
    next_cursor: str | None


class EventView(BaseModel):
    """An event of a fact: who made it, why, and the signature that it carries, if it does."""

    change: str
    type: str
    at: str
    by: str | None = None
    reason: str | None = None
    alg: str | None = None
    key_id: str | None = None
    signature: str | None = None
    key_compromised_by: str | None = None
    position: str


class History(BaseModel):
    """The events of a fact, oldest first."""

    items: list[EventView]
    next_cursor: str | None


def shown(stored: StoredFact) -> JsonObject:
    """Show a fact as of the moment that it was read for."""
    against = stored.standing(CONTEXT)
    reason = None if against is None else status_reason(against)
    return fact_view(stored.fact_id, stored.issued(), Status(stored.status, reason, stored.compromised_by), CONTEXT)


async def show(asked: Asked) -> web.StreamResponse:
    """Show a fact in any status."""
    fact_id = known_form(asked)

    async def query(transaction: Transaction, generation: Generation) -> StoredFact | None:
        return await fact_queries.fact(transaction, generation, fact_id)

    found, headers = await read(asked, "facts", query)
    if found is None:
        raise ProblemError("not_found", "there is no fact of this id", headers=headers)
    return json_response(shown(found), headers=headers)


def known_form(asked: Asked) -> str:
    """Give the id in the path; raises ``not_found`` for what no fact's id looks like."""
    fact_id = asked.path("id")
    if FACT_ID.fullmatch(fact_id) is None:
        raise ProblemError("not_found", "there is no fact of this id")
    return fact_id


async def browse(asked: Asked) -> web.StreamResponse:
    """List facts, newest first; with ``since`` their changes."""
    query: FactsQuery = asked.query
    if query.since is not None:
        for name in ("cursor", "as_of"):
            if getattr(query, name) is not None:
                raise invalid(f"/{name}", "a feed goes on by since alone")
        return await _feed(asked, query, query.since)
    filters: dict[str, JsonValue] = {"of": "facts", **query.binding()}
    after: tuple[int, int, int] | None = None
    held: Cut | None = None
    moment: Moment | None = None
    wanted: Positions = {}
    if query.cursor is not None:
        at, part, pos, offsets, times = read_cursor(query.cursor, filters, (int, int, int, list, list))
        (after_at, after_part, after_pos), given = offsets_in([at, part, pos]), offsets_in(offsets)
        after = after_at, after_part, after_pos
        limits = [FOREVER if limit < 0 else limit for limit in offsets_in(times)]
        if len(limits) != len(given) or not given:
            raise ProblemError("invalid_cursor")
        held = Cut(given, limits)
        wanted = {(CONTEXT, partition): offset for partition, offset in enumerate(given) if offset >= 0}
    elif query.as_of is not None:
        moment = await read_moment(asked, query.as_of)
        wanted = moment.wanted

    async def ask(transaction: Transaction, generation: Generation) -> tuple[list[StoredFact], Cut]:
        cut = held if moment is None else moment.cut(generation)
        status, limit = query.status or "active", query.limit + 1
        found = await fact_queries.page(
            transaction, generation, query.filters(), status=status, limit=limit, cut=cut, after=after
        )
        return found, cut or Cut(vector(generation), [FOREVER] * len(vector(generation)))

    (found, cut), headers = await read(asked, "facts", ask, wanted)
    items, cursor = found[: query.limit], None
    if len(found) > query.limit:
        last = items[-1]
        times = [-1 if limit == FOREVER else limit for limit in cut.times]
        cursor = write_cursor(filters, [last.at, last.part, last.pos, list(cut.offsets), times])
    return json_response(page([shown(item) for item in items], cursor), headers=headers)


async def _feed(asked: Asked, query: FactsQuery, since: str) -> web.StreamResponse:
    filters = query.binding()
    after = read_since(since, filters)

    async def ask(transaction: Transaction, generation: Generation) -> tuple[list[FeedItem], dict[int, int]]:
        return await feed(transaction, generation, query.filters(), status=query.status, after=after, limit=query.limit)

    (found, reached), headers = await read(asked, "facts", ask)
    items: list[JsonObject] = [
        {"change": item.change, "fact": shown(item.fact), "position": token(item.fact.part, item.pos)} for item in found
    ]
    return json_response(page(items, write_since(reached, filters)), headers=headers)


def token(partition: int, offset: int) -> str:
    """Write the token of a decision."""
    return token_of(Position(CONTEXT, partition, offset))


async def history(asked: Asked) -> web.StreamResponse:
    """Show a fact's events."""
    fact_id, limit = known_form(asked), asked.query.limit
    filters: dict[str, JsonValue] = {"of": "history", "id": fact_id}
    after = None
    if asked.query.cursor is not None:
        (after,) = offsets_in(read_cursor(asked.query.cursor, filters, (int,)))

    async def query(transaction: Transaction, generation: Generation) -> tuple[StoredFact, list[FactChange]] | None:
        return await fact_history(transaction, generation, fact_id, limit + 1, after)

    found, headers = await read(asked, "facts", query)
    if found is None:
        raise ProblemError("not_found", "there is no fact of this id", headers=headers)
    stored, changes = found
    cursor = write_cursor(filters, [changes[limit - 1].pos]) if len(changes) > limit else None
    return json_response(page([_event(stored, change) for change in changes[:limit]], cursor), headers=headers)


def _event(stored: StoredFact, change: FactChange) -> JsonObject:
    members: dict[str, Any] = {
        "change": change.change,
        "type": EVENT_OF[change.change][0],
        "at": rfc3339(change.at),
        "by": change.actor,
        "reason": change.reason,
        "alg": change.alg,
        "key_id": change.key_id,
        "signature": change.signature,
        "key_compromised_by": change.compromised_by,
        "position": token(stored.part, change.pos),
    }
    return {name: value for name, value in members.items() if value is not None}


ROUTES = [
    Route(
        "GET",
        "/facts",
        browse,
        "List facts, newest first; as of a moment with as_of, their changes with since",
        query_model=FactsQuery,
        responses={200: FactPage},
        problems=(*PROBLEMS, "invalid_cursor", "log_unavailable"),
    ),
    Route(
        "GET",
        "/facts/{id}",
        show,
        "Show a fact, in any status",
        query_model=FreshQuery,
        responses={200: FactView},
        problems=(*PROBLEMS, "not_found"),
    ),
    Route(
        "GET",
        "/facts/{id}/history",
        history,
        "Show the events of a fact",
        query_model=PageQuery,
        responses={200: History},
        problems=(*PROBLEMS, "not_found", "invalid_cursor"),
    ),
]
