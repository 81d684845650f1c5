"""The ledger's rows of money as an auditor folds them: frames, accounts, postings, transfers and payments."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from domain.ledger.account import AccountFrozen, AccountUnfrozen
from domain.ledger.agent import AgentRegistered
from domain.ledger.developer import DeveloperRegistered
from domain.ledger.frame import FrameOpened, VelocityMeasured
from domain.ledger.payment import PaymentCancelled, PaymentClaimed, PaymentExpired, PaymentHeld
from domain.ledger.registry import RegistryOpened
from domain.ledger.reward import StakesRewarded
from domain.ledger.stake import StakePlaced, StakeWithdrawn
from domain.ledger.transfer import TransferSettled
from domain.ledger.transit import (
    TransferAborted,
    TransferAccepted,
    TransferCommitted,
    TransferPrepared,
    TransferRejected,
)
from processors.audit_books import COUNTER, DESTROYED, ISSUED
from processors.audit_ledger_sheet import Sheet, Where

Fold: TypeAlias = Callable[[Sheet, Any, Where], None]
Other: TypeAlias = tuple[str | None, str | None]
"""What a posting is about, and the account on its other side."""
FIGURES: Final = ("issued", "destroyed", "transit_net", "circulating", "departed", "returned", "landed", "velocity_bps")
UNSIGNED: Final[Mapping[str, str | None]] = {"signed_by": None, "key_id": None}
LATER: Final = frozenset({"committed", "aborted"})
"""Statuses that what the receiving side said doesn't change."""


def _frame(sheet: Sheet, frame_id: str) -> str:
    """Give the key of a frame's row, which begins with no figure."""
    key = f"frames/{frame_id}"
    if sheet.find(key) is None:
        opening = dict.fromkeys(("mode", "minting", "opened_by", "part", "pos", "at", "velocity_at"))
        sheet.put("frames", frame_id=frame_id, **opening, **dict.fromkeys(FIGURES, 0))
    return key


def frame_opened(sheet: Sheet, event: FrameOpened, where: Where) -> None:
    """A frame is there, from here on."""
    opening = {"mode": event.mode, "minting": event.minting, "opened_by": event.opened_by}
    sheet.update(_frame(sheet, event.frame_id), **opening, part=where.part, pos=where.pos, at=where.at)


def measured(sheet: Sheet, event: VelocityMeasured, where: Where) -> None:
    """A frame has another velocity."""
    sheet.update(_frame(sheet, event.frame_id), velocity_bps=event.velocity_bps, velocity_at=where.at)


def account_opened(sheet: Sheet, event: DeveloperRegistered | AgentRegistered | RegistryOpened, where: Where) -> None:
    """An account is there, with nothing in it."""
    match event:
        case DeveloperRegistered():
            account, owner, kind = event.account, event.did, "user"
        case AgentRegistered():
            account, owner, kind = event.account, event.did, "agent"
        case RegistryOpened():
            account, owner, kind = event.treasury, event.opened_by, "treasury"
    sheet.put(
        "accounts", account_id=account, frame_id=event.frame_id, registry_id=event.registry_id, owner=owner, kind=kind,
        available=0, staked=0, held=0, frozen=False, part=where.part, pos=where.pos, at=where.at,
    )  # fmt: skip


def frozen(sheet: Sheet, event: AccountFrozen | AccountUnfrozen, where: Where) -> None:
    """An account is frozen or let go, by somebody."""
    freezes = isinstance(event, AccountFrozen)
    actor = event.frozen_by if isinstance(event, AccountFrozen) else event.unfrozen_by
    sheet.update(f"accounts/{event.account}", frozen=freezes)
    told = {"part": where.part, "pos": where.pos, "at": where.at, "frozen": freezes, "actor": actor}
    sheet.put("account_freezes", account=event.account, **told)


