"""The Extended Format is as an independent implementation writes it."""

import pytest
from bsv import Transaction

from log.bitcoin import BitcoinTransaction, Input, Output
from log.extended_format import extended

PARENT = BitcoinTransaction(
    [Input("11" * 32 + ":0", b"")], [Output(1, b"\x51"), Output(5_000_000_000, b"\x6a" + b"\x01\x02" * 150)]
)
SENT = BitcoinTransaction(
    [Input(f"{PARENT.txid}:1", b"\x51" * 300), Input(f"{PARENT.txid}:0", b"", 7)], [Output(9, b"\x52")], 2, 3
)


def test_a_transaction_in_the_extended_format_is_as_bsv_sdk_writes_it() -> None:
    theirs = Transaction.from_hex(SENT.raw.hex())
    assert theirs is not None
    for each in theirs.inputs:
        each.source_transaction = Transaction.from_hex(PARENT.raw.hex())
    assert extended(SENT, PARENT.outputs[::-1]) == theirs.to_ef()


def test_each_input_needs_what_it_spends() -> None:
    with pytest.raises(ValueError, match="zip"):
        extended(SENT, PARENT.outputs[:1])
