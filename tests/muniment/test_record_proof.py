"""A record's proof holds as it is, and each thing that could be wrong with it has a code of its own."""

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from log.bitcoin import BitcoinTransaction, Output, anchoring_script, read_transaction
from log.canonical import canonical_json
from log.intents import record_hash
from log.merkle_path import bump_of
from muniment.cli import main
from muniment.record_proof import MAX_BYTES, NotProven, Step, proven, read_proof
from processors.chain import FAMILIES, Family
from tests.muniment.proving import HEIGHT, RECORD, VOUT, mined, proof
from tests.processors.pool_outputs import key_of
from tests.vectors.intents import intent

Document = dict[str, Any]
STEPS = ["record", "hash", "signature", "transaction", "anchor", "payment", "inclusion", "work"]
GOOD = proof()


def steps(document: Any) -> list[Step]:
    return list(proven(read_proof(json.dumps(document).encode())))


def code(document: Any) -> str:
    with pytest.raises(NotProven) as refused:
        steps(document)
    return refused.value.code


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("uri", [None, "", "https://example.test/ü"])
@pytest.mark.parametrize("der", [True, False])
def test_a_proof_holds_step_by_step(family: Family, uri: str | None, *, der: bool) -> None:
    assert [step.name for step in steps(proof(family, uri=uri, der=der))] == STEPS


def test_what_a_proof_says_besides_is_not_read() -> None:
    assert len(steps({**GOOD, "about": "what a later registry may tell"})) == len(STEPS)


def test_outputs_that_are_not_locked_to_a_key_are_told_as_unchecked() -> None:
    document = copy.deepcopy(GOOD)
    document["spent"][1]["script"] = "51"
    # The first input's signature is over its own output alone, of those that are spent.
    said = steps(document)[5].said
    assert said.endswith("the signatures of 1 inputs hold; how 1 more unlock what no key locks isn't checked")


CODES = {
    "canonical": "canonical",
    "hash": "hash",
    "signer": "signer",
    "signature": "signature",
    "txid": "txid",
    "vout": "vout",
    "rawTx": "raw_tx",
    "spent": "spent",
    "bump": "bump",
    "blockHeader": "block_header",
    "height": "height",
}


def test_the_table_has_every_member() -> None:
    assert set(CODES) == set(GOOD)


@pytest.mark.parametrize("name", CODES)
def test_a_member_that_is_missing_is_named(name: str) -> None:
    assert code({key: value for key, value in GOOD.items() if key != name}) == f"{CODES[name]}_missing"


@pytest.mark.parametrize("wrong", [None, True, 1.5, "", "0x00", "AB", "zz", [], {}, [1], -1, 2**40, "é"], ids=repr)
@pytest.mark.parametrize("name", CODES)
def test_a_member_of_another_form_is_named(name: str, wrong: Any) -> None:
    found = code({**GOOD, name: wrong})
    if name in {"canonical", "signature"} and isinstance(wrong, str):
        assert found == {"canonical": "record_malformed", "signature": "signature_invalid"}[name]
    elif (name, wrong) in [("spent", []), ("signer", {})]:
        assert found == {"spent": "spent_differs", "signer": "pubkey_missing"}[name]
    else:
        assert found == f"{CODES[name]}_malformed"


def but(name: str, value: Any) -> Document:
    return {**GOOD, name: value}


def record_but(**members: Any) -> Document:
    """Give the proof of another record, which nobody signed or anchored."""
    canonical = canonical_json({**json.loads(GOOD["canonical"]), **members})
    return {**GOOD, "canonical": canonical.decode(), "hash": record_hash(canonical)}


def signed_but(**members: Any) -> Document:
    """Give the proof of another record, which its holder signed and nobody anchored."""
    record = {**json.loads(GOOD["canonical"]), **members}
    sent = intent("wren", record, der=True)
    return {**record_but(**members), "signature": sent["signature"]["sig"]}


def spent_but(at: int, **members: Any) -> Document:
    spent = copy.deepcopy(GOOD["spent"])
    spent[at] |= members
    return but("spent", spent)


def transaction_but(change: Callable[[BitcoinTransaction], BitcoinTransaction]) -> Document:
    transaction = change(read_transaction(bytes.fromhex(GOOD["rawTx"])))
    return {**GOOD, "rawTx": transaction.raw.hex(), "txid": transaction.txid}


def output_but(script: bytes) -> Document:
    def change(transaction: BitcoinTransaction) -> BitcoinTransaction:
        outputs = list(transaction.outputs)
        outputs[VOUT] = Output(0, script)
        return transaction._replace(outputs=outputs)

    return transaction_but(change)


