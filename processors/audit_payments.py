"""Transfers and payments before the auditor: at their owner's word, with their fee, and each ending once."""

from collections.abc import Iterator
from typing import NamedTuple

from domain.decider import Change
from domain.did import identity
from domain.ledger.payment import PaymentCancelled, PaymentClaimed, PaymentExpired, PaymentHeld
from domain.ledger.transfer import TransferSettled
from domain.ledger.transit import (
    TransferAborted,
    TransferAccepted,
    TransferCommitted,
    TransferPrepared,
    TransferRejected,
)
from log.fold import Entries
from processors.audit_names import Fault, require
from processors.audit_shops import ACROSS_FEE_BPS, fee, fee_inside, holder, shop

LONGEST_PAYMENT_MS = 3_600_000


class Payment(NamedTuple):
    """A payment: ``status`` is held, a transfer's id once it was claimed, or over."""

    frame_id: str
    sender: str
    receiver: str
    receiver_owner: str
    amount: int
    fee: int
    expires_at: int
    status: str


class Departure(NamedTuple):
    """A transfer at its sending side."""

    frame_id: str
    sender: str
    receiver: str
    receiver_frame: str
    amount: int
    status: str


def _new(state: Entries, transfer_id: str) -> str:
    key = f"own/transfer/{transfer_id}"
    require(state.get(key) is None, "uniqueness", f"{transfer_id} was a transfer before")
    return key


def _of_payment(state: Entries, event: TransferSettled | TransferPrepared, paid: int) -> None:
    """A transfer without a mandate is what a payment was claimed as. Raises Fault."""
    require((event.mandate is None) != (event.payment_id is None), "mandate", "the transfer has no owner's word")
    if event.payment_id is None:
        return
    entry = state.get(f"own/payment/{event.payment_id}")
    held = None if entry is None else Payment(*entry)
    said = (event.frame_id, event.sender, event.receiver, event.amount, paid, event.transfer_id)
    if held is None or (held.frame_id, *held[1:3], held.amount, held.fee, held.status) != said:
        raise Fault("payment", f"{event.transfer_id} isn't what {event.payment_id} was claimed as")


def settled(state: Entries, event: TransferSettled, _at: int) -> Iterator[Change]:
    """A transfer inside a registry pays the fee of its terms; a claimed payment pays the fee that it held."""
    key = _new(state, event.transfer_id)
    sender, receiver = (holder(state, event.frame_id, name) for name in (event.sender, event.receiver))
    inside = sender.registry_id == receiver.registry_id == event.registry_id
    require(inside and event.sender != event.receiver, "account", "the transfer isn't between two of one registry")
    require(event.amount > 0, "amount", "the amount isn't positive")
    holder(state, event.frame_id, shop(state, event.frame_id, event.registry_id).treasury)
    if event.payment_id is None:
        due = fee_inside(state, event.frame_id, event.registry_id, event.amount)
        require(event.fee == due, "fee", f"the fee is {event.fee}, and by the terms {due}")
    _of_payment(state, event, event.fee)
    yield key, ("settled",)


def prepared(state: Entries, event: TransferPrepared, at: int) -> Iterator[Change]:
    """A transfer that crosses registries departs once, with an amount that its fee leaves something of."""
    key = _new(state, event.transfer_id)
    sender = holder(state, event.frame_id, event.sender)
    require(sender.registry_id == event.registry_id, "account", f"{event.sender} is of another registry")
    require(event.amount > fee(event.amount, ACROSS_FEE_BPS), "amount", "the fee eats the amount whole")
    require(event.timeout_at >= at, "timeout", "the transfer timed out before it began")
    if event.receiver_frame == event.frame_id:
        receiver = holder(state, event.frame_id, event.receiver, thawed=False)
        require(receiver.registry_id != sender.registry_id, "account", "the transfer doesn't cross registries")
    _of_payment(state, event, 0)
    told = (event.sender, event.receiver, event.receiver_frame, event.amount)
    yield key, Departure(event.frame_id, *told, "prepared")


def _arriving(state: Entries, event: TransferAccepted | TransferRejected) -> str:
    """The receiving side decides once, and on what was sent to it. Raises Fault."""
    key = f"own/arrival/{event.transfer_id}"
    require(state.get(key) is None, "uniqueness", f"{event.transfer_id} was accepted or rejected before")
    entry = state.get(f"own/transfer/{event.transfer_id}") if event.sender_frame == event.frame_id else None
    if event.sender_frame == event.frame_id:
        told = None if entry is None or len(entry) == 1 else Departure(*entry)[:5]
        said = (event.frame_id, event.sender, event.receiver, event.frame_id, event.amount)
        require(told == said, "transit", f"{event.transfer_id} arrives as another than departed")
    return key


