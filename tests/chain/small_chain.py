"""A block with real work of the least difficulty, in which a transaction of ours is the third of five."""

from log.bitcoin import BitcoinTransaction, Input, Output, anchoring_script, read_header
from log.bitcoin_bytes import lying
from log.merkle_path import bump_of, merkle_root
from processors.chain import Block, Inclusion

PARENT = BitcoinTransaction([Input("11" * 32 + ":0", b"\x51")], [Output(900, b"\x51"), Output(800, b"\x52")])
SENT = BitcoinTransaction(
    [Input(f"{PARENT.txid}:1", b"\x51")], [Output(0, anchoring_script(b"{}")), Output(1, b"\x51")]
)
TXIDS = ["01" * 32, "02" * 32, SENT.txid, "03" * 32, "04" * 32]
HEIGHT = 812_345
BITS = 0x207FFFFF


def _mined(root: str) -> bytes:
    for nonce in range(1000):
        parts = [b"\0\0\0\x20", lying("ee" * 32), lying(root)]
        numbers = [(1_700_000_000).to_bytes(4, "little"), BITS.to_bytes(4, "little"), nonce.to_bytes(4, "little")]
        header = b"".join([*parts, *numbers])
        if read_header(header).has_work:
            return header
    raise AssertionError("no work in a thousand tries")


HEADER = _mined(merkle_root(TXIDS))
BLOCK = Block(HEIGHT, read_header(HEADER).hash, HEADER)
BUMP = bump_of(HEIGHT, TXIDS, SENT.txid)
INCLUSION = Inclusion(BLOCK, BUMP)
EXPLORED = {
    "hash": BLOCK.hash,
    "height": HEIGHT,
    "version": 0x20000000,
    "merkleroot": merkle_root(TXIDS),
    "time": 1_700_000_000,
    "bits": f"{BITS:08x}",
    "nonce": int.from_bytes(HEADER[76:], "little"),
    "previousblockhash": "ee" * 32,
}
"""The block as an explorer gives it."""
