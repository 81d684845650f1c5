"""A record's proof as a registry gives it, and an independent miner for the block that has its transaction."""

import hashlib
from typing import Any, Final

from log.bitcoin import read_header
from log.intents import intent_signed_bytes, record_hash
from log.merkle_path import bump_of, merkle_root
from processors.anchor_transactions import anchored_content, anchoring
from processors.chain import Family
from tests.processors.pool_outputs import contents, key_of, spends_of
from tests.vectors import intents
from tests.vectors.intents import intent

HEIGHT: Final = 4_711
VOUT: Final = 3
EASY: Final = 0x207FFFFF
RECORD: Final = {**intents.RECORD, "terms": {"€": "euro", "\r": "a carriage return", "1": 0.5}}
"""A record whose numbers a registry takes: strict JSON has none beyond 2^53 - 1."""


def mined(root: str, *, bits: int = EASY, works: bool = True) -> bytes:
    """Give a header that names a root, and whose hash is below its target, or isn't."""
    start = (1).to_bytes(4, "little") + bytes(32) + bytes.fromhex(root)[::-1] + (1_760_000_000).to_bytes(4, "little")
    for nonce in range(1 << 16):
        header = start + bits.to_bytes(4, "little") + nonce.to_bytes(4, "little")
        if read_header(header).has_work is works:
            return header
    raise AssertionError("no such header")


def proof(
    family: Family = "bsv", *, uri: str | None = "https://example.test/1", der: bool = True, sent: Any = None
) -> dict[str, Any]:
    """Give the proof of a record that is anchored among others, in a block among other transactions."""
    record = RECORD if uri is None else {**RECORD, "uri": uri}
    given = intent("wren", record, der=der) if sent is None else sent
    canonical = intent_signed_bytes(record)
    digest = record_hash(canonical)
    anchors = contents(5)
    anchors[VOUT] = anchored_content(record["recordId"], digest, uri, record["timestamp"])
    key = key_of("wren", family)
    spends = spends_of(key, 1_000, 2_000)
    signed = anchoring(key, spends, anchors, 100)
    block = [hashlib.sha256(bytes([at])).hexdigest() for at in range(6)]
    block[2] = signed.txid
    return {
        "canonical": canonical.decode(),
        "hash": digest,
        "signer": given["signer"],
        "signature": given["signature"]["sig"],
        "txid": signed.txid,
        "vout": VOUT,
        "rawTx": signed.raw.hex(),
        "spent": [{"satoshis": each.satoshis, "script": each.script.hex()} for each in spends],
        "bump": bump_of(HEIGHT, block, signed.txid).hex(),
        "blockHeader": mined(merkle_root(block)).hex(),
        "height": HEIGHT,
    }
