"""What every Chain does, whoever implements it: a test class takes these and gives a ``rig``."""

from typing import Protocol

import pytest

from log.bitcoin import Output, read_header, txid_of
from log.merkle_path import height_and_root
from processors.chain import Chain, Refused
from tests.chain.paying import Coin


class Rig(Protocol):
    """A chain, somebody who mines on it, and a purse with a key of its own."""

    chain: Chain

    @property
    def script(self) -> bytes:
        """Give the script that the purse can spend."""
        ...

    async def coin(self) -> Coin:
        """Give the purse something of at least 10,000 satoshis, that nobody else spends and that can be spent now."""
        ...

    def spend(self, coin: Coin, *outputs: Output) -> bytes:
        """Give a transaction that the purse signs."""
        ...

    async def mine(self) -> None:
        """Have what waits put into a block."""
        ...


class ChainContract:
    """The promises of the Protocol."""

    async def test_what_is_taken_waits_for_a_block(self, rig: Rig) -> None:
        raw = await paid(rig)
        seen = await rig.chain.transaction(txid_of(raw))
        assert seen is not None
        assert seen.raw in {None, raw}
        assert seen.inclusion is None

    async def test_a_path_leads_from_a_transaction_to_the_header_of_a_block_of_the_chain(self, rig: Rig) -> None:
        for raws in ([await paid(rig)], [await paid(rig) for _ in range(4)]):
            await rig.mine()
            for raw in raws:
                seen = await rig.chain.transaction(txid_of(raw))
                assert seen is not None
                assert seen.raw in {None, raw}
                assert seen.inclusion is not None
                block, header = seen.inclusion.block, read_header(seen.inclusion.block.header)
                assert height_and_root(seen.inclusion.bump, txid_of(raw)) == (block.height, header.merkle_root)
                assert header.has_work
                assert header.hash == block.hash
                assert await rig.chain.block(block.height) == block

    async def test_the_same_bytes_are_taken_again_before_and_after_their_block(self, rig: Rig) -> None:
        raw = await paid(rig)
        await rig.chain.broadcast(raw)
        await rig.mine()
        await rig.chain.broadcast(raw)
        seen = await rig.chain.transaction(txid_of(raw))
        assert seen is not None
        assert seen.inclusion is not None

    async def test_what_spends_a_coin_a_second_time_is_refused_before_and_after_the_first_has_a_block(
        self, rig: Rig
    ) -> None:
        coin = await rig.coin()
        await rig.chain.broadcast(rig.spend(coin, Output(coin.satoshis - 1000, rig.script)))
        for mined in (False, True):
            with pytest.raises(Refused) as refused:
                await rig.chain.broadcast(rig.spend(coin, Output(coin.satoshis - 2000, rig.script)))
            assert set(refused.value.spent) <= {coin.outpoint}
            if not mined:
                await rig.mine()

    async def test_what_stands_on_a_transaction_that_waits_is_taken(self, rig: Rig) -> None:
        coin = await rig.coin()
        first = rig.spend(coin, Output(coin.satoshis - 1000, rig.script))
        second = rig.spend(Coin(f"{txid_of(first)}:0", coin.satoshis - 1000), Output(coin.satoshis - 2000, rig.script))
        await rig.chain.broadcast(first)
        await rig.chain.broadcast(second)
        await rig.mine()
        seen = await rig.chain.transaction(txid_of(second))
        assert seen is not None
        assert seen.inclusion is not None

    async def test_what_is_signed_for_another_amount_is_refused(self, rig: Rig) -> None:
        coin = await rig.coin()
        raw = rig.spend(coin._replace(satoshis=coin.satoshis + 1), Output(coin.satoshis - 1000, rig.script))
        with pytest.raises(Refused):
            await rig.chain.broadcast(raw)
        assert await rig.chain.transaction(txid_of(raw)) is None

    async def test_what_gives_more_than_it_takes_is_refused(self, rig: Rig) -> None:
        coin = await rig.coin()
        with pytest.raises(Refused):
            await rig.chain.broadcast(rig.spend(coin, Output(coin.satoshis + 1, rig.script)))

    async def test_what_is_no_transaction_is_refused(self, rig: Rig) -> None:
        with pytest.raises(Refused):
            await rig.chain.broadcast(b"\x01\x00\x00\x00no transaction")

    async def test_a_transaction_that_nobody_sent_is_unknown(self, rig: Rig) -> None:
        assert await rig.chain.transaction("ab" * 32) is None

    async def test_each_block_stands_on_the_one_below_and_there_is_none_above_the_newest(self, rig: Rig) -> None:
        await rig.mine()
        tip = await rig.chain.tip()
        assert await rig.chain.block(tip.height) == tip
        assert await rig.chain.block(tip.height + 1) is None
        below = await rig.chain.block(tip.height - 1)
        assert below is not None
        assert read_header(tip.header).previous == below.hash


async def paid(rig: Rig) -> bytes:
    """Broadcast a transaction that the chain takes; give its bytes."""
    coin = await rig.coin()
    raw = rig.spend(coin, Output(coin.satoshis - 1000, rig.script))
    await rig.chain.broadcast(raw)
    return raw
