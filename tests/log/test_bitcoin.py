"""Bitcoin's formats against blocks that everybody knows, and against whatever bytes there are."""

import contextlib
import hashlib

import coincurve
import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from log.bitcoin import (
    LARGEST,
    BitcoinTransaction,
    Input,
    InvalidBitcoin,
    Output,
    anchored,
    anchoring_script,
    outpoint_bytes,
    read_header,
    read_transaction,
    txid_of,
)
from log.bitcoin_bytes import Reading, compact_size
from log.der import write_der
from log.signature_hash import ALL, pay_to, signed_content

GENESIS_HEADER = bytes.fromhex(
    "01000000" + "00" * 32 + "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
)
GENESIS_COINBASE = bytes.fromhex(
    "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054696d"
    "65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f757420666f7220"
    "62616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f"
    "4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000"
)
PAID_IN_BLOCK_100000 = bytes.fromhex(
    "0100000001032e38e9c0a84c6046d687d10556dcacc41d275ec55fc00779ac88fdf357a187000000008c493046022100c352d3dd993a981beb"
    "a4a63ad15c209275ca9470abfcd57da93b58e4eb5dce82022100840792bc1f456062819f15d33ee7055cf7b5ee1af1ebcc6028d9cdb1c3af77"
    "48014104f46db5e9d61a9dc27b8d64ad23e7383a4e6ca164593c2527c038c0857eb67ee8e825dca65046b82c9331586c82e0fd1f633f25f87c"
    "161bc6f8a630121df2b3d3ffffffff0200e32321000000001976a914c398efa9c392ba6013c5e04ee729755ef7f58b3288ac000fe208010000"
    "001976a914948c765a6914d43f2a7ac177da2c2f6b52de3d7c88ac00000000"
)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
OUTPOINTS = st.builds(
    lambda digest, vout: f"{digest.hex()}:{vout}", st.binary(min_size=32, max_size=32), st.integers(0, 2**32 - 1)
)
TRANSACTIONS = st.builds(
    BitcoinTransaction,
    st.lists(st.builds(Input, OUTPOINTS, st.binary(max_size=300), st.integers(0, 2**32 - 1)), min_size=1, max_size=4),
    st.lists(st.builds(Output, st.integers(0, LARGEST // 4), st.binary(max_size=300)), min_size=1, max_size=4),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
)


def test_the_genesis_block_is_read() -> None:
    header = read_header(GENESIS_HEADER)
    assert header.hash == "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
    assert header.merkle_root == txid_of(GENESIS_COINBASE)
    assert (header.previous, header.time, header.bits) == ("00" * 32, 1_231_006_505, 0x1D00FFFF)
    assert header.target == 0xFFFF << 208
    assert header.has_work
    coinbase = read_transaction(GENESIS_COINBASE)
    assert coinbase.raw == GENESIS_COINBASE
    assert coinbase.txid == "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
    assert [each.outpoint for each in coinbase.inputs] == [f"{'00' * 32}:{2**32 - 1}"]
    assert b"Chancellor on brink" in coinbase.inputs[0].script
    assert [each.satoshis for each in coinbase.outputs] == [50 * 100_000_000]


def test_a_signature_of_2010_is_over_what_we_say_that_it_is_over() -> None:
    transaction = read_transaction(PAID_IN_BLOCK_100000)
    assert transaction.txid == "fff2525b8931402dd09222c50775608f75787bd2b87e56995a7bdd30f79702c4"
    reading = Reading(transaction.inputs[0].script, ValueError)
    signature, pubkey = reading.take(reading.number(1)), reading.take(reading.number(1))
    assert signature[-1] == ALL
    content = signed_content(transaction, 0, Output(0, pay_to(pubkey)), ALL)
    # Its s is in the upper half of the order, which was usual then.
    r, s = int.from_bytes(signature[5:37], "big"), int.from_bytes(signature[-33:-1], "big")
    lower = write_der(r.to_bytes(32, "big") + (ORDER - s).to_bytes(32, "big"))
    assert coincurve.PublicKey(pubkey).verify(lower, content)
    assert not coincurve.PublicKey(pubkey).verify(lower, hashlib.sha256(content).digest())


@pytest.mark.parametrize(
    ("bits", "target"),
    [
        (0x207FFFFF, 0x7FFFFF << 232),
        (0x1B0404CB, 0x0404CB << 192),
        (0x03123456, 0x123456),
        (0x02123456, 0x1234),
        (0x01123456, 0x12),
        (0x00123456, 0),
        (0x04923456, 0),
        (0x21010000, 0),
    ],
)
def test_bits_name_a_target_or_one_that_nothing_reaches(bits: int, target: int) -> None:
    header = read_header(GENESIS_HEADER[:72] + bits.to_bytes(4, "little") + GENESIS_HEADER[76:])
    assert header.target == target
    assert header.has_work == (int(header.hash, 16) <= target)


@pytest.mark.parametrize("header", [b"", GENESIS_HEADER[:-1], GENESIS_HEADER + b"\0"])
def test_a_header_has_80_bytes(header: bytes) -> None:
    with pytest.raises(InvalidBitcoin):
        read_header(header)


@settings(deadline=None, max_examples=100)
@given(TRANSACTIONS, st.data())
def test_a_transaction_is_read_as_it_was_written_and_no_part_of_it_is_one(
    transaction: BitcoinTransaction, data: st.DataObject
) -> None:
    raw = transaction.raw
    read = read_transaction(raw)
    written = (transaction.inputs, transaction.outputs, transaction.version, transaction.lock_time)
    assert (list(read.inputs), list(read.outputs), read.version, read.lock_time) == written
    end = data.draw(st.integers(0, len(raw) - 1))
    for content in (raw[:end], raw + raw[: end + 1]):
        with pytest.raises(InvalidBitcoin):
            read_transaction(content)


@settings(deadline=None, max_examples=150)
@given(TRANSACTIONS, st.data())
def test_bytes_that_are_read_as_a_transaction_are_what_it_writes(
    transaction: BitcoinTransaction, data: st.DataObject
) -> None:
    content = bytearray(transaction.raw)
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(InvalidBitcoin):
        assert read_transaction(bytes(content)).raw == content


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        GENESIS_COINBASE[:4] + b"\0\0" + GENESIS_COINBASE[-4:],
        GENESIS_COINBASE[:4] + b"\0\x01" + GENESIS_COINBASE[4:-4] + b"\0" + GENESIS_COINBASE[-4:],
        GENESIS_COINBASE.replace(bytes.fromhex("ffffffff4d04"), bytes.fromhex("fffffffffd4d0004")),
        BitcoinTransaction([Input("00" * 32 + ":0", b"")], [Output(LARGEST, b""), Output(1, b"")]).raw,
        GENESIS_COINBASE[:41] + b"\xff" * 9,
    ],
    ids=["nothing", "no inputs", "a witness", "a size that is spelled long", "too many satoshis", "a size beyond all"],
)
def test_what_is_no_transaction_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidBitcoin):
        read_transaction(raw)


