"""A chain asked by JSON-RPC of a full node: Bitcoin Core, SV Node, btcd.

The node keeps an index of transactions (``txindex=1``): without one it can't tell a transaction that it never saw from
one that is in a block. Source: the nodes' own RPC reference.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from domain.json_value import JsonValue
from log.bitcoin import InvalidBitcoin, read_transaction, txid_of
from log.merkle_path import bump_of
from processors.chain import Block, ChainUnavailable, Inclusion, Seen
from processors.chain_answers import (
    Fate,
    a_hash,
    a_number,
    checked_block,
    checked_inclusion,
    hex_bytes,
    members,
    number,
    rule,
    text,
    unreadable,
)
from processors.chain_http import CHAIN_ANSWER_BYTES, ChainHttp

BLOCK_ANSWER_BYTES: Final = 64 << 20
"""How long the ids of a block's transactions may be: those of nearly a million."""
NOT_FOUND: Final = -5
UNKNOWN_METHOD: Final = -32601
ALREADY_IN_CHAIN: Final = -27
REFUSALS: Final = frozenset({-22, -25, -26})
"""What can't be decoded, what spends nothing that is there, what the node's rules forbid."""
_without_index: Final = ("txindex", "being indexed", "index must be enabled")


class _RpcError(Exception):
    """The node answered, by an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code)
        self.code, self.message = code, message


class NodeChain:
    """The chain that a full node follows; ``http`` is open as long as this is used."""

    def __init__(self, http: ChainHttp) -> None:
        self._http = http

    async def broadcast(self, raw: bytes) -> None:
        """Give a transaction to the node. Raises Refused, ChainUnavailable."""
        try:
            txid = await self._ask("sendrawtransaction", raw.hex())
        except _RpcError as error:
            if error.code == ALREADY_IN_CHAIN:
                return
            if error.code not in REFUSALS:
                raise _unavailable(error) from None
            words = error.message
        else:
            if txid != txid_of(raw):
                raise unreadable("id of the transaction")
            return
        await rule(words, raw, self)

    async def transaction(self, txid: str) -> Seen | None:
        """Find a transaction. Raises ChainUnavailable."""
        found = await self._found(txid)
        if found is None:
            return None
        raw = hex_bytes(found.get("hex"), "hex")
        if txid_of(raw) != txid:
            raise unreadable("hex")
        if not found.get("blockhash"):
            return Seen(raw, None)
        inclusion = await self._inclusion(txid, a_hash(found.get("blockhash"), "blockhash"))
        return None if inclusion is None else Seen(raw, inclusion)

    async def tip(self) -> Block:
        """Give the newest block. Raises ChainUnavailable."""
        block = await self.block(await self._height())
        if block is None:
            raise ChainUnavailable("the node's newest block is another one by now")
        return block

    async def block(self, height: int) -> Block | None:
        """Give the block of a height. Raises ChainUnavailable."""
        try:
            block_hash = a_hash(await self._ask("getblockhash", height), "hash")
        except _RpcError as error:
            # Each node has a code of its own for a height that it doesn't have.
            if height > await self._height():
                return None
            raise _unavailable(error) from None
        return await self._block(height, block_hash)

    async def has(self, txid: str) -> bool:
        """Tell whether the node has a transaction, in a block of the chain or in none. Raises ChainUnavailable."""
        return await self._found(txid) is not None

    async def fate(self, outpoint: str, txid: str) -> Fate:
        """Tell what became of an output. Raises ChainUnavailable."""
        made_by, _, number_there = outpoint.partition(":")
        vout = int(number_there)
        try:
            # The unspent outputs of btcd's blocks are those that its pool spends, too: it has another call for these.
            if await self._ask("gettxout", made_by, vout, True) is not None:  # noqa: FBT003 - by position in JSON-RPC
                spender = await self._spender_in_pool(made_by, vout)
                return "unspent" if spender is None else "ours" if spender == txid else "spent"
        except _RpcError as error:
            raise _unavailable(error) from None
        found = await self._found(made_by)
        if found is None:
            return "unknown"
        try:
            outputs = read_transaction(hex_bytes(found.get("hex"), "hex")).outputs
        except InvalidBitcoin:
            return "spent"  # one with witnesses, whose outputs can't be counted here
        return "spent" if vout < len(outputs) else "unknown"

    async def _spender_in_pool(self, txid: str, vout: int) -> str | None:
        try:
            spenders = await self._ask("gettxspendingprevout", [{"txid": txid, "vout": vout}])
        except _RpcError as error:
            if error.code == UNKNOWN_METHOD:
                return None
            raise
        first = members(spenders[0] if isinstance(spenders, list) and spenders else None, "spender")
        return text(first, "spendingtxid") if first.get("spendingtxid") else None

    async def _found(self, txid: str) -> Mapping[str, JsonValue] | None:
        """Find a transaction that waits, or is in a block of the chain; none that only a block beside it has."""
        try:
            found = members(await self._ask("getrawtransaction", txid, 1), "transaction")
        except _RpcError as error:
            said = error.message.lower()
            if error.code == NOT_FOUND and any(each in said for each in _without_index):
                raise ChainUnavailable("the node has no index of transactions (txindex), or none yet") from None
            if error.code == NOT_FOUND:
                return None
            raise _unavailable(error) from None
        beside = found.get("blockhash") and not found.get("confirmations")
        return None if beside else found

    async def _inclusion(self, txid: str, block_hash: str) -> Inclusion | None:
        try:
            found = members(await self._ask("getblock", block_hash, 1, answer_bytes=BLOCK_ANSWER_BYTES), "block")
        except _RpcError as error:
            raise _unavailable(error) from None
        confirmations, txids = found.get("confirmations"), found.get("tx")
        if not isinstance(confirmations, int) or confirmations < 1:
            return None
        block = await self._block(number(found, "height"), block_hash)
        if not isinstance(txids, list):
            raise unreadable("tx")
        try:
            bump = await asyncio.to_thread(bump_of, block.height, [str(each) for each in txids], txid)
        except ValueError:
            raise ChainUnavailable("the node's block lacks the transaction") from None
        return checked_inclusion(block, txid, bump)

    async def _block(self, height: int, block_hash: str) -> Block:
        try:
            header = await self._ask("getblockheader", block_hash, False)  # noqa: FBT003 - as above
        except _RpcError as error:
            raise _unavailable(error) from None
        return checked_block(height, block_hash, hex_bytes(header, "header", 80))

    async def _height(self) -> int:
        try:
            return a_number(await self._ask("getblockcount"), "number of blocks")
        except _RpcError as error:
            raise _unavailable(error) from None

    async def _ask(self, method: str, *given: object, answer_bytes: int = CHAIN_ANSWER_BYTES) -> JsonValue:
        asked = {"jsonrpc": "1.0", "id": self._http.number(), "method": method, "params": list(given)}
        answer = await self._http.post("", asked, answer_bytes=answer_bytes)
        if answer.status in {401, 403}:
            raise ChainUnavailable("the node doesn't take the user and password")
        said = members(answer.value, "object")
        if said.get("id") != asked["id"] or "result" not in said:
            raise unreadable("result")
        error = said.get("error")
        if error is None:
            return said["result"]
        told = members(error, "error")
        code = told.get("code")
        if not isinstance(code, int):
            raise unreadable("code")
        raise _RpcError(code, text(told, "message"))


def _unavailable(error: _RpcError) -> ChainUnavailable:
    return ChainUnavailable(f"the node does not do this now (code {error.code})")