def settled(sheet: Sheet, event: TransferSettled, where: Where) -> None:
    """A transfer inside a registry begins and ends at once."""
    name, registry = event.frame_id, event.registry_id
    sheet.put(
        "transfers", transfer_id=event.transfer_id, frame_id=name, registry_id=registry, sender=event.sender,
        receiver=event.receiver, receiver_frame=name, receiver_registry=registry, amount=event.amount, fee=event.fee,
        memo=event.memo, payment_id=event.payment_id, timeout_at=None, status="settled", reason=None, part=where.part,
        pos=where.pos, at=where.at, arrived_part=None, arrived_pos=None, arrived_at=None, ended_pos=None,
        ended_at=None, **_signer(event),
    )  # fmt: skip


def _signer(event: TransferSettled | TransferPrepared) -> Mapping[str, str | None]:
    mandate = event.mandate
    if mandate is None or mandate.key_id is None:
        return UNSIGNED
    return {"signed_by": mandate.signed_by, "key_id": mandate.key_id}


def _transfer(sheet: Sheet, event: Any, sender_frame: str, receiver_frame: str | None) -> str:
    """Give the key of a transfer's row, of which either side may be read first."""
    key = f"transfers/{event.transfer_id}"
    if sheet.find(key) is None:
        unknown = dict.fromkeys((
            "registry_id", "receiver_registry", "fee", "memo", "payment_id", "timeout_at", "reason", "part", "pos",
            "at", "arrived_part", "arrived_pos", "arrived_at", "ended_pos", "ended_at", "signed_by", "key_id",
        ))  # fmt: skip
        sheet.put(
            "transfers", transfer_id=event.transfer_id, frame_id=sender_frame, sender=event.sender,
            receiver=event.receiver, receiver_frame=receiver_frame, amount=event.amount, status="prepared", **unknown,
        )  # fmt: skip
    return key


def prepared(sheet: Sheet, event: TransferPrepared, where: Where) -> None:
    """A transfer leaves: what its sending side says of it counts."""
    key = _transfer(sheet, event, event.frame_id, event.receiver_frame)
    sheet.update(
        key, frame_id=event.frame_id, registry_id=event.registry_id, sender=event.sender, receiver=event.receiver,
        receiver_frame=event.receiver_frame, amount=event.amount, memo=event.memo, payment_id=event.payment_id,
        timeout_at=event.timeout_at, part=where.part, pos=where.pos, at=where.at, **_signer(event),
    )  # fmt: skip
    sheet.add(_frame(sheet, event.frame_id), departed=event.amount)


def arrived(sheet: Sheet, event: TransferAccepted | TransferRejected, where: Where) -> None:
    """The receiving side says once whether a transfer arrives."""
    key = _transfer(sheet, event, event.sender_frame, event.frame_id)
    before = sheet.find(key) or {}
    sheet.update(key, arrived_part=where.part, arrived_pos=where.pos, arrived_at=where.at)
    if isinstance(event, TransferAccepted):
        sheet.update(key, fee=event.fee, receiver_registry=event.registry_id)
        sheet.add(_frame(sheet, event.sender_frame), landed=event.amount)
    elif before["reason"] is None:
        sheet.update(key, reason=event.reason)
    if before["status"] not in LATER:
        sheet.update(key, status="accepted" if isinstance(event, TransferAccepted) else "rejected")


def ended(sheet: Sheet, event: TransferCommitted | TransferAborted, where: Where) -> None:
    """The sending side ends a transfer."""
    key = f"transfers/{event.transfer_id}"
    sheet.update(key, ended_pos=where.pos, ended_at=where.at)
    if isinstance(event, TransferCommitted):
        sheet.update(key, status="committed")
        return
    sheet.update(key, status="aborted", reason=event.reason)
    sheet.add(_frame(sheet, event.frame_id), returned=event.amount)


def payment_held(sheet: Sheet, event: PaymentHeld, where: Where) -> None:
    """A payment is held."""
    sheet.put(
        "payments", payment_id=event.payment_id, frame_id=event.frame_id, registry_id=event.registry_id,
        sender=event.sender, receiver=event.receiver, receiver_frame=event.receiver_frame,
        receiver_owner=event.receiver_owner, amount=event.amount, fee=event.fee, expires_at=event.expires_at,
        part=where.part, pos=where.pos, at=where.at, status="held", status_pos=where.pos, status_at=where.at,
        ended_by=None, transfer_id=None,
    )  # fmt: skip


