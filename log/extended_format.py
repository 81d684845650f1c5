"""A transaction with what it spends written into each input: the Extended Format (BRC-30, once BIP-239)."""

from collections.abc import Sequence
from typing import Final

from log.bitcoin import BitcoinTransaction, Output, outpoint_bytes, output_bytes
from log.bitcoin_bytes import compact_size, sized

_marker: Final = bytes.fromhex("0000000000ef")


def extended(transaction: BitcoinTransaction, spent: Sequence[Output]) -> bytes:
    """Write a transaction with the outputs that its inputs spend, in their order. Raises ValueError."""
    written = [transaction.version.to_bytes(4, "little"), _marker, compact_size(len(transaction.inputs))]
    for each, output in zip(transaction.inputs, spent, strict=True):
        sequence = each.sequence.to_bytes(4, "little")
        written += [outpoint_bytes(each.outpoint), sized(each.script), sequence, output_bytes(output)]
    written.append(compact_size(len(transaction.outputs)))
    written += [output_bytes(each) for each in transaction.outputs]
    return b"".join([*written, transaction.lock_time.to_bytes(4, "little")])
