"""The verbs of publishing, against a registry of canned answers."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from log.intents import intent_signed_bytes, publisher, verify_intent
from log.statements import publisher_signed_bytes
from muniment import PublisherKey
from muniment.cli import main
from processors.pool_key import written_wif
from tests.cli.canned import KEY, Registry, registry
from tests.muniment import telling
from tests.muniment.proving import HEIGHT, proof

SECRET = bytes(range(1, 33))
WREN = PublisherKey(SECRET)
RECORD = {
    "type": "music", "assetId": "asset-1", "recordId": "REC_1", "owners": [{"name": "Wren"}], "distribution": {},
    "terms": {},
}  # fmt: skip
JOB = {"jobId": "job_1", "recordId": "REC_1", "status": "confirmed", "txid": "ab" * 32, "vout": 3}
OUTPOINT = "cd" * 32 + ":1"
BLOCK = {"height": 3, "hash": "ee", "previous": "dd", "merkleRoot": "cc", "time": "then", "header": "aa"}
TAKEN = (202, {"jobId": "job_1", "status": "queued"})


@pytest.fixture
def record(tmp_path: Path) -> str:
    path = tmp_path / "record.json"
    path.write_text(json.dumps(RECORD))
    return str(path)


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    WREN.save(tmp_path / "label.json")
    return str(tmp_path / "label.json")


async def test_a_record_is_signed_here_and_its_job_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], record: str, key_file: str
) -> None:
    found = Registry(tmp_path, **{"v1/publish": TAKEN})
    assert await found.verb("publish", record, "--key", key_file) == 0
    assert capsys.readouterr().out == "queued job_1\n"
    sent = found.sent["/v1/publish"]
    assert {name: sent["record"][name] for name in RECORD} == RECORD
    verify_intent(publisher(WREN.pubkey), intent_signed_bytes(sent["record"]), sent["signature"]["sig"])
    assert await found.verb("publish", record, "--key", key_file, "--json") == 0
    assert json.loads(capsys.readouterr().out) == TAKEN[1]


async def test_a_wif_signs_too_and_a_key_that_others_can_read_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], record: str
) -> None:
    wif = tmp_path / "label.wif"
    wif.write_text(written_wif(SECRET))
    wif.chmod(0o644)
    found = Registry(tmp_path, **{"v1/publish": TAKEN})
    assert await found.verb("publish", record, "--key", str(wif)) == 1
    said = capsys.readouterr().err
    assert said.startswith("muniment: key_file_exposed: ")
    assert written_wif(SECRET) not in said
    assert found.sent == {}
    wif.chmod(0o600)
    assert await found.verb("publish", record, "--key", str(wif)) == 0
    assert found.sent["/v1/publish"]["signer"] == {"pubkey": WREN.pubkey}


async def test_a_record_is_waited_for_until_a_block_has_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], record: str, key_file: str
) -> None:
    found = Registry(
        tmp_path,
        **{"v1/publish": TAKEN, "v1/job/job_1": (200, JOB), "v1/record/REC_1/proof": (200, proof())},
    )
    assert await found.verb("publish", record, "--key", key_file, "--wait") == 0
    queued, confirmed = capsys.readouterr().out.splitlines()
    assert queued == "queued job_1"
    assert confirmed == f"confirmed job_1: output 3 of {proof()['txid']}, at height {HEIGHT}"
    assert await found.verb("publish", record, "--key", key_file, "--wait", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {**JOB, "height": HEIGHT}


async def test_a_record_that_fails_or_is_refused_ends_with_status_1_and_names_the_job(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], record: str, key_file: str
) -> None:
    failed = {**JOB, "status": "failed", "error": "the chain refuses it"}
    found = Registry(tmp_path, **{"v1/publish": TAKEN, "v1/job/job_1": (200, failed)})
    assert await found.verb("publish", record, "--key", key_file, "--wait") == 1
    expected = "muniment: publishing_failed: job_1 failed: the chain refuses it (jobId job_1)\n"
    assert capsys.readouterr().err == expected
    found._found["/v1/job/job_1"] = (200, {**JOB, "status": "sent"})
    assert await found.verb("publish", record, "--key", key_file, "--wait", "--timeout", "1", "--json") == 1
    said = json.loads(capsys.readouterr().err)
    assert (said["code"], said["jobId"], said["job_status"]) == ("still_publishing", "job_1", "sent")
    found._found["/v1/publish"] = (409, {"code": "record_exists", "detail": "no", "jobId": "job_0"})
    assert await found.verb("publish", record, "--key", key_file) == 1
    assert capsys.readouterr().err == "muniment: record_exists: no (jobId job_0)\n"


async def test_a_job_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await registry(tmp_path, "v1/job/job_1", JOB).verb("job", "job_1") == 0
    assert "status    confirmed" in capsys.readouterr().out


async def test_a_proof_is_written_as_verify_record_reads_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = registry(tmp_path, "v1/record/REC_1/proof", proof())
    path = tmp_path / "proof.json"
    assert await found.verb("proof", "REC_1", "--pubkey", WREN.pubkey, "--out", str(path)) == 0
    assert capsys.readouterr().out == f"wrote {path}: output 3 of {proof()['txid']}, at height {HEIGHT}\n"
    assert found.sent["/v1/record/REC_1/proof"] == {"pubkey": WREN.pubkey}
    assert main(["verify-record", str(path)]) == 0
    capsys.readouterr()
    assert await found.verb("proof", "REC_1") == 0
    assert json.loads(capsys.readouterr().out) == proof()
    assert await found.verb("proof", "REC_1", "--out", str(tmp_path / "none" / "p")) == 1
    assert capsys.readouterr().err.startswith("muniment: unwritable_file: ")
    early = {"code": "not_confirmed", "detail": "no", "jobId": "job_1", "job_status": "sent"}
    found._found["/v1/record/REC_1/proof"] = (409, early)
    assert await found.verb("proof", "REC_1") == 1
    assert capsys.readouterr().err == "muniment: not_confirmed: no (jobId job_1, job_status sent)\n"


def test_a_publishers_key_is_made_for_its_owner_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "label.json"
    assert main(["publishers", "keygen", str(path)]) == 0
    assert capsys.readouterr().out == f"{PublisherKey.load(path).pubkey}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert main(["publishers", "keygen", str(path)]) == 1
    assert "key_file_exists" in capsys.readouterr().err


async def test_a_key_is_registered_listed_and_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key_file: str
) -> None:
    known = {"pubkey": WREN.pubkey, "label": "Wren\x1b[2J", "registered_by": KEY.did, "registered_at": "then"}
    gone = {"pubkey": WREN.pubkey, "removed_by": KEY.did, "removed_at": "then"}
    found = Registry(tmp_path, **{"v1/keys": (201, known), f"v1/keys/{WREN.pubkey}": (200, gone)})
    for given in (key_file, WREN.pubkey):
        assert await found.verb("publishers", "register", given, "--label", "Wren") == 0
        assert capsys.readouterr().out == f"{WREN.pubkey} may publish as Wren\ufffd[2J\n"
        sent = found.sent["/v1/keys"]
        assert (sent["pubkey"], sent["label"]) == (WREN.pubkey, "Wren")
        signature: Any = sent.get("signature")
        assert (signature is None) == (given == WREN.pubkey)
        if signature is not None:
            signed = publisher_signed_bytes(pubkey=WREN.pubkey, label="Wren", registered_by=KEY.did)
            verify_intent(publisher(WREN.pubkey), signed, signature)
    assert await found.verb("publishers", "remove", WREN.pubkey) == 0
    assert capsys.readouterr().out == f"{WREN.pubkey} may publish no more\n"
    found._found["/v1/keys"] = (200, {"items": [known], "next_cursor": None})
    assert await found.verb("publishers", "list") == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[0] == WREN.pubkey


async def test_the_pool_is_shown_funded_and_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = {"outpoint": OUTPOINT, "satoshis": 5, "status": "available"}
    counted = dict.fromkeys(("funded", "held", "fees", "available", "reserved", "pending", "queued"), 1)
    pool = {**counted, "holds": True, "waiting_for_utxo": 0, "largest": [output]}
    split = {"batchId": "bat_1", "status": "reserved", "outpoints": [OUTPOINT], "count": 2, "satoshis": 2}
    found = Registry(
        tmp_path,
        **{"v1/pool": (200, pool), "v1/pool/fund": (201, output), "v1/pool/split": (202, split)},
    )
    assert await found.verb("pool", "show") == 0
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["holds", "yes"] in shown
    assert shown[-1] == [OUTPOINT, "5"]
    raw = tmp_path / "raw.hex"
    raw.write_text("00FF\n")
    for given, sent in (
        ((OUTPOINT,), {"outpoint": OUTPOINT}),
        (("--raw", str(raw)), {"rawTx": "00ff"}),
        (("--raw", str(raw), "--vout", "0"), {"rawTx": "00ff", "vout": 0}),
    ):
        assert await found.verb("pool", "fund", *given) == 0
        assert capsys.readouterr().out == f"the pool has {OUTPOINT}: 5 satoshis\n"
        assert found.sent["/v1/pool/fund"] == sent
    assert await found.verb("pool", "split", "2", "2") == 0
    assert capsys.readouterr().out == f"bat_1 makes 2 outputs of 2 satoshis of {OUTPOINT}\n"
    assert found.sent["/v1/pool/split"] == {"count": 2, "satoshis": 2}


async def test_the_devnet_mines_and_reorganises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = Registry(tmp_path, **{"v1/devnet/mine": (200, BLOCK), "v1/devnet/reorg": (200, BLOCK)})
    assert await found.verb("devnet", "mine") == 0
    assert await found.verb("devnet", "reorg", "2") == 0
    assert capsys.readouterr().out == "block 3 is ee\n" * 2
    assert found.sent["/v1/devnet/reorg"] == {"depth": 2}


@pytest.mark.parametrize(
    "arguments",
    [
        ("publish", "FILE"),
        ("publish", "/does/not/exist", "--key", "KEY"),
        ("publish", "FILE", "--key", "KEY", "--timeout", "3"),
        ("publish", "KEY", "--key", "KEY"),
        ("publish", "FILE", "--key", "KEY", "--wait", "--timeout", "0"),
        ("story", "REC_1", "--pubkey", "02AB"),
        ("publishers", "remove", "label.json"),
        ("publishers", "register", "label.json"),
        ("pool", "fund"),
        ("pool", "fund", "abc:0"),
        ("pool", "fund", OUTPOINT, "--raw", "FILE"),
        ("pool", "fund", "--raw", "FILE"),
        ("pool", "fund", OUTPOINT, "--vout", "1"),
        ("pool", "split", "0", "5"),
        ("devnet", "reorg", "-1"),
    ],
)
def test_wrong_usage_ends_with_status_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], record: str, key_file: str
) -> None:
    real = [{"FILE": record, "KEY": key_file}.get(each, each) for each in arguments]
    try:
        status = main(real)
    except SystemExit as ended:
        status = ended.code  # type: ignore[assignment]  # argparse ends with a number
    assert status == 2
    assert capsys.readouterr().out == ""


def told(tmp_path: Path, until: str) -> Registry:
    """Give a registry that tells of a record, as far as it is."""
    steps = {telling.JOB_ID: telling.trail(until), telling.PUBKEY: telling.vouching()}
    found = Registry(
        tmp_path,
        **{
            "v1/record/REC_1": (200, telling.record(until)),
            "v1/record/REC_1/proof": (200, telling.PROOF),
            f"v1/chain/blocks/{HEIGHT}": (200, telling.block()),
        },
    )
    answer = found._answer

    async def answered(request: web.Request) -> web.Response:
        if request.path == "/v1/audit":
            return web.json_response({"items": steps[request.query["resource"]], "next_cursor": None})
        return await answer(request)

    found._answer = answered  # type: ignore[method-assign]  # its trail is by what is asked for
    return found


async def test_a_records_story_is_told_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(tmp_path, "confirmed")
    assert await found.verb("story", "REC_1") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("2026-01-02T03:04:01.000Z  did:key:z6Mk registered the key ")
    assert lines[2] == f"{' ' * 26}checked: the record's SHA-256 is {telling.PROOF['hash']}, as the log has it"
    assert lines[-2:] == ["The record is anchored.", "All that could be checked holds."]
    assert await found.verb("story", "REC_1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["jobId"] == telling.JOB_ID
    assert found.sent["/v1/record/REC_1/proof"]["pubkey"] == telling.PUBKEY
    found._found[f"/v1/chain/blocks/{HEIGHT}"] = (404, {"code": "not_found", "detail": "no"})
    assert await found.verb("story", "REC_1") == 1
    *_, check, _end, verdict = capsys.readouterr().out.splitlines()
    assert check.strip() == f"FAILED: the chain, as the registry sees it, has this block at height {HEIGHT}"
    assert verdict == "What is marked FAILED does not hold."


async def test_a_story_goes_as_far_as_the_job_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(tmp_path, "signed")
    assert await found.verb("story", "REC_1") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-2:] == ["So far its transaction is signed, and not sent.", "All that could be checked holds."]
    assert "/v1/record/REC_1/proof" not in found.sent


async def test_a_story_whose_block_was_given_up_just_now_is_told_without_a_proof(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(tmp_path, "confirmed")
    found._found["/v1/record/REC_1/proof"] = (409, {"code": "not_confirmed", "detail": "no"})
    assert await found.verb("story", "REC_1") == 0
    assert "Merkle" not in capsys.readouterr().out


async def test_a_record_of_several_keys_has_no_story_until_one_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    several = {"code": "ambiguous_record", "detail": "no", "pubkeys": ["02aa", "03bb"]}
    assert await registry(tmp_path, "v1/record/REC_1", several, 409).verb("story", "REC_1") == 1
    assert capsys.readouterr().err == "muniment: ambiguous_record: no (pubkeys 02aa, 03bb)\n"
