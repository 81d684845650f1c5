"""A transfer across registries, in two phases: prepared, then accepted and committed, or rejected and aborted.

The receiving side decides once and for good: what it accepted it never rejects, and the other way round. The sending
side only follows, so no timing, repeat or order of messages can lose a token or make one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.ledger.account import Mandate, account, check_thawed, nonce_key
from domain.ledger.posting import AVAILABLE, COUNTER, TRANSIT, Posting, moved, post, room
from domain.ledger.registry import CROSS_FEE_BPS, Registry, fee_of, registry_key
from domain.ledger.volume import count_volume


@dataclass(frozen=True, slots=True)
class TransferPrepared:
    """The sender was debited, and the amount is on its way; it is given up at ``timeout_at`` (ms)."""

    transfer_id: str
    frame_id: str
    registry_id: str
    sender: str
    receiver: str
    receiver_frame: str
    amount: int
    memo: str | None
    mandate: Mandate | None
    payment_id: str | None
    timeout_at: int
    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True)
class TransferAccepted:
    """The amount arrived: the receiver was credited, less the fee to its registry's treasury."""

    transfer_id: str
    frame_id: str
    registry_id: str
    sender_frame: str
    sender: str
    receiver: str
    amount: int
    fee: int
    prepared_at: str
    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True)
class TransferRejected:
    """The receiving side will never accept this transfer."""

    transfer_id: str
    frame_id: str
    sender_frame: str
    sender: str
    receiver: str
    amount: int
    reason: str
    prepared_at: str


@dataclass(frozen=True, slots=True)
class TransferCommitted:
    """The sending side saw that the amount arrived; ``seen_at`` is the position of that."""

    transfer_id: str
    frame_id: str
    sender: str
    receiver: str
    amount: int
    seen_at: str


@dataclass(frozen=True, slots=True)
class TransferAborted:
    """The sending side saw the rejection at ``seen_at``, and the sender has its money back."""

    transfer_id: str
    frame_id: str
    sender: str
    receiver: str
    amount: int
    reason: str
    seen_at: str
    postings: tuple[Posting, ...]


TransitEvent = TransferPrepared | TransferAccepted | TransferRejected | TransferCommitted | TransferAborted


class Departure(NamedTuple):
    """A transfer at its sending side: ``status`` is prepared, committed or aborted."""

    frame_id: str
    sender: str
    receiver: str
    receiver_frame: str
    amount: int
    timeout_at: int
    status: str


def departure_key(transfer_id: str) -> str:
    """Give the key of a transfer at its sending side."""
    return f"departure/{transfer_id}"


def arrival_key(transfer_id: str) -> str:
    """Give the key of what the receiving side decided: ``(accepted | rejected,)``."""
    return f"arrival/{transfer_id}"


def evolve(state: State, event: TransitEvent, at: int) -> Iterable[Change]:
    """Fold one phase of a transfer."""
    match event:
        case TransferPrepared(transfer_id, frame_id, _, sender, receiver, receiver_frame, amount):
            departed = Departure(frame_id, sender, receiver, receiver_frame, amount, event.timeout_at, "prepared")
            yield departure_key(transfer_id), departed
            if event.mandate is not None:
                yield nonce_key(frame_id, event.mandate.signed_by, event.mandate.nonce), ()
            yield from post(state, frame_id, event.postings)
            yield from count_volume(state, frame_id, amount, at)
        case TransferAccepted():
            yield arrival_key(event.transfer_id), ("accepted",)
            yield from post(state, event.frame_id, event.postings)
        case TransferRejected():
            yield arrival_key(event.transfer_id), ("rejected",)
        case TransferCommitted() | TransferAborted():
            key = departure_key(event.transfer_id)
            status = "committed" if isinstance(event, TransferCommitted) else "aborted"
            yield key, Departure(*state[key])._replace(status=status)
            if isinstance(event, TransferAborted):
                yield from post(state, event.frame_id, event.postings)


@dataclass(frozen=True, slots=True)
class AcceptTransfer:
    """Take in what was prepared at ``prepared_at`` (``context/partition/offset``)."""

    transfer_id: str
    frame_id: str
    sender_frame: str
    sender: str
    receiver: str
    amount: int
    prepared_at: str


@dataclass(frozen=True, slots=True)
class RejectTransfer:
    """Refuse for good what was prepared at ``prepared_at`` and is too late."""

    transfer_id: str
    frame_id: str
    sender_frame: str
    sender: str
    receiver: str
    amount: int
    prepared_at: str


@dataclass(frozen=True, slots=True)
class CommitTransfer:
    """End what was accepted at ``seen_at``."""

    transfer_id: str
    frame_id: str
    seen_at: str


@dataclass(frozen=True, slots=True)
class AbortTransfer:
    """Give back what was rejected at ``seen_at``."""

    transfer_id: str
    frame_id: str
    reason: str
    seen_at: str