def unlocked_by(script: bytes) -> Document:
    return transaction_but(
        lambda transaction: transaction._replace(
            inputs=[transaction.inputs[0]._replace(script=script), *transaction.inputs[1:]]
        )
    )


def flipped(text: str, at: int) -> str:
    return text[:at] + f"{int(text[at], 16) ^ 1:x}" + text[at + 1 :]


UNLOCKING = read_transaction(bytes.fromhex(GOOD["rawTx"])).inputs[0].script
ROOT = bytes.fromhex(GOOD["blockHeader"])[36:68][::-1].hex()

WRONG: list[tuple[str, str, Document]] = [
    ("a record that is no JSON", "record_malformed", but("canonical", GOOD["canonical"][:-1])),
    ("a record that is a list", "record_malformed", but("canonical", "[]")),
    ("a record with a member twice", "record_malformed", but("canonical", '{"a":1,"a":1}')),
    ("a record with a space", "not_canonical", but("canonical", GOOD["canonical"].replace(":", ": ", 1))),
    ("a record with an escape", "not_canonical", but("canonical", GOOD["canonical"].replace("ä", "\\u00e4"))),
    ("a record whose id is a number", "record_malformed", record_but(recordId=1)),
    ("a record whose uri is nothing", "record_malformed", record_but(uri=None)),
    ("a record whose timestamp is a number", "record_malformed", record_but(timestamp=1)),
    *(
        (
            f"a record without {name}",
            "record_malformed",
            but("canonical", canonical_json({key: value for key, value in RECORD.items() if key != name}).decode()),
        )
        for name in RECORD
    ),
    ("another record", "hash_differs", but("canonical", GOOD["canonical"].replace("asset-1", "asset-2"))),
    ("another hash", "hash_differs", but("hash", flipped(GOOD["hash"], 0))),
    ("another record with its hash", "signature_invalid", record_but(assetId="asset-2")),
    ("a key that is no object of its own", "signer_malformed", but("signer", GOOD["signer"]["pubkey"])),
    ("a key that is a number", "pubkey_malformed", but("signer", {"pubkey": 1})),
    ("a key that is no point", "pubkey_malformed", but("signer", {"pubkey": "02" + "ff" * 32})),
    ("another's key", "signature_invalid", but("signer", intent("lark", RECORD, der=True)["signer"])),
    (
        "another's signature",
        "signature_invalid",
        but("signature", intent("lark", RECORD, der=True)["signature"]["sig"]),
    ),
    ("another id of the transaction", "txid_differs", but("txid", flipped(GOOD["txid"], 5))),
    ("another version of the transaction", "txid_differs", but("rawTx", flipped(GOOD["rawTx"], 1))),
    ("a transaction that is cut off", "raw_tx_malformed", but("rawTx", GOOD["rawTx"][:-2])),
    ("a transaction and a byte", "raw_tx_malformed", but("rawTx", GOOD["rawTx"] + "00")),
    ("an output that isn't there", "vout_beyond", but("vout", 6)),
    ("the change", "not_anchored", but("vout", 5)),
    ("another record's output", "content_differs", but("vout", 1)),
    ("a signed record that isn't anchored", "content_differs", signed_but(assetId="asset-2")),
    ("an output of two pushes", "not_anchored", output_but(anchoring_script(b"{}") + b"\x01a")),
    ("an output that isn't false", "not_anchored", output_but(anchoring_script(b"{}")[1:])),
    ("an output with another content", "content_differs", output_but(anchoring_script(b"{}"))),
    ("what one input spends", "spent_differs", but("spent", GOOD["spent"][:1])),
    ("what three inputs spend", "spent_differs", but("spent", [*GOOD["spent"], GOOD["spent"][0]])),
    ("spent outputs of little", "spent_too_little", spent_but(1, satoshis=0)),
    ("spent outputs of more", "input_signature_invalid", spent_but(1, satoshis=2_001)),
    ("an output that another key spends", "input_signature_invalid", spent_but(0, script=key_of("lark").script.hex())),
    ("a spent output of negative satoshis", "spent_malformed", spent_but(0, satoshis=-1)),
    ("a spent output of all satoshis", "spent_malformed", spent_but(0, satoshis=2**53 - 1)),
    ("a spent output with a text of satoshis", "spent_malformed", spent_but(0, satoshis="1000")),
    ("a spent output whose script is no hex", "spent_malformed", spent_but(0, script="76a9zz")),
    ("a spent output without a script", "spent_malformed", but("spent", [{"satoshis": 1}, {"satoshis": 1}])),
    ("an input that nothing unlocks", "input_signature_invalid", unlocked_by(b"")),
    ("an input with an empty signature", "input_signature_invalid", unlocked_by(b"\0" + UNLOCKING[-34:])),
    ("an input with a push more", "input_signature_invalid", unlocked_by(UNLOCKING + b"\x01a")),
    ("an input without the key", "input_signature_invalid", unlocked_by(UNLOCKING[:-34])),
    (
        "an input whose signature covers no output",
        "input_signature_invalid",
        unlocked_by(UNLOCKING[:-35] + b"\x42" + UNLOCKING[-34:]),
    ),
    (
        "an input whose signature is of the other form",
        "input_signature_invalid",
        unlocked_by(UNLOCKING[:-35] + b"\x01" + UNLOCKING[-34:]),
    ),
    ("a path of another transaction", "bump_invalid", but("bump", bump_of(HEIGHT, ["11" * 32, ROOT], ROOT).hex())),
    ("a path that is cut off", "bump_invalid", but("bump", GOOD["bump"][:-2])),
    ("a path with another hash", "merkle_root_differs", but("bump", flipped(GOOD["bump"], len(GOOD["bump"]) - 1))),
    (
        "a path to another block",
        "merkle_root_differs",
        but("bump", bump_of(HEIGHT, [GOOD["txid"], "11" * 32], GOOD["txid"]).hex()),
    ),
    ("another block", "merkle_root_differs", but("blockHeader", mined("11" * 32).hex())),
    ("another height", "height_differs", but("height", HEIGHT + 1)),
    ("a header that is cut off", "block_header_malformed", but("blockHeader", GOOD["blockHeader"][:-2])),
    ("a header without work", "work_missing", but("blockHeader", mined(ROOT, works=False).hex())),
    (
        "a header that asks for more",
        "work_missing",
        but("blockHeader", mined(ROOT, bits=0x1D00FFFF, works=False).hex()),
    ),
]


