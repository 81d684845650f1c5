"""The trail of publishing: what happened, in the log's order, of whose doing and about what."""

from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import BaseModel, Field

from api.pages import page, read_cursor, write_cursor
from api.postgres_reads import PROBLEMS, offsets_in, read
from api.problems import ProblemError, invalid
from api.publish_requests import CONTEXT, RECORD_ID_MAX
from api.route import Asked, Route, json_response
from api.shapes import NO_CONTROL, Maybe, PageQuery
from api.times import InvalidTime, read_time, rfc3339
from domain.json_value import JsonObject, JsonValue
from log.token import InvalidToken, Positions, read_token, token_at
from projections import publishing_trail_queries
from projections.generations import Generation
from projections.postgres import Transaction
from projections.publishing_trail_queries import Step, StoredStep, step_from

PARTS: Final = 4
LARGEST: Final = 1 << 62


class TrailQuery(PageQuery):
    """Of a public key's doing, about a job, batch, transaction, record, key or outpoint, since a time or a token."""

    actor: Maybe[Annotated[str, Field(min_length=1, max_length=128), NO_CONTROL]] = None
    resource: Maybe[Annotated[str, Field(min_length=1, max_length=RECORD_ID_MAX), NO_CONTROL]] = None
    since: Maybe[Annotated[str, Field(min_length=1, max_length=4096)]] = None


class StepView(BaseModel):
    """One event of the trail."""

    event_type: str
    actor_pubkey: str | None = None
    resource_type: str
    resource_id: str
    action: str
    details: dict[str, Any]
    created_at: str
    position: str


class TrailPage(BaseModel):
    """Events in the order of the log; ``next_cursor`` is there while more follow."""

    items: list[StepView]
    next_cursor: str | None


def shown(step: StoredStep) -> JsonObject:
    """Show an event."""
    view: JsonObject = {"event_type": step.event_type, "actor_pubkey": step.actor_pubkey}
    view |= {"resource_type": step.resource_type, "resource_id": step.resource_id, "action": step.action}
    view |= {"details": step.details, "created_at": rfc3339(step.at)}
    return view | {"position": token_at(CONTEXT, step.part, step.pos)}


def _since(text: str, partitions: int) -> tuple[int | None, Positions]:
    """Read a time (ms), or a token of positions in these partitions; raises ``invalid_request``."""
    try:
        return read_time(text), {}
    except InvalidTime:
        pass
    try:
        token = read_token(text)
    except InvalidToken:
        raise invalid("/since", "this is no time with an offset, and no token of positions") from None
    return None, {
        (context, part): at
        for (context, part), at in token.items()
        if context == CONTEXT and part < partitions and at <= LARGEST
    }


async def browse(asked: Asked) -> web.StreamResponse:
    """List what happened, in the log's order."""
    query: TrailQuery = asked.query
    filters: dict[str, JsonValue] = {"of": "trail", "actor": query.actor, "resource": query.resource}
    filters["since"] = query.since
    at, after_token = (None, {}) if query.since is None else _since(query.since, asked.api.partitions)
    after = None if at is None else step_from(at)
    if query.cursor is not None:
        (last,) = read_cursor(query.cursor, filters, (list,))
        found_after = offsets_in(last)
        if len(found_after) != PARTS:
            raise ProblemError("invalid_cursor")
        after = (found_after[0], found_after[1], found_after[2], found_after[3])

    async def ask(transaction: Transaction, generation: Generation) -> list[StoredStep]:
        behind: Step | None = after
        for (_, part), pos in after_token.items() if behind is None else ():
            step = await publishing_trail_queries.step_at(transaction, generation, part, pos)
            behind = step if behind is None or (step is not None and step > behind) else behind
        return await publishing_trail_queries.trail(
            transaction,
            generation,
            actor=query.actor,
            resource=query.resource,
            limit=query.limit + 1,
            after=behind,
        )

    found, headers = await read(asked, CONTEXT, ask, after_token)
    items = found[: query.limit]
    cursor = None
    if len(found) > query.limit:
        last_shown = items[-1]
        place: list[JsonValue] = [last_shown.at, last_shown.part, last_shown.pos, last_shown.idx]
        cursor = write_cursor(filters, [place])
    return json_response(page([shown(each) for each in items], cursor), headers=headers)


ROUTES = [
    Route(
        "GET",
        "/v1/audit",
        browse,
        "What happened in publishing, in the order of the log",
        query_model=TrailQuery,
        responses={200: TrailPage},
        problems=(*PROBLEMS, "invalid_cursor"),
    ),
]
