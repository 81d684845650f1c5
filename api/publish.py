"""Publishing: signed rights records are taken, alone or up to 500 at once, by whoever's key signed them."""

import asyncio
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from api.batches import answer_batch
from api.intent import Intent, idempotency_key
from api.problems import ProblemError
from api.publish_requests import (
    PublishRequest,
    Signed,
    check_signature,
    intent_of,
    signed_of,
)
from api.publish_results import JobQueuedView
from api.results import write
from api.route import Asked, Route
from api.shapes import Maybe, Shape, WriteQuery, fit
from processors.publishing_agenda import BATCH, NOW

BATCH_MAX: Final = 500
BATCH_MAX_BYTES: Final = 4 << 20
ACCEPTED: Final = 202
CHECKED_AT_ONCE: Final = 16
"""After so many signatures, some 2 ms, other requests have their turn."""
REFUSALS: Final = (
    "invalid_signature",
    "timestamp_out_of_range",
    "key_not_registered",
    "nonce_used",
    "record_exists",
    "idempotency_conflict",
    "log_unavailable",
    "outcome_unknown",
)


class PublishQuery(WriteQuery):
    """What publishing accepts: ``priority=now`` has the record anchored alone and at once."""

    priority: Maybe[Literal["now"]] = None


class PublishBatchRequest(Shape):
    """Up to 500 intents, each with its own outcome."""

    intents: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=BATCH_MAX)]


class PublishBatchItem(BaseModel):
    """What became of one intent of a batch."""

    status: int
    jobId: str | None = None  # noqa: N815  # the protocol's own name
    problem: dict[str, Any] | None = None


class PublishBatchAnswer(BaseModel):
    """What became of each intent, in the order in which they were sent."""

    dry_run: bool | None = None
    items: list[PublishBatchItem]


def _shape(asked: Asked) -> None:
    asked.statement = signed_of(asked.body, asked.json)  # type: ignore[arg-type]  # its shape is an object's


def _checked(asked: Asked, signed: Signed, given_key: str | None) -> Intent:
    """Make the command of an intent; raises ``invalid_signature``, which is counted."""
    try:
        check_signature(signed)
    except ProblemError:
        asked.api.metrics.signature_failures.inc()
        raise
    priority = BATCH if asked.query.priority is None else NOW
    return intent_of(signed, priority, asked.api.rate_limits.intents_per_minute, given_key)


async def publish(asked: Asked) -> web.StreamResponse:
    """Take an intent."""
    intent = _checked(asked, asked.statement, idempotency_key(asked.request))
    response = await write(asked, intent)
    if response.status == ACCEPTED:
        response.headers.setdefault("Location", f"/v1/job/{intent.payload.job_id}")
    return response


async def publish_batch(asked: Asked) -> web.StreamResponse:
    """Take many intents, each with its own outcome; the order of the answer is that of the request."""
    given_key, found = idempotency_key(asked.request), list[Intent | ProblemError]()
    for index, sent in enumerate(asked.body.intents, start=1):
        try:
            # Each item has a scope of its own under the batch's key; no header can hold the separator.
            own_key = None if given_key is None else f"{given_key}\x00{index}"
            found.append(_checked(asked, signed_of(fit(PublishRequest, sent), sent), own_key))
        except ProblemError as problem:
            found.append(problem)
        if index % CHECKED_AT_ONCE == 0:
            await asyncio.sleep(0)
    return await answer_batch(asked, found, lambda status, job: {**job, "status": status}, repeated=ACCEPTED)


ROUTES = [
    Route(
        "POST",
        "/v1/publish",
        publish,
        "Have a signed rights record anchored",
        request_model=PublishRequest,
        query_model=PublishQuery,
        responses={202: JobQueuedView, 200: JobQueuedView},
        problems=REFUSALS,
        shape=_shape,
    ),
    Route(
        "POST",
        "/v1/publish/batch",
        publish_batch,
        "Have up to 500 signed rights records anchored, each with its own outcome",
        request_model=PublishBatchRequest,
        query_model=PublishQuery,
        responses={200: PublishBatchAnswer},
        problems=("log_unavailable",),
        max_body_bytes=BATCH_MAX_BYTES,
    ),
]
