"""Erasure: an owner's key is destroyed, and what the projections hold of theirs in clear goes with it."""

import asyncio
import contextlib
from typing import Any, Final

from aiohttp import web

from api.fact_requests import Did
from api.freshness import POSITION
from api.intent import idempotency_key, request_hash, session_intent
from api.problems import ProblemError, invalid
from api.record_requests import RECORDS, WRITES, is_did
from api.record_results import ErasureView
from api.results import write
from api.route import Asked, Route, Who
from api.shapes import Shape, WriteQuery
from api.vault import vaults_of
from domain.did import identity
from domain.records.erasure import EraseOwner
from log.token import read_token
from projections.generations import Generation
from projections.postgres import PostgresUnavailable, Transaction
from projections.reads import NotCaughtUp

ERASE: Final = "POST /dids/{did}/erase"
PROJECTED_WAIT_S: Final = 5.0
"""How long the answer waits for the projection to let go of what it holds; it does so in any case."""


class ErasureRequest(Shape):
    """The DID of the path again, so that nobody erases what they didn't mean to."""

    confirm: Did


async def erase(asked: Asked) -> web.StreamResponse:
    """Erase everything of the one who asks."""
    if not is_did(asked.path("did")):
        raise ProblemError("not_found", "there is no vault of this DID")
    did = identity(asked.path("did"))
    if identity(asked.body.confirm) != did:
        raise invalid("/confirm", "this must be the DID that is to be erased")
    if asked.caller.identity != did:
        raise ProblemError("forbidden", "only its owner erases a vault")
    vaults = vaults_of(asked)
    asked_hash = request_hash(ERASE, {"did": did}, {"confirm": did})
    intent = session_intent(asked.caller, asked_hash, idempotency_key(asked.request), did, EraseOwner(did))
    answer = await write(asked, intent)
    if POSITION in answer.headers:
        # The log has it: whatever happens to this process now, the projector destroys the key where it reads of it.
        await vaults.destroy(did)
        with contextlib.suppress(NotCaughtUp, PostgresUnavailable, TimeoutError):
            async with asyncio.timeout(PROJECTED_WAIT_S):
                await _projected(asked, answer.headers[POSITION])
    return answer


async def _projected(asked: Asked, position: str) -> None:
    async def nothing(_transaction: Transaction, _generation: Generation) -> None:
        """Ask nothing: that the position is reached is all."""

    reads: Any = asked.api.reads
    if reads is not None:
        await reads.read(RECORDS, nothing, read_token(position), PROJECTED_WAIT_S)


ROUTES = [
    Route(
        "POST",
        "/dids/{did}/erase",
        erase,
        "Erase one's vault: nobody reads its values again",
        Who.SESSION,
        ErasureRequest,
        WriteQuery,
        {200: ErasureView},
        (*WRITES, "forbidden", "erased", "not_found", "read_model_unavailable"),
    ),
]