def accepted(state: Entries, event: TransferAccepted, _at: int) -> Iterator[Change]:
    """What arrives pays 50 bps, rounded up, to the receiver's registry."""
    key = _arriving(state, event)
    receiver = holder(state, event.frame_id, event.receiver)
    require(receiver.registry_id == event.registry_id, "account", f"{event.receiver} is of another registry")
    holder(state, event.frame_id, shop(state, event.frame_id, event.registry_id).treasury)
    due = fee(event.amount, ACROSS_FEE_BPS)
    require(event.fee == due, "fee", f"the fee is {event.fee}, and across registries {due}")
    yield key, ("accepted",)


def rejected(state: Entries, event: TransferRejected, _at: int) -> Iterator[Change]:
    """What is rejected is never accepted."""
    yield _arriving(state, event), ("rejected",)


def ended(state: Entries, event: TransferCommitted | TransferAborted, _at: int) -> Iterator[Change]:
    """The sending side ends what it prepared once, as the receiving side decided."""
    key = f"own/transfer/{event.transfer_id}"
    entry = state.get(key)
    if entry is None or len(entry) == 1:
        raise Fault("transit", f"{event.transfer_id} ends and was never prepared")
    known = Departure(*entry)
    same = (known.frame_id, known.sender, known.receiver, known.amount)
    require(known.status == "prepared", "transit", f"{event.transfer_id} is {known.status} and ends again")
    said = (event.frame_id, event.sender, event.receiver, event.amount)
    require(same == said, "transit", f"{event.transfer_id} ends as another than was prepared")
    commits = isinstance(event, TransferCommitted)
    if known.receiver_frame == known.frame_id:
        decided = state.get(f"own/arrival/{event.transfer_id}")
        wanted = "accepted" if commits else "rejected"
        require(decided is not None and decided[0] == wanted, "transit", f"{event.transfer_id} wasn't {wanted}")
    yield key, known._replace(status="committed" if commits else "aborted")


def held(state: Entries, event: PaymentHeld, at: int) -> Iterator[Change]:
    """A payment holds its amount and its fee for an hour at most."""
    key = f"own/payment/{event.payment_id}"
    require(state.get(key) is None, "uniqueness", f"{event.payment_id} was a payment before")
    sender = holder(state, event.frame_id, event.sender)
    require(sender.registry_id == event.registry_id, "account", f"{event.sender} is of another registry")
    require(event.amount > 0 and event.sender != event.receiver, "amount", "the payment pays nothing, or its payer")
    require(at < event.expires_at <= at + LONGEST_PAYMENT_MS, "expiry", "the payment holds for longer than an hour")
    due = 0
    if event.receiver_frame == event.frame_id:
        receiver = holder(state, event.frame_id, event.receiver, thawed=False)
        require(identity(receiver.owner) == identity(event.receiver_owner), "account", "the payee is another's account")
        if receiver.registry_id == sender.registry_id:
            for name in (event.receiver, shop(state, event.frame_id, event.registry_id).treasury):
                holder(state, event.frame_id, name)
            due = fee_inside(state, event.frame_id, event.registry_id, event.amount)
    require(event.fee == due, "fee", f"the fee is {event.fee}, and by the terms {due}")
    told = (event.sender, event.receiver, event.receiver_owner, event.amount, event.fee, event.expires_at)
    yield key, Payment(event.frame_id, *told, "held")


def released(state: Entries, event: PaymentClaimed | PaymentCancelled | PaymentExpired, at: int) -> Iterator[Change]:
    """A payment ends once: claimed by its payee or cancelled by its payer in time, or expired."""
    key = f"own/payment/{event.payment_id}"
    entry = state.get(key)
    known = None if entry is None else Payment(*entry)
    if known is None or known.frame_id != event.frame_id or known.status != "held":
        raise Fault("payment", f"{event.payment_id} ends and holds nothing")
    expires = isinstance(event, PaymentExpired)
    require((known.expires_at <= at) == expires, "expiry", f"{event.payment_id} ends at the wrong time")
    status = "over"
    match event:
        case PaymentClaimed(claimed_by=by):
            require(identity(by) == identity(known.receiver_owner), "payment", f"{by} isn't the payee")
            status = event.transfer_id
        case PaymentCancelled(cancelled_by=by):
            payer = holder(state, event.frame_id, known.sender, thawed=False).owner
            require(identity(by) == identity(payer), "payment", f"{by} isn't the payer")
    yield key, known._replace(status=status)
