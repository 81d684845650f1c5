"""Collections: an admin puts a version of a schema, everybody reads all of them."""

from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, Field

from api.freshness import as_of, wait_until_fresh
from api.intent import idempotency_key, request_hash, session_intent
from api.json_schemas import InvalidSchema, given_validator
from api.problems import ProblemError, invalid
from api.record_requests import RECORDS, WRITES, newest_schema
from api.record_results import SchemaView
from api.results import write
from api.route import Asked, Route, Who, json_response
from api.shapes import FreshQuery, Shape, WriteQuery
from api.times import rfc3339
from domain.json_value import JsonObject
from domain.records.collection_name import is_collection
from domain.records.json_schema import Document, SchemaFault
from domain.records.schema import PutSchema, SchemaVersion, collection, name_of, schema_version
from log import strict_json
from log.canonical import NotCanonicalizable, canonical_json

PUT: Final = "PUT /schemas/{collection}"
SCHEMA_MAX_BYTES: Final = 64 << 10


class SchemaRequest(Shape):
    """A JSON Schema 2020-12; ``breaking`` where records that are valid now may not be under it."""

    definition: Any = Field(alias="schema")
    breaking: bool = False


class CollectionView(BaseModel):
    """A collection with every version of its schema, the oldest first; the last is in force."""

    collection: str
    versions: list[SchemaView]


def _read_schema(asked: Asked) -> None:
    sent: Any = asked.json
    if not is_collection(asked.path("collection")):
        raise ProblemError("not_found", "this can't name a collection")
    try:
        Document(sent["schema"])
        given_validator(sent["schema"])
        text = canonical_json(sent["schema"])
    except (SchemaFault, InvalidSchema) as fault:
        raise invalid("/schema" + fault.pointer, fault.detail) from None
    except NotCanonicalizable as error:
        raise invalid("/schema", str(error)) from None
    if len(text) > SCHEMA_MAX_BYTES:
        raise invalid("/schema", f"a schema has at most {SCHEMA_MAX_BYTES} bytes")
    asked.statement = text.decode()


async def put(asked: Asked) -> web.StreamResponse:
    """Put the next version of a collection's schema; the one that is in force is no further version."""
    name, text, sent = asked.path("collection"), asked.statement, asked.json
    payload = PutSchema(name, text, asked.body.breaking, asked.api.authority(asked.caller.identity))
    told: JsonObject = {"schema": sent["schema"], "breaking": asked.body.breaking}  # type: ignore[index, call-overload]
    asked_hash = request_hash(PUT, {"collection": name}, told)
    try:
        return await write(
            asked, session_intent(asked.caller, asked_hash, idempotency_key(asked.request), name, payload)
        )
    except ProblemError as problem:
        if problem.code != "already_exists":
            raise
        newest, checked = await newest_schema(asked, name)
        if newest.schema != text:
            raise
        return json_response(shown(name, checked.version, newest), 200, problem.headers)


def shown(name: str, version: int, known: SchemaVersion) -> JsonObject:
    """Show a version."""
    view: JsonObject = {"collection": name, "version": version, "name": name_of(name, known.major)}
    view |= {"breaking": known.breaking, "schema": strict_json.parse_own(known.schema), "put_by": known.put_by}
    return view | {"at": rfc3339(known.at)}


async def show(asked: Asked) -> web.StreamResponse:
    """Show a collection's versions."""
    name = asked.path("collection")
    await wait_until_fresh(asked.api.mirror, asked.query, (RECORDS,))
    headers = as_of(asked.api.mirror)
    store: Any = asked.api.mirror.store
    known = collection(store, name) if is_collection(name) else None
    if known is None:
        raise ProblemError("not_found", "there is no collection of this name")
    numbered = [(number, schema_version(store, name, number)) for number in range(1, known.version + 1)]
    versions = [shown(name, number, each) for number, each in numbered if each is not None]
    return json_response({"collection": name, "versions": [*versions]}, headers=headers)


ROUTES = [
    Route(
        "PUT",
        "/schemas/{collection}",
        put,
        "Put the next version of a collection's schema",
        Who.ADMIN,
        SchemaRequest,
        WriteQuery,
        {201: SchemaView, 200: SchemaView},
        (*WRITES, "not_found", "incompatible_schema", "already_exists", "not_caught_up"),
        _read_schema,
    ),
    Route(
        "GET",
        "/schemas/{collection}",
        show,
        "A collection with every version of its schema",
        query_model=FreshQuery,
        responses={200: CollectionView},
        problems=("not_found", "not_caught_up"),
    ),
]
