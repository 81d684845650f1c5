"""Facts: issued, revoked, set aside and released."""

import asyncio
from dataclasses import replace
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, Field

from api.batches import answer_batch
from api.fact_reads import known_form
from api.fact_requests import (
    REASON_MAX,
    FactRequest,
    RevocationRequest,
    Statement,
    check_issuer,
    check_signature,
    fact_statement,
    intent_of,
    keyed,
    revocation_statement,
    signed_by,
)
from api.fact_view import FactView
from api.intent import Intent, idempotency_key, request_hash, session_intent
from api.problems import ProblemError
from api.results import write
from api.route import Asked, Route, Who
from api.shapes import Shape, WriteQuery, fit
from domain.did import identity
from domain.facts.fact import Fact, QuarantineFact, ReleaseFact, fact_key

BATCH_MAX = 1000
READ_AT_ONCE = 32
"""After so many facts of a batch, some 2 ms, other requests have their turn."""
UNKNOWN_FACT_WAIT_S = 0.5


class BatchRequest(Shape):
    """Up to 1,000 facts, each as ``POST /facts`` takes it and with its own outcome."""

    facts: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=BATCH_MAX)]


class BatchItem(BaseModel):
    """What became of one fact of a batch."""

    status: int
    fact: FactView | None = None
    problem: dict[str, Any] | None = None


class BatchAnswer(BaseModel):
    """What became of each fact, in the order in which they were sent."""

    dry_run: bool | None = None
    items: list[BatchItem]


class ReasonRequest(Shape):
    """Why a fact is set aside."""

    reason: Annotated[str, Field(min_length=1, max_length=REASON_MAX)]


def _statement(asked: Asked) -> None:
    asked.statement = fact_statement(asked.body, asked.api.settings.subject_types)


async def issue(asked: Asked) -> web.StreamResponse:
    """Issue a fact."""
    statement: Statement = asked.statement
    check_issuer(statement, asked.caller.identity)
    statement = keyed(statement, asked.api.mirror)
    check_signature(statement)
    return await write(asked, intent_of(statement, idempotency_key(asked.request)))


async def issue_batch(asked: Asked) -> web.StreamResponse:
    """Issue many facts, each with its own outcome; the order of the answer is that of the request."""
    api, given_key = asked.api, idempotency_key(asked.request)
    sent: list[dict[str, Any]] = asked.body.facts
    stated: list[Statement | ProblemError] = []
    for index, fact in enumerate(sent, start=1):
        stated.append(_stated(asked, fact))
        if index % READ_AT_ONCE == 0:
            await asyncio.sleep(0)
    faults = iter(await api.checker.faults([signed_by(entry) for entry in stated if isinstance(entry, Statement)]))
    found = [
        _signed(entry, next(faults), index, given_key) if isinstance(entry, Statement) else entry
        for index, entry in enumerate(stated)
    ]
    return await answer_batch(asked, found, lambda status, fact: {"status": status, "fact": fact})


def _stated(asked: Asked, sent: dict[str, Any]) -> Statement | ProblemError:
    try:
        statement = fact_statement(fit(FactRequest, sent), asked.api.settings.subject_types)
        check_issuer(statement, asked.caller.identity)
        return keyed(statement, asked.api.mirror)
    except ProblemError as problem:
        return problem


def _signed(statement: Statement, fault: str | None, index: int, given_key: str | None) -> Intent | ProblemError:
    if fault is not None:
        return ProblemError("invalid_signature", fault)
    # Each item has a scope of its own under the batch's key; no header can hold the separator.
    return intent_of(statement, None if given_key is None else f"{given_key}\x00{index}")


def _revocation(asked: Asked) -> None:
    asked.statement = revocation_statement(known_form(asked), asked.body)


async def revoke(asked: Asked) -> web.StreamResponse:
    """Revoke a fact: only its issuer may."""
    statement: Statement = asked.statement
    check_issuer(statement, asked.caller.identity)
    statement = keyed(statement, asked.api.mirror)
    check_signature(statement)
    intent = intent_of(statement, idempotency_key(asked.request))
    known = await _known(asked, known_form(asked))
    if known is not None and identity(known.issuer_did) != intent.actor:
        # Another issuer's facts are decided elsewhere: its partition rules on this, not the caller's.
        intent = replace(intent, key=identity(known.issuer_did))
    return await write(asked, intent)


async def _known(asked: Asked, fact_id: str) -> Fact | None:
    """Find a fact in the mirror; one that it doesn't have yet is waited for briefly."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + UNKNOWN_FACT_WAIT_S
    while (entry := asked.api.mirror.get(fact_key(fact_id))) is None and loop.time() < deadline:
        await asked.api.mirror.moved(deadline - loop.time())
    return None if entry is None else Fact(*entry)


async def _admin_change(asked: Asked, payload: QuarantineFact | ReleaseFact) -> web.StreamResponse:
    known = await _known(asked, payload.fact_id)
    if known is None:
        raise ProblemError("not_found", "there is no fact of this id")
    asked_hash = request_hash(f"POST {asked.route.path}", {"id": payload.fact_id}, asked.json)
    given_key = idempotency_key(asked.request)
    return await write(asked, session_intent(asked.caller, asked_hash, given_key, identity(known.issuer_did), payload))


async def quarantine(asked: Asked) -> web.StreamResponse:
    """Set a fact aside."""
    authority = asked.api.authority(asked.caller.identity)
    return await _admin_change(asked, QuarantineFact(known_form(asked), asked.body.reason, authority))


async def release(asked: Asked) -> web.StreamResponse:
    """Let a quarantined fact count again."""
    return await _admin_change(asked, ReleaseFact(known_form(asked), asked.api.authority(asked.caller.identity)))


WRITES = ("idempotency_conflict", "log_unavailable", "outcome_unknown")
SIGNED = ("unsupported_algorithm", "unauthenticated", "forbidden", "invalid_signature", "signer_not_authorized")

ROUTES = [
    Route(
        "POST",
        "/facts",
        issue,
        "Issue a fact",
        Who.SESSION,
        FactRequest,
        WriteQuery,
        {201: FactView, 200: FactView},
        (*WRITES, *SIGNED, "already_active"),
        _statement,
    ),
    Route(
        "POST",
        "/facts/batch",
        issue_batch,
        "Issue up to 1,000 facts, each with its own outcome",
        Who.SESSION,
        BatchRequest,
        WriteQuery,
        {200: BatchAnswer},
        ("unauthenticated", "log_unavailable"),
    ),
    Route(
        "POST",
        "/facts/{id}/revoke",
        revoke,
        "Revoke a fact; only its issuer may",
        Who.SESSION,
        RevocationRequest,
        WriteQuery,
        {200: FactView},
        (*WRITES, *SIGNED, "not_found", "not_the_issuer", "not_active"),
        _revocation,
    ),
    Route(
        "POST",
        "/facts/{id}/quarantine",
        quarantine,
        "Set a fact aside",
        Who.ADMIN,
        ReasonRequest,
        WriteQuery,
        {200: FactView},
        (*WRITES, "not_found", "not_active"),
    ),
    Route(
        "POST",
        "/facts/{id}/release",
        release,
        "Let a quarantined fact count again",
        Who.ADMIN,
        None,
        WriteQuery,
        {200: FactView},
        (*WRITES, "not_found", "not_quarantined"),
    ),
]
