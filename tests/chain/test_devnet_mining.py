"""The devnet's blocks: what they look like, and when the leader's task mines one."""

from pathlib import Path
from typing import Final

import pytest

from log.bitcoin import Output, read_header, read_transaction, txid_of
from processors.chain import ChainUnavailable
from processors.devnet import Devnet, mining
from processors.devnet_blocks import BITS, height_push
from processors.task import DONE
from tests.chain.paying import ANYBODY, Coin, Purse, anybody_spends

HELD: Final = 1_000_000
GENESIS: Final = "33a012f69e88815255c5d18c3aad6538ceea8c61bb34cb5d71bc006e49b52c25"


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


async def test_every_devnet_begins_with_the_same_block(devnet: Devnet, tmp_path: Path) -> None:
    other = Devnet(tmp_path / "another")
    assert await other.tip() == await devnet.tip() == await devnet.block(0)
    assert (await devnet.tip()).hash == GENESIS
    assert await devnet.block(-1) is None
    assert await devnet.block(1 << 70) is None
    assert await devnet.transaction("\udc80") is None
    await other.close()


async def test_a_block_shows_the_work_that_a_regtest_asks_for_and_is_later_than_the_one_below(tmp_path: Path) -> None:
    clock = Clock()
    devnet = Devnet(tmp_path / "chain", clock=clock)
    last = read_header((await devnet.tip()).header)
    for now in (1_800_000_000_999, 1_800_000_000_999, 1_700_000_000_000, 1_900_000_000_000):
        clock.now = now
        header = read_header((await devnet.mine()).header)
        assert header.previous == last.hash
        assert header.bits == BITS
        assert header.has_work
        assert header.time == max(now // 1000, last.time + 1)
        last = header
    await devnet.close()


@pytest.mark.parametrize(
    ("height", "pushed"),
    [(0, "00"), (1, "51"), (16, "60"), (17, "0111"), (127, "017f"), (128, "028000"), (256, "020001"),
     (32_768, "03008000"), (8_388_607, "03ffff7f")],
)  # fmt: skip
def test_a_height_is_pushed_as_bip_34_has_it(height: int, pushed: str) -> None:
    assert height_push(height).hex() == pushed


async def test_what_waits_is_mined_in_the_order_in_which_it_can_be_spent(devnet: Devnet, purse: Purse) -> None:
    coins = [Coin(await devnet.faucet(purse.script, HELD), HELD)]
    for _ in range(5):
        raw, coins = purse.pay_itself(coins)
        await devnet.broadcast(raw)
    block = await devnet.mine()
    seen = await devnet.transaction(txid_of(raw))
    assert seen is not None
    assert seen.inclusion is not None
    assert seen.inclusion.block == block


async def test_fees_are_nobody_s(devnet: Devnet, purse: Purse) -> None:
    raw, _ = purse.pay_itself([Coin(await devnet.faucet(purse.script, HELD), HELD)], fee=250)
    await devnet.broadcast(raw)
    assert await devnet.check() == (HELD, HELD - 250, 250)
    await devnet.mine()
    assert await devnet.check() == (HELD, HELD - 250, 250)


async def test_the_faucet_s_block_has_what_it_gives_and_nothing_that_waits(devnet: Devnet, purse: Purse) -> None:
    raw, _ = purse.pay_itself([Coin(await devnet.faucet(purse.script, HELD), HELD)])
    await devnet.broadcast(raw)
    outpoint = await devnet.faucet(ANYBODY, HELD)
    seen = await devnet.transaction(outpoint.removesuffix(":0"))
    assert seen is not None
    assert seen.raw is not None
    assert read_transaction(seen.raw).outputs == (Output(HELD, ANYBODY),)
    assert seen.inclusion is not None
    assert seen.inclusion.block == await devnet.tip()
    waiting = await devnet.transaction(txid_of(raw))
    assert waiting is not None
    assert waiting.inclusion is None
    await devnet.broadcast(anybody_spends([Coin(outpoint, HELD)], Output(HELD, purse.script)))


async def test_two_gifts_of_the_faucet_are_two(devnet: Devnet) -> None:
    assert await devnet.faucet(ANYBODY, HELD) != await devnet.faucet(ANYBODY, HELD)


async def test_the_task_mines_when_the_interval_since_the_newest_block_is_over_whoever_mined_it(tmp_path: Path) -> None:
    clock = Clock()
    devnet, other = Devnet(tmp_path / "chain", clock=clock), Devnet(tmp_path / "chain", clock=clock)
    task, beside = mining(devnet, 10.0), mining(other, 10.0)
    assert task.every_s <= 1.0
    first = await task.run()
    assert (first.outcome, first.said) == (DONE, {"height": 1})
    for later, mined in ((0, None), (9_999, None), (1, 2), (1, None)):
        clock.now += later
        runs = [await beside.run(), await task.run()]
        assert [each.said for each in runs] == [{} if mined is None else {"height": mined}, {}]
    for _ in range(30):  # each header is a second later than the one below, however fast they come
        await other.faucet(ANYBODY, HELD)
    clock.now += 10_000
    assert (await task.run()).said == {"height": 33}
    clock.now -= 3_600_000
    assert (await task.run()).said == {"height": 34}
    await devnet.close()
    await other.close()


async def test_a_task_whose_file_can_t_be_written_fails_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    devnet = Devnet(tmp_path / "file" / "chain")
    with pytest.raises(ChainUnavailable):
        await mining(devnet).run()
    await devnet.close()
