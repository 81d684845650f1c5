"""The devnet's blocks: what is in one, the work that it shows, and the first of them, the same on every devnet.

A block's first transaction says its height (BIP-34), so that no two of a chain are the same. There is no subsidy but
what the faucet gives. What a block's transactions pay for fees goes to nobody.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from log.bitcoin import HEADER_BYTES, BitcoinTransaction, Input, Output, read_header, txid_of
from log.bitcoin_bytes import lying
from log.merkle_path import MerkleTree, merkle_root
from processors.chain import Block, ChainUnavailable, Inclusion, Seen
from processors.devnet_file import Connection

SUBSIDY: Final = 50 * 100_000_000
"""Satoshis that a block may make, as on every chain in its first years."""
BITS: Final = 0x207FFFFF
"""What a regtest asks for: every second hash will do."""
BLOCK_VERSION: Final = 0x20000000
GENESIS_TIME: Final = 1_600_000_000
NOBODY: Final = bytes([0x00, 0x6A])
"""OP_FALSE OP_RETURN: what a script that starts so holds, nobody can spend."""
NOTHING: Final = "00" * 32
"""What the first block stands on."""
NOWHERE: Final = NOTHING + ":4294967295"
"""The outpoint that a block's first transaction spends."""
SAID: Final = b"/devnet/"


class Tip(NamedTuple):
    """The newest block: its header's time (s), and when it was mined (ms)."""

    block: Block
    time: int
    mined_at: int


class Member(NamedTuple):
    """A transaction of a block."""

    arrival: int
    txid: str


def height_push(height: int) -> bytes:
    """Write a push of a height, the shortest there is."""
    if height <= 16:
        return bytes([0x50 + height if height else 0])
    number = height.to_bytes(height.bit_length() // 8 + 1, "little")
    return bytes([len(number)]) + number


def first_transaction(height: int, paid: Output) -> BitcoinTransaction:
    """Give the transaction that a block of that height begins with."""
    said = height_push(height) + bytes([len(SAID)]) + SAID
    return BitcoinTransaction([Input(NOWHERE, said)], [paid])


def mined_header(previous: str, root: str, time_s: int) -> bytes:
    """Find a header that shows the work it asks for."""
    hashes = lying(previous) + lying(root)
    said = BLOCK_VERSION.to_bytes(4, "little") + hashes + time_s.to_bytes(4, "little") + BITS.to_bytes(4, "little")
    nonce = 0
    while not read_header(said + nonce.to_bytes(HEADER_BYTES - len(said), "little")).has_work:
        nonce += 1
    return said + nonce.to_bytes(HEADER_BYTES - len(said), "little")


def begin(connection: Connection) -> None:
    """Put the first block."""
    paid = first_transaction(0, Output(0, NOBODY))
    first = put_transaction(connection, paid, fee=0, line=0)
    put_block(connection, Block(-1, NOTHING, b""), GENESIS_TIME, 0, [Member(first, paid.txid)])


def put_transaction(connection: Connection, transaction: BitcoinTransaction, fee: int, line: int) -> int:
    """Put a transaction that is in no block, and its outputs that can be spent; give its arrival."""
    raw = transaction.raw
    txid = txid_of(raw)
    written = connection.execute(
        "INSERT INTO transactions (txid, raw, fee, line) VALUES (?, ?, ?, ?)", (txid, raw, fee, line)
    )
    arrival = written.lastrowid or 0
    connection.executemany(
        "INSERT INTO outputs (outpoint, satoshis, script, made_by) VALUES (?, ?, ?, ?)",
        [
            (f"{txid}:{vout}", each.satoshis, each.script, arrival)
            for vout, each in enumerate(transaction.outputs)
            if not each.script.startswith(NOBODY)
        ],
    )
    return arrival


def put_block(connection: Connection, below: Block, time_s: int, mined_at: int, members: Sequence[Member]) -> Block:
    """Mine the block above another, of these transactions."""
    height, header = below.height + 1, mined_header(below.hash, merkle_root([each.txid for each in members]), time_s)
    block = Block(height, read_header(header).hash, header)
    connection.execute("INSERT INTO blocks VALUES (?, ?, ?, ?)", (height, block.hash, header, mined_at))
    connection.executemany(
        "UPDATE transactions SET height = ?, place = ?, line = 0 WHERE arrival = ?",
        [(height, place, each.arrival) for place, each in enumerate(members)],
    )
    return block


def newest(connection: Connection) -> Tip:
    """Find the newest block."""
    height, digest, header, mined_at = connection.execute(
        "SELECT height, hash, header, mined_at FROM blocks ORDER BY height DESC LIMIT 1"
    ).fetchone() or (0, "", b"", 0)
    block = _whole(height, digest, header)
    return Tip(block, read_header(header).time, mined_at)


def block_at(connection: Connection, height: int) -> Block | None:
    """Find the block of a height."""
    found = connection.execute("SELECT hash, header FROM blocks WHERE height = ?", (height,)).fetchone()
    return None if found is None else _whole(height, *found)


class Trees:
    """Finds transactions; of the block that one was found in last it keeps the Merkle tree, for the others of it."""

    def __init__(self) -> None:
        self._block: Block | None = None
        self._tree = MerkleTree([NOTHING])

    def seen(self, connection: Connection, txid: str) -> Seen | None:
        """Find a transaction, and the path from it to the header of its block."""
        found = connection.execute("SELECT raw, height FROM transactions WHERE txid = ?", (txid,)).fetchone()
        if found is None:
            return None
        raw, height = found
        if txid_of(raw) != txid:
            raise damaged()
        if height is None:
            return Seen(raw, None)
        block = block_at(connection, height)
        if block is None:
            raise damaged()
        try:
            return Seen(raw, Inclusion(block, self._of(connection, block).bump(height, txid)))
        except (ValueError, IndexError):
            raise damaged() from None

    def _of(self, connection: Connection, block: Block) -> MerkleTree:
        if block != self._block:
            members = connection.execute("SELECT txid FROM transactions WHERE height = ? ORDER BY place", block[:1])
            self._block, self._tree = None, MerkleTree([txid for (txid,) in members])
            if self._tree.root != read_header(block.header).merkle_root:
                raise damaged()
            self._block = block
        return self._tree


def damaged() -> ChainUnavailable:
    """Say that what was written is not what is read."""
    return ChainUnavailable("the devnet's file is damaged")


def _whole(height: int, digest: str, header: bytes) -> Block:
    if len(header) != HEADER_BYTES or read_header(header).hash != digest:
        raise damaged()
    return Block(height, digest, header)
