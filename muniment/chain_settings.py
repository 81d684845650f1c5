"""The settings of the chain whose rules transactions are made by."""

from dataclasses import dataclass
from typing import Literal

from muniment.chain_choice import ChainChoice
from muniment.setting_values import setting


def _family(given: str) -> str:
    if given not in {"bsv", "btc"}:
        raise ValueError("is bsv or btc")
    return given


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSettings(ChainChoice):
    """Whose rules transactions are made by."""

    chain_family: Literal["bsv", "btc"] = setting(
        "bsv",
        "Whose rules transactions are signed by: `bsv` (signature hashes with FORKID) or `btc` (without).",
        read=_family,
        metavar="bsv|btc",
    )
