"""Keys and outputs of a pool, the same each time, and records to anchor."""

import hashlib

from log.bitcoin import Output
from processors.anchor_transactions import Spend, anchored_content
from processors.chain import Family
from processors.pool_key import PoolKey


def key_of(name: str, family: Family = "bsv") -> PoolKey:
    return PoolKey(hashlib.sha256(f"pool {name}".encode()).digest(), family)


def spends_of(key: PoolKey, *satoshis: int) -> list[Spend]:
    """Give outputs that are locked to a key, with these amounts."""
    return [
        Spend(f"{hashlib.sha256(f'funding {at}'.encode()).hexdigest()}:{at}", each, key.script)
        for at, each in enumerate(satoshis)
    ]


def outputs(spends: list[Spend]) -> list[Output]:
    """Give what a transaction's inputs spend."""
    return [Output(spend.satoshis, spend.script) for spend in spends]


def contents(count: int) -> list[bytes]:
    return [
        anchored_content(
            f"REC_{at}",
            hashlib.sha256(str(at).encode()).hexdigest(),
            f"https://example.test/{at}" if at % 2 else None,
            "2025-10-09T08:53:20.000Z",
        )
        for at in range(count)
    ]
