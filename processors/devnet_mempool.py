"""What the devnet takes of transactions, and on what grounds it doesn't: those of a node, and no fewer.

Where a node measures what a script takes, the devnet does not run what could take much: that is its only ground more.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from log.bitcoin import FINAL, BitcoinTransaction, InvalidBitcoin, Output, read_transaction
from processors.chain import ChainUnavailable, Refused
from processors.devnet_blocks import Tip, newest, put_transaction
from processors.devnet_file import Connection
from processors.devnet_scripts import scripts_hold, too_greedy

LARGEST_TRANSACTION: Final = 10_000_000
"""Bytes."""
MOST_INPUTS: Final = 1_000
"""Each input signs all of them: what checking them takes grows with the square."""
MOST_OUTPUTS: Final = 100_000
LONGEST_LINE: Final = 25
"""How many transactions in no block may stand on one another, each on the one before."""
MOST_WAITING: Final = 100_000
MOST_WAITING_BYTES: Final = 1_000_000_000
FROM_HERE_A_TIME: Final = 500_000_000
"""A lock time below is a height, from here on seconds."""
VERSIONS: Final = (1, 2)


class DevnetRefusal(StrEnum):
    """Why the devnet does not take a transaction, in order of precedence."""

    TOO_LARGE = "too-large"
    MALFORMED = "malformed"
    DOUBLE_SPEND = "double-spend"
    MISSING_INPUTS = "missing-inputs"
    AMOUNTS = "amounts"
    FEE_TOO_LOW = "fee-too-low"
    NOT_FINAL = "not-final"
    TOO_LONG_CHAIN = "too-long-chain"
    NON_STANDARD = "non-standard"
    SCRIPT_FAILED = "script-failed"


class Spent(NamedTuple):
    """An output that a transaction asks for; ``line`` is that of its transaction, 0 where that is in a block."""

    output: Output
    spent: bool
    line: int


def read_bounded(raw: bytes) -> BitcoinTransaction:
    """Read a transaction of a version and size that is relayed. Raises Refused."""
    if len(raw) > LARGEST_TRANSACTION:
        raise Refused(DevnetRefusal.TOO_LARGE)
    try:
        transaction = read_transaction(raw)
    except InvalidBitcoin:
        raise Refused(DevnetRefusal.MALFORMED) from None
    if len(transaction.inputs) > MOST_INPUTS or len(transaction.outputs) > MOST_OUTPUTS:
        raise Refused(DevnetRefusal.TOO_LARGE)
    if transaction.version not in VERSIONS or len({each.outpoint for each in transaction.inputs}) < len(
        transaction.inputs
    ):
        raise Refused(DevnetRefusal.MALFORMED)
    return transaction


def final(transaction: BitcoinTransaction, height: int, before_s: int) -> bool:
    """Tell whether a block of that height may have a transaction; the block before it is of that time (s)."""
    bound = height if transaction.lock_time < FROM_HERE_A_TIME else before_s
    return transaction.lock_time < max(bound, 1) or all(each.sequence == FINAL for each in transaction.inputs)


def take(connection: Connection, raw: bytes, transaction: BitcoinTransaction, fee_per_kb: int) -> None:
    """Take a transaction, or know it already. Raises Refused; ChainUnavailable where too many wait for a block."""
    if connection.execute("SELECT 1 FROM transactions WHERE txid = ?", (transaction.txid,)).fetchone() is not None:
        return
    wanted = [_wanted(connection, each.outpoint) for each in transaction.inputs]
    found = [each for each in wanted if each is not None]
    fee = sum(each.output.satoshis for each in found) - sum(each.satoshis for each in transaction.outputs)
    line = 1 + max((each.line for each in found), default=0)
    taken = tuple(
        spending.outpoint
        for spending, each in zip(transaction.inputs, wanted, strict=True)
        if each is not None and each.spent
    )
    if taken:
        raise Refused(DevnetRefusal.DOUBLE_SPEND, taken)
    if len(found) < len(wanted):
        raise Refused(DevnetRefusal.MISSING_INPUTS)
    if fee < 0:
        raise Refused(DevnetRefusal.AMOUNTS)
    if fee < len(raw) * fee_per_kb // 1000:
        raise Refused(DevnetRefusal.FEE_TOO_LOW)
    tip: Tip = newest(connection)
    if not final(transaction, tip.block.height + 1, tip.time):
        raise Refused(DevnetRefusal.NOT_FINAL)
    if line > LONGEST_LINE:
        raise Refused(DevnetRefusal.TOO_LONG_CHAIN)
    spent = [each.output for each in found]
    if too_greedy(transaction, spent):
        raise Refused(DevnetRefusal.NON_STANDARD)
    if not scripts_hold(transaction, spent):
        raise Refused(DevnetRefusal.SCRIPT_FAILED)

    _put(connection, raw, transaction, fee, line)


def _wanted(connection: Connection, outpoint: str) -> Spent | None:
    found = connection.execute(
        "SELECT satoshis, script, spent_by, line FROM outputs JOIN transactions ON arrival = made_by"
        " WHERE outpoint = ?",
        (outpoint,),
    ).fetchone()
    return None if found is None else Spent(Output(*found[:2]), found[2] is not None, found[3])


def _put(connection: Connection, raw: bytes, transaction: BitcoinTransaction, fee: int, line: int) -> None:
    waiting, size = connection.execute("SELECT transactions, bytes FROM mempool").fetchone()
    if waiting >= MOST_WAITING or size + len(raw) > MOST_WAITING_BYTES:
        raise ChainUnavailable("as many transactions wait for the devnet's next block as may")
    arrival = put_transaction(connection, transaction, fee, line)
    connection.executemany(
        "UPDATE outputs SET spent_by = ? WHERE outpoint = ?", [(arrival, each.outpoint) for each in transaction.inputs]
    )
    connection.execute("UPDATE mempool SET transactions = transactions + 1, bytes = bytes + ?", (len(raw),))


def count_again(connection: Connection) -> None:
    """Count what waits for a block, and how it stands on one another, once blocks are gone."""
    connection.execute(
        "UPDATE mempool SET (transactions, bytes) ="
        " (SELECT count(*), coalesce(sum(length(raw)), 0) FROM transactions WHERE height IS NULL)"
    )
    lines = {arrival: 1 for (arrival,) in connection.execute("SELECT arrival FROM transactions WHERE height IS NULL")}
    # By the spender's arrival, so that each line that one stands on is known when it is looked at.
    for spender, maker in _spends_in_no_block(connection):
        lines[spender] = max(lines[spender], lines[maker] + 1)
    connection.executemany(
        "UPDATE transactions SET line = ? WHERE arrival = ?", [(line, arrival) for arrival, line in lines.items()]
    )


def _spends_in_no_block(connection: Connection) -> Sequence[tuple[int, int]]:
    found = connection.execute(
        "SELECT spent_by, made_by FROM transactions"
        " JOIN outputs ON outpoint BETWEEN txid || ':' AND txid || ';'"
        " WHERE height IS NULL AND spent_by IS NOT NULL"
    )
    return sorted(found)