ZEROS = "00" * 32


@pytest.mark.parametrize(
    "outpoint",
    [
        "",
        ZEROS,
        f"{ZEROS}:",
        f"{ZEROS}:-1",
        f"{ZEROS}:+1",
        f"{ZEROS}:01",
        f"{ZEROS}:²",
        f"{ZEROS}:1:1",
        f"{ZEROS}:{2**32}",
        f"{'00' * 31}:0",
        f"{'AA' * 32}:0",
        f" {ZEROS}:0",
    ],
)
def test_an_outpoint_has_one_spelling(outpoint: str) -> None:
    with pytest.raises(ValueError, match=r"outpoint|hash|hexadecimal"):
        outpoint_bytes(outpoint)


@given(st.integers(0, 2**64 - 1))
@example(0xFC)
@example(0xFD)
@example(0xFFFF)
@example(0x10000)
@example(2**32 - 1)
@example(2**32)
def test_a_size_has_one_spelling(number: int) -> None:
    spelled = compact_size(number)
    assert Reading(spelled, ValueError).size() == number
    for code, width in ((0xFD, 2), (0xFE, 4), (0xFF, 8)):
        if width >= len(spelled) and number < 1 << 8 * width:
            with pytest.raises(ValueError, match="shortest"):
                Reading(bytes([code]) + number.to_bytes(width, "little"), ValueError).size()


@pytest.mark.parametrize("size", [1, 75, 76, 255, 256, 65_535, 65_536])
def test_what_is_anchored_comes_back_and_only_from_the_shortest_push(size: int) -> None:
    content = bytes(at % 251 for at in range(size))
    script = anchoring_script(content)
    assert anchored(script) == content
    for other in (script[:-1], script + b"\0", script[1:], b"\x51" + script[1:], script[:1] + b"\x6b" + script[2:]):
        assert anchored(other) is None
    for code, width in ((0x4C, 1), (0x4D, 2), (0x4E, 4)):
        longer = b"\0\x6a" + bytes([code]) + size.to_bytes(4, "little")[:width] + content
        assert anchored(longer) is None or longer == script


@pytest.mark.parametrize(
    "script", ["", "00", "006a", "006a00", "006a51", "6a0101", "006a4c", "006a4d01", "006a4effffffff"]
)
def test_other_scripts_anchor_nothing(script: str) -> None:
    assert anchored(bytes.fromhex(script)) is None
