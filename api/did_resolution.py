"""DID resolution over HTTP (W3C DID Resolution): a document with what is known about it, or why there is none.

``Accept: application/did+json`` or ``application/did+ld+json`` asks for the document alone.
"""

import time
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeAlias

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from api.did_documents import JSON, JSON_LD, with_context
from api.did_reads import accept_of
from api.media_types import preferred
from api.postgres_reads import PROBLEMS
from api.problems import invalid
from api.resolving import Resolved, Unresolved, UnresolvedError, resolve
from api.route import Asked, Route, json_response
from api.shapes import FreshQuery, Maybe
from api.times import InvalidTime, read_time
from domain.json_value import JsonObject, JsonValue
from projections.identity_past_queries import StoodDid

RESULT, RESULT_LD = "application/did-resolution", "application/ld+json"
OFFERED: Final = ("application/json", RESULT, RESULT_LD, JSON, JSON_LD)
TYPE_OF_LD: Final = f'{RESULT_LD};profile="https://w3id.org/did-resolution"'
CONTEXT: Final = "https://w3id.org/did-resolution/v1"
NOT_REPRESENTED: Final = "representationNotSupported"
STATUSES: Final = {
    Unresolved.INVALID: 400,
    Unresolved.NOT_FOUND: 404,
    Unresolved.NO_METHOD: 501,
}

Version: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]


class ResolutionQuery(FreshQuery):
    """A DID now, at a time (``versionTime``), or as an operation of this hash left it (``versionId``)."""

    versionId: Maybe[Version] = None  # noqa: N815  # DID Resolution's own names
    versionTime: Maybe[Version] = None  # noqa: N815


class ResolutionView(BaseModel):
    """A DID resolution result; ``didResolutionMetadata.error`` says why there is no document."""

    model_config = ConfigDict(title="DidResolutionResult")

    did_document: Any = Field(alias="didDocument")
    did_resolution_metadata: Any = Field(alias="didResolutionMetadata")
    did_document_metadata: Any = Field(alias="didDocumentMetadata")


async def show(asked: Asked) -> web.StreamResponse:
    """Resolve a DID."""
    wanted = preferred(accept_of(asked), OFFERED)
    if wanted is None:
        return _result(OFFERED[0], 406, None, {"error": NOT_REPRESENTED}, {})
    query: ResolutionQuery = asked.query
    if query.versionId is not None and query.versionTime is not None:
        raise invalid("/versionId", "either versionId or versionTime names a version")
    try:
        when = None if query.versionTime is None else _past(query.versionTime)
        resolved = await resolve(asked, asked.path("did"), as_of_text=when, version=query.versionId)
    except UnresolvedError as error:
        kind = wanted if wanted in {RESULT, RESULT_LD} else OFFERED[0]
        return _result(kind, STATUSES[error.reason], None, {"error": error.reason}, {})
    return _answer(wanted, resolved)


def _past(text: str) -> str:
    """Give a version's time; one that is yet to come is now, whose version it is as far as anybody knows."""
    try:
        ahead = read_time(text) > time.time_ns() // 1_000_000
    except InvalidTime as error:
        raise invalid("/versionTime", str(error)) from None
    return datetime.now(UTC).isoformat() if ahead else text


def _answer(wanted: str, resolved: Resolved) -> web.Response:
    as_ld = wanted in {JSON_LD, RESULT_LD}
    document = with_context(resolved.document) if as_ld else resolved.document
    if wanted in {JSON, JSON_LD}:
        return json_response(document, headers={**resolved.headers, "Vary": "Accept"}, media_type=wanted)
    about: JsonObject = {"contentType": JSON_LD if as_ld else JSON}
    history = {} if resolved.stood is None else _history(resolved.stood)
    answer = _result(wanted, 200, document, about, history)
    answer.headers.update(resolved.headers)
    return answer


def _result(media_type: str, status: int, document: JsonValue, about: JsonObject, history: JsonObject) -> web.Response:
    named: JsonObject = {"@context": CONTEXT} if media_type == RESULT_LD else {}
    body = {**named, "didDocument": document, "didResolutionMetadata": about, "didDocumentMetadata": history}
    answer = json_response(body, status, {"Vary": "Accept"}, media_type)
    if media_type == RESULT_LD:
        answer.headers["Content-Type"] = TYPE_OF_LD
    return answer


def _history(stood: StoodDid) -> JsonObject:
    """Give what is known about a version; ``updated`` is there once anything happened after the genesis."""
    history: JsonObject = {"created": _second(stood.created_at), "versionId": stood.version}
    if stood.updated_at != stood.created_at:
        history["updated"] = _second(stood.updated_at)
    if stood.following is not None:
        history["nextVersionId"] = stood.following
    return history


def _second(at: int) -> str:
    """Write a time as DID Core has it: RFC 3339 without parts of a second."""
    return f"{datetime.fromtimestamp(at // 1000, UTC).isoformat()[:19]}Z"


ROUTES = [
    Route(
        "GET",
        "/1.0/identifiers/{did}",
        show,
        "Resolve a DID (W3C DID Resolution)",
        query_model=ResolutionQuery,
        responses=dict.fromkeys((200, 400, 404, 406, 501), ResolutionView),
        problems=PROBLEMS,
        header_parameters={"Accept": f"`{JSON}` or `{JSON_LD}` for the document alone; `{RESULT}` for the result."},
    )
]
