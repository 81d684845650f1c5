"""A chain reached through ARC, which takes transactions for Bitcoin SV's miners, and an explorer, which has the blocks.

ARC watches what it was given, and knows nothing else: of blocks, and of what others spent, it is the explorer that is
asked. Source: ARC's API reference, and the list of its errors.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from domain.json_value import JsonValue
from log.bitcoin import InvalidBitcoin, Output, read_transaction, txid_of
from log.extended_format import extended
from processors.chain import Block, ChainUnavailable, Seen
from processors.chain_answers import a_hash, checked_inclusion, hex_bytes, members, number, rule, text, unreadable
from processors.chain_http import Answer, ChainHttp
from processors.explorer_chain import ExplorerChain

TAKEN: Final = frozenset(
    {
        "QUEUED",
        "RECEIVED",
        "STORED",
        "ANNOUNCED_TO_NETWORK",
        "REQUESTED_BY_NETWORK",
        "SENT_TO_NETWORK",
        "ACCEPTED_BY_NETWORK",
        "SEEN_ON_NETWORK",
        "MINED_IN_STALE_BLOCK",
        "MINED",
    }
)
"""Statuses in which ARC has a transaction for good, and gives it to the network again and again."""
MINED: Final = "MINED"
REJECTED: Final = "REJECTED"
STATUSES: Final = TAKEN | {REJECTED, "UNKNOWN", "SEEN_IN_ORPHAN_MEMPOOL", "DOUBLE_SPEND_ATTEMPTED"}
"""Of an orphan the parents may still come, and of two that spend one output the other may lose: neither is settled."""
NOT_EXTENDED: Final = 460
UNDECIDED: Final = frozenset({NOT_EXTENDED, 462, 466})
"""Errors for inputs that are spent, or not known yet."""
REFUSALS: Final = frozenset({400, 422, 461, 463, 464, 465, 471, 472, 473}) | UNDECIDED
"""Errors for what a transaction is: all others, 467 to 469 on a format that is never sent among them, say nothing."""
_most_blocks: Final = 0x7FFFFFFF


class Callback(NamedTuple):
    """Where ARC tells of a transaction that goes on, and the token that it shows there."""

    url: str
    token: str


class ArcChain:
    """The chain as ARC and an explorer have it; both connections are open as long as this is used."""

    def __init__(self, arc: ChainHttp, explorer: ExplorerChain, callback: Callback | None = None) -> None:
        self._arc, self._explorer = arc, explorer
        self._headers = {} if callback is None else {"X-CallbackUrl": callback.url, "X-CallbackToken": callback.token}

    async def broadcast(self, raw: bytes) -> None:
        """Give a transaction to ARC. Raises Refused, ChainUnavailable."""
        answer = await self._give(raw)
        if _code(answer) == NOT_EXTENDED and (whole := await self._extended(raw)) is not None:
            answer = await self._give(whole)
        said, code = members(answer.value, "object"), _code(answer)
        if code >= 300:
            if code not in REFUSALS or said.get("status") != code:
                raise ChainUnavailable(f"ARC does not do this now (status {code})")
            await rule(_words(said), raw, self._explorer, undecided=code in UNDECIDED)
            return
        if a_hash(said.get("txid"), "txid") != txid_of(raw):
            raise unreadable("txid")
        status = _status(said)
        if status in TAKEN:
            return
        if status != REJECTED:
            raise ChainUnavailable(f"ARC does not know yet what becomes of this ({status})")
        await rule(_words(said), raw, self._explorer)

    async def transaction(self, txid: str) -> Seen | None:
        """Find a transaction that ARC was given, or that the explorer has. Raises ChainUnavailable."""
        answer = await self._arc.get(f"v1/tx/{txid}")
        if answer.status == 404:
            return await self._explorer.transaction(txid)
        if answer.status != 200:
            raise ChainUnavailable(f"ARC does not say this now (status {answer.status})")
        said = members(answer.value, "object")
        if a_hash(said.get("txid"), "txid") != txid:
            raise unreadable("txid")
        status = _status(said)
        if status not in TAKEN or (status == MINED and not said.get("merklePath")):
            return await self._explorer.transaction(txid)
        if status != MINED:
            return Seen(None, None)
        block = await self._explorer.block(number(said, "blockHeight", _most_blocks))
        if block is None or block.hash != a_hash(said.get("blockHash"), "blockHash"):
            raise ChainUnavailable("ARC and the explorer don't follow the same chain now")
        return Seen(None, checked_inclusion(block, txid, hex_bytes(said.get("merklePath"), "merklePath")))

    async def tip(self) -> Block:
        """Give the explorer's newest block. Raises ChainUnavailable."""
        return await self._explorer.tip()

    async def block(self, height: int) -> Block | None:
        """Give the explorer's block of a height. Raises ChainUnavailable."""
        return await self._explorer.block(height)

    async def _give(self, raw: bytes) -> Answer:
        return await self._arc.post("v1/tx", {"rawTx": raw.hex()}, self._headers)

    async def _extended(self, raw: bytes) -> bytes | None:
        """Write what a transaction spends into it; none where the explorer doesn't have all of that."""
        spent = list[Output]()
        try:
            transaction = read_transaction(raw)
            for each in transaction.inputs:
                txid, _, vout = each.outpoint.partition(":")
                parent = await self._explorer.raw(txid)
                if parent is None:
                    return None
                spent.append(read_transaction(parent).outputs[int(vout)])
        except (InvalidBitcoin, IndexError):
            return None
        return extended(transaction, spent)


def _code(answer: Answer) -> int:
    """Give an answer's status: ARC may say of a transaction what is wrong with it in an answer of 200."""
    if answer.status != 200:
        return answer.status
    status = members(answer.value, "object").get("status")
    return status if isinstance(status, int) else answer.status


def _status(said: Mapping[str, JsonValue]) -> str:
    status = text(said, "txStatus")
    if status not in STATUSES:
        raise unreadable("txStatus")
    return status


def _words(said: Mapping[str, JsonValue]) -> str:
    """Join what ARC says is wrong."""
    return ": ".join(str(said[name]) for name in ("title", "detail", "extraInfo") if isinstance(said.get(name), str))
