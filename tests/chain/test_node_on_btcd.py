"""A real node is followed: what it takes, refuses, mines and gives up."""

import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from log.bitcoin import Output, read_header, txid_of
from log.merkle_path import height_and_root
from processors.anchor_transactions import Spend, anchored_content, anchoring
from processors.chain import Block, ChainUnavailable, Refused, Seen
from processors.chain_http import ChainHttp
from processors.chain_place import basic, read_chain_url
from processors.node_chain import NodeChain
from processors.pool_key import PoolKey
from tests.chain.btcd import BUILD_S, Btcd, running_btcd
from tests.chain.chain_contract import ChainContract, Rig
from tests.chain.paying import Coin
from tests.chain.spending import Purse

pytestmark = pytest.mark.timeout(BUILD_S + 60)
SECRET = b"\x07" * 32
PURSE = Purse(SECRET)
HEIGHTS = itertools.count(7)
"""Of blocks whose coins no other test spends."""
RECORD = b'{"p":"sl-drm","v":1,"rid":"REC_1","hash":"' + b"ab" * 32 + b'","ts":"2026-01-01T00:00:00Z"}'


@pytest.fixture(scope="module")
def btcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Btcd]:
    with running_btcd(tmp_path_factory.mktemp("btcd"), PURSE.address) as node:
        node.call("generate", 140)
        yield node


@contextlib.asynccontextmanager
async def opened(node: Btcd) -> AsyncIterator[NodeChain]:
    place = read_chain_url(node.chain_url)
    async with ChainHttp(place.url, {"Authorization": basic(place.credentials or "")}) as http:
        yield NodeChain(http)


@pytest.fixture
async def chain(btcd: Btcd) -> AsyncIterator[NodeChain]:
    async with opened(btcd) as chain:
        yield chain


def coin(btcd: Btcd, height: int) -> Coin:
    """Give what the block of a height paid to its miner."""
    txid = btcd.call("getblock", btcd.call("getblockhash", height), 1)["tx"][0]
    return Coin(f"{txid}:0", round(btcd.call("gettxout", txid, 0)["value"] * 1e8))


async def proven(chain: NodeChain, txid: str) -> Block:
    """Give the block that the node says has a transaction, once its path leads to the header's root."""
    seen = await chain.transaction(txid)
    assert seen is not None
    assert seen.inclusion is not None
    block, bump = seen.inclusion
    assert height_and_root(bump, txid) == (block.height, read_header(block.header).merkle_root)
    assert await chain.block(block.height) == block
    return block


async def test_a_transaction_is_taken_again_and_again_and_proven_once_it_is_in_a_block(
    btcd: Btcd, chain: NodeChain
) -> None:
    first = PURSE.anchoring(coin(btcd, 1), RECORD)
    change = Coin(f"{first.txid}:1", first.outputs[1].satoshis)
    for sent in (first, PURSE.anchoring(change, RECORD)):
        assert await chain.transaction(sent.txid) is None
        await chain.broadcast(sent.raw)
        await chain.broadcast(sent.raw)
        assert await chain.transaction(sent.txid) == Seen(sent.raw, None)
    mined = btcd.call("generate", 1)[0]
    await chain.broadcast(first.raw)
    assert (await proven(chain, first.txid)).hash == (await chain.tip()).hash == mined


async def test_what_another_one_spent_is_named_while_it_waits_and_when_it_is_in_a_block(
    btcd: Btcd, chain: NodeChain
) -> None:
    spent = coin(btcd, 2)
    await chain.broadcast(PURSE.anchoring(spent, RECORD).raw)
    for _ in ("waits", "in a block"):
        with pytest.raises(Refused) as raised:
            await chain.broadcast(PURSE.anchoring(spent, RECORD + b" ").raw)
        assert raised.value.spent == (spent.outpoint,)
        btcd.call("generate", 1)


async def test_a_broken_rule_is_refused_and_names_no_output(btcd: Btcd, chain: NodeChain) -> None:
    greedy = PURSE.anchoring(coin(btcd, 3), RECORD, fee=-1)
    unsigned = greedy._replace(inputs=[greedy.inputs[0]._replace(script=b"")])
    for raw in (greedy.raw, unsigned.raw, b"no transaction"):
        with pytest.raises(Refused) as raised:
            await chain.broadcast(raw)
        assert raised.value.spent == ()


