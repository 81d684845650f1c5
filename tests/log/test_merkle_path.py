"""Merkle paths: those of known blocks, of every block up to 40 transactions, and as another library reads them."""

import hashlib

import hypothesis.strategies as st
import pytest
from bsv import MerklePath
from hypothesis import given, settings

from log.bitcoin import read_header
from log.merkle_path import DATA, TRANSACTION, InvalidMerklePath, bump_of, height_and_root, merkle_root

BLOCK_100000 = [
    "8c14f0db3df150123e6f3dbbf30f8b955a8249b62ac1d1ff16284aefa3d06d87",
    "fff2525b8931402dd09222c50775608f75787bd2b87e56995a7bdd30f79702c4",
    "6359f0868171b1d194cbee1af2f16ea598ae8fad666d9b012c8ed2b79a236ec4",
    "e9a66845e05d5abc0ad04ec80f774a7e585c6e8db975962d069a522137b80c1d",
]
HEADER_100000 = bytes.fromhex(
    "0100000050120119172a610421a6c3011dd330d9df07b63616c2cc1f1cd00200000000006657a9252aacd5c0b2940996ecff952228c3067cc3"
    "8d4885efb5a4ac4247e9f337221b4d4c86041b0f2b5710"
)
BRC_74 = bytes.fromhex(
    "fe8a6a0c000c04fde80b0011774f01d26412f0d16ea3f0447be0b5ebec67b0782e321a7a01cbdf7f734e30fde90b02004e53753e3fe4667073"
    "063a17987292cfdea278824e9888e52180581d7188d8fdea0b025e441996fc53f0191d649e68a200e752fb5f39e0d5617083408fa179ddc5c9"
    "98fdeb0b0102fdf405000671394f72237d08a4277f4435e5b6edf7adc272f25effef27cdfe805ce71a81fdf50500262bccabec6c4af3ed00cc"
    "7a7414edea9c5efa92fb8623dd6160a001450a528201fdfb020101fd7c010093b3efca9b77ddec914f8effac691ecb54e2c81d0ab81cbc4c4b"
    "93befe418e8501bf01015e005881826eb6973c54003a02118fe270f03d46d02681c8bc71cd44c613e86302f8012e00e07a2bb8bb75e5accff2"
    "66022e1e5e6e7b4d6d943a04faadcf2ab4a22f796ff30116008120cafa17309c0bb0e0ffce835286b3a2dcae48e4497ae2d2b7ced4f051507d"
    "010a00502e59ac92f46543c23006bff855d96f5e648043f0fb87a7a5949e6a9bebae430104001ccd9f8f64f4d0489b30cc815351cf425e0e78"
    "ad79a589350e4341ac165dbe45010301010000af8764ce7e1cc132ab5ed2229a005c87201c9a5ee15c0f91dd53eff31ab30cd4"
)


def txids(count: int) -> list[str]:
    return [hashlib.sha256(f"transaction {number}".encode()).hexdigest() for number in range(count)]


def test_block_100000_has_its_root() -> None:
    header = read_header(HEADER_100000)
    assert header.hash == "000000000003ba27aa200b1cecaad478d2b00432346c3f1f3986da1afd33e506"
    assert header.has_work
    assert merkle_root(BLOCK_100000) == header.merkle_root
    for txid in BLOCK_100000:
        assert height_and_root(bump_of(100_000, BLOCK_100000, txid), txid) == (100_000, header.merkle_root)


def test_the_path_that_brc_74_shows_leads_to_its_root_from_each_of_its_transactions() -> None:
    root = "57aab6e6fb1b697174ffb64e062c4728f2ffd33ddcfa02a43b64d8cd29b483b4"
    for txid in (
        "d888711d588021e588984e8278a2decf927298173a06737066e43f3e75534e00",
        "98c9c5dd79a18f40837061d5e0395ffb52e700a2689e641d19f053fc9619445e",
    ):
        assert height_and_root(BRC_74, txid) == (813_706, root)
    with pytest.raises(InvalidMerklePath, match="another transaction"):
        height_and_root(BRC_74, "304e737fdfcb017a1a322e78b067ecebb5e07b44f0a36ed1f01264d2014f7711")


