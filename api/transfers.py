"""Transfers: money moved at its owner's signed word, alone or up to 1,000 at once."""

import asyncio
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, Field

from api.batches import answer_batch
from api.intent import Intent, idempotency_key
from api.ledger_requests import (
    MANDATED,
    AccountId,
    AmountText,
    MandateRequest,
    Order,
    amount_of,
    check_order,
    known_account,
    mandate_of,
    order_intent,
    signed_bytes_of,
)
from api.ledger_views import TransferView
from api.problems import ProblemError
from api.results import write
from api.route import Asked, Route, Who
from api.shapes import NO_CONTROL, Maybe, Shape, WriteQuery, fit
from domain.json_value import JsonObject
from domain.ledger.transfer import PostTransfer
from log import statements
from log.checking import fault_of

BATCH_MAX = 1000
READ_AT_ONCE = 32
MEMO_MAX = 256
ROUTE = "POST /transfers"


class TransferRequest(MandateRequest):
    """Move an amount of micro-AVT from an account to another."""

    from_: Annotated[AccountId, Field(alias="from")]
    to: AccountId
    amount: AmountText
    memo: Maybe[Annotated[str, Field(max_length=MEMO_MAX), NO_CONTROL]] = None


class TransferBatchRequest(Shape):
    """Up to 1,000 transfers, each signed by its own account's owner and with its own outcome."""

    transfers: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=BATCH_MAX)]


class TransferBatchItem(BaseModel):
    """What became of one transfer of a batch."""

    status: int
    transfer: TransferView | None = None
    problem: dict[str, Any] | None = None


class TransferBatchAnswer(BaseModel):
    """What became of each transfer, in the order in which they were sent."""

    dry_run: bool | None = None
    items: list[TransferBatchItem]


async def transfer_order(asked: Asked, request: TransferRequest, sent: JsonObject) -> Order:
    """Make the order of a transfer; raises ``unknown_account`` and ``invalid_request``."""
    amount = amount_of(request.amount)
    sender, receiver = await known_account(asked, request.from_), await known_account(asked, request.to)
    signed = signed_bytes_of("transfer", sent)
    name = statements.mandate_id("transfer", signed)
    payload = PostTransfer(
        name,
        sender.frame_id,
        request.from_,
        request.to,
        receiver.frame_id,
        amount,
        request.memo,
        mandate_of(request, sender.owner),
        asked.api.settings.transfer_timeout_ms,
    )
    return Order("transfer", sender.owner, name, sender.frame_id, signed, request.signature, payload).keyed(
        asked.api.mirror
    )


async def transfer(asked: Asked) -> web.StreamResponse:
    """Move money."""
    order = await transfer_order(asked, asked.body, asked.json)  # type: ignore[arg-type]  # its shape is an object's
    check_order(asked, order, fault_of(order.signed))
    return await write(asked, order_intent(ROUTE, {}, order, idempotency_key(asked.request)))


async def transfer_batch(asked: Asked) -> web.StreamResponse:
    """Move money many times, each with its own outcome; the order of the answer is that of the request."""
    given_key = idempotency_key(asked.request)
    stated: list[Order | ProblemError] = []
    for index, sent in enumerate(asked.body.transfers, start=1):
        try:
            stated.append(await transfer_order(asked, fit(TransferRequest, sent), sent))
        except ProblemError as problem:
            stated.append(problem)
        if index % READ_AT_ONCE == 0:
            await asyncio.sleep(0)
    faults = iter(await asked.api.checker.faults([each.signed for each in stated if isinstance(each, Order)]))
    found = [
        _checked(asked, each, next(faults), None if given_key is None else f"{given_key}\x00{index}")
        if isinstance(each, Order)
        else each
        for index, each in enumerate(stated)
    ]
    return await answer_batch(asked, found, lambda status, moved: {"status": status, "transfer": moved})


def _checked(asked: Asked, order: Order, fault: str | None, given_key: str | None) -> Intent | ProblemError:
    try:
        check_order(asked, order, fault)
    except ProblemError as problem:
        return problem
    return order_intent(ROUTE, {}, order, given_key)


ROUTES = [
    Route(
        "POST",
        "/transfers",
        transfer,
        "Move money from an account to another",
        Who.SESSION,
        TransferRequest,
        WriteQuery,
        {201: TransferView, 202: TransferView, 200: TransferView},
        (*MANDATED, "same_account", "amount_not_positive", "amount_too_small", "not_caught_up"),
    ),
    Route(
        "POST",
        "/transfers/batch",
        transfer_batch,
        "Move money up to 1,000 times, each with its own outcome",
        Who.SESSION,
        TransferBatchRequest,
        WriteQuery,
        {200: TransferBatchAnswer},
        ("unauthenticated", "log_unavailable"),
    ),
]