TransitCommand = AcceptTransfer | RejectTransfer | CommitTransfer | AbortTransfer


class TransitRefusal(StrEnum):
    """Why a transfer stays in its phase, in order of precedence."""

    NOT_FOUND = "not_found"
    ALREADY_ACCEPTED = "already_accepted"
    ALREADY_REJECTED = "already_rejected"
    NOT_PREPARED = "not_prepared"
    NOT_ACCEPTED = "not_accepted"
    NOT_REJECTED = "not_rejected"


def prepared_postings(sender: str, part: str, amount: int) -> tuple[Posting, ...]:
    """Write what leaves a sender when a transfer is prepared."""
    return moved(amount, (sender, part), (TRANSIT, COUNTER, amount))


def decide(state: State, command: TransitCommand, _around: Circumstances) -> Sequence[TransitEvent] | Refusal:
    """Rule on one phase of a transfer."""
    if isinstance(command, AcceptTransfer | RejectTransfer):
        return decide_arrival(state, command)
    return decide_end(state, command)


def decide_arrival(state: State, command: AcceptTransfer | RejectTransfer) -> Sequence[TransitEvent] | Refusal:
    """Rule on what arrives: the receiving side decides once; in one frame what departed is looked up, not believed."""
    transfer_id, frame_id, amount = command.transfer_id, command.frame_id, command.amount
    said = (frame_id, command.sender, command.receiver, frame_id, amount)
    if command.sender_frame == frame_id and (state.get(departure_key(transfer_id)) or ())[: len(said)] != said:
        return Refusal(TransitRefusal.NOT_FOUND, {"transfer_id": transfer_id})
    arrived = state.get(arrival_key(transfer_id))
    if arrived is not None:
        accepted = arrived[0] == "accepted"
        code = TransitRefusal.ALREADY_ACCEPTED if accepted else TransitRefusal.ALREADY_REJECTED
        return Refusal(code, {"transfer_id": transfer_id})
    receiver = account(state, command.receiver)
    told = (command.sender_frame, command.sender, command.receiver, amount)
    if isinstance(command, RejectTransfer):
        return [TransferRejected(transfer_id, frame_id, *told, "timeout", command.prepared_at)]
    if receiver is None or receiver.frame_id != frame_id:
        return [TransferRejected(transfer_id, frame_id, *told, "unknown_account", command.prepared_at)]
    treasury = Registry(*state[registry_key(receiver.registry_id)]).treasury
    if check_thawed(state, command.receiver, treasury) is not None:
        return [TransferRejected(transfer_id, frame_id, *told, "account_frozen", command.prepared_at)]
    if amount > room(state, frame_id, arriving=True):
        return [TransferRejected(transfer_id, frame_id, *told, "out_of_bounds", command.prepared_at)]

    fee = fee_of(amount, CROSS_FEE_BPS)
    postings = moved(
        amount, (TRANSIT, COUNTER), (command.receiver, AVAILABLE, amount - fee), (treasury, AVAILABLE, fee)
    )
    return [
        TransferAccepted(
            transfer_id,
            frame_id,
            receiver.registry_id,
            *told,
            fee,
            command.prepared_at,
            postings,
        )
    ]


def decide_end(state: State, command: CommitTransfer | AbortTransfer) -> Sequence[TransitEvent] | Refusal:
    """Rule on the end at the sending side; in one frame the other side's word is looked up, not believed."""
    transfer_id, frame_id = command.transfer_id, command.frame_id
    entry = state.get(departure_key(transfer_id))
    departed = None if entry is None else Departure(*entry)
    if departed is None or departed.frame_id != frame_id:
        return Refusal(TransitRefusal.NOT_FOUND, {"transfer_id": transfer_id})
    if departed.status != "prepared":
        return Refusal(TransitRefusal.NOT_PREPARED, {"transfer_id": transfer_id, "transfer_status": departed.status})
    arrived = state.get(arrival_key(transfer_id)) if departed.receiver_frame == frame_id else None
    sender, receiver, amount = departed.sender, departed.receiver, departed.amount
    if isinstance(command, CommitTransfer):
        if departed.receiver_frame == frame_id and arrived != ("accepted",):
            return Refusal(TransitRefusal.NOT_ACCEPTED, {"transfer_id": transfer_id})

        return [TransferCommitted(transfer_id, frame_id, sender, receiver, amount, command.seen_at)]
    if departed.receiver_frame == frame_id and arrived != ("rejected",):
        return Refusal(TransitRefusal.NOT_REJECTED, {"transfer_id": transfer_id})

    postings = moved(amount, (TRANSIT, COUNTER), (sender, AVAILABLE, amount))
    return [TransferAborted(transfer_id, frame_id, sender, receiver, amount, command.reason, command.seen_at, postings)]


TRANSIT_TRANSFER = Decider(initial={}, decide=decide, evolve=evolve)
