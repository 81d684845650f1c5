"""The pool's transactions: every satoshi is accounted for, every output is in its place, and every signature holds."""

import hashlib
import json
import subprocess
import sys
import time

import coincurve
import pytest
from Crypto.Hash import RIPEMD160

from domain.publishing.batch import ChangeOutput
from log.bitcoin import BitcoinTransaction, Output, anchored, read_transaction
from log.strict_json import UnwritableJson
from log.unlocking import LONGEST_BYTES, unlocking_fault
from processors.anchor_transactions import (
    LEAST_CHANGE_SATOSHIS,
    Signed,
    Spend,
    TooPoor,
    anchored_content,
    anchoring,
    splitting,
)
from processors.chain import FAMILIES, Family
from tests.processors.pool_outputs import contents, key_of, outputs, spends_of

RATE = 100
families = pytest.mark.parametrize("family", FAMILIES)


def checked(signed: Signed, spends: list[Spend], rate: int = RATE) -> BitcoinTransaction:
    """Check what holds of every transaction, and give it."""
    transaction = read_transaction(signed.raw)
    assert signed.txid == transaction.txid
    assert [each.outpoint for each in transaction.inputs] == [spend.outpoint for spend in spends]
    given = sum(each.satoshis for each in transaction.outputs)
    assert sum(spend.satoshis for spend in spends) == given + signed.fee
    longest = len(signed.raw) + sum(LONGEST_BYTES - len(each.script) for each in transaction.inputs)
    paid = -(-longest * rate // 1000)
    assert paid <= signed.fee <= paid + LEAST_CHANGE_SATOSHIS + 34 * rate // 1000
    for each in signed.change:
        assert transaction.outputs[each.vout] == Output(each.satoshis, bytes.fromhex(each.script))
    for at, output in enumerate(outputs(spends)):
        assert unlocking_fault(transaction, at, output) is None
        assert LONGEST_BYTES - 4 <= len(transaction.inputs[at].script) <= LONGEST_BYTES
    return transaction


def test_what_is_anchored_has_its_members_in_their_order() -> None:
    digest = "ab" * 32
    with_uri = f'{{"p":"sl-drm","v":1,"rid":"Lärk\\"","hash":"{digest}","uri":"https://example.test/ü","ts":"2025Z"}}'
    assert anchored_content('Lärk"', digest, "https://example.test/ü", "2025Z") == with_uri.encode()
    without = f'{{"p":"sl-drm","v":1,"rid":"R","hash":"{digest}","ts":"2025Z"}}'
    assert anchored_content("R", digest, None, "2025Z") == without.encode()
    assert json.loads(anchored_content("R", digest, "", "2025Z"))["uri"] == ""
    with pytest.raises(UnwritableJson):
        anchored_content("\ud800", digest, None, "2025Z")


@families
@pytest.mark.parametrize("count", [1, 2, 251, 252, 253, 500])
def test_output_n_anchors_content_n_and_the_last_one_gives_back_what_is_left(family: Family, count: int) -> None:
    key = key_of("wren", family)
    spends, given = spends_of(key, 1_000_000), contents(count)
    signed = anchoring(key, spends, given, RATE)
    transaction = checked(signed, spends)
    assert [anchored(each.script) for each in transaction.outputs[:-1]] == given
    assert {each.satoshis for each in transaction.outputs[:-1]} == {0}
    assert signed.change == (ChangeOutput(count, 1_000_000 - signed.fee, key.script.hex()),)
    assert transaction.outputs[-1].script == key.script


@families
def test_the_same_transaction_is_built_each_time(family: Family) -> None:
    key = key_of("wren", family)
    spends = spends_of(key, 600, 700, 800)
    assert anchoring(key, spends, contents(3), RATE) == anchoring(key, spends, contents(3), RATE)
    assert splitting(key, spends, 2, 500, RATE) == splitting(key, spends, 2, 500, RATE)


@families
@pytest.mark.parametrize("size", [1, 75, 76, 255, 256, 65_535, 65_536])
def test_a_content_of_any_size_is_one_push(family: Family, size: int) -> None:
    key = key_of("wren", family)
    spends = spends_of(key, 10_000)
    signed = anchoring(key, spends, [bytes(size)], RATE)
    assert anchored(checked(signed, spends).outputs[0].script) == bytes(size)


@families
@pytest.mark.parametrize("rate", [1, 100, 999, 1000, 12_345])
def test_change_is_given_back_from_its_least_on_and_is_the_fee_s_below(family: Family, rate: int) -> None:
    key = key_of("wren", family)
    rich = spends_of(key, 10_000_000)
    with_change = anchoring(key, rich, contents(1), rate).fee
    for more, change in ((LEAST_CHANGE_SATOSHIS, 1), (LEAST_CHANGE_SATOSHIS - 1, 0), (0, 0)):
        spends = spends_of(key, with_change + more)
        signed = anchoring(key, spends, contents(1), rate)
        checked(signed, spends, rate)
        assert len(signed.change) == change
        assert signed.fee == with_change if change else signed.fee == with_change + more


@families
def test_inputs_that_do_not_cover_the_fee_say_what_is_needed(family: Family) -> None:
    key = key_of("wren", family)
    with pytest.raises(TooPoor) as poor:
        anchoring(key, spends_of(key, 1), contents(500), RATE)
    needed = poor.value.needed_satoshis
    exact = spends_of(key, needed)
    signed = anchoring(key, exact, contents(500), RATE)
    checked(signed, exact)
    assert (signed.fee, signed.change) == (needed, ())
    with pytest.raises(TooPoor) as poor:
        anchoring(key, spends_of(key, needed - 1), contents(500), RATE)
    assert poor.value.needed_satoshis == needed


@families
def test_each_input_costs_its_own_fee(family: Family) -> None:
    key = key_of("wren", family)
    dust = spends_of(key, *[10] * 20)
    with pytest.raises(TooPoor):
        anchoring(key, dust, contents(1), RATE)
    spends = spends_of(key, *range(600, 620))
    checked(anchoring(key, spends, contents(1), RATE), spends)


@families
def test_a_split_gives_its_pieces_and_what_is_left_to_the_pool(family: Family) -> None:
    key = key_of("wren", family)
    spends = spends_of(key, 1_000_000, 5_000)
    signed = splitting(key, spends, 100, 10_000, RATE)
    transaction = checked(signed, spends)
    assert [each.satoshis for each in signed.change] == [10_000] * 100 + [5_000 - signed.fee]
    assert {each.script for each in transaction.outputs} == {key.script}
    with pytest.raises(TooPoor) as poor:
        splitting(key, spends, 100, 10_050, RATE)
    assert poor.value.needed_satoshis > 1_005_000


@families
def test_what_is_locked_to_another_key_is_not_spent(family: Family) -> None:
    with pytest.raises(ValueError, match="isn't the pool key's"):
        anchoring(key_of("wren", family), spends_of(key_of("lark", family), 10_000), contents(1), RATE)


def first_form(transaction: BitcoinTransaction, at: int, script: bytes) -> bytes:
    """Write what a signature without FORKID is over, by the letter of the protocol and with nothing of ours."""
    size = bytes([len(transaction.inputs)])
    written = transaction.version.to_bytes(4, "little") + size
    for place, each in enumerate(transaction.inputs):
        txid, _, vout = each.outpoint.partition(":")
        written += bytes.fromhex(txid)[::-1] + int(vout).to_bytes(4, "little")
        written += (bytes([len(script)]) + script if place == at else b"\0") + each.sequence.to_bytes(4, "little")
    written += bytes([len(transaction.outputs)])
    for output in transaction.outputs:
        size = (
            bytes([len(output.script)])
            if len(output.script) < 253
            else b"\xfd" + len(output.script).to_bytes(2, "little")
        )
        written += output.satoshis.to_bytes(8, "little") + size + output.script
    return written + transaction.lock_time.to_bytes(4, "little") + (1).to_bytes(4, "little")


def test_signatures_for_btc_are_over_the_protocol_s_first_form() -> None:
    key = key_of("wren", "btc")
    spends = spends_of(key, 1_000, 2_000, 3_000)
    transaction = checked(anchoring(key, spends, contents(4), RATE), spends)
    for at, each in enumerate(transaction.inputs):
        size = each.script[0]
        signature, pubkey = each.script[1 : 1 + size], each.script[2 + size :]
        assert RIPEMD160.new(hashlib.sha256(pubkey).digest()).digest() == key.script[3:23]
        assert signature[-1] == 0x01
        digest = hashlib.sha256(hashlib.sha256(first_form(transaction, at, key.script)).digest()).digest()
        assert coincurve.PublicKey(pubkey).verify(signature[:-1], digest, hasher=None)


def test_signatures_for_bsv_have_forkid_and_cover_the_amount() -> None:
    key = key_of("wren")
    spends = spends_of(key, 1_000, 2_000)
    transaction = checked(anchoring(key, spends, contents(4), RATE), spends)
    for at, each in enumerate(transaction.inputs):
        assert each.script[each.script[0]] == 0x41
        assert unlocking_fault(transaction, at, Output(spends[at].satoshis + 1, key.script)) is not None


def test_500_records_are_anchored_in_well_under_a_second() -> None:
    key, given = key_of("wren"), contents(500)
    spends = spends_of(key, *[100_000] * 5)
    anchoring(key, spends, given[:1], RATE)  # bsv-sdk is loaded
    began = time.perf_counter()
    anchoring(key, spends, given, RATE)
    assert time.perf_counter() - began < 0.5


def test_bsv_sdk_is_loaded_for_bsv_alone() -> None:
    script = (
        "import sys\n"
        "from processors.anchor_transactions import anchoring\n"
        "from tests.processors.pool_outputs import contents, key_of, spends_of\n"
        "for family in ('btc', 'bsv'):\n"
        "    key = key_of('wren', family)\n"
        "    anchoring(key, spends_of(key, 1000), contents(1), 100)\n"
        "    print(family, 'bsv' in sys.modules)\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.splitlines() == ["btc False", "bsv True"]
