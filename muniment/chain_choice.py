"""The settings of which chain records are anchored to, and how it is asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from muniment.gateway_settings import GatewaySettings
from muniment.setting_values import setting
from processors.chain_place import read_chain_url

KINDS: Final = ("devnet", "node", "arc", "explorer")


def _kind(given: str) -> str:
    if given not in KINDS:
        raise ValueError("is devnet, node, arc or explorer")
    return given


def _url(given: str) -> str:
    read_chain_url(given)
    return given


def _shown(given: str) -> str:
    if not given.isascii() or not given.isprintable():
        raise ValueError("is printable ASCII")
    return given


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainChoice(GatewaySettings):
    """Which chain records are anchored to, and how it is asked."""

    chain: Literal["devnet", "node", "arc", "explorer"] = setting(
        "devnet",
        "The chain that records are anchored to: `devnet` in this deployment, a full `node`, `arc` with an explorer, "
        "or an `explorer` alone.",
        read=_kind,
        metavar="devnet|node|arc|explorer",
    )
    chain_url: str | None = setting(
        None,
        "Where the node's JSON-RPC (`https://[user:password@]host:port`), ARC or the explorer (with its network: "
        "`https://api.whatsonchain.com/v1/bsv/main`) answers: https, or http on this machine.",
        read=_url,
        secret=True,
        metavar="URL",
    )
    chain_explorer_url: str | None = setting(
        None,
        "For `arc`: the explorer that has the blocks, like the URL of an explorer alone.",
        read=_url,
        secret=True,
        metavar="URL",
    )
    chain_credentials: str | None = setting(
        None,
        "What opens the chain's URL: `user:password` of a node, the key of ARC or of an explorer.",
        read=_shown,
        secret=True,
    )
    chain_credentials_file: Path | None = setting(  # noqa: RUF009 - it gives a field, as dataclasses.field does
        None,
        "A file of mode 0600 that has `MUNIMENT_CHAIN_CREDENTIALS` instead, as a node's `.cookie` has.",
        read=Path,
        metavar="FILE",
    )
    chain_explorer_credentials: str | None = setting(
        None, "For `arc`: the explorer's key, if it wants one.", read=_shown, secret=True
    )
    chain_callback_url: str | None = setting(
        None,
        "For `arc`: where ARC reaches `/v1/arc/callback` of this registry, to say that a transaction went on.",
        read=_url,
        metavar="URL",
    )
    chain_callback_token: str | None = setting(
        None, "For `arc`: the token that ARC shows at the callback URL.", read=_shown, secret=True
    )
