"""A chain asked through a block explorer: WhatsOnChain, or one that answers below ``/api/bsv/main``.

An explorer wraps its answers (``success`` and ``data``) or doesn't; either is read. Source: WhatsOnChain's API
reference.
"""

from typing import Final
from urllib.parse import urlsplit

from domain.json_value import JsonValue
from log.bitcoin import txid_of
from log.bitcoin_bytes import lying
from log.merkle_path import bump_of_branch
from processors.chain import Block, ChainUnavailable, Inclusion, Seen
from processors.chain_answers import (
    Fate,
    a_hash,
    checked_block,
    checked_inclusion,
    hex_bytes,
    members,
    number,
    rule,
    text,
    unreadable,
)
from processors.chain_http import Answer, ChainHttp

MAIN_NETWORK: Final = "/api/bsv/main"
"""Where an explorer whose URL has no path answers."""
DEEPEST: Final = 32
"""Levels of a block's tree: those of four billion transactions."""
_missing: Final = frozenset({404, 405})
_most_blocks: Final = 0x7FFFFFFF


def explorer_url(url: str) -> str:
    """Give where an explorer's routes start."""
    return url if urlsplit(url).path.strip("/") else url.rstrip("/") + MAIN_NETWORK


class ExplorerChain:
    """The chain that an explorer follows; ``http`` is open as long as this is used, at what ``explorer_url`` gives."""

    def __init__(self, http: ChainHttp) -> None:
        self._http = http
        self._newest: Block | None = None

    async def broadcast(self, raw: bytes) -> None:
        """Give a transaction to the explorer's node. Raises Refused, ChainUnavailable."""
        written = raw.hex()
        content = {"txhex": written, "txHex": written}  # one of these is what this explorer calls it
        answer = await self._http.post("tx/broadcast", content)
        if answer.status in _missing:
            # Nobody took it: WhatsOnChain's own route has another name.
            answer = await self._http.post("tx/raw", {"txhex": written})
        if answer.status >= 500 or answer.status in {401, 403, *_missing}:
            raise ChainUnavailable(f"the explorer does not do this now (status {answer.status})")
        if answer.status < 300 and _names(answer, txid_of(raw)):
            return
        if answer.status < 300 and not _says_it_failed(answer):
            raise unreadable("id of the transaction")
        await rule(answer.text, raw, self)

    async def transaction(self, txid: str) -> Seen | None:
        """Find a transaction; its bytes are not asked for. Raises ChainUnavailable."""
        found = await self._get(f"tx/hash/{txid}")
        if found is None:
            return None
        about = members(found, "transaction")
        if a_hash(about.get("txid"), "txid") != txid:
            raise unreadable("txid")
        if not about.get("blockhash"):
            return Seen(None, None)
        block = await self.block(number(about, "blockheight", _most_blocks))
        if block is None or block.hash != a_hash(about.get("blockhash"), "blockhash"):
            raise ChainUnavailable("the explorer's chain has another block there by now")
        return Seen(None, await self._inclusion(block, txid))

    async def tip(self) -> Block:
        """Give the newest block; while it stays, that is one request. Raises ChainUnavailable."""
        info = members(await self._get("chain/info"), "chain")
        height, best = number(info, "blocks", _most_blocks), info.get("bestblockhash")
        if self._newest is None or (self._newest.height, self._newest.hash) != (height, best):
            self._newest = await self._block(height)
        if self._newest is None:
            raise ChainUnavailable("the explorer does not have its newest block yet")
        return self._newest

    async def block(self, height: int) -> Block | None:
        """Give the block of a height. Raises ChainUnavailable."""
        block = await self._block(height)
        if block is None and height <= await self._height():
            raise ChainUnavailable("the explorer lacks a block")
        return block

    async def raw(self, txid: str) -> bytes | None:
        """Give a transaction's bytes. Raises ChainUnavailable."""
        answer = await self._http.get(f"tx/{txid}/hex")
        if answer.status == 404 or (answer.status == 200 and not answer.body):
            return None
        _check(answer)
        raw = hex_bytes(_unwrapped(answer) if answer.body[:1] in b'{"' else answer.text.strip(), "hex")
        if txid_of(raw) != txid:
            raise unreadable("hex")
        return raw

    async def has(self, txid: str) -> bool:
        """Tell whether the explorer has a transaction, in a block of the chain or in none. Raises ChainUnavailable."""
        return await self._get(f"tx/hash/{txid}") is not None

    async def fate(self, outpoint: str, txid: str) -> Fate:
        """Tell what became of an output. Raises ChainUnavailable."""
        made_by, _, vout = outpoint.partition(":")
        spent = await self._get(f"tx/{made_by}/{vout}/spent")
        if spent is not None:
            return "ours" if a_hash(members(spent, "spender").get("txid"), "txid") == txid else "spent"
        return "unspent" if await self.has(made_by) else "unknown"

    async def _inclusion(self, block: Block, txid: str) -> Inclusion:
        found = await self._get(f"tx/{txid}/proof/tsc")
        proof = members(found[0] if isinstance(found, list) and found else found, "proof")
        nodes = proof.get("nodes")
        if not isinstance(nodes, list) or len(nodes) > DEEPEST:
            raise unreadable("nodes")
        besides = [None if each == "*" else lying(a_hash(each, "nodes")) for each in nodes]
        return checked_inclusion(block, txid, bump_of_branch(block.height, number(proof, "index"), besides, txid))

    async def _height(self) -> int:
        info = await self._get("chain/info")
        return number(members(info, "chain"), "blocks", _most_blocks)

    async def _block(self, height: int) -> Block | None:
        found = await self._get(f"block/height/{height}")
        if found is None:
            return None
        about = members(found, "block")
        version = about.get("version")
        if not isinstance(version, int) or not -(1 << 31) <= version < 1 << 32:
            raise unreadable("version")
        before = about.get("previousblockhash") or "0" * 64
        header = [
            (version & 0xFFFFFFFF).to_bytes(4, "little"),
            lying(a_hash(before, "previousblockhash")),
            lying(a_hash(about.get("merkleroot"), "merkleroot")),
            number(about, "time").to_bytes(4, "little"),
            hex_bytes(about.get("bits"), "bits", 4)[::-1],
            number(about, "nonce").to_bytes(4, "little"),
        ]
        if number(about, "height", _most_blocks) != height:
            raise unreadable("height")
        return checked_block(height, a_hash(about.get("hash"), "hash"), b"".join(header))

    async def _get(self, path: str) -> JsonValue:
        """Ask for a path; none where the explorer has no such thing, or says nothing of it."""
        answer = await self._http.get(path)
        if answer.status == 404 or (answer.status == 200 and not answer.body.strip()):
            return None
        _check(answer)
        return _unwrapped(answer)


def _check(answer: Answer) -> None:
    if answer.status != 200:
        raise ChainUnavailable(f"the explorer does not say this now (status {answer.status})")


def _unwrapped(answer: Answer) -> JsonValue:
    value = answer.value
    if not isinstance(value, dict) or "success" not in value:
        return value
    if value["success"] is not True:
        raise ChainUnavailable("the explorer does not say this now")
    return value.get("data")


def _names(answer: Answer, txid: str) -> bool:
    """Tell whether an answer to a broadcast is the transaction's id, as text, as JSON, or in an object."""
    if answer.text.strip().strip('"') == txid:
        return True
    try:
        value = _unwrapped(answer)
    except ChainUnavailable:
        return False
    if isinstance(value, dict):
        value = next((value[name] for name in ("txid", "data", "result") if name in value), None)
    return value == txid


def _says_it_failed(answer: Answer) -> bool:
    try:
        value = answer.value
    except ChainUnavailable:
        return False
    if not isinstance(value, dict) or not (value.get("success") is False or value.get("error")):
        return False
    return any(isinstance(value.get(name), str) and text(value, name) for name in ("error", "message"))