def test_the_only_transaction_of_a_block_is_its_root() -> None:
    # bsv-sdk doesn't read such a path, as @bsv/sdk does: see tests/processors/test_another_interpreter.py
    (txid,) = txids(1)
    assert merkle_root([txid]) == txid
    assert height_and_root(bump_of(0, [txid], txid), txid) == (0, txid)


@pytest.mark.parametrize("count", range(2, 41))
def test_every_transaction_of_a_block_has_a_path_to_its_root_for_another_library_too(count: int) -> None:
    block = txids(count)
    root = merkle_root(block)
    for txid in block:
        bump = bump_of(count * 1000, block, txid)
        assert height_and_root(bump, txid) == (count * 1000, root)
        path = MerklePath.from_binary(bump)
        assert (path.block_height, path.compute_root(txid)) == (count * 1000, root)
        assert path.to_binary() == bump


@settings(deadline=None, max_examples=400)
@given(st.integers(1, 40), st.data())
def test_a_path_with_another_byte_is_none_or_leads_elsewhere(count: int, data: st.DataObject) -> None:
    block = txids(count)
    txid = data.draw(st.sampled_from(block))
    bump = bump_of(77, block, txid)
    at, change = data.draw(st.integers(0, len(bump) - 1)), data.draw(st.integers(1, 255))
    changed = bump[:at] + bytes([bump[at] ^ change]) + bump[at + 1 :]
    try:
        found = height_and_root(changed, txid)
    except InvalidMerklePath:
        return
    # A path of two transactions is one of each: the neighbour may be called one.
    neighbour_called = (bump[at], changed[at]) == (DATA, TRANSACTION) and at < 2 + 1 + 2 * (1 + 1 + 32)
    assert found != (77, merkle_root(block)) or neighbour_called


@given(st.integers(1, 40), st.data())
def test_no_part_of_a_path_is_one_and_nothing_follows_it(count: int, data: st.DataObject) -> None:
    block = txids(count)
    txid = data.draw(st.sampled_from(block))
    bump = bump_of(77, block, txid)
    end = data.draw(st.integers(0, len(bump) - 1))
    for content in (bump[:end], bump + bump[: end + 1]):
        with pytest.raises(InvalidMerklePath):
            height_and_root(content, txid)


def test_a_path_is_of_the_transactions_that_it_names_alone() -> None:
    block = txids(5)
    bump = bump_of(77, block, block[4])
    for txid in (*block[:4], txids(6)[5]):
        with pytest.raises(InvalidMerklePath, match="another transaction"):
            height_and_root(bump, txid)
    with pytest.raises(ValueError, match="not in"):
        bump_of(77, block, txids(6)[5])


LEAF = "00" * 32


@pytest.mark.parametrize(
    ("bump", "fault"),
    [
        ("4d00", "1 to 64 levels"),
        ("4d41", "1 to 64 levels"),
        (f"4d01010002{LEAF}00", "follows"),
        (f"4d01020002{LEAF}0002{LEAF}", "twice"),
        (f"4d01010003{LEAF}", "no known kind"),
        (f"4d01010102{LEAF}", "only transaction"),
        (f"4d01020202{LEAF}0301", "beside"),
        (f"4d0102000101 02{LEAF}".replace(" ", ""), "on the right"),
        (f"4d01020002{LEAF}0201", "lacks a leaf"),
        (f"4d02020002{LEAF}0101010102{LEAF}", "above the lowest"),
        (f"fd4d0001010002{LEAF}", "shortest"),
    ],
)
def test_what_is_no_path_is_refused(bump: str, fault: str) -> None:
    with pytest.raises(InvalidMerklePath, match=fault):
        height_and_root(bytes.fromhex(bump), LEAF)
