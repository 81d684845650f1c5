"""The pool's transactions: one that anchors records, an output each, and one that splits an output into many.

A transaction follows from what goes into it to the last byte (RFC 6979), so whoever builds it again has the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from domain.publishing.batch import ChangeOutput
from log import strict_json
from log.bitcoin import BitcoinTransaction, Input, Output, anchoring_script, txid_of
from log.intents import protocol, version
from log.signature_hash import ALL, signed_content
from log.unlocking import LONGEST_BYTES, unlocking_script
from processors.pool_key import PoolKey

LEAST_CHANGE_SATOSHIS: Final = 546
"""Below this nodes of Bitcoin don't relay an output of P2PKH.

Nodes of BSV relay 1 satoshi; but an output that can't pay for a transaction would only look like one that can.
"""


class TooPoor(Exception):
    """The outputs to spend don't cover what a transaction gives and its fee, ``needed_satoshis`` together."""

    def __init__(self, needed_satoshis: int) -> None:
        super().__init__(f"the transaction needs {needed_satoshis} satoshis")
        self.needed_satoshis = needed_satoshis


class Spend(NamedTuple):
    """An output of the pool, ``txid:vout``, that a transaction spends; ``script`` is what locks it."""

    outpoint: str
    satoshis: int
    script: bytes


class Signed(NamedTuple):
    """A transaction that is ready to be sent; ``fee`` is in satoshis, ``change`` what comes back to the pool."""

    txid: str
    raw: bytes
    fee: int
    change: tuple[ChangeOutput, ...]


def anchored_content(record_id: str, record_hash: str, uri: str | None, timestamp: str) -> bytes:
    """Write what is anchored of a record: its id, its hash (64 hex digits), its uri where it has one, its timestamp.

    The members lie in this order, in UTF-8. Raises ``log.strict_json.UnwritableJson`` where a text isn't Unicode.
    """
    said = {"p": protocol, "v": version, "rid": record_id, "hash": record_hash}
    told = said if uri is None else {**said, "uri": uri}
    return strict_json.dump({**told, "ts": timestamp})


def anchoring(key: PoolKey, spends: Sequence[Spend], contents: Sequence[bytes], sat_per_kb: int) -> Signed:
    """Build the transaction whose output *n* anchors content *n*, and whose last one gives back what is left.

    Raises TooPoor, and ValueError where an output isn't the key's to spend.
    """
    return _signed(key, spends, [Output(0, anchoring_script(content)) for content in contents], sat_per_kb)


def splitting(key: PoolKey, spends: Sequence[Spend], pieces: int, piece_satoshis: int, sat_per_kb: int) -> Signed:
    """Build the transaction that gives that many pieces back to the pool, and in its last output what is left.

    Raises as ``anchoring`` does.
    """
    return _signed(key, spends, [Output(piece_satoshis, key.script)] * pieces, sat_per_kb)


def _signed(key: PoolKey, spends: Sequence[Spend], outputs: Sequence[Output], sat_per_kb: int) -> Signed:
    if any(spend.script != key.script for spend in spends):
        raise ValueError("an output isn't the pool key's to spend")
    fee, given = _balanced(key, spends, outputs, sat_per_kb)
    unsigned = BitcoinTransaction([Input(spend.outpoint, b"") for spend in spends], given)
    spent = [Output(spend.satoshis, spend.script) for spend in spends]
    raw = _signed_for_btc(key, unsigned, spent) if key.family == "btc" else _signed_for_bsv(key, unsigned, spent)
    back = [(at, each) for at, each in enumerate(given) if each.script == key.script]
    return Signed(
        txid_of(raw), raw, fee, tuple(ChangeOutput(at, each.satoshis, each.script.hex()) for at, each in back)
    )


def _balanced(
    key: PoolKey, spends: Sequence[Spend], outputs: Sequence[Output], sat_per_kb: int
) -> tuple[int, Sequence[Output]]:
    """Give the fee, and the outputs with the change; what is too little for an output is left to the fee."""
    taken, given = sum(spend.satoshis for spend in spends), sum(each.satoshis for each in outputs)
    least = _fee(len(spends), outputs, sat_per_kb)
    if taken < given + least:
        raise TooPoor(given + least)
    fee = _fee(len(spends), [*outputs, Output(0, key.script)], sat_per_kb)
    left = taken - given - fee
    if left < LEAST_CHANGE_SATOSHIS:
        return taken - given, outputs
    return fee, [*outputs, Output(left, key.script)]


def _fee(inputs: int, outputs: Sequence[Output], sat_per_kb: int) -> int:
    """Give the fee of a transaction whose signatures are as long as they can be, which is known before they are."""
    widest = Input(f"{bytes(32).hex()}:0", bytes(LONGEST_BYTES))
    size = len(BitcoinTransaction([widest] * inputs, outputs).raw)
    return -(-size * sat_per_kb // 1000)


def _signed_for_bsv(key: PoolKey, unsigned: BitcoinTransaction, spent: Sequence[Output]) -> bytes:
    # It takes a second to load, and its licence is for these chains alone: see ops/decisions/0023.
    from processors.bsv_signing import signed  # noqa: PLC0415 - as the line above says

    return signed(key, unsigned, spent)


def _signed_for_btc(key: PoolKey, unsigned: BitcoinTransaction, spent: Sequence[Output]) -> bytes:
    inputs = []
    for at, (each, output) in enumerate(zip(unsigned.inputs, spent, strict=True)):
        signature = key.signer(signed_content(unsigned, at, output, ALL))
        inputs.append(each._replace(script=unlocking_script(signature, ALL, key.pubkey)))
    return unsigned._replace(inputs=inputs).raw
