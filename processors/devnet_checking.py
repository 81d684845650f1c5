"""Whether a devnet's file holds: its blocks are validated again from the first on, and all else follows from them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from log.bitcoin import BitcoinTransaction, InvalidBitcoin, Output, read_header, read_transaction, txid_of
from log.merkle_path import merkle_root
from processors.devnet_blocks import BITS, NOBODY, NOTHING, NOWHERE, SUBSIDY, height_push
from processors.devnet_file import Connection
from processors.devnet_mempool import final
from processors.devnet_scripts import scripts_hold


class InvalidChain(Exception):
    """The devnet's file is not what its rules make of its blocks: the first difference."""


class Holdings(NamedTuple):
    """Satoshis: those that blocks made, and where they are: in outputs that can be spent, and nobody's for ever."""

    made: int
    unspent: int
    nobodys: int


class Made(NamedTuple):
    """An output that can be spent: its transaction's arrival, and how that one stands on others in no block."""

    output: Output
    made_by: int
    line: int


class Lying(NamedTuple):
    """A transaction as it is stored."""

    arrival: int
    txid: str
    raw: bytes
    fee: int
    line: int


@dataclass(slots=True)
class Rebuilt:
    """What follows from the blocks and what waits for one; ``spent`` is by outpoint the arrival that spent it."""

    made: dict[str, Made] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)
    subsidies: int = 0
    nobodys: int = 0


def check(connection: Connection) -> Holdings:
    """Validate all of a devnet's file. Raises InvalidChain."""
    try:
        return _checked(connection)
    except InvalidBitcoin as error:
        raise InvalidChain(str(error)) from None


def _checked(connection: Connection) -> Holdings:
    rebuilt, previous, before_s, height = Rebuilt(), NOTHING, -1, 0
    for at, digest, content in connection.execute("SELECT height, hash, header FROM blocks ORDER BY height").fetchall():
        header, members = read_header(content), _members(connection, at)
        _require(at == height, f"block {height} is missing")
        _require(header.hash == digest and header.previous == previous, f"block {at} does not stand on the one before")
        _require(header.bits == BITS and header.has_work, f"block {at} shows too little work")
        _require(header.time > before_s, f"block {at} is no later than the one before")
        _require(bool(members), f"block {at} is empty")
        _require(header.merkle_root == merkle_root([each.txid for each in members]), f"block {at} has others")
        _add_block(rebuilt, at, before_s, members)
        previous, before_s, height = header.hash, header.time, at + 1
    _require(height > 0, "there is no block")
    waiting = _members(connection, None)
    for each in waiting:
        _add(rebuilt, each, height, before_s, waits=True)
    _compare(connection, rebuilt, waiting)
    unspent = sum(each.output.satoshis for outpoint, each in rebuilt.made.items() if outpoint not in rebuilt.spent)
    # What waits pays fees that no block has given to nobody yet.
    nobodys = rebuilt.nobodys + sum(each.fee for each in waiting)
    _require(rebuilt.subsidies == unspent + nobodys, "there are more or fewer satoshis than were made")
    return Holdings(rebuilt.subsidies, unspent, nobodys)


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - it is what is required
    if not holds:
        raise InvalidChain(otherwise)


def _members(connection: Connection, height: int | None) -> Sequence[Lying]:
    found = connection.execute(
        "SELECT arrival, txid, raw, fee, line FROM transactions WHERE height IS ? ORDER BY place, arrival", (height,)
    )
    return [Lying(*each) for each in found]


def _add_block(rebuilt: Rebuilt, height: int, before_s: int, members: Sequence[Lying]) -> None:
    first = read_transaction(members[0].raw)
    said = [each.outpoint for each in first.inputs] == [NOWHERE] and first.inputs[0].script.startswith(
        height_push(height)
    )
    _require(said, f"the first transaction of block {height} is not as it must be")
    _put(rebuilt, members[0], first, 0)
    for each in members[1:]:
        _add(rebuilt, each, height, before_s, waits=False)
    fees = sum(each.fee for each in members[1:])
    made = sum(each.satoshis for each in first.outputs) - fees
    _require(0 <= made <= SUBSIDY, f"block {height} makes {made} satoshis")
    rebuilt.subsidies += made


def _add(rebuilt: Rebuilt, lying: Lying, height: int, before_s: int, *, waits: bool) -> None:
    transaction = read_transaction(lying.raw)
    outpoints = [each.outpoint for each in transaction.inputs]
    unspent = all(each in rebuilt.made and each not in rebuilt.spent for each in outpoints)
    _require(unspent and len(set(outpoints)) == len(outpoints), f"{lying.txid} spends what isn't there to be spent")
    taken = [rebuilt.made[each] for each in outpoints]
    fee = sum(each.output.satoshis for each in taken) - sum(each.satoshis for each in transaction.outputs)
    _require(fee == lying.fee >= 0, f"{lying.txid} does not pay the fee that is written")
    _require(final(transaction, height, before_s), f"{lying.txid} is there too early")
    _require(scripts_hold(transaction, [each.output for each in taken]), f"the scripts of {lying.txid} fail")
    line = 1 + max(each.line for each in taken) if waits else 0
    _require(lying.line == line, f"{lying.txid} does not stand on others as is written")
    rebuilt.spent.update(dict.fromkeys(outpoints, lying.arrival))
    _put(rebuilt, lying, transaction, line)


def _put(rebuilt: Rebuilt, lying: Lying, transaction: BitcoinTransaction, line: int) -> None:
    _require(txid_of(lying.raw) == lying.txid, f"{lying.txid} is another transaction's id")
    for vout, each in enumerate(transaction.outputs):
        if each.script.startswith(NOBODY):
            rebuilt.nobodys += each.satoshis
        else:
            rebuilt.made[f"{lying.txid}:{vout}"] = Made(each, lying.arrival, line)


def _compare(connection: Connection, rebuilt: Rebuilt, waiting: Sequence[Lying]) -> None:
    stored = connection.execute("SELECT outpoint, satoshis, script, made_by, spent_by FROM outputs ORDER BY outpoint")
    for written, follows in zip(stored.fetchall(), _follows(rebuilt), strict=False):
        _require(written == follows, f"{written[0]} is not what follows from the blocks")
    (count,) = connection.execute("SELECT count(*) FROM outputs").fetchone()
    _require(count == len(rebuilt.made), f"{count} outputs are written, {len(rebuilt.made)} follow from the blocks")
    counted = connection.execute("SELECT transactions, bytes FROM mempool").fetchone()
    follows_counted = (len(waiting), sum(len(each.raw) for each in waiting))
    _require(counted == follows_counted, f"{follows_counted} transactions and bytes wait, {counted} are written")


def _follows(rebuilt: Rebuilt) -> Iterator[tuple[str, int, bytes, int, int | None]]:
    for outpoint, (output, made_by, _) in sorted(rebuilt.made.items()):
        yield outpoint, output.satoshis, output.script, made_by, rebuilt.spent.get(outpoint)
