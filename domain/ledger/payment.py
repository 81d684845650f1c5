"""A payment holds an amount for one payee, who claims it before it expires; what is claimed becomes a transfer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.did import identity
from domain.ledger.account import (
    Account,
    AccountRefusal,
    Mandate,
    account,
    account_key,
    check_mandate,
    check_thawed,
    insufficient,
    nonce_key,
    unknown,
)
from domain.ledger.posting import AVAILABLE, HELD, Posting, moved, post
from domain.ledger.registry import CROSS_FEE_BPS, Registry, fee_bps, fee_of, registry_key
from domain.ledger.transfer import TransferSettled, settled_postings
from domain.ledger.transit import TransferPrepared, prepared_postings

DEFAULT_LIFE_MS = 60 * 1000
MAX_LIFE_MS = 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class PaymentHeld:
    """``amount + fee`` of the payer is held for the payee until ``expires_at`` (ms)."""

    payment_id: str
    frame_id: str
    registry_id: str
    sender: str
    receiver: str
    receiver_frame: str
    receiver_owner: str
    amount: int
    fee: int
    expires_at: int
    mandate: Mandate
    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True)
class PaymentClaimed:
    """The payee took it: the transfer beside this event moves the money."""

    payment_id: str
    frame_id: str
    transfer_id: str
    claimed_by: str


@dataclass(frozen=True, slots=True)
class PaymentCancelled:
    """The payer took it back."""

    payment_id: str
    frame_id: str
    cancelled_by: str
    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True)
class PaymentExpired:
    """Its time passed and the payer has the money back."""

    payment_id: str
    frame_id: str
    postings: tuple[Posting, ...]


PaymentEvent = PaymentHeld | PaymentClaimed | PaymentCancelled | PaymentExpired


class Payment(NamedTuple):
    """A payment's entry in the state: ``status`` is held, claimed, cancelled or expired."""

    frame_id: str
    sender: str
    receiver: str
    receiver_frame: str
    receiver_owner: str
    amount: int
    fee: int
    expires_at: int
    status: str


def payment_key(payment_id: str) -> str:
    """Give the key of a payment's entry."""
    return f"payment/{payment_id}"


def evolve(state: State, event: PaymentEvent, _at: int) -> Iterable[Change]:
    """Fold one event of a payment."""
    key = payment_key(event.payment_id)
    match event:
        case PaymentHeld(_, frame_id, _, sender, receiver, receiver_frame, owner, amount, fee, expires_at, mandate):
            yield key, Payment(frame_id, sender, receiver, receiver_frame, owner, amount, fee, expires_at, "held")
            yield nonce_key(frame_id, mandate.signed_by, mandate.nonce), ()
            yield from post(state, frame_id, event.postings)
        case PaymentClaimed():
            yield key, Payment(*state[key])._replace(status="claimed")
        case PaymentCancelled() | PaymentExpired():
            status = "cancelled" if isinstance(event, PaymentCancelled) else "expired"
            yield key, Payment(*state[key])._replace(status=status)
            yield from post(state, event.frame_id, event.postings)


@dataclass(frozen=True, slots=True)
class HoldPayment:
    """Hold an amount for one payee; ``receiver_frame`` and ``receiver_owner`` are what the api saw, which stays.

    In one frame the receiver's owner is looked up, not believed.
    """

    payment_id: str
    frame_id: str
    sender: str
    receiver: str
    receiver_frame: str
    receiver_owner: str
    amount: int
    expires_at: int | None
    mandate: Mandate


@dataclass(frozen=True, slots=True)
class ClaimPayment:
    """Take a payment as its payee; ``transfer_id`` is the transfer that it becomes."""

    payment_id: str
    frame_id: str
    transfer_id: str
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class CancelPayment:
    """Take a payment back as its payer."""

    payment_id: str
    frame_id: str


@dataclass(frozen=True, slots=True)
class ExpirePayment:
    """Let a payment end whose time is over."""

    payment_id: str
    frame_id: str


PaymentCommand = HoldPayment | ClaimPayment | CancelPayment | ExpirePayment


class PaymentRefusal(StrEnum):
    """Why a payment stays as it is, in order of precedence."""

    NOT_FOUND = "not_found"
    PAYMENT_EXPIRED = "payment_expired"
    NOT_THE_PAYEE = "not_the_payee"
    NOT_THE_OWNER = "not_the_owner"
    ALREADY_CLAIMED = "already_claimed"
    PAYMENT_CANCELLED = "payment_cancelled"
    NOT_EXPIRED = "not_expired"
    OUT_OF_BOUNDS = "out_of_bounds"


