"""DIDs as their owners write them: a genesis and every operation after it; who signed it is all that authorises it."""

from typing import Any, Final

from aiohttp import web

from api.appending import imagine, known_outcome
from api.did_claims import imagined_claim, with_claim
from api.did_documents import JSON, JSON_LD, DidDocumentView, with_context
from api.did_operations import authorised, intent_of
from api.did_reads import ACCEPTED, representation_of
from api.did_requests import OperationRequest, Stated, read_following, read_genesis
from api.did_results import document_now, document_of
from api.freshness import as_of
from api.intent import Intent, idempotency_key
from api.results import HIT, answer, dry_answer, write
from api.route import Asked, Route
from api.shapes import WriteQuery
from domain.decider import State
from domain.json_value import JsonObject
from log.fold import Overlay

CREATE: Final = "POST /dids"
OPERATE: Final = "POST /dids/{did}/operations"
DOCUMENTED: Final = frozenset({200, 201})
PROBLEMS: Final = (
    "invalid_operation",
    "invalid_signature",
    "handle_taken",
    "not_acceptable",
    "idempotency_conflict",
    "log_unavailable",
    "not_caught_up",
    "outcome_unknown",
)


async def create(asked: Asked) -> web.StreamResponse:
    """Create a DID by its genesis."""
    return await _submit(asked, CREATE, {})


async def operate(asked: Asked) -> web.StreamResponse:
    """Append an operation to a DID's log."""
    return await _submit(asked, OPERATE, {"did": asked.statement.did})


async def _submit(asked: Asked, route: str, path: dict[str, str]) -> web.StreamResponse:
    media_type = representation_of(asked)
    stated: Stated = asked.statement
    intent = intent_of(await authorised(asked, stated), route, path, idempotency_key(asked.request))
    if asked.query.dry_run:
        return await _imagined(asked, intent, stated)
    if stated.handle is not None and await _is_new(asked, intent, stated):
        intent = await with_claim(asked.api, intent, stated.handle)

    def represented(document: JsonObject) -> JsonObject:
        return with_context(document) if media_type == JSON_LD else document

    response = await write(asked, intent, represented)
    if response.status in DOCUMENTED:
        response.content_type = media_type
        response.headers["Vary"] = "Accept"
    return response


async def _is_new(asked: Asked, intent: Intent, stated: Stated) -> bool:
    """Tell whether an operation was not ruled on yet: what is sent again claims nothing."""
    return await known_outcome(asked.api, intent) is None and document_of(asked.api, stated.did, stated.hash) is None


async def _imagined(asked: Asked, intent: Intent, stated: Stated) -> web.Response:
    """Say what would have become of an operation: its handle is claimed in the same imagination."""
    api, headers = asked.api, as_of(asked.api.mirror)
    known, there = await known_outcome(api, intent), document_of(api, stated.did, stated.hash)
    if known is not None:
        _, document, hit = answer(api, known)
        headers |= {name: value for name, value in hit.items() if name == HIT}
    elif there is not None:
        document = there
        headers |= {HIT: "true"}
    else:
        state = Overlay(api.mirror.store)
        if stated.handle is not None:
            intent = imagined_claim(api, intent, stated.handle, state)
        _, now = imagine(api, intent, state)
        imagined: State = state
        document = document_now(imagined, stated.did, now)
    return dry_answer(intent, document, headers)


ROUTES: Final[list[Any]] = [
    Route(
        "POST",
        "/dids",
        create,
        "Create a DID by its genesis",
        request_model=OperationRequest,
        query_model=WriteQuery,
        responses={201: DidDocumentView, 200: DidDocumentView},
        problems=PROBLEMS,
        shape=read_genesis,
        response_type=JSON,
        header_parameters=ACCEPTED,
    ),
    Route(
        "POST",
        "/dids/{did}/operations",
        operate,
        "Rotate, revoke, recover, cancel, name guardians or take a handle: the next operation of a DID",
        request_model=OperationRequest,
        query_model=WriteQuery,
        responses={201: DidDocumentView, 200: DidDocumentView},
        problems=(*PROBLEMS, "not_found", "stale_prev", "handle_change_too_soon"),
        shape=read_following,
        response_type=JSON,
        header_parameters=ACCEPTED,
    ),
]
