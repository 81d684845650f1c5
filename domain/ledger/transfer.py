"""A transfer moves money at its owner's word: at once inside a registry, in two phases across registries and frames."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.ledger.account import (
    AccountRefusal,
    Mandate,
    account,
    check_mandate,
    check_thawed,
    frozen,
    insufficient,
    nonce_key,
    unknown,
)
from domain.ledger.posting import AVAILABLE, Posting, moved, post
from domain.ledger.registry import CROSS_FEE_BPS, Registry, fee_bps, fee_of, registry_key
from domain.ledger.transit import TransferPrepared, prepared_postings
from domain.ledger.volume import count_volume


@dataclass(frozen=True, slots=True)
class TransferSettled:
    """Money moved inside a registry; ``mandate`` is None where a payment that was claimed became this transfer."""

    transfer_id: str
    frame_id: str
    registry_id: str
    sender: str
    receiver: str
    amount: int
    fee: int
    memo: str | None
    mandate: Mandate | None
    payment_id: str | None
    postings: tuple[Posting, ...]


def evolve(state: State, event: TransferSettled, at: int) -> Iterable[Change]:
    """Fold a transfer inside a registry."""
    if event.mandate is not None:
        yield nonce_key(event.frame_id, event.mandate.signed_by, event.mandate.nonce), ()
    yield from post(state, event.frame_id, event.postings)
    yield from count_volume(state, event.frame_id, event.amount, at)


@dataclass(frozen=True, slots=True)
class PostTransfer:
    """Move money; ``mandate`` was checked before the log against the signed bytes.

    ``receiver_frame`` is where the api saw the receiving account, which never changes. A transfer that crosses
    registries is given up when it isn't accepted within ``timeout_ms``.
    """

    transfer_id: str
    frame_id: str
    sender: str
    receiver: str
    receiver_frame: str
    amount: int
    memo: str | None
    mandate: Mandate
    timeout_ms: int


def settled_postings(
    source: tuple[str, str], receiver: str, treasury: str, amount: int, fee: int
) -> tuple[Posting, ...]:
    """Write what a transfer inside a registry moves."""
    return moved(amount + fee, source, (receiver, AVAILABLE, amount), (treasury, AVAILABLE, fee))


def decide(
    state: State, command: PostTransfer, around: Circumstances
) -> Sequence[TransferSettled | TransferPrepared] | Refusal:
    """Rule on a transfer."""
    frame_id, amount, mandate = command.frame_id, command.amount, command.mandate
    sender, receiver = account(state, command.sender), account(state, command.receiver)
    inside_frame = command.receiver_frame == frame_id
    if sender is None or sender.frame_id != frame_id:
        return unknown(command.sender)
    if inside_frame and (receiver is None or receiver.frame_id != frame_id):
        return unknown(command.receiver)
    refusal = check_mandate(state, frame_id, sender.owner, mandate, around.now)
    if refusal is not None:
        return refusal
    if command.sender == command.receiver:
        return Refusal(AccountRefusal.SAME_ACCOUNT, {"account": command.sender})
    if amount <= 0:
        return Refusal(AccountRefusal.AMOUNT_NOT_POSITIVE, {"amount": str(amount)})
    if not inside_frame or receiver is None or receiver.registry_id != sender.registry_id:
        if amount <= fee_of(amount, CROSS_FEE_BPS):
            return Refusal(AccountRefusal.AMOUNT_TOO_SMALL, {"amount": str(amount), "fee": str(amount)})
        if sender.available < amount:
            return insufficient(sender.available, amount)
        if sender.frozen:
            return frozen(command.sender)

        return [
            TransferPrepared(
                command.transfer_id,
                frame_id,
                sender.registry_id,
                command.sender,
                command.receiver,
                command.receiver_frame,
                amount,
                command.memo,
                mandate,
                None,
                around.now + command.timeout_ms,
                prepared_postings(command.sender, AVAILABLE, amount),
            )
        ]
    shop = Registry(*state[registry_key(sender.registry_id)])
    fee = fee_of(amount, fee_bps(state, shop))
    if sender.available < amount + fee:
        return insufficient(sender.available, amount + fee)
    refusal = check_thawed(state, command.sender, command.receiver, shop.treasury)
    if refusal is not None:
        return refusal

    postings = settled_postings((command.sender, AVAILABLE), command.receiver, shop.treasury, amount, fee)
    return [
        TransferSettled(
            command.transfer_id,
            frame_id,
            sender.registry_id,
            command.sender,
            command.receiver,
            amount,
            fee,
            command.memo,
            mandate,
            None,
            postings,
        )
    ]


TRANSFER = Decider(initial={}, decide=decide, evolve=evolve)