async def test_what_spends_nothing_that_is_known_yet_may_still_be_taken(btcd: Btcd, chain: NodeChain) -> None:
    parent = PURSE.anchoring(coin(btcd, 4), RECORD)
    child = PURSE.anchoring(Coin(f"{parent.txid}:1", parent.outputs[1].satoshis), RECORD)
    with pytest.raises(ChainUnavailable, match="doesn't know yet"):
        await chain.broadcast(child.raw)
    young = PURSE.anchoring(coin(btcd, (await chain.tip()).height), RECORD)
    with pytest.raises(ChainUnavailable, match="yet"):
        await chain.broadcast(young.raw)
    await chain.broadcast(parent.raw)
    await chain.broadcast(child.raw)


async def test_after_a_reorganisation_the_old_block_is_gone_and_the_next_has_the_transaction(
    btcd: Btcd, chain: NodeChain
) -> None:
    sent = PURSE.anchoring(coin(btcd, 5), RECORD)
    await chain.broadcast(sent.raw)
    btcd.call("generate", 2)
    before = await proven(chain, sent.txid)
    btcd.call("invalidateblock", before.hash)
    assert await chain.transaction(sent.txid) == Seen(sent.raw, None)
    assert await chain.block(before.height) is None
    assert (await chain.tip()).height == before.height - 1
    btcd.call("generate", 3)
    after = await proven(chain, sent.txid)
    assert after.hash != before.hash


async def test_there_is_no_block_above_the_newest_and_one_at_the_start(chain: NodeChain) -> None:
    tip = await chain.tip()
    assert await chain.block(tip.height) == tip
    assert await chain.block(tip.height + 1) is None
    start = await chain.block(0)
    assert start is not None
    assert read_header(start.header).previous == "0" * 64


async def test_a_wrong_password_is_named_and_not_told(btcd: Btcd) -> None:
    async with ChainHttp(btcd.url, {"Authorization": basic("tester:wrong")}) as http:
        with pytest.raises(ChainUnavailable, match="user and password") as raised:
            await NodeChain(http).tip()
    assert "wrong" not in str(raised.value)


async def test_a_node_of_the_main_network_forbids_our_outputs_unless_it_is_told_to_relay_them(
    tmp_path: Path,
) -> None:
    with running_btcd(tmp_path, PURSE.address, "--rejectnonstd") as strict:
        strict.call("generate", 101)
        async with opened(strict) as chain:
            with pytest.raises(Refused, match="non-standard"):
                await chain.broadcast(PURSE.anchoring(coin(strict, 1), RECORD).raw)


async def test_a_node_without_an_index_of_transactions_is_not_believed_to_know_none(tmp_path: Path) -> None:
    with running_btcd(tmp_path, PURSE.address, indexed=False) as bare:
        async with opened(bare) as chain:
            with pytest.raises(ChainUnavailable, match="txindex"):
                await chain.transaction("ab" * 32)


async def test_what_the_pools_key_signs_for_bitcoin_is_taken_and_pays_its_fee(btcd: Btcd, chain: NodeChain) -> None:
    key, held = PoolKey(SECRET, "btc"), coin(btcd, 6)
    assert key.script == PURSE.script
    contents = [anchored_content(f"REC_{number}", "ab" * 32, None, "2026-01-01T00:00:00Z") for number in range(50)]
    signed = anchoring(key, [Spend(held.outpoint, held.satoshis, key.script)], contents, 1_000)
    await chain.broadcast(signed.raw)
    btcd.call("generate", 1)
    await proven(chain, signed.txid)


@dataclass
class BtcdRig:
    chain: NodeChain
    btcd: Btcd

    @property
    def script(self) -> bytes:
        return PURSE.script

    async def coin(self) -> Coin:
        return coin(self.btcd, next(HEIGHTS))

    def spend(self, coin: Coin, *outputs: Output) -> bytes:
        return PURSE.spend(coin, *outputs).raw

    async def mine(self) -> None:
        self.btcd.call("generate", 1)


@pytest.fixture
def rig(chain: NodeChain, btcd: Btcd) -> Rig:
    return BtcdRig(chain, btcd)


class TestNodeOnBtcd(ChainContract):
    """All that every Chain does; a signature of Bitcoin's first kind covers no amounts, so another is refused."""

    async def test_what_is_signed_for_another_amount_is_refused(self, rig: Rig) -> None:
        """Have another key sign what is ours."""
        held = await rig.coin()
        raw = Purse(b"\x08" * 32).spend(held, Output(held.satoshis - 1000, rig.script)).raw
        with pytest.raises(Refused):
            await rig.chain.broadcast(raw)
        assert await rig.chain.transaction(txid_of(raw)) is None
