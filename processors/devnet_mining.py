"""How the devnet's chain grows, and how another one takes the place of its end.

A reorganisation leaves the transactions of the blocks that it takes away out of those that it puts there: they wait,
with all that did before, for the next block that is mined. None of them can have become invalid, for nothing
else can spend what they spend, and what the faucet gave stays: the new block of its height begins with the very same
transaction. So a depth of *n* shows an observer a chain on which what it saw confirmed is not, and then is again.
"""

from dataclasses import dataclass
from typing import Final

from log.bitcoin import Output
from processors.chain import Block
from processors.devnet_blocks import (
    NOBODY,
    SUBSIDY,
    Member,
    first_transaction,
    newest,
    put_block,
    put_transaction,
)
from processors.devnet_file import Connection
from processors.devnet_mempool import count_again

DEEPEST: Final = 100
"""Blocks that one reorganisation replaces: all of it is one write, for which every other one waits."""
LONGEST_SCRIPT: Final = 10_000
"""Bytes of a script that the faucet pays."""


class InvalidDepth(ValueError):
    """There aren't so many blocks above the first, or they are more than are replaced at once."""


@dataclass(frozen=True, slots=True)
class Faucet:
    """What a block makes: satoshis for a script. Raises ValueError: more than a subsidy, or for nobody."""

    script: bytes
    satoshis: int

    def __post_init__(self) -> None:
        if not 0 < self.satoshis <= SUBSIDY:
            raise ValueError(f"the faucet gives 1 to {SUBSIDY} satoshis")
        if len(self.script) > LONGEST_SCRIPT or self.script.startswith(NOBODY):
            raise ValueError("the faucet pays a script that can be spent, of at most 10000 bytes")


def mine(connection: Connection, now_ms: int) -> Block:
    """Mine a block of all that waits for one, in the order in which it came."""
    tip = newest(connection)
    found = connection.execute("SELECT arrival, txid, fee FROM transactions WHERE height IS NULL ORDER BY arrival")
    waiting = list[Member]()
    fees = 0
    for arrival, txid, fee in found:
        waiting.append(Member(arrival, txid))
        fees += fee
    height = tip.block.height + 1
    first = _first(connection, height, Output(fees, NOBODY))
    connection.execute("UPDATE mempool SET transactions = 0, bytes = 0")
    time_s = max(now_ms // 1000, tip.time + 1)
    return put_block(connection, tip.block, time_s, now_ms, [first, *waiting])


def mine_when_due(connection: Connection, now_ms: int, interval_ms: int) -> Block | None:
    """Mine a block once the newest is that old, or younger than now."""
    return None if 0 <= now_ms - newest(connection).mined_at < interval_ms else mine(connection, now_ms)


def faucet(connection: Connection, now_ms: int, given: Faucet) -> str:
    """Mine a block that makes satoshis, and of which that is all; give their outpoint."""
    tip = newest(connection)
    height = tip.block.height + 1
    first = _first(connection, height, Output(given.satoshis, given.script))
    put_block(connection, tip.block, max(now_ms // 1000, tip.time + 1), now_ms, [first])
    return f"{first.txid}:0"


def reorganise(connection: Connection, now_ms: int, depth: int) -> Block:
    """Replace the newest blocks by as many and one. Raises InvalidDepth."""
    tip = newest(connection)
    if not 1 <= depth <= min(tip.block.height, DEEPEST):
        raise InvalidDepth(f"a reorganisation replaces 1 to {min(tip.block.height, DEEPEST)} blocks here")
    fork = tip.block.height - depth
    firsts = {
        height: (Member(arrival, txid), made)
        for height, arrival, txid, made in connection.execute(
            "SELECT height, arrival, txid, EXISTS (SELECT 1 FROM outputs WHERE outpoint = txid || ':0')"
            " FROM transactions WHERE height > ? AND place = 0",
            (fork,),
        )
    }
    connection.execute("UPDATE transactions SET height = NULL, place = NULL WHERE height > ?", (fork,))
    connection.execute("DELETE FROM blocks WHERE height > ?", (fork,))
    # The replaced blocks' time is over, so that no lock time holds again what it had let go.
    below, time_s = newest(connection).block, max(now_ms // 1000, tip.time + 1)
    for height in range(fork + 1, tip.block.height + 2):
        first, made = firsts.get(height, (None, False))
        if first is not None and not made:
            connection.execute("DELETE FROM transactions WHERE arrival = ?", (first.arrival,))
        if first is None or not made:
            first = _first(connection, height, Output(0, NOBODY))
        below = put_block(connection, below, time_s + height - fork - 1, now_ms, [first])
    count_again(connection)
    return below


def _first(connection: Connection, height: int, paid: Output) -> Member:
    transaction = first_transaction(height, paid)
    return Member(put_transaction(connection, transaction, fee=0, line=0), transaction.txid)
