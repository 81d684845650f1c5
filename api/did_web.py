"""did:web of this deployment: itself with the keys that sign sessions, and each registered DID under its handle.

Its name comes from the URL that sessions name as their issuer: its host, a port as ``%3A``, and steps of its path.
"""

import re
import time
from typing import Final
from urllib.parse import quote, urlsplit

from aiohttp import web

from api.did_documents import JSON, DidDocumentView, did_document, web_document
from api.did_reads import ACCEPTED, representation_of, represented
from api.freshness import as_of
from api.postgres_reads import PROBLEMS, read
from api.problems import ProblemError
from api.resolving import CONTEXT
from api.route import Asked, Route
from api.service_keys import JWKS_MAX_AGE_S
from api.shapes import FreshQuery
from projections import identity_past_queries, identity_queries
from projections.generations import Generation
from projections.identity_past_queries import Limit, StoodDid
from projections.postgres import Transaction

HANDLE: Final = re.compile(r"[a-z0-9-]{3,32}")


def web_did(issuer: str) -> str:
    """Name a deployment by its URL; raises ``not_found`` for an issuer that is none."""
    try:
        url = urlsplit(issuer)
    except ValueError:
        url = urlsplit("")
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ProblemError("not_found", "this deployment has no URL that a did:web could name")
    steps = [step for step in url.path.split("/") if step]
    return ":".join(["did:web", *(quote(part, safe="") for part in (url.netloc.rpartition("@")[2].lower(), *steps))])


async def show_deployment(asked: Asked) -> web.StreamResponse:
    """Show the document of the deployment itself."""
    sessions = asked.api.sessions
    document = web_document(web_did(sessions.issuer), [key.jwk for key in sessions.keys.valid()])
    headers = {**as_of(asked.api.mirror), "Cache-Control": f"public, max-age={JWKS_MAX_AGE_S}"}
    return represented(asked, document, headers)


async def show_handle(asked: Asked) -> web.StreamResponse:
    """Show the document of whoever has a handle now: the same keys, under a name of this deployment."""
    representation_of(asked)
    handle = asked.path("handle")
    if not HANDLE.fullmatch(handle):
        raise ProblemError("not_found", "there is no such handle")
    name = f"{web_did(asked.api.sessions.issuer)}:u:{handle}"
    now = time.time_ns() // 1_000_000

    async def ask(transaction: Transaction, generation: Generation) -> StoodDid | None:
        owner = (await identity_queries.dids(transaction, generation, [handle])).get(handle)
        if owner is None:
            return None
        return await identity_past_queries.stood(transaction, generation, owner.did, Limit(), now)

    stood, headers = await read(asked, CONTEXT, ask)
    if stood is None:
        raise ProblemError("not_found", "nobody has this handle")
    document = did_document(name, stood.keys, handle)
    document["alsoKnownAs"] = [stood.did, f"mun://{handle}"]
    document["controller"] = stood.did
    return represented(asked, document, headers)


ROUTES = [
    Route(
        "GET",
        "/.well-known/did.json",
        show_deployment,
        "The did:web of this deployment",
        responses={200: DidDocumentView},
        problems=("not_found", "not_acceptable"),
        response_type=JSON,
        header_parameters=ACCEPTED,
    ),
    Route(
        "GET",
        "/u/{handle}/did.json",
        show_handle,
        "The did:web of a handle",
        query_model=FreshQuery,
        responses={200: DidDocumentView},
        problems=(*PROBLEMS, "not_found", "not_acceptable"),
        response_type=JSON,
        header_parameters=ACCEPTED,
    ),
]
