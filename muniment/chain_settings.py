"""The settings of the pool's transactions: whose rules they are made by, the key that signs them, and what they pay."""

from dataclasses import dataclass
from typing import Final, Literal

from muniment.chain_choice import ChainChoice
from muniment.setting_values import setting, up_to
from processors.chain import FAMILIES, Family

DEFAULT_FEE_PER_KB: Final = 100
MAX_FEE_PER_KB: Final = 100_000_000
"""A coin a kilobyte."""
MAX_BLOCK_EVERY_S: Final = 86_400


def _family(given: str) -> Family:
    for family in FAMILIES:
        if family == given:
            return family
    raise ValueError(f"is {' or '.join(FAMILIES)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSettings(ChainChoice):
    """How transactions are signed, and what they pay."""

    chain_family: Literal["bsv", "btc"] = setting(
        "bsv",
        "Whose rules transactions are signed by: `bsv` (signature hashes with FORKID) or `btc` (without).",
        read=_family,
        metavar="bsv|btc",
    )
    bsv_private_key: str | None = setting(
        None,
        "The key of the pool that pays for transactions, as WIF; by default `DIR/keys/pool.wif`, a file of mode 0600.",
        secret=True,
    )
    fee_per_kb: int = setting(
        DEFAULT_FEE_PER_KB,
        "What a transaction pays for each 1,000 bytes, in satoshis.",
        read=up_to(MAX_FEE_PER_KB),
        metavar="SATOSHIS",
    )
    devnet_block_every: int = setting(
        10,
        "On the devnet: a block is mined so many seconds after the last one.",
        read=up_to(MAX_BLOCK_EVERY_S),
        metavar="SECONDS",
    )
