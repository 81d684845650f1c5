"""Postings as they are read: one row for each amount on an account, with what the account has after it.

A row depends on its account's own partition alone, so that it is the same whatever order partitions are read in: it
has the memo that its own event has, and that of what arrived from elsewhere lies with its transfer.
"""

from collections.abc import Sequence
from typing import Any

from domain.ledger.developer import DeveloperRegistered
from domain.ledger.frame import TokensBurned, TokensMinted
from domain.ledger.payment import PaymentCancelled, PaymentExpired, PaymentHeld
from domain.ledger.posting import COUNTER, Posting
from domain.ledger.reward import RewardDayClosed, RewardDayOpened, StakesRewarded
from domain.ledger.stake import StakePlaced, StakeWithdrawn
from domain.ledger.transfer import TransferSettled
from domain.ledger.transit import TransferAborted, TransferAccepted, TransferPrepared
from projections.generations import Table
from projections.ledger_accounts import Accounts
from projections.ledger_payments import Payments
from projections.lines import line
from projections.postgres import Transaction
from projections.rows import Place, appending

POSTINGS = Table(
    "account_postings",
    (
        "account", "part", "pos", "idx", "at", "account_part", "amount", "available", "staked", "held", "type", "about",
        "counterparty", "memo",
    ),
    ("account", "pos", "idx"),
)  # fmt: skip
DEFINITION = """
CREATE TABLE {schema}.account_postings (
  account text COLLATE "C" NOT NULL, part integer NOT NULL, pos bigint NOT NULL, idx integer NOT NULL,
  at bigint NOT NULL, account_part text COLLATE "C" NOT NULL, amount bigint NOT NULL, available numeric NOT NULL,
  staked numeric NOT NULL, held numeric NOT NULL, type text COLLATE "C" NOT NULL, about text COLLATE "C",
  counterparty text COLLATE "C", memo text, PRIMARY KEY (account, pos, idx));
"""
Said = tuple[str | None, str | None]
"""What a posting is about (the id of a transfer, a payment or a stake) and the account on its other side."""


class Postings:
    """What a batch makes of postings: each changes its account, in the order of the log."""

    events: tuple[type, ...] = (
        TransferSettled,
        TransferPrepared,
        TransferAccepted,
        TransferAborted,
        PaymentHeld,
        PaymentCancelled,
        PaymentExpired,
        StakePlaced,
        StakeWithdrawn,
        RewardDayOpened,
        StakesRewarded,
        RewardDayClosed,
        DeveloperRegistered,
        TokensMinted,
        TokensBurned,
    )

    def __init__(self, schema: str, accounts: Accounts, payments: Payments) -> None:
        self._accounts, self._payments = accounts.rows, payments.rows
        self._new = appending(schema, POSTINGS)
        self._decision, self._next = (-1, -1), 0

    def want(self, event: Any) -> None:
        """Note the accounts, and a payment that is released."""
        for posting in event.postings:
            if posting.part != COUNTER:
                self._accounts.want(posting.account)

    async def load(self, transaction: Transaction) -> None:
        """Read nothing: the accounts and the payments are read as such."""

    def fold(self, event: Any, place: Place) -> None:
        """Fold the postings of one event; their index counts on through a decision."""
        part, pos, _, at = place
        if self._decision != (part, pos):
            self._decision, self._next = (part, pos), 0
        where, kind, memo = (str(part), str(pos)), type(event).__name__, getattr(event, "memo", None)
        for posting, (about, counterparty) in zip(event.postings, self._said(event), strict=True):
            index = self._next
            self._next += 1
            if posting.part == COUNTER:
                continue
            account = self._accounts.changed(posting.account)
            account[posting.part] += posting.amount
            self._new.add(
                line((
                    posting.account, *where, str(index), str(at), posting.part, str(posting.amount),
                    str(account["available"]), str(account["staked"]), str(account["held"]), kind, about, counterparty,
                    memo,
                ))
            )  # fmt: skip

    def _said(self, event: Any) -> Sequence[Said]:
        """Give of each posting what it is about and who is on its other side."""
        match event:
            case TransferSettled() | TransferPrepared() | TransferAccepted() | TransferAborted():
                about = event.transfer_id
                away, back = (about, event.receiver), (about, event.sender)
                return [away if posting.account == event.sender else back for posting in event.postings]
            case PaymentHeld():
                return [(event.payment_id, event.receiver)] * len(event.postings)
            case PaymentCancelled() | PaymentExpired():
                payment = self._payments.find(event.payment_id)
                receiver = None if payment is None else payment["receiver"]
                return [(event.payment_id, receiver)] * len(event.postings)
            case StakePlaced() | StakeWithdrawn():
                return [(event.stake_id, None)] * len(event.postings)
            case StakesRewarded():
                return rewarded(event)
        return [(None, None)] * len(event.postings)

    async def save(self, transaction: Transaction) -> None:
        """Write the postings."""
        await self._new.end(transaction)


def rewarded(event: StakesRewarded) -> Sequence[Said]:
    """Give of a reward's postings which stake earned it and who paid: the first is the payer's, the rest in order."""
    if not event.postings:
        return ()
    payer: Posting = event.postings[0]
    source = None if payer.part == COUNTER else payer.account
    earned: list[Said] = [(reward.stake_id, source) for reward in event.rewards if reward.amount]
    return [(None, None), *earned]
