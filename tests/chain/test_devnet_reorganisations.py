"""The end of the devnet's chain is replaced: nothing is lost, and what was confirmed is confirmed elsewhere."""

import asyncio
import tempfile
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from log.bitcoin import Output, read_header, txid_of
from log.merkle_path import height_and_root
from processors.chain import Block, Inclusion, Refused
from processors.devnet import Devnet
from processors.devnet_blocks import SUBSIDY
from processors.devnet_mempool import LONGEST_LINE
from processors.devnet_mining import DEEPEST, InvalidDepth
from tests.chain.paying import ANYBODY, Coin, Purse, anybody_spends

HELD: Final = 1_000_000


async def included(devnet: Devnet, txid: str) -> Inclusion | None:
    seen = await devnet.transaction(txid)
    assert seen is not None
    return seen.inclusion


async def blocks(devnet: Devnet) -> list[Block]:
    found = [await devnet.block(height) for height in range((await devnet.tip()).height + 1)]
    return [each for each in found if each is not None]


@pytest.mark.parametrize("depth", range(1, 7))
async def test_what_was_in_the_replaced_blocks_waits_and_is_confirmed_by_another(
    devnet: Devnet, purse: Purse, depth: int
) -> None:
    coins = [Coin(await devnet.faucet(purse.script, HELD), HELD)]
    before: dict[str, Inclusion] = {}
    for _ in range(6):
        raw, coins = purse.pay_itself(coins, fee=100)
        await devnet.broadcast(raw)
        await devnet.mine()
        found = await included(devnet, txid_of(raw))
        assert found is not None
        before[txid_of(raw)] = found
    replaced = dict(list(before.items())[-depth:])
    old = await blocks(devnet)

    tip = await devnet.reorganise(depth)

    new = await blocks(devnet)
    assert tip == new[-1] == await devnet.tip()
    assert len(new) == len(old) + 1
    assert new[: -depth - 1] == old[:-depth]
    assert not {each.hash for each in new[-depth - 1 :]} & {each.hash for each in old}
    for txid, found in before.items():
        assert await included(devnet, txid) == (None if txid in replaced else found)
    mined = await devnet.mine()
    for txid in replaced:
        again = await included(devnet, txid)
        assert again is not None
        assert again.block == mined
        assert height_and_root(again.bump, txid) == (mined.height, read_header(mined.header).merkle_root)


async def test_a_double_spend_of_what_waits_again_is_refused_and_its_own_bytes_are_taken(
    devnet: Devnet, purse: Purse
) -> None:
    coin = Coin(await devnet.faucet(purse.script, HELD), HELD)
    raw, _ = purse.pay_itself([coin])
    await devnet.broadcast(raw)
    await devnet.mine()
    await devnet.reorganise(1)
    with pytest.raises(Refused, match="double-spend"):
        await devnet.broadcast(purse.pay_itself([coin], fee=1)[0])
    await devnet.broadcast(raw)


async def test_what_the_faucet_gave_stays_in_the_block_of_its_height(devnet: Devnet, purse: Purse) -> None:
    coins = [Coin(await devnet.faucet(purse.script, HELD), HELD) for _ in range(3)]
    before = [await devnet.transaction(coin.outpoint.split(":")[0]) for coin in coins]
    await devnet.reorganise(3)
    for coin, was in zip(coins, before, strict=True):
        now = await devnet.transaction(coin.outpoint.split(":")[0])
        assert was is not None
        assert now is not None
        assert was.inclusion is not None
        assert now.inclusion is not None
        assert now.raw == was.raw
        assert now.inclusion.block.height == was.inclusion.block.height
        assert now.inclusion.block.hash != was.inclusion.block.hash
    await devnet.broadcast(purse.pay_itself(coins)[0])


async def test_what_waits_again_counts_for_how_many_stand_on_one_another(devnet: Devnet, purse: Purse) -> None:
    coins = [Coin(await devnet.faucet(purse.script, HELD), HELD)]
    for _ in range(2):
        for _ in range(LONGEST_LINE - 5):
            raw, coins = purse.pay_itself(coins)
            await devnet.broadcast(raw)
        await devnet.mine()
    raw, coins = purse.pay_itself(coins)
    await devnet.broadcast(raw)
    await devnet.reorganise(2)
    with pytest.raises(Refused, match="too-long-chain"):
        await devnet.broadcast(purse.pay_itself(coins)[0])
    await devnet.mine()
    await devnet.broadcast(purse.pay_itself(coins)[0])


