"""What answers of chains are held to: shapes that can be read, headers with work, proofs that lead to their root.

What is said of a transaction in words is the node's own, through whatever passes it on: Bitcoin Core's, SV Node's and
btcd's words for one and the same thing differ.
"""

from collections.abc import Mapping
from typing import Final, Literal, Protocol

from domain.json_value import JsonValue
from log.bitcoin import InvalidBitcoin, read_header, read_transaction, txid_of
from log.merkle_path import InvalidMerklePath, height_and_root
from processors.chain import Block, ChainUnavailable, Inclusion, Refused

REASON_CHARACTERS: Final = 200
_taken: Final = (
    "txn-already-known",
    "txn-already-in-mempool",
    "already in the mempool",
    "already in mempool",
    "already in block chain",
    "already in utxo set",
    "already have transaction",
    "transaction already exists",
)
_undecided: Final = (
    "missing inputs",
    "missing-inputs",
    "missingorspent",
    "orphan",
    "conflict",
    "already spent",
    "double spend",
)
"""The words where an input is spent, or not known yet: which it is has to be looked up."""
_passing: Final = (
    "mempool full",
    "mempool min fee not met",
    "too-long-mempool-chain",
    "premature-spend",
    "required maturity",
)
"""The words for what passes with time."""

Fate = Literal["unspent", "ours", "spent", "unknown"]


class Lookup(Protocol):
    """Looks up what became of a transaction and of outputs. Every method raises ChainUnavailable."""

    async def has(self, txid: str) -> bool:
        """Tell whether a transaction is in a block of the chain, or waits for one."""
        ...

    async def fate(self, outpoint: str, txid: str) -> Fate:
        """Tell whether an output was spent, by a transaction of that id (``ours``) or another, in a block or in none.

        It is ``unknown`` where there is no such output. A place that doesn't say who spent it says ``spent``.
        """
        ...


async def rule(words: str, raw: bytes, lookup: Lookup, *, undecided: bool = False) -> None:
    """Rule on a transaction that a chain did not simply take, by its words and what can be looked up.

    Returns where the chain has it; raises Refused where it never will, and ChainUnavailable where that isn't certain:
    what it spends may still have to arrive. ``undecided`` says so where the words don't.
    """
    said, txid = words.lower(), txid_of(raw)
    if any(each in said for each in _taken) or await lookup.has(txid):
        return
    if any(each in said for each in _passing):
        raise ChainUnavailable("the chain doesn't take this transaction yet")
    fates = {outpoint: await lookup.fate(outpoint, txid) for outpoint in _spends(raw)}
    # Another process may have sent the same bytes meanwhile: then it is they that spend what is spent.
    if "ours" in fates.values() or await lookup.has(txid):
        return
    spent = tuple(outpoint for outpoint, fate in fates.items() if fate == "spent")
    if not spent and (undecided or any(each in said for each in _undecided)):
        raise ChainUnavailable("the chain doesn't know yet what this transaction spends")
    raise Refused(printable(words), spent)


def _spends(raw: bytes) -> list[str]:
    try:
        return [each.outpoint for each in read_transaction(raw).inputs]
    except InvalidBitcoin:
        return []


def printable(words: str) -> str:
    """Give what a chain said on one short line."""
    line = " ".join("".join(each if each.isprintable() else " " for each in words).split())
    return line[:REASON_CHARACTERS] or "the chain gives no reason"


def unreadable(what: str) -> ChainUnavailable:
    """Make the error for an answer that lacks what it should have."""
    return ChainUnavailable(f"the chain's answer has no {what} that can be read")


def members(value: JsonValue, what: str) -> Mapping[str, JsonValue]:
    """Take an object. Raises ChainUnavailable."""
    if not isinstance(value, dict):
        raise unreadable(what)
    return value


def text(of: Mapping[str, JsonValue], name: str) -> str:
    """Take a member that is text. Raises ChainUnavailable."""
    value = of.get(name)
    if not isinstance(value, str):
        raise unreadable(name)
    return value


def number(of: Mapping[str, JsonValue], name: str, most: int = 0xFFFFFFFF) -> int:
    """Take a member that is a number from 0. Raises ChainUnavailable."""
    return a_number(of.get(name), name, most)


def a_number(value: JsonValue, what: str, most: int = 0xFFFFFFFF) -> int:
    """Take a number from 0. Raises ChainUnavailable."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise unreadable(what)
    return value


def hex_bytes(value: JsonValue, what: str, size: int | None = None) -> bytes:
    """Read hex digits, of so many bytes where that is known. Raises ChainUnavailable."""
    try:
        content = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        content = b""
    if not content or size not in {None, len(content)}:
        raise unreadable(what)
    return content


def a_hash(value: JsonValue, what: str) -> str:
    """Take 64 hex digits. Raises ChainUnavailable."""
    return hex_bytes(value, what, 32).hex()


def checked_block(height: int, block_hash: str, header: bytes) -> Block:
    """Give a block whose header has that hash, and shows work. Raises ChainUnavailable."""
    try:
        read = read_header(header)
    except InvalidBitcoin:
        raise unreadable("header") from None
    if read.hash != block_hash or not read.has_work:
        raise ChainUnavailable("the chain's header isn't that of the block")
    return Block(height, block_hash, header)


def checked_inclusion(block: Block, txid: str, bump: bytes) -> Inclusion:
    """Give a block with the path to a transaction in it, which leads to its root. Raises ChainUnavailable."""
    try:
        led = height_and_root(bump, txid)
    except (InvalidMerklePath, ValueError):
        led = (-1, "")
    if led != (block.height, read_header(block.header).merkle_root):
        raise ChainUnavailable("the chain gives no proof that leads to the block's root")
    return Inclusion(block, bump)
