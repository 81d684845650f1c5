"""Payments: an amount held for one payee, claimed by it or taken back."""

from typing import Annotated

from aiohttp import web
from pydantic import Field

from api.intent import idempotency_key
from api.ledger_requests import (
    MANDATED,
    WRITES,
    AccountId,
    AmountText,
    MandateRequest,
    Moment,
    Order,
    admin_intent,
    amount_of,
    check_order,
    known_account,
    known_entry,
    mandate_of,
    moment_of,
    named,
    order_intent,
    signed_bytes_of,
)
from api.ledger_views import PaymentView
from api.results import write
from api.route import Asked, Route, Who
from api.shapes import Empty, Maybe, WriteQuery
from domain.ledger.payment import CancelPayment, ClaimPayment, HoldPayment, Payment, payment_key
from log import statements
from log.checking import fault_of


class PaymentRequest(MandateRequest):
    """Hold an amount of micro-AVT for a payee until ``expires_at``, by default 60 s."""

    from_: Annotated[AccountId, Field(alias="from")]
    to: AccountId
    amount: AmountText
    expires_at: Maybe[Moment] = None


async def hold(asked: Asked) -> web.StreamResponse:
    """Hold an amount for one payee."""
    body: PaymentRequest = asked.body
    amount = amount_of(body.amount)
    expires_at = None if body.expires_at is None else moment_of(body.expires_at, "/expires_at")
    sender, receiver = await known_account(asked, body.from_), await known_account(asked, body.to)
    signed = signed_bytes_of("payment", asked.json)  # type: ignore[arg-type]  # its shape is an object's
    name = statements.mandate_id("payment", signed)
    payload = HoldPayment(
        name,
        sender.frame_id,
        body.from_,
        body.to,
        receiver.frame_id,
        receiver.owner,
        amount,
        expires_at,
        mandate_of(body, sender.owner),
    )
    order = Order("payment", sender.owner, name, sender.frame_id, signed, body.signature, payload).keyed(
        asked.api.mirror
    )
    check_order(asked, order, fault_of(order.signed))
    return await write(asked, order_intent("POST /payments", {}, order, idempotency_key(asked.request)))


async def claim(asked: Asked) -> web.StreamResponse:
    """Claim a payment as its payee: it becomes a transfer."""
    name = named(asked)
    known = Payment(*await known_entry(asked, payment_key(name)))
    transfer_id = "trf_" + name.removeprefix("pay_")
    payload = ClaimPayment(name, known.frame_id, transfer_id, asked.api.settings.transfer_timeout_ms)
    return await write(asked, admin_intent(asked, {"id": name}, known.frame_id, payload))


async def cancel(asked: Asked) -> web.StreamResponse:
    """Take a payment back as its payer."""
    name = named(asked)
    known = Payment(*await known_entry(asked, payment_key(name)))
    return await write(asked, admin_intent(asked, {"id": name}, known.frame_id, CancelPayment(name, known.frame_id)))


ENDED = (*WRITES, "not_found", "payment_expired", "already_claimed", "payment_cancelled", "not_caught_up")

ROUTES = [
    Route(
        "POST",
        "/payments",
        hold,
        "Hold an amount for one payee",
        Who.SESSION,
        PaymentRequest,
        WriteQuery,
        {201: PaymentView, 200: PaymentView},
        (*MANDATED, "same_account", "amount_not_positive", "amount_too_small", "out_of_bounds", "not_caught_up"),
    ),
    Route(
        "POST",
        "/payments/{id}/claim",
        claim,
        "Claim a payment as its payee",
        Who.SESSION,
        Empty,
        WriteQuery,
        {200: PaymentView},
        (*ENDED, "not_the_payee", "account_frozen"),
    ),
    Route(
        "POST",
        "/payments/{id}/cancel",
        cancel,
        "Take a payment back as its payer",
        Who.SESSION,
        Empty,
        WriteQuery,
        {200: PaymentView},
        (*ENDED, "not_the_owner"),
    ),
]
