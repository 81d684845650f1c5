"""What each event of the ledger says that it moves, written from the specification and not from the deciders."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from domain.ledger.developer import DeveloperRegistered
from domain.ledger.frame import TokensBurned, TokensMinted
from domain.ledger.payment import PaymentCancelled, PaymentClaimed, PaymentExpired, PaymentHeld
from domain.ledger.reward import RewardDayClosed, RewardDayOpened, StakesRewarded
from domain.ledger.stake import StakePlaced, StakeWithdrawn
from domain.ledger.transfer import TransferSettled
from domain.ledger.transit import TransferAborted, TransferAccepted, TransferPrepared
from processors.audit_books import (
    AVAILABLE,
    COUNTER,
    DESTROYED,
    HELD,
    ISSUED,
    STAKED,
    TRANSIT,
    Books,
    HeldPayment,
    Move,
    OpenStake,
    RewardDay,
)
from processors.audit_names import Fault

MOST: Final = 2**63 - 1
"""Micro-AVT: more can't be issued in a frame, nor lie in it."""

Says: TypeAlias = Callable[[Books, Any], Sequence[Move]]
"""Gives what an event says that it moves, and notes what later events refer to. Raises Fault."""


def _within(name: str, amount: int, before: str, after: str) -> Sequence[Move]:
    """Move an amount between two parts of one account."""
    return [(name, before, -amount), (name, after, amount)]


def _claimed(books: Books, event: TransferSettled | TransferPrepared, total: int) -> str:
    """Give the part that a sender pays from: what a payment held for this transfer, or what is available."""
    if event.payment_id is None:
        return AVAILABLE
    held = books.payments.pop(event.payment_id, None)
    if held != HeldPayment(event.sender, total, event.transfer_id):
        raise Fault("payment", f"{event.transfer_id} moves {total} of {event.payment_id}, which holds another amount")
    return HELD


def settled(books: Books, event: TransferSettled) -> Sequence[Move]:
    """The sender pays amount and fee, the receiver gets the amount, the registry's treasury the fee."""
    total = event.amount + event.fee
    part = AVAILABLE if event.payment_id is None else _claimed(books, event, total)
    treasury = books.treasury(event.registry_id)
    return [
        (event.sender, part, -total),
        (event.receiver, AVAILABLE, event.amount),
        (treasury, AVAILABLE, event.fee),
    ]


def _prepared(books: Books, event: TransferPrepared) -> Sequence[Move]:
    part = _claimed(books, event, event.amount)
    return [(event.sender, part, -event.amount), (TRANSIT, COUNTER, event.amount)]


def _accepted(books: Books, event: TransferAccepted) -> Sequence[Move]:
    treasury = books.treasury(event.registry_id)
    return [
        (TRANSIT, COUNTER, -event.amount),
        (event.receiver, AVAILABLE, event.amount - event.fee),
        (treasury, AVAILABLE, event.fee),
    ]


def _aborted(_books: Books, event: TransferAborted) -> Sequence[Move]:
    return [(TRANSIT, COUNTER, -event.amount), (event.sender, AVAILABLE, event.amount)]


def _minted(_books: Books, event: TokensMinted) -> Sequence[Move]:
    return [(ISSUED, COUNTER, -event.amount), (event.account, AVAILABLE, event.amount)]


def _burned(_books: Books, event: TokensBurned) -> Sequence[Move]:
    return [(event.account, AVAILABLE, -event.amount), (DESTROYED, COUNTER, event.amount)]


def _granted(_books: Books, event: DeveloperRegistered) -> Sequence[Move]:
    return [(ISSUED, COUNTER, -event.grant), (event.account, AVAILABLE, event.grant)]


def _held(books: Books, event: PaymentHeld) -> Sequence[Move]:
    if event.payment_id in books.payments:
        raise Fault("payment", f"{event.payment_id} holds money already")
    books.payments[event.payment_id] = HeldPayment(event.sender, event.amount + event.fee)
    return _within(event.sender, event.amount + event.fee, AVAILABLE, HELD)


def _released(books: Books, event: PaymentCancelled | PaymentExpired) -> Sequence[Move]:
    held = books.payments.pop(event.payment_id, None)
    if held is None or held.transfer_id is not None:
        raise Fault("payment", f"{event.payment_id} is released and holds nothing")
    return _within(held.sender, held.total, HELD, AVAILABLE)


