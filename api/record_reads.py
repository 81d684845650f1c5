"""Records as everybody reads them: one by its name, an owner's in a list; what was erased answers 410."""

from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, Field

from api.fact_requests import DID_MAX
from api.moments import read_moment
from api.pages import LARGEST_PLACE, page, read_cursor, write_cursor
from api.postgres_reads import PROBLEMS, read
from api.problems import ProblemError, invalid
from api.record_requests import RECORDS, Collection, is_did, is_rkey, named
from api.record_results import RecordView
from api.route import Asked, Route, json_response
from api.shapes import FreshQuery, Maybe, PageQuery
from api.times import rfc3339
from api.vault import check_not_erased, erased
from domain.did import identity
from domain.json_value import JsonObject, JsonValue
from domain.records.collection_name import is_collection
from domain.records.record import uri_of
from log import strict_json
from log.token import Positions
from projections import record_queries
from projections.generations import Generation
from projections.postgres import Transaction
from projections.reads import vector
from projections.record_queries import Behind, StoredRecord


class RecordQuery(FreshQuery):
    """A record now, or as of a time or a token."""

    as_of: Maybe[str] = None


class RecordsQuery(PageQuery):
    """An owner's records, all or those of a collection."""

    did: Annotated[str, Field(min_length=1, max_length=DID_MAX)]
    collection: Maybe[Collection] = None


class RecordPage(BaseModel):
    """Records, newest first by ``indexed_at``, ties by rkey; a walk shows them as they were when it began."""

    items: list[RecordView]
    next_cursor: str | None


def shown(stored: StoredRecord) -> JsonObject:
    """Show a record. Raises ``internal`` for a value that its owner's key doesn't open, which no audit passes."""
    if stored.value is None:
        raise ProblemError("internal")
    view: JsonObject = {"uri": uri_of(stored.did, stored.collection, stored.rkey), "cid": stored.cid}
    view |= {"value": strict_json.parse_own(stored.value), "schema_version": stored.schema_version}
    view |= {"indexed_at": rfc3339(stored.indexed_at)}
    if stored.at != stored.indexed_at:
        view |= {"updated_at": rfc3339(stored.at)}
    if stored.compromised_by is not None:
        view |= {"key_compromised": True, "key_compromised_by": stored.compromised_by}
    return view


async def show(asked: Asked) -> web.StreamResponse:
    """Show a record."""
    name = named(asked)
    check_not_erased(asked, name.did)
    moment = None if asked.query.as_of is None else await read_moment(asked, asked.query.as_of, RECORDS)

    async def ask(transaction: Transaction, generation: Generation) -> tuple[StoredRecord | None, int | None]:
        cut = None if moment is None else moment.cut(generation)
        found = await record_queries.one(transaction, generation, (name.did, name.collection, name.rkey), cut)
        return found, await record_queries.erased_at(transaction, generation, name.did)

    wanted: Positions = {} if moment is None else moment.wanted
    (found, erased_at), headers = await read(asked, RECORDS, ask, wanted)
    # Asked again behind the tables: what was erased while they were read is not shown.
    check_not_erased(asked, name.did)
    if erased_at is not None:
        raise erased()
    if found is None:
        raise ProblemError("not_found", "there is no record of this name")
    return json_response(shown(found), headers={**headers, "ETag": f'"{found.cid}"'})


async def browse(asked: Asked) -> web.StreamResponse:
    """List an owner's records, as they were when the walk began."""
    query: RecordsQuery = asked.query
    if not is_did(query.did):
        raise invalid("/did", "this is no DID that can have a vault")
    did = identity(query.did)
    filters: dict[str, JsonValue] = {"of": RECORDS, "did": did, "collection": query.collection}
    behind, held = (None, None) if query.cursor is None else _place(query.cursor, filters)
    check_not_erased(asked, did)
    partition = asked.api.partition(did)
    wanted: Positions = {} if held is None else {(RECORDS, partition): held}

    async def ask(transaction: Transaction, generation: Generation) -> tuple[list[StoredRecord], int, int | None]:
        offset = vector(generation)[partition] if held is None else held
        found = await record_queries.page(
            transaction,
            generation,
            did=did,
            collection=query.collection,
            offset=offset,
            limit=query.limit + 1,
            behind=behind,
        )
        return found, offset, await record_queries.erased_at(transaction, generation, did)

    (found, offset, erased_at), headers = await read(asked, RECORDS, ask, wanted)
    check_not_erased(asked, did)
    if erased_at is not None:
        raise erased()
    items = found[: query.limit]
    cursor = None
    if len(found) > query.limit:
        last = items[-1]
        cursor = write_cursor(filters, [last.indexed_at, last.rkey, last.collection, offset])
    return json_response(page([shown(item) for item in items], cursor), headers=headers)


def _place(cursor: str, filters: dict[str, JsonValue]) -> tuple[Behind, int]:
    """Read where a walk stands and since when; raises ``invalid_cursor``."""
    at, rkey, name, offset = read_cursor(cursor, filters, (int, str, str, int))
    if not isinstance(at, int) or not isinstance(offset, int) or not isinstance(rkey, str) or not isinstance(name, str):
        raise ProblemError("invalid_cursor")
    sound = 0 <= at <= LARGEST_PLACE and -1 <= offset <= LARGEST_PLACE and is_rkey(rkey) and is_collection(name)
    if not sound:
        raise ProblemError("invalid_cursor")
    return Behind(at, rkey, name), offset


ROUTES = [
    Route(
        "GET",
        "/records/{did}/{collection}/{rkey}",
        show,
        "A record, now or as of a moment",
        query_model=RecordQuery,
        responses={200: RecordView},
        problems=(*PROBLEMS, "not_found", "erased"),
    ),
    Route(
        "GET",
        "/records",
        browse,
        "List an owner's records, newest first",
        query_model=RecordsQuery,
        responses={200: RecordPage},
        problems=(*PROBLEMS, "invalid_cursor", "erased"),
    ),
]