@pytest.mark.parametrize(("expected", "document"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG])
def test_what_does_not_hold_has_its_code(expected: str, document: Document) -> None:
    assert code(document) == expected


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(["canonical", "hash", "signature", "txid", "rawTx", "bump"]), st.data())
def test_no_proof_with_another_letter_holds(name: str, data: st.DataObject) -> None:
    text = GOOD[name]
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from('0123456789abcdefABCz +/={}\\"é'))
    changed = text[:at] + letter + text[at + 1 :]
    # A path may call the neighbour a transaction of its own too.
    if letter != text[at] and not (name == "bump" and (text[at], letter) == ("0", "2")):
        assert code(but(name, changed))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"1", b'{"hash":"","hash":""}', b"\xff", b"\xef\xbb\xbf{}"])
def test_what_is_no_object_of_strict_json_is_refused(content: bytes) -> None:
    with pytest.raises(NotProven) as refused:
        read_proof(content)
    assert refused.value.code == "malformed_json"


def test_a_proof_has_a_largest_size() -> None:
    with pytest.raises(NotProven) as refused:
        read_proof(b" " * (MAX_BYTES + 1))
    assert refused.value.code == "too_large"


def test_a_proof_is_checked_without_the_library_that_signed() -> None:
    script = "import sys, muniment.record_proof; print('bsv' in sys.modules, 'coincurve' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.split() == ["False", "True"]


def written(tmp_path: Path, document: Document) -> str:
    path = tmp_path / "proof.json"
    path.write_text(json.dumps(document))
    return str(path)


def test_the_verb_tells_each_step_and_what_is_left_to_trust(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, GOOD)
    assert main(["verify-record", path]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in told[:-1]] == STEPS
    assert told[-1] == f"proven, where the chain that you trust has that block at height {HEIGHT}"
    assert main(["verify-record", path, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["verified"], said["txid"], said["vout"], said["height"]) == (True, GOOD["txid"], VOUT, HEIGHT)
    assert [step["name"] for step in said["steps"]] == STEPS


def test_the_verb_ends_at_the_first_step_that_does_not_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, but("vout", 1))
    assert main(["verify-record", path]) == 1
    told = capsys.readouterr()
    assert [line.partition(":")[0] for line in told.out.splitlines()] == STEPS[:4]
    assert told.err.startswith("muniment: content_differs: ")
    assert main(["verify-record", path, "--json"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    said = json.loads(told.err)
    assert (said["code"], said["verified"]) == ("content_differs", False)
    assert [step["name"] for step in said["steps"]] == STEPS[:4]
    assert main(["verify-record", str(tmp_path / "nowhere")]) == 1
    assert "unreadable_file" in capsys.readouterr().err
