"""Signers as they are read: a page by role, revoked ones with when."""

from typing import Literal

from aiohttp import web
from pydantic import BaseModel

from api.pages import page, read_cursor, write_cursor
from api.postgres_reads import PROBLEMS, offsets_in, read
from api.results import SignerView
from api.route import Asked, Route, json_response
from api.shapes import Maybe, PageQuery
from api.times import rfc3339
from api.wiring import CONTEXT
from domain.json_value import JsonObject, JsonValue
from log.token import Positions
from projections import signer_queries
from projections.generations import Generation
from projections.postgres import Transaction
from projections.reads import vector
from projections.signer_queries import StoredSigner


class SignersQuery(PageQuery):
    """Signers that have a role, or all."""

    role: Maybe[Literal["curator", "institution", "publisher", "admin", "operator", "auditor"]] = None


class SignerPage(BaseModel):
    """Signers in the order of their DIDs."""

    items: list[SignerView]
    next_cursor: str | None


def shown(stored: StoredSigner) -> JsonObject:
    """Show a signer."""
    view: JsonObject = {
        "did": stored.did,
        "roles": list(stored.roles),
        "added_by": stored.added_by,
        "added_at": rfc3339(stored.added_at),
    }
    return view if stored.revoked_at is None else view | {"revoked_at": rfc3339(stored.revoked_at)}


async def browse(asked: Asked) -> web.StreamResponse:
    """List signers, as they were when the walk began."""
    query: SignersQuery = asked.query
    filters: dict[str, JsonValue] = {"of": "signers", "role": query.role}
    after: str | None = None
    held: list[int] | None = None
    wanted: Positions = {}
    if query.cursor is not None:
        last, there = read_cursor(query.cursor, filters, (str, list))
        after, held = str(last).replace("\0", ""), offsets_in(there)
        wanted = {(CONTEXT, partition): offset for partition, offset in enumerate(held) if offset >= 0}

    async def ask(transaction: Transaction, generation: Generation) -> tuple[list[StoredSigner], list[int]]:
        offsets = vector(generation) if held is None else held
        limit = query.limit + 1
        found = await signer_queries.page(
            transaction, generation, role=query.role, limit=limit, offsets=offsets, after=after
        )
        return found, offsets

    (found, offsets), headers = await read(asked, "signers", ask, wanted)
    more = len(found) > query.limit
    items = found[: query.limit]
    cursor = write_cursor(filters, [items[-1].identity, list(offsets)]) if more else None
    return json_response(page([shown(item) for item in items], cursor), headers=headers)


ROUTES = [
    Route(
        "GET",
        "/signers",
        browse,
        "List signers, revoked ones too",
        query_model=SignersQuery,
        responses={200: SignerPage},
        problems=(*PROBLEMS, "invalid_cursor"),
    ),
]