def payment_ended(sheet: Sheet, event: PaymentClaimed | PaymentCancelled | PaymentExpired, where: Where) -> None:
    """A payment ends once, in one of three ways."""
    key = f"payments/{event.payment_id}"
    match event:
        case PaymentClaimed():
            sheet.update(key, status="claimed", ended_by=event.claimed_by, transfer_id=event.transfer_id)
        case PaymentCancelled():
            sheet.update(key, status="cancelled", ended_by=event.cancelled_by)
        case PaymentExpired():
            sheet.update(key, status="expired")
    sheet.update(key, status_pos=where.pos, status_at=where.at)


def posted(sheet: Sheet, event: Any, where: Where, first: int) -> int:
    """Move what an event's postings move, one row for each that is an account's, and count them all."""
    index = first
    others, figures = _others(sheet, event), dict.fromkeys(FIGURES[:4], 0)
    for posting in event.postings:
        about, counterparty = next(others, (None, None))
        _count(figures, posting)
        if posting.part != COUNTER:
            key = f"accounts/{posting.account}"
            sheet.add(key, **{posting.part: posting.amount})
            account = sheet.find(key) or {}
            sheet.put(
                "account_postings", account=posting.account, part=where.part, pos=where.pos, idx=index, at=where.at,
                account_part=posting.part, amount=posting.amount, available=account["available"],
                staked=account["staked"], held=account["held"], type=type(event).__name__, about=about,
                counterparty=counterparty, memo=getattr(event, "memo", None),
            )  # fmt: skip
        index += 1
    if any(figures.values()):
        sheet.add(_frame(sheet, event.frame_id), **figures)
    return index


def _count(figures: dict[str, int], posting: Any) -> None:
    """Count a posting in its frame's figures: a counter is written from its own side."""
    if posting.part != COUNTER:
        figures["circulating"] += posting.amount
    elif posting.account == ISSUED:
        figures["issued"] -= posting.amount
    elif posting.account == DESTROYED:
        figures["destroyed"] += posting.amount
    else:
        figures["transit_net"] -= posting.amount


def _others(sheet: Sheet, event: Any) -> Iterator[Other]:
    """Say of each posting of an event what it is about, and who is on its other side."""
    match event:
        case TransferSettled() | TransferPrepared() | TransferAccepted() | TransferAborted():
            for posting in event.postings:
                other = event.receiver if posting.account == event.sender else event.sender
                yield event.transfer_id, other
        case PaymentHeld() | PaymentCancelled() | PaymentExpired():
            known = sheet.find(f"payments/{event.payment_id}") or {}
            for _ in event.postings:
                yield event.payment_id, known.get("receiver")
        case StakePlaced() | StakeWithdrawn():
            for _ in event.postings:
                yield event.stake_id, None
        case StakesRewarded():
            yield None, None
            payer = event.postings[0] if event.postings else None
            source = None if payer is None or payer.part == COUNTER else payer.account
            for reward in event.rewards:
                if reward.amount:
                    yield reward.stake_id, source


FOLDS: Final[Mapping[type, Fold]] = {
    FrameOpened: frame_opened,
    VelocityMeasured: measured,
    RegistryOpened: account_opened,
    DeveloperRegistered: account_opened,
    AgentRegistered: account_opened,
    AccountFrozen: frozen,
    AccountUnfrozen: frozen,
    TransferSettled: settled,
    TransferPrepared: prepared,
    TransferAccepted: arrived,
    TransferRejected: arrived,
    TransferCommitted: ended,
    TransferAborted: ended,
    PaymentHeld: payment_held,
    PaymentClaimed: payment_ended,
    PaymentCancelled: payment_ended,
    PaymentExpired: payment_ended,
}
"""What an event changes besides what its postings move."""
