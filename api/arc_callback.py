"""Where ARC says that a transaction went on: the chain itself is asked at once, and what it says is noted, no more.

The observer finds the same a little later, under the same command ids: a hint that is lost, repeated or forged changes
nothing that the chain doesn't say.
"""

from aiohttp import web

from api.anchorage import Anchorage, answered
from api.postgres_reads import PROBLEMS, read
from api.problems import ProblemError
from api.publish_requests import CONTEXT
from api.request_bodies import read_bytes
from api.route import Asked, Route
from api.shapes import FreshQuery
from log.log import AppendUnknown
from processors.arc_callback import MAX_CALLBACK_BYTES, CallbackRefused, Hint, InvalidCallback, read_callback
from processors.observer import noted
from processors.reactor_commands import ReactorCommands
from projections import publishing_queries
from projections.generations import Generation
from projections.postgres import Transaction
from projections.publishing_queries import StoredBatch


def _called(asked: Asked) -> tuple[Anchorage, str]:
    """Give the chain and its token; raises ``not_found`` where it is none that calls."""
    chain: Anchorage | None = asked.api.anchorage
    if chain is None or not chain.callback_token:
        raise ProblemError("not_found", "this deployment's chain calls nobody")
    return chain, chain.callback_token


async def _hint(asked: Asked, token: str) -> Hint:
    """Read what ARC says; raises ``unauthenticated``, ``invalid_request``, ``payload_too_large``."""
    body = await read_bytes(asked.request, MAX_CALLBACK_BYTES)
    try:
        return read_callback(asked.request.headers.get("Authorization"), body, token)
    except CallbackRefused:
        raise ProblemError(
            "unauthenticated", "this is for ARC alone, by its token", headers={"WWW-Authenticate": "Bearer"}
        ) from None
    except InvalidCallback as error:
        raise ProblemError("invalid_request", str(error)) from None


async def hear(asked: Asked) -> web.StreamResponse:
    """Look at once at a transaction that ARC says went on."""
    chain, token = _called(asked)
    hint = await _hint(asked, token)

    async def ask(transaction: Transaction, generation: Generation) -> StoredBatch | None:
        return await publishing_queries.batch_under_way(transaction, generation, hint.txid)

    async with chain.hints:
        found, _ = await read(asked, CONTEXT, ask)
        if found is not None:
            await _note(asked, chain, hint.txid, found)
    return web.Response(status=204)


async def _note(asked: Asked, chain: Anchorage, txid: str, batch: StoredBatch) -> None:
    """Ask for what the chain has of a batch to be noted; raises ``chain_unavailable``, ``log_unavailable``."""
    seen = await answered(chain.chain.transaction(txid))
    where = f"{CONTEXT}/{batch.part}/{batch.status_pos}"
    found = None if seen is None else noted(batch.batch_id, batch.status, where, seen)
    if found is None:
        return
    try:
        await ReactorCommands(asked.api.log).append([found])
    except AppendUnknown:
        raise ProblemError("log_unavailable", headers={"Retry-After": "1"}) from None


ROUTES = [
    Route(
        "POST",
        "/v1/arc/callback",
        hear,
        "Hear from ARC that a transaction went on",
        query_model=FreshQuery,
        responses={204: None},
        problems=(
            *PROBLEMS,
            "not_found",
            "unauthenticated",
            "payload_too_large",
            "unsupported_media_type",
            "chain_unavailable",
            "log_unavailable",
        ),
        raw_body=True,
        limited=False,  # ARC proves itself by its token, and a refusal would only delay what it says
    ),
]
