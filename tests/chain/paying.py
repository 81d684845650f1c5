"""A purse of one key: what it holds it spends by transactions that bsv-sdk builds and signs (P2PKH)."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from bsv import P2PKH, PrivateKey, Script, Transaction, TransactionInput, TransactionOutput
from bsv.constants import SIGHASH

from log.bitcoin import BitcoinTransaction, Input, Output, txid_of

ANYBODY: Final = bytes([0x51])
"""OP_TRUE: what it holds anybody can spend, by no script at all."""


class Coin(NamedTuple):
    """An output that can be spent."""

    outpoint: str
    satoshis: int


class Purse:
    """Signs by one key."""

    def __init__(self, number: int = 1) -> None:
        self._key = PrivateKey(number)
        self._lock = P2PKH().lock(self._key.address())

    @property
    def script(self) -> bytes:
        """Give the script that this purse can spend."""
        return bytes(self._lock.serialize())

    def spend(
        self,
        coins: Sequence[Coin],
        outputs: Sequence[Output],
        *,
        sequence: int = 0xFFFFFFFF,
        lock_time: int = 0,
        sighash: int = SIGHASH.ALL_FORKID,
        version: int = 1,
    ) -> bytes:
        """Give a signed transaction's bytes."""
        inputs = []
        for coin in coins:
            txid, _, vout = coin.outpoint.partition(":")
            each = TransactionInput(
                source_txid=txid,
                source_output_index=int(vout),
                unlocking_script_template=P2PKH().unlock(self._key),
                sequence=sequence,
                sighash=SIGHASH(sighash),
            )
            each.satoshis, each.locking_script = coin.satoshis, self._lock
            inputs.append(each)
        given = [TransactionOutput(Script(each.script), each.satoshis) for each in outputs]
        transaction = Transaction(inputs, given, locktime=lock_time, version=version)
        transaction.sign()
        return bytes(transaction.serialize())

    def pay_itself(self, coins: Sequence[Coin], pieces: int = 1, fee: int = 0) -> tuple[bytes, list[Coin]]:
        """Give a transaction that spends coins into as many pieces, and these; the last has what is left over."""
        left = sum(each.satoshis for each in coins) - fee
        amounts = [left // pieces] * (pieces - 1)
        amounts.append(left - sum(amounts))
        raw = self.spend(coins, [Output(each, self.script) for each in amounts])
        txid = txid_of(raw)
        return raw, [Coin(f"{txid}:{vout}", each) for vout, each in enumerate(amounts)]


def anybody_spends(coins: Sequence[Coin], *outputs: Output) -> bytes:
    """Give a transaction that spends what anybody can."""
    return BitcoinTransaction([Input(each.outpoint, b"") for each in coins], outputs).raw