def claim(books: Books, event: PaymentClaimed) -> None:
    """Note that a payment becomes a transfer, which comes beside this event. Raises Fault."""
    held = books.payments.get(event.payment_id)
    if held is None or held.transfer_id is not None:
        raise Fault("payment", f"{event.payment_id} is claimed and holds nothing")
    books.payments[event.payment_id] = held._replace(transfer_id=event.transfer_id)


def _placed(books: Books, event: StakePlaced) -> Sequence[Move]:
    if event.stake_id in books.stakes:
        raise Fault("stakes", f"{event.stake_id} lies there already")
    books.stakes[event.stake_id] = OpenStake(event.account, event.amount)
    return _within(event.account, event.amount, AVAILABLE, STAKED)


def _withdrawn(books: Books, event: StakeWithdrawn) -> Sequence[Move]:
    placed = books.stakes.pop(event.stake_id, None)
    if placed != OpenStake(event.account, event.amount):
        raise Fault("stakes", f"{event.stake_id} is withdrawn as another than was placed")
    return _within(event.account, event.amount, STAKED, AVAILABLE)


def _day(books: Books, event: StakesRewarded | RewardDayClosed) -> RewardDay:
    known = books.days.get(event.registry_id)
    if known is None or known.day != event.day:
        raise Fault("reward", f"day {event.day} of {event.registry_id} isn't open")
    return known


def _day_opened(books: Books, event: RewardDayOpened) -> Sequence[Move]:
    if event.registry_id in books.days:
        raise Fault("reward", f"a day of {event.registry_id} is open already")
    if not 0 <= event.budget <= event.due:
        raise Fault("reward", f"{event.budget} is set aside and {event.due} is due")
    books.days[event.registry_id] = RewardDay(event.day, event.minted, event.due, event.budget)
    held = 0 if event.minted else event.budget
    return _within(books.treasury(event.registry_id), held, AVAILABLE, HELD)


def _rewarded(books: Books, event: StakesRewarded) -> Sequence[Move]:
    day = _day(books, event)
    paid = sum(each.amount for each in event.rewards)
    if any(not 0 <= each.amount <= each.due for each in event.rewards) or day.paid + paid > day.budget:
        raise Fault("reward", f"{paid} is paid of the {day.budget - day.paid} that are left for the day")
    if day.minted:
        _check_minted(books, event, day)
    books.days[event.registry_id] = day._replace(paid=day.paid + paid)
    source = (ISSUED, COUNTER) if day.minted else (books.treasury(event.registry_id), HELD)
    return [(*source, -paid), *((each.account, AVAILABLE, each.amount) for each in event.rewards)]


def _check_minted(books: Books, event: StakesRewarded, day: RewardDay) -> None:
    """Check that what is minted is each one's share of the day, as far as the frame has room for it. Raises Fault."""
    left = min(day.budget - day.paid, MOST - max(books.issued, books.circulating))
    for each in event.rewards:
        share = each.due if day.budget >= day.due else each.due * day.budget // day.due
        if each.amount != min(share, left):
            raise Fault("reward", f"{each.stake_id} gets {each.amount} of {each.due}, and there is {left} for {share}")
        left -= each.amount


def _day_closed(books: Books, event: RewardDayClosed) -> Sequence[Move]:
    day = _day(books, event)
    del books.days[event.registry_id]
    if event.paid != day.paid:
        raise Fault("reward", f"the day closes with {event.paid} paid, and {day.paid} was")
    left = 0 if day.minted else day.budget - day.paid
    return _within(books.treasury(event.registry_id), left, HELD, AVAILABLE)


SAYS: Final[Mapping[type, Says]] = {
    TransferSettled: settled,
    TransferPrepared: _prepared,
    TransferAccepted: _accepted,
    TransferAborted: _aborted,
    TokensMinted: _minted,
    TokensBurned: _burned,
    DeveloperRegistered: _granted,
    PaymentHeld: _held,
    PaymentCancelled: _released,
    PaymentExpired: _released,
    StakePlaced: _placed,
    StakeWithdrawn: _withdrawn,
    RewardDayOpened: _day_opened,
    StakesRewarded: _rewarded,
    RewardDayClosed: _day_closed,
}
"""Every event that has postings."""
