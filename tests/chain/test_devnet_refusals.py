"""What the devnet does not take, and why; a table a reader can check."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from bsv.constants import SIGHASH

from log.bitcoin import BitcoinTransaction, Input, Output, anchoring_script, read_transaction, txid_of
from processors import devnet_mempool
from processors.chain import ChainUnavailable, Refused
from processors.devnet import Devnet
from processors.devnet_blocks import NOBODY, NOWHERE
from processors.devnet_mempool import LARGEST_TRANSACTION, LONGEST_LINE, MOST_INPUTS, DevnetRefusal
from processors.devnet_scripts import LONGEST_SCRIPT, opcodes
from tests.chain.paying import ANYBODY, Coin, Purse, anybody_spends

HELD: Final = 1_000_000
Builds = Callable[[Purse, Coin], bytes]


def altered(raw: bytes, **members: object) -> bytes:
    return read_transaction(raw)._replace(**members).raw


def paying(purse: Purse, coin: Coin, satoshis: int = HELD, **how: int) -> bytes:
    return purse.spend([coin], [Output(satoshis, purse.script)], **how)


def with_script(purse: Purse, coin: Coin, script: bytes) -> bytes:
    return altered(paying(purse, coin), inputs=(Input(coin.outpoint, script),))


TABLE: Final[list[tuple[str, DevnetRefusal, Builds]]] = [
    ("more bytes than are taken", DevnetRefusal.TOO_LARGE, lambda *_: bytes(LARGEST_TRANSACTION + 1)),
    (
        "more inputs than are taken",
        DevnetRefusal.TOO_LARGE,
        lambda purse, coin: altered(
            paying(purse, coin), inputs=[Input(f"{'ab' * 32}:{each}", b"") for each in range(MOST_INPUTS + 1)]
        ),
    ),
    ("nothing", DevnetRefusal.MALFORMED, lambda *_: b""),
    ("no transaction", DevnetRefusal.MALFORMED, lambda *_: b"\xff" * 60),
    ("one byte too many", DevnetRefusal.MALFORMED, lambda purse, coin: paying(purse, coin) + b"\0"),
    ("one byte too few", DevnetRefusal.MALFORMED, lambda purse, coin: paying(purse, coin)[:-1]),
    ("no outputs", DevnetRefusal.MALFORMED, lambda purse, coin: altered(paying(purse, coin), outputs=())),
    ("no inputs", DevnetRefusal.MALFORMED, lambda purse, coin: altered(paying(purse, coin), inputs=())),
    ("a version of the future", DevnetRefusal.MALFORMED, lambda purse, coin: altered(paying(purse, coin), version=3)),
    ("a coin twice", DevnetRefusal.MALFORMED, lambda purse, coin: purse.pay_itself([coin, coin])[0]),
    (
        "more satoshis than there are",
        DevnetRefusal.MALFORMED,
        lambda purse, coin: altered(paying(purse, coin), outputs=(Output(1 << 63, ANYBODY),)),
    ),
    (
        "a coin of nobody",
        DevnetRefusal.MISSING_INPUTS,
        lambda purse, _: paying(purse, Coin(f"{'ab' * 32}:0", HELD)),
    ),
    (
        "an output that the coin's transaction hasn't",
        DevnetRefusal.MISSING_INPUTS,
        lambda purse, coin: paying(purse, Coin(coin.outpoint[:-1] + "1", HELD)),
    ),
    ("a block's first", DevnetRefusal.MISSING_INPUTS, lambda purse, _: paying(purse, Coin(NOWHERE, HELD))),
    ("more than it takes", DevnetRefusal.AMOUNTS, lambda purse, coin: paying(purse, coin, HELD + 1)),
    (
        "a height that is not reached",
        DevnetRefusal.NOT_FINAL,
        lambda purse, coin: paying(purse, coin, lock_time=3, sequence=0),
    ),
    (
        "a time that is not reached",
        DevnetRefusal.NOT_FINAL,
        lambda purse, coin: paying(purse, coin, lock_time=0xFFFFFFFF, sequence=0),
    ),
    ("no signature", DevnetRefusal.SCRIPT_FAILED, lambda purse, coin: with_script(purse, coin, b"")),
    ("another's signature", DevnetRefusal.SCRIPT_FAILED, lambda _, coin: paying(Purse(2), coin)),
    (
        "a signature over another amount",
        DevnetRefusal.SCRIPT_FAILED,
        lambda purse, coin: purse.spend([coin._replace(satoshis=HELD - 1)], [Output(HELD, purse.script)]),
    ),
    (
        "a signature over other outputs",
        DevnetRefusal.SCRIPT_FAILED,
        lambda purse, coin: altered(paying(purse, coin), outputs=(Output(HELD, ANYBODY),)),
    ),
    (
        "a signature without FORKID",
        DevnetRefusal.SCRIPT_FAILED,
        lambda purse, coin: paying(purse, coin, sighash=SIGHASH.ALL),
    ),
    (
        "a script that isn't pushes alone",
        DevnetRefusal.SCRIPT_FAILED,
        lambda purse, coin: with_script(purse, coin, b"\x61" + read_transaction(paying(purse, coin)).inputs[0].script),
    ),
    (
        "a script that ends within a push",
        DevnetRefusal.SCRIPT_FAILED,
        lambda purse, coin: with_script(purse, coin, b"\x4c"),
    ),
    ("a script that leaves", DevnetRefusal.SCRIPT_FAILED, lambda purse, coin: with_script(purse, coin, b"\x51\x6a")),
]


@pytest.mark.parametrize(("code", "builds"), [each[1:] for each in TABLE], ids=[each[0] for each in TABLE])
async def test_it_is_refused(devnet: Devnet, purse: Purse, code: DevnetRefusal, builds: Builds) -> None:
    coin = Coin(await devnet.faucet(purse.script, HELD), HELD)
    raw = builds(purse, coin)
    with pytest.raises(Refused) as refused:
        await devnet.broadcast(raw)
    assert (refused.value.reason, refused.value.spent) == (code, ())
    assert await devnet.transaction(txid_of(raw)) is None
    await devnet.broadcast(paying(purse, coin))


async def test_two_things_wrong_at_once_give_the_earlier_reason(devnet: Devnet, purse: Purse) -> None:
    first, second = [Coin(await devnet.faucet(purse.script, HELD), HELD) for _ in range(2)]
    await devnet.broadcast(paying(purse, first))
    unknown = Coin(f"{'ab' * 32}:0", HELD)
    for coins, code in (
        ([first, unknown], DevnetRefusal.DOUBLE_SPEND),
        ([unknown, second], DevnetRefusal.MISSING_INPUTS),
        ([second], DevnetRefusal.AMOUNTS),
    ):
        raw = Purse(2).spend(coins, [Output(9 * HELD, purse.script)], sequence=0, lock_time=99)
        with pytest.raises(Refused) as refused:
            await devnet.broadcast(raw)
        assert refused.value.reason == code


@pytest.mark.parametrize("mined", [False, True], ids=["waiting", "in a block"])
async def test_a_double_spend_names_what_another_transaction_spent_and_nothing_else(
    devnet: Devnet, purse: Purse, *, mined: bool
) -> None:
    coins = [Coin(await devnet.faucet(purse.script, HELD), HELD) for _ in range(3)]
    await devnet.broadcast(purse.pay_itself(coins[:2])[0])
    if mined:
        await devnet.mine()
    with pytest.raises(Refused) as refused:
        await devnet.broadcast(purse.pay_itself([coins[2], coins[1], coins[0]])[0])
    assert refused.value.reason == "double-spend"
    assert refused.value.spent == (coins[1].outpoint, coins[0].outpoint)


async def test_of_two_that_spend_one_coin_at_once_one_is_taken(devnet: Devnet, purse: Purse) -> None:
    coin = Coin(await devnet.faucet(purse.script, HELD), HELD)
    rivals = [devnet.broadcast(paying(purse, coin, HELD - each)) for each in range(5)]
    outcomes = await asyncio.gather(*rivals, return_exceptions=True)
    assert sum(each is None for each in outcomes) == 1
    assert {each.spent for each in outcomes if isinstance(each, Refused)} == {(coin.outpoint,)}


async def test_as_many_as_25_stand_on_one_another_until_a_block_has_them(devnet: Devnet, purse: Purse) -> None:
    coins = [Coin(await devnet.faucet(purse.script, HELD), HELD)]
    for _ in range(LONGEST_LINE):
        raw, coins = purse.pay_itself(coins)
        await devnet.broadcast(raw)
    raw, _ = purse.pay_itself(coins)
    with pytest.raises(Refused) as refused:
        await devnet.broadcast(raw)
    assert refused.value.reason == DevnetRefusal.TOO_LONG_CHAIN
    await devnet.mine()
    await devnet.broadcast(raw)


async def test_any_number_may_stand_beside_one_another(devnet: Devnet, purse: Purse) -> None:
    raw, coins = purse.pay_itself([Coin(await devnet.faucet(purse.script, HELD), HELD)], pieces=30)
    await devnet.broadcast(raw)
    for coin in coins:
        await devnet.broadcast(paying(purse, coin, coin.satoshis))
    joined, _ = purse.pay_itself([Coin(await devnet.faucet(purse.script, HELD), HELD)])
    await devnet.broadcast(joined)


async def test_a_fee_is_asked_for_where_the_setting_asks_for_one(tmp_path: Path, purse: Purse) -> None:
    devnet = Devnet(tmp_path / "chain", fee_per_kb=500)
    coin = Coin(await devnet.faucet(purse.script, HELD), HELD)
    raw = paying(purse, coin, HELD - len(paying(purse, coin)) * 500 // 1000 + 1)
    with pytest.raises(Refused) as refused:
        await devnet.broadcast(raw)
    assert refused.value.reason == DevnetRefusal.FEE_TOO_LOW
    await devnet.broadcast(paying(purse, coin, HELD - len(raw) * 500 // 1000 - 1))
    await devnet.mine()
    assert (await devnet.check()).nobodys == len(raw) * 500 // 1000 + 1
    await devnet.close()


async def test_what_waits_for_a_height_is_taken_when_the_next_block_has_it(devnet: Devnet, purse: Purse) -> None:
    raw = paying(purse, Coin(await devnet.faucet(purse.script, HELD), HELD), lock_time=3, sequence=0)
    await devnet.mine()
    with pytest.raises(Refused):
        await devnet.broadcast(raw)
    await devnet.mine()
    await devnet.broadcast(raw)


async def test_a_lock_time_binds_nobody_whose_inputs_are_final(devnet: Devnet, purse: Purse) -> None:
    await devnet.broadcast(paying(purse, Coin(await devnet.faucet(purse.script, HELD), HELD), lock_time=900))


async def test_what_op_return_holds_is_nobody_s(devnet: Devnet, purse: Purse) -> None:
    coin = Coin(await devnet.faucet(purse.script, HELD), HELD)
    anchor = purse.spend([coin], [Output(7, anchoring_script(b"{}")), Output(HELD - 7, purse.script)])
    await devnet.broadcast(anchor)
    with pytest.raises(Refused) as refused:
        await devnet.broadcast(anybody_spends([Coin(f"{txid_of(anchor)}:0", 7)], Output(7, ANYBODY)))
    assert refused.value.reason == DevnetRefusal.MISSING_INPUTS
    assert (await devnet.check()).nobodys == 7


async def test_while_as_many_wait_as_may_one_more_is_neither_taken_nor_refused(
    devnet: Devnet, purse: Purse, monkeypatch: pytest.MonkeyPatch
) -> None:
    coins = [Coin(await devnet.faucet(purse.script, HELD), HELD) for _ in range(3)]
    monkeypatch.setattr(devnet_mempool, "MOST_WAITING", 2)
    for coin in coins[:2]:
        await devnet.broadcast(paying(purse, coin))
    with pytest.raises(ChainUnavailable):
        await devnet.broadcast(paying(purse, coins[2]))
    await devnet.broadcast(paying(purse, coins[0]))
    await devnet.mine()
    await devnet.broadcast(paying(purse, coins[2]))


async def test_a_script_of_other_kinds_is_run_too(devnet: Devnet) -> None:
    hashed = bytes.fromhex("aa20" + "00" * 32 + "87")  # OP_HASH256 <32 bytes> OP_EQUAL: nobody knows what is hashed
    for script, given, taken in (
        (ANYBODY, b"", True),
        (bytes([0x00]), b"", False),
        (bytes([0x87]), bytes([0x51, 0x51]), True),
        (bytes([0x87]), bytes([0x51, 0x52]), False),
        (hashed, bytes([0x51]), False),
        (bytes([0x6A, 0x4C, 0xFF]), bytes([0x51]), True),
    ):
        outpoint = await devnet.faucet(script, HELD)
        raw = BitcoinTransaction([Input(outpoint, given)], [Output(HELD, ANYBODY)]).raw
        if taken:
            await devnet.broadcast(raw)
        else:
            with pytest.raises(Refused, match="script-failed"):
                await devnet.broadcast(raw)


@pytest.mark.parametrize(
    ("script", "cut"),
    [
        ("", False),
        ("0151", False),
        ("01", True),
        ("4c", True),
        ("4c02ff", True),
        ("4c01ff", False),
        ("4d0100", True),
        ("4d0100ff", False),
        ("4e01000000", True),
        ("4e01000000ff", False),
        ("6a4c", False),
        ("636a684c", True),
        ("51636a6868016a", False),
    ],
)
def test_a_script_that_ends_within_a_push_is_known(script: str, *, cut: bool) -> None:
    assert (opcodes(bytes.fromhex(script)) is None) == cut


@pytest.mark.parametrize(
    "script",
    [
        bytes.fromhex("517e"),
        bytes.fromhex("0400ffff7f80"),
        bytes.fromhex("5195"),
        bytes.fromhex("0400ffff7fb6"),
        b"\x61" * LONGEST_SCRIPT + ANYBODY,
    ],
    ids=["OP_CAT", "OP_NUM2BIN", "OP_MUL", "OP_LSHIFTNUM", "long"],
)
async def test_a_script_that_could_take_much_is_not_run(devnet: Devnet, script: bytes) -> None:
    made = anybody_spends([Coin(await devnet.faucet(ANYBODY, HELD), HELD)], Output(HELD, script))
    await devnet.broadcast(made)
    with pytest.raises(Refused, match="non-standard"):
        await devnet.broadcast(anybody_spends([Coin(f"{txid_of(made)}:0", HELD)], Output(HELD, ANYBODY)))


async def test_the_faucet_pays_what_a_block_may_make_to_whom_can_spend_it(devnet: Devnet) -> None:
    for script, satoshis in ((ANYBODY, 0), (ANYBODY, 50 * 10**8 + 1), (NOBODY, 1), (bytes(10_001), 1)):
        with pytest.raises(ValueError, match="the faucet"):
            await devnet.faucet(script, satoshis)
    assert (await devnet.tip()).height == 0
