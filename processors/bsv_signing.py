"""Building and signing on BSV's chains with bsv-sdk: the library's door for that, loaded where it is used alone.

Its licence is for BSV's chains only, so nothing here is of use to another family (ops/decisions/0023).
"""

from collections.abc import Sequence

from bsv import P2PKH, PrivateKey, Script, Transaction, TransactionInput, TransactionOutput

from log.bitcoin import BitcoinTransaction, Output
from processors.pool_key import PoolKey


def signed(key: PoolKey, unsigned: BitcoinTransaction, spent: Sequence[Output]) -> bytes:
    """Give the bytes of a transaction that spends ``spent``, with a signature (ALL, with FORKID) in each input."""
    unlocking = P2PKH().unlock(PrivateKey(key.secret))
    inputs = []
    for each, output in zip(unsigned.inputs, spent, strict=True):
        txid, _, vout = each.outpoint.partition(":")
        taken = TransactionInput(
            source_txid=txid,
            source_output_index=int(vout),
            unlocking_script_template=unlocking,
            sequence=each.sequence,
        )
        taken.satoshis, taken.locking_script = output.satoshis, Script(output.script)
        inputs.append(taken)
    outputs = [TransactionOutput(Script(each.script), each.satoshis) for each in unsigned.outputs]
    raw: bytes = Transaction(inputs, outputs, version=unsigned.version, locktime=unsigned.lock_time).sign().serialize()
    return raw
