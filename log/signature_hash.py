"""What a signature in a Bitcoin transaction is made over, and the output that a public key's holder alone can spend.

Both forms cover all inputs and all outputs (SIGHASH_ALL). Sources: the protocol's reference for the first form; BIP-143
as the chains with FORKID took it over for the other, which covers the amount too. An ECDSA signature of this hashes
what is given here once more, so it is the SHA-256 of the covered bytes that is signed.
"""

from __future__ import annotations

import hashlib
from typing import Final

from Crypto.Hash import RIPEMD160

from log.bitcoin import BitcoinTransaction, Output, outpoint_bytes, output_bytes
from log.bitcoin_bytes import sized, twice

ALL: Final = 0x01
FORKID: Final = 0x40

_before_the_hash: Final = bytes([0x76, 0xA9, 20])
"""OP_DUP OP_HASH160, and a push of 20 bytes."""
_behind_the_hash: Final = bytes([0x88, 0xAC])
"""OP_EQUALVERIFY OP_CHECKSIG."""


def pay_to(pubkey: bytes) -> bytes:
    """Write the script of an output that the holder of a public key can spend (P2PKH)."""
    digest = RIPEMD160.new(hashlib.sha256(pubkey).digest()).digest()
    return _before_the_hash + digest + _behind_the_hash


def pays_a_key(script: bytes) -> bool:
    """Tell whether a script is as ``pay_to`` writes them."""
    return len(script) == 25 and script[:3] == _before_the_hash and script[-2:] == _behind_the_hash


def signed_content(transaction: BitcoinTransaction, at: int, spent: Output, kind: int) -> bytes:
    """Give what the signature in input ``at`` is made over, whose last byte is ``kind``: ALL, or ALL with FORKID.

    ``spent`` is the output that this input spends. Raises ValueError at any other kind.
    """
    if kind == ALL:
        covered = _in_the_first_form(transaction, at, spent)
    elif kind == ALL | FORKID:
        covered = _with_the_amount(transaction, at, spent)
    else:
        raise ValueError("a signature covers all inputs and outputs")
    return hashlib.sha256(covered + kind.to_bytes(4, "little")).digest()


def _in_the_first_form(transaction: BitcoinTransaction, at: int, spent: Output) -> bytes:
    """Write the transaction with the spent script in place of this input's, and none in the others'."""
    inputs = [
        each._replace(script=spent.script if place == at else b"") for place, each in enumerate(transaction.inputs)
    ]
    return transaction._replace(inputs=inputs).raw


def _with_the_amount(transaction: BitcoinTransaction, at: int, spent: Output) -> bytes:
    this = transaction.inputs[at]
    covered = [
        transaction.version.to_bytes(4, "little"),
        twice(b"".join(outpoint_bytes(each.outpoint) for each in transaction.inputs)),
        twice(b"".join(each.sequence.to_bytes(4, "little") for each in transaction.inputs)),
        outpoint_bytes(this.outpoint),
        sized(spent.script),
        spent.satoshis.to_bytes(8, "little"),
        this.sequence.to_bytes(4, "little"),
        twice(b"".join(output_bytes(each) for each in transaction.outputs)),
        transaction.lock_time.to_bytes(4, "little"),
    ]
    return b"".join(covered)
