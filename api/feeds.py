"""Feeds: the posts of an author, or of all whom somebody follows, newest first."""

from typing import Final

from aiohttp import web

from api.pages import LARGEST_PLACE, page, read_cursor, write_cursor
from api.postgres_reads import PROBLEMS, offsets_in, read
from api.problems import ProblemError, invalid
from api.record_reads import RecordPage, shown
from api.record_requests import RECORDS, is_did, is_rkey
from api.route import Asked, Route, Who, json_response
from api.shapes import PageQuery
from api.vault import check_not_erased, erased, erased_at
from domain.did import identity
from domain.json_value import JsonObject, JsonValue
from domain.records.collection_name import is_collection
from log.token import Positions
from projections import post_queries, record_queries
from projections.generations import Generation
from projections.post_queries import After, Following
from projections.postgres import Transaction
from projections.reads import vector
from projections.record_queries import StoredRecord

PLACE: Final = (int, str, str, str, list)


async def by_author(asked: Asked) -> web.StreamResponse:
    """Show an author's posts, as they were when the walk began."""
    if not is_did(asked.path("did")):
        raise invalid("/did", "this is no DID that can have a vault")
    did = identity(asked.path("did"))
    return await _posts(asked, did, did, {"of": "feed of author", "did": did})


async def by_followed(asked: Asked) -> web.StreamResponse:
    """Show the posts of all whom the caller follows now and followed when the walk began, as they were then."""
    did, follows = asked.caller.identity, asked.api.settings.gateway.follows
    following = Following(did, follows, asked.api.partition(did))
    return await _posts(asked, did, following, {"of": "feed of followed", "did": did})


async def _posts(asked: Asked, did: str, of: Following | str, filters: dict[str, JsonValue]) -> web.StreamResponse:
    query: PageQuery = asked.query
    posts = asked.api.settings.gateway.posts
    after, held = (None, None) if query.cursor is None else _place(query.cursor, filters)
    check_not_erased(asked, did)

    async def ask(transaction: Transaction, generation: Generation) -> tuple[list[StoredRecord], list[int], int | None]:
        offsets = vector(generation) if held is None else held
        if len(offsets) != len(generation.marks):
            raise ProblemError("invalid_cursor")
        limit = query.limit + 1
        found = await post_queries.page(
            transaction, generation, of, posts=posts, offsets=offsets, limit=limit, after=after
        )
        return found, offsets, await record_queries.erased_at(transaction, generation, did)

    (found, offsets, gone_at), headers = await read(asked, RECORDS, ask, positions_of(held))
    check_not_erased(asked, did)
    if gone_at is not None:
        raise erased()
    items, cursor = found[: query.limit], None
    if len(found) > query.limit:
        last = items[-1]
        cursor = write_cursor(filters, [last.indexed_at, last.rkey, last.did, last.collection, [*offsets]])
    return json_response(page(visible(asked, items), cursor), headers=headers)


def positions_of(held: list[int] | None) -> Positions:
    """Give the positions that a walk began at, to be reached before it goes on."""
    return {} if held is None else {(RECORDS, part): offset for part, offset in enumerate(held) if offset >= 0}


def visible(asked: Asked, found: list[StoredRecord]) -> list[JsonObject]:
    """Show records of several people: without whom was erased meanwhile, and what isn't to be shown among others'."""
    return [shown(each) for each in found if is_visible(asked, each)]


def is_visible(asked: Asked, stored: StoredRecord) -> bool:
    """Tell whether a record can be shown among those of others.

    A value that doesn't open must not have them fail with it, and what a stolen key wrote is no word of its owner's.
    """
    if stored.value is None or stored.compromised_by is not None:
        return False
    return erased_at(asked.api.mirror, stored.did) is None


def _place(cursor: str, filters: dict[str, JsonValue]) -> tuple[After, list[int]]:
    """Read where a walk stands and since when; raises ``invalid_cursor``."""
    at, rkey, did, collection, offsets = read_cursor(cursor, filters, PLACE)
    return place_of(at, rkey, did, collection), offsets_in(offsets)


def place_of(at: JsonValue, rkey: JsonValue, did: JsonValue, collection: JsonValue) -> After:
    """Read the record that a cursor stands behind; raises ``invalid_cursor``."""
    if not isinstance(at, int) or not isinstance(rkey, str) or not isinstance(did, str):
        raise ProblemError("invalid_cursor")
    sound = 0 <= at <= LARGEST_PLACE and is_rkey(rkey) and is_did(did)
    if not sound or not isinstance(collection, str) or not is_collection(collection):
        raise ProblemError("invalid_cursor")
    return After(at, rkey, did, collection)


ROUTES = [
    Route(
        "GET",
        "/feeds/author/{did}",
        by_author,
        "An author's posts, newest first",
        query_model=PageQuery,
        responses={200: RecordPage},
        problems=(*PROBLEMS, "invalid_cursor", "erased"),
        by_key_set=True,
    ),
    Route(
        "GET",
        "/feeds/following",
        by_followed,
        "The posts of all whom the caller follows, newest first",
        Who.SESSION,
        query_model=PageQuery,
        responses={200: RecordPage},
        problems=(*PROBLEMS, "invalid_cursor", "erased"),
        by_key_set=True,
    ),
]
