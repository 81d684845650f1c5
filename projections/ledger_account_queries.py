"""What is asked of accounts: one now or as of a moment, its statement, and the transfers and payments that moved it."""

from dataclasses import dataclass, replace

from projections.compromised_keys import Signed, said_of
from projections.fact_queries import Cut
from projections.generations import Generation
from projections.pages import columns
from projections.postgres import Transaction

POSTING = (
    "p.account, p.account_part, p.amount, p.available, p.staked, p.held, p.type,"
    " CASE WHEN p.type LIKE 'Transfer%%' THEN p.about END, CASE WHEN p.type LIKE 'Payment%%' THEN p.about END,"
    " CASE WHEN p.type LIKE 'Stake%%' THEN p.about END, p.counterparty"
)
"""The columns of a posting; by its event, what it is about is a transfer, a payment or a stake."""
WITHOUT_MEMO = ("TransferAccepted", "TransferAborted")
"""Events of a transfer that don't repeat its memo, which may be told on another partition."""


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """An account and what it has, in micro-AVT; ``part``, ``pos`` and ``at`` (ms) are where it was opened."""

    account_id: str
    frame_id: str
    registry_id: str
    owner: str
    kind: str
    available: int
    staked: int
    held: int
    frozen: bool
    part: int
    pos: int
    at: int


@dataclass(frozen=True, slots=True)
class StoredPosting:
    """An amount on a part of an account, and what the account has after it; ``idx`` counts within its decision."""

    account: str
    account_part: str
    amount: int
    available: int
    staked: int
    held: int
    type: str
    transfer_id: str | None
    payment_id: str | None
    stake_id: str | None
    counterparty: str | None
    memo: str | None
    part: int
    pos: int
    idx: int
    at: int


@dataclass(frozen=True, slots=True)
class StoredTransfer:
    """A transfer as it stands; across registries ``fee`` is known once it arrived.

    It was begun at ``part``, ``pos`` and ``at``, which are None where only its arrival is known here; the receiving
    side decided at ``arrived_*``, and the sending side ended it at ``ended_*``, in the partition that it was begun in.
    ``signed_by`` and ``key_id`` say whose registered key signed it.
    """

    transfer_id: str
    frame_id: str
    registry_id: str | None
    sender: str
    receiver: str
    receiver_frame: str
    receiver_registry: str | None
    amount: int
    fee: int | None
    memo: str | None
    payment_id: str | None
    timeout_at: int | None
    status: str
    reason: str | None
    part: int | None
    pos: int | None
    at: int | None
    arrived_part: int | None
    arrived_pos: int | None
    arrived_at: int | None
    ended_pos: int | None
    ended_at: int | None
    signed_by: str | None
    key_id: str | None


@dataclass(frozen=True, slots=True)
class StoredPayment:
    """A payment as it stands: held, claimed (then ``transfer_id`` says by which transfer), cancelled or expired."""

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
    status: str
    status_pos: int
    status_at: int
    ended_by: str | None
    transfer_id: str | None
    part: int
    pos: int
    at: int


async def account(
    transaction: Transaction, generation: Generation, account_id: str, cut: Cut | None = None
) -> StoredAccount | None:
    """Find an account as it is, or as of a moment; nothing where it wasn't open then."""
    rows = await transaction.rows(
        f"SELECT {columns(StoredAccount)} FROM {generation.schema}.accounts WHERE account_id = %s", account_id
    )
    known = StoredAccount(*rows[0]) if rows else None
    if known is None or cut is None:
        return known
    last = await last_of(transaction, generation, known, cut)
    return None if last < known.pos else await account_at(transaction, generation, known, last)


async def last_of(transaction: Transaction, generation: Generation, known: StoredAccount, cut: Cut) -> int:
    """Give the last offset of an account's partition that belongs to a moment; -1 where none does.

    The log's time never goes back within a partition, so the newest event of the frame up to a time is its last one.
    """
    last = cut.offsets[known.part] if known.part < len(cut.offsets) else -1
    if not cut.times:
        return last
    rows = await transaction.rows(
        f"SELECT pos FROM {generation.schema}.ledger_events WHERE frame_id = %s AND at <= %s"
        " ORDER BY at DESC, pos DESC LIMIT 1",
        known.frame_id,
        cut.times[known.part] if known.part < len(cut.times) else -1,
    )
    return min(last, int(rows[0][0])) if rows else -1


async def account_at(
    transaction: Transaction, generation: Generation, known: StoredAccount, last: int
) -> StoredAccount:
    """Give an account as it was behind an offset."""
    balances = await transaction.rows(
        f"SELECT available, staked, held FROM {generation.schema}.account_postings WHERE account = %s AND pos <= %s"
        " ORDER BY pos DESC, idx DESC LIMIT 1",
        known.account_id,
        last,
    )
    freezes = await transaction.rows(
        f"SELECT frozen FROM {generation.schema}.account_freezes WHERE account = %s AND pos <= %s"
        " ORDER BY pos DESC LIMIT 1",
        known.account_id,
        last,
    )
    available, staked, held = balances[0] if balances else (0, 0, 0)
    frozen = bool(freezes and freezes[0][0])
    return replace(known, available=available, staked=staked, held=held, frozen=frozen)


async def statement(
    transaction: Transaction,
    generation: Generation,
    account_id: str,
    *,
    limit: int,
    after: tuple[int, int] | None = None,
) -> list[StoredPosting]:
    """Give an account's postings, newest first, behind ``after`` (offset, index)."""
    schema = generation.schema
    further = "" if after is None else " AND (p.pos, p.idx) < (%(after_pos)s, %(after_idx)s)"
    pos, idx = after or (None, None)
    rows = await transaction.rows(
        f"SELECT {POSTING}, CASE WHEN p.type = ANY(%(without_memo)s) THEN"
        f" (SELECT t.memo FROM {schema}.transfers t WHERE t.transfer_id = p.about) ELSE p.memo END,"
        f" p.part, p.pos, p.idx, p.at FROM {schema}.account_postings p WHERE p.account = %(account)s{further}"
        " ORDER BY p.pos DESC, p.idx DESC LIMIT %(limit)s",
        {"account": account_id, "after_pos": pos, "after_idx": idx, "limit": limit, "without_memo": list(WITHOUT_MEMO)},
    )
    return [StoredPosting(*row) for row in rows]


async def transfer(transaction: Transaction, generation: Generation, transfer_id: str) -> StoredTransfer | None:
    """Find a transfer, in any phase."""
    rows = await transaction.rows(
        f"SELECT {columns(StoredTransfer)} FROM {generation.schema}.transfers WHERE transfer_id = %s", transfer_id
    )
    return StoredTransfer(*rows[0]) if rows else None


async def compromised(transaction: Transaction, generation: Generation, found: StoredTransfer) -> str | None:
    """Give by whose word a transfer's key was in other hands when it signed; nothing where nobody says so."""
    if found.signed_by is None or found.key_id is None or found.at is None:
        return None
    signed = Signed(found.signed_by, found.key_id, found.at)
    return (await said_of(transaction, generation.beside["identity"], [signed])).get(signed)


async def payment(transaction: Transaction, generation: Generation, payment_id: str) -> StoredPayment | None:
    """Find a payment, in any status."""
    rows = await transaction.rows(
        f"SELECT {columns(StoredPayment)} FROM {generation.schema}.payments WHERE payment_id = %s", payment_id
    )
    return StoredPayment(*rows[0]) if rows else None
