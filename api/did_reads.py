"""DIDs as everybody reads them: a document in the representation that is asked for, an operation log, keys as JWKs."""

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from api.did_documents import JSON, JSON_LD, DidDocumentView, with_context
from api.media_types import preferred
from api.pages import LARGEST_PLACE, page, read_cursor, write_cursor
from api.postgres_reads import PROBLEMS, read
from api.problems import ProblemError, invalid
from api.resolving import CONTEXT, DidQuery, Resolved, Unresolved, UnresolvedError, read_did, resolve
from api.route import Asked, Route, json_response
from api.sessions import JwksView
from api.shapes import PageQuery
from api.times import rfc3339
from domain.json_value import JsonObject, JsonValue
from log import strict_json
from log.token import Positions
from projections import identity_queries
from projections.generations import Generation
from projections.identity_queries import StoredOperation
from projections.postgres import Transaction
from projections.reads import vector

REPRESENTATIONS: Final[Mapping[str, str]] = {
    JSON: JSON,
    JSON_LD: JSON_LD,
    "application/json": JSON,
    "application/ld+json": JSON_LD,
}
"""By media type that is asked for, that of the document which is answered."""
ACCEPTED: Final = {"Accept": f"`{JSON_LD}` for JSON-LD; a document is `{JSON}` otherwise."}


class OperationView(BaseModel):
    """An operation as it was signed; ``hash`` names it, and one that was taken back is ``nullified``."""

    model_config = ConfigDict(title="DidOperation")

    operation: Any
    hash: str
    signature: str
    at: str
    nullified: bool


class OperationPage(BaseModel):
    """Operations of a DID, oldest first; a walk shows which were nullified as of when it began."""

    items: list[OperationView]
    next_cursor: str | None


def represented(asked: Asked, document: JsonObject, headers: Mapping[str, str]) -> web.Response:
    """Answer with a document as the Accept header would have it. Raises ``not_acceptable``."""
    media_type = representation_of(asked)
    shown = with_context(document) if media_type == JSON_LD else document
    return json_response(shown, headers={**headers, "Vary": "Accept"}, media_type=media_type)


def representation_of(asked: Asked) -> str:
    """Give the media type of a document that is asked for. Raises ``not_acceptable``."""
    found = preferred(accept_of(asked), list(REPRESENTATIONS))
    if found is None:
        raise ProblemError("not_acceptable", f"a document is {JSON} or {JSON_LD}", headers={"Vary": "Accept"})
    return REPRESENTATIONS[found]


def accept_of(asked: Asked) -> str:
    """Give what a request accepts, of every Accept header that it has."""
    return ",".join(asked.request.headers.getall("Accept", []))


async def found(asked: Asked) -> Resolved:
    """Resolve the DID of a path; raises ``not_found``, and ``invalid_request`` for text that is no DID."""
    try:
        return await resolve(asked, asked.path("did"), as_of_text=asked.query.as_of)
    except UnresolvedError as error:
        raise _problem(error) from None


def _problem(error: UnresolvedError) -> ProblemError:
    if error.reason is Unresolved.INVALID:
        return invalid("/did", error.detail)
    return ProblemError("not_found", error.detail)


async def show(asked: Asked) -> web.StreamResponse:
    """Show a DID's document."""
    representation_of(asked)
    resolved = await found(asked)
    return represented(asked, resolved.document, resolved.headers)


async def show_keys(asked: Asked) -> web.StreamResponse:
    """Show a DID's keys as JWKs."""
    resolved = await found(asked)
    return json_response({"keys": resolved.keys}, headers=resolved.headers)


async def show_log(asked: Asked) -> web.StreamResponse:
    """List a DID's operations, as the log was when the walk began."""
    try:
        parsed = read_did(asked.path("did"))
    except UnresolvedError as error:
        raise _problem(error) from None
    if parsed.method != "mun":
        raise ProblemError("not_found", "a DID that says its key itself has no operation log")
    did, query = parsed.did, asked.query
    filters: dict[str, JsonValue] = {"of": "did operations", "did": did}
    after, held = (-1, None) if query.cursor is None else _place(query.cursor, filters)
    partition = asked.api.partition(did)
    # The next operation is made on the last one shown here: a log that lacked one would have it taken back.
    at_least = asked.api.mirror.last_of(CONTEXT, did) if held is None else (partition, held)
    wanted: Positions = {} if at_least is None else {(CONTEXT, at_least[0]): at_least[1]}

    async def ask(transaction: Transaction, generation: Generation) -> tuple[list[StoredOperation], int]:
        until = vector(generation)[partition] if held is None else held
        rows = await identity_queries.operations(transaction, generation, did, limit=query.limit + 1, after=after)
        return [each for each in rows if each.pos <= until], until

    (rows, until), headers = await read(asked, CONTEXT, ask, wanted)
    if not rows and query.cursor is None:
        raise ProblemError("not_found", "there is no such DID")
    items = rows[: query.limit]
    cursor = write_cursor(filters, [items[-1].pos, until]) if len(rows) > query.limit else None
    return json_response(page([_operation(each, until) for each in items], cursor), headers=headers)


def _place(cursor: str, filters: dict[str, JsonValue]) -> tuple[int, int]:
    """Read where a walk stands and as of when; raises ``invalid_cursor``."""
    numbers = [each for each in read_cursor(cursor, filters, (int, int)) if isinstance(each, int)]
    if not all(0 <= number <= LARGEST_PLACE for number in numbers):
        raise ProblemError("invalid_cursor")
    return numbers[0], numbers[1]


def _operation(stored: StoredOperation, until: int) -> JsonObject:
    return {
        "operation": strict_json.parse_own(stored.operation),
        "hash": stored.hash,
        "signature": stored.signature,
        "at": rfc3339(stored.at),
        "nullified": stored.nullified_pos is not None and stored.nullified_pos <= until,
    }


ROUTES = [
    Route(
        "GET",
        "/dids/{did}",
        show,
        "A DID's document, now or as of a moment",
        query_model=DidQuery,
        responses={200: DidDocumentView},
        problems=(*PROBLEMS, "not_found", "not_acceptable"),
        response_type=JSON,
        header_parameters=ACCEPTED,
    ),
    Route(
        "GET",
        "/dids/{did}/log",
        show_log,
        "A DID's operations, oldest first",
        query_model=PageQuery,
        responses={200: OperationPage},
        problems=(*PROBLEMS, "not_found", "invalid_cursor"),
    ),
    Route(
        "GET",
        "/dids/{did}/jwks.json",
        show_keys,
        "A DID's keys as JWKs",
        query_model=DidQuery,
        responses={200: JwksView},
        problems=(*PROBLEMS, "not_found"),
    ),
]