async def test_a_lock_time_that_was_reached_stays_reached(tmp_path: Path, purse: Purse) -> None:
    now = [2_000_000_000_000]
    devnet = Devnet(tmp_path / "chain", clock=lambda: now[0])
    coin = Coin(await devnet.faucet(purse.script, HELD), HELD)
    await devnet.mine()
    await devnet.broadcast(purse.spend([coin], [Output(HELD, ANYBODY)], sequence=0, lock_time=2_000_000_000))
    await devnet.mine()
    now[0] -= 1_000_000
    await devnet.reorganise(3)
    await devnet.mine()
    await devnet.check()
    await devnet.close()


async def test_a_depth_is_of_blocks_that_are_there_and_not_too_many(devnet: Devnet) -> None:
    await devnet.mine()
    old = await blocks(devnet)
    for depth in (-1, 0, 2, 10**30):
        with pytest.raises(InvalidDepth):
            await devnet.reorganise(depth)
    assert await blocks(devnet) == old
    for _ in range(DEEPEST):
        await devnet.mine()
    with pytest.raises(InvalidDepth):
        await devnet.reorganise(DEEPEST + 1)
    assert (await devnet.reorganise(DEEPEST)).height == DEEPEST + 2


Step = tuple[str, int, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["pay", "pay", "pay", "again", "rival", "mine", "faucet", "reorganise"]),
              st.integers(0, 9), st.integers(1, 3)),
    max_size=25,
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_whatever_comes_in_whatever_order_no_coin_is_lost_or_spent_twice(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(walk(Path(folder) / "chain", steps))


async def walk(path: Path, steps: list[Step]) -> None:
    """Take steps on two openings of one file by turns, and keep by oneself what there must be in the end."""
    turns = [Devnet(path), Devnet(path)]
    unspent, sent, spent, made = list[Coin](), dict[str, bytes](), list[Coin](), 0
    for at, (step, which, pieces) in enumerate([("faucet", 0, 1), *steps]):
        devnet = turns[at % 2]
        if step == "faucet":
            unspent.append(Coin(await devnet.faucet(ANYBODY, SUBSIDY - at), SUBSIDY - at))
            made += SUBSIDY - at
        elif step == "mine":
            await devnet.mine()
        elif step == "reorganise":
            await devnet.reorganise(min(1 + which % 6, (await devnet.tip()).height))
        elif step == "again" and sent:
            await devnet.broadcast(list(sent.values())[which % len(sent)])
        elif step == "rival" and spent:
            coin = spent[which % len(spent)]
            with pytest.raises(Refused) as refused:
                await devnet.broadcast(anybody_spends([coin, unspent[0]], Output(at, ANYBODY)))
            assert refused.value.spent == (coin.outpoint,)
        elif step == "pay":
            coins = [unspent.pop(which % len(unspent)) for _ in range(min(pieces, len(unspent)))]
            left = sum(each.satoshis for each in coins)
            amounts = [left // 3, left - left // 3]
            raw = anybody_spends(coins, *(Output(each, ANYBODY) for each in amounts))
            await devnet.broadcast(raw)
            sent[txid_of(raw)] = raw
            spent += coins
            unspent += [Coin(f"{txid_of(raw)}:{vout}", each) for vout, each in enumerate(amounts)]
    held = await turns[0].check()
    assert (held.made, held.unspent) == (made, sum(each.satoshis for each in unspent))
    await turns[1].mine()
    for txid, raw in sent.items():
        seen = await turns[0].transaction(txid)
        assert seen is not None
        assert seen.raw == raw
        assert seen.inclusion is not None
    await turns[1].broadcast(anybody_spends(unspent, Output(held.unspent, ANYBODY)))
    assert (await turns[0].check()).unspent == held.unspent
    for each in turns:
        await each.close()