def decide(
    state: State, command: PaymentCommand, around: Circumstances
) -> Sequence[PaymentEvent | TransferSettled | TransferPrepared] | Refusal:
    """Rule on a command about a payment."""
    if isinstance(command, HoldPayment):
        return decide_hold(state, command, around)
    entry = state.get(payment_key(command.payment_id))
    known = None if entry is None else Payment(*entry)
    named = {"payment_id": command.payment_id}
    if known is None or known.frame_id != command.frame_id:
        return Refusal(PaymentRefusal.NOT_FOUND, named)
    over = known.status == "expired" or (known.status == "held" and known.expires_at <= around.now)
    sender = Account(*state[account_key(known.sender)])
    back = moved(known.amount + known.fee, (known.sender, HELD), (known.sender, AVAILABLE, known.amount + known.fee))
    if isinstance(command, ExpirePayment):
        if known.status != "held" or not over:
            return Refusal(PaymentRefusal.NOT_EXPIRED, {**named, "payment_status": known.status})

        return [PaymentExpired(command.payment_id, known.frame_id, back)]
    if over:
        return Refusal(PaymentRefusal.PAYMENT_EXPIRED, named)
    if isinstance(command, ClaimPayment) and identity(around.actor) != identity(known.receiver_owner):
        return Refusal(PaymentRefusal.NOT_THE_PAYEE, named)
    if isinstance(command, CancelPayment) and identity(around.actor) != identity(sender.owner):
        return Refusal(PaymentRefusal.NOT_THE_OWNER, named)
    if known.status != "held":
        claimed = known.status == "claimed"
        return Refusal(PaymentRefusal.ALREADY_CLAIMED if claimed else PaymentRefusal.PAYMENT_CANCELLED, named)
    if isinstance(command, CancelPayment):
        return [PaymentCancelled(command.payment_id, known.frame_id, around.actor, back)]
    return decide_claim(state, command, known, sender, around)


def decide_hold(state: State, command: HoldPayment, around: Circumstances) -> Sequence[PaymentEvent] | Refusal:
    """Rule on a new payment: the checks are a transfer's."""
    frame_id, amount, now = command.frame_id, command.amount, around.now
    sender, receiver = account(state, command.sender), account(state, command.receiver)
    inside_frame = command.receiver_frame == frame_id
    if sender is None or sender.frame_id != frame_id:
        return unknown(command.sender)
    if inside_frame and (receiver is None or receiver.frame_id != frame_id):
        return unknown(command.receiver)
    refusal = check_mandate(state, frame_id, sender.owner, command.mandate, now)
    if refusal is not None:
        return refusal
    expires_at = now + DEFAULT_LIFE_MS if command.expires_at is None else command.expires_at
    if not now < expires_at <= now + MAX_LIFE_MS:
        detail = "expires_at is ahead of the log's time, by at most 1 h"
        return Refusal(PaymentRefusal.OUT_OF_BOUNDS, {"bound": "expires_at", "detail": detail})
    if command.sender == command.receiver:
        return Refusal(AccountRefusal.SAME_ACCOUNT, {"account": command.sender})
    if amount <= 0:
        return Refusal(AccountRefusal.AMOUNT_NOT_POSITIVE, {"amount": str(amount)})
    payee = command.receiver_owner if receiver is None or not inside_frame else receiver.owner
    inside = inside_frame and receiver is not None and receiver.registry_id == sender.registry_id
    shop = Registry(*state[registry_key(sender.registry_id)])
    fee = fee_of(amount, fee_bps(state, shop)) if inside else 0
    if not inside and amount <= fee_of(amount, CROSS_FEE_BPS):
        return Refusal(AccountRefusal.AMOUNT_TOO_SMALL, {"amount": str(amount), "fee": str(amount)})
    if sender.available < amount + fee:
        return insufficient(sender.available, amount + fee)
    refusal = check_thawed(state, command.sender, *((command.receiver, shop.treasury) if inside else ()))
    if refusal is not None:
        return refusal

    return [
        PaymentHeld(
            command.payment_id,
            frame_id,
            sender.registry_id,
            command.sender,
            command.receiver,
            command.receiver_frame,
            payee,
            amount,
            fee,
            expires_at,
            command.mandate,
            moved(amount + fee, (command.sender, AVAILABLE), (command.sender, HELD, amount + fee)),
        )
    ]


def decide_claim(
    state: State, command: ClaimPayment, known: Payment, sender: Account, around: Circumstances
) -> Sequence[PaymentEvent | TransferSettled | TransferPrepared] | Refusal:
    """Rule on a claim by the payee: inside a registry it settles at once, across it begins in two phases."""
    receiver = account(state, known.receiver) if known.receiver_frame == known.frame_id else None
    inside = receiver is not None and receiver.registry_id == sender.registry_id
    treasury = Registry(*state[registry_key(sender.registry_id)]).treasury
    refusal = check_thawed(state, known.sender, known.receiver, *((treasury,) if inside else ()))
    if refusal is not None:
        return refusal

    claimed = PaymentClaimed(command.payment_id, known.frame_id, command.transfer_id, around.actor)
    if inside:
        settled = TransferSettled(
            command.transfer_id,
            known.frame_id,
            sender.registry_id,
            known.sender,
            known.receiver,
            known.amount,
            known.fee,
            None,
            None,
            command.payment_id,
            settled_postings((known.sender, HELD), known.receiver, treasury, known.amount, known.fee),
        )
        return [claimed, settled]
    begun = TransferPrepared(
        *(command.transfer_id, known.frame_id, sender.registry_id, known.sender, known.receiver, known.receiver_frame),
        *(known.amount, None, None, command.payment_id, around.now + command.timeout_ms),
        prepared_postings(known.sender, HELD, known.amount),
    )
    return [claimed, begun]


PAYMENT = Decider(initial={}, decide=decide, evolve=evolve)
