"""A key of the tests, and transactions that spend what it was paid, signed as Bitcoin's first rules have it."""

import hashlib

from coincurve import PrivateKey
from Crypto.Hash import RIPEMD160

from log.base58 import base58_encode
from log.bitcoin import BitcoinTransaction, Input, Output, anchoring_script
from log.bitcoin_bytes import sized, twice
from tests.chain.paying import Coin

ALL = 1
REGTEST = b"\x6f"
FEE = 5_000


class Purse:
    """One key."""

    def __init__(self, secret: bytes) -> None:
        self._key = PrivateKey(secret)
        self._public = self._key.public_key.format()
        digest = RIPEMD160.new(hashlib.sha256(self._public).digest()).digest()
        self.script = bytes.fromhex("76a914") + digest + bytes.fromhex("88ac")
        paid = REGTEST + digest
        self.address = base58_encode(paid + twice(paid)[:4])

    def anchoring(self, coin: Coin, content: bytes, fee: int = FEE) -> BitcoinTransaction:
        """Spend a coin on an anchor, and give the rest back to the key."""
        return self.spend(coin, Output(0, anchoring_script(content)), Output(coin.satoshis - fee, self.script))

    def spend(self, coin: Coin, *outputs: Output) -> BitcoinTransaction:
        """Spend a coin that the key was paid."""
        unsigned = BitcoinTransaction([Input(coin.outpoint, self.script)], outputs)
        signature = self._key.sign(twice(unsigned.raw + ALL.to_bytes(4, "little")), hasher=None) + bytes([ALL])
        return BitcoinTransaction([Input(coin.outpoint, sized(signature) + sized(self._public))], outputs)
