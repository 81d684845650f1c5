"""A job from queued to confirmed and back as everybody reads it, its record, and the proof that it is anchored."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from domain.publishing.anchoring import FailBatch, NoteReorged
from domain.publishing.batch import BatchReserved, BatchSigned
from domain.publishing.job import HoldJobs
from domain.publishing.output import POOL_ID
from log.bitcoin import anchored, read_transaction
from log.canonical import canonical_json
from log.intents import record_hash
from log.token import token_at
from muniment.record_proof import proven, read_proof
from tests.api.serving import Answer
from tests.api_publishing.publishing_house import CONTEXT, PARTITION, PublishingHouse, pubkey, signed

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.stack]


async def record_of(house: PublishingHouse, record_id: str, path: str = "", **query: str) -> Answer:
    """Read a record, or something of it."""
    return await house.read(f"/v1/record/{quote(record_id, safe='')}{path}", **query)


async def funded(house: PublishingHouse, *names: str) -> None:
    """Let keys publish, and the pool pay for it."""
    await house.register(*names)
    await house.fund(10_000_000)


def batch_of(house: PublishingHouse, queued: Answer) -> str:
    """Give the newest batch of a job."""
    found = [each.batch_id for each in house.happened(BatchReserved) if queued.json["jobId"] in each.job_ids]
    return str(found[-1])


async def test_a_job_says_what_became_of_it_at_each_step(house: PublishingHouse) -> None:
    await house.register("steps")
    record = house.record()
    queued = await house.publish(signed("steps", record), "?priority=now")
    name = queued.json["jobId"]
    job = await house.job(queued)
    created = job["timestamps"].pop("createdAt")
    assert created.endswith("Z")
    assert job == {"jobId": name, "recordId": record["recordId"], "status": "queued", "timestamps": {}}
    await house.decide(HoldJobs(POOL_ID, (name,)))
    assert (await house.job(queued))["status"] == "waiting_for_utxo"
    await house.fund(10_000_000)
    await house.let("batcher")
    reserved = await house.job(queued)
    assert (reserved["status"], reserved["timestamps"]) == ("reserved", {"createdAt": created})
    assert not {"txid", "confirmations", "error"} & {*reserved}
    await house.let("batcher")
    (made,) = [each for each in house.happened(BatchSigned) if each.batch_id == batch_of(house, queued)]
    written = await house.job(queued)
    assert (written["status"], written["txid"], written["vout"]) == ("signed", made.txid, 0)
    assert "confirmations" not in written
    await house.let("broadcaster")
    sent = await house.job(queued)
    assert (sent["status"], sent["confirmations"]) == ("sent", 0)
    assert {*sent["timestamps"]} == {"createdAt", "sentAt"}
    await house.let("observer")
    seen = await house.job(queued)
    assert (seen["status"], seen["confirmations"], seen["timestamps"]) == ("seen", 0, sent["timestamps"])
    assert (await record_of(house, record["recordId"], "/proof")).code == "not_confirmed"
    await house.devnet.mine()
    await house.let("observer")
    confirmed = await house.job(queued)
    assert (confirmed["status"], confirmed["confirmations"]) == ("confirmed", 1)
    assert {*confirmed["timestamps"]} == {"createdAt", "sentAt", "confirmedAt"}
    assert (confirmed["txid"], confirmed["vout"]) == (made.txid, 0)


async def test_confirmations_are_told_up_to_six(house: PublishingHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    await funded(house, "counted")
    monkeypatch.setattr("api.anchorage.TIP_KNOWN_S", 0.0)
    queued = await house.queue("counted")
    await house.anchor()
    told = []
    for _ in range(8):
        told.append((await house.job(queued))["confirmations"])
        await house.devnet.mine()
    assert told == [1, 2, 3, 4, 5, 6, 6, 6]
    house.chain.away = 1
    assert (await house.job(queued))["confirmations"] == 1  # no more is known while the chain can't be asked
    house.registry.api.anchorage, here = None, house.registry.api.anchorage
    assert (await house.job(queued))["confirmations"] == 1
    house.registry.api.anchorage = here


async def test_a_failed_job_says_why_and_its_record_may_be_published_anew(house: PublishingHouse) -> None:
    await funded(house, "failed")
    record = house.record()
    queued = await house.publish(signed("failed", record))
    await house.let("batcher", "batcher")
    await house.decide(FailBatch(POOL_ID, batch_of(house, queued), "the chain says no", ()))
    job = await house.job(queued)
    assert (job["status"], job["error"]) == ("failed", "the chain says no")
    assert "confirmations" not in job
    proof = await record_of(house, record["recordId"], "/proof")
    assert (proof.status, proof.code, proof.json["job_status"]) == (409, "not_confirmed", "failed")
    assert proof.json["jobId"] == queued.json["jobId"]
    anew = await house.queue("failed", recordId=record["recordId"])
    shown = await record_of(house, record["recordId"])
    assert (shown.json["job"]["jobId"], shown.json["job"]["status"]) == (anew.json["jobId"], "queued")
    await house.anchor()
    assert (await house.job(anew))["status"] == "confirmed"
    assert (await house.job(queued))["status"] == "failed"


async def check(house: PublishingHouse, record: dict[str, Any], answer: Answer) -> str:
    """Check a proof as anybody would, and give the block that it is in."""
    assert answer.status == 200, answer.text
    proof = read_proof(answer.text.encode())
    assert [step.name for step in proven(proof)][:3] == ["record", "hash", "signature"]
    assert json.loads(proof.canonical) == record
    shown = await house.read(f"/v1/chain/blocks/{proof.height}", min_position=None)
    assert shown.json["header"] == answer.json["blockHeader"]
    assert shown.json["hash"] == proof.header.hash
    return str(proof.header.hash)


async def test_a_proof_holds_offline_and_another_after_a_reorganisation(house: PublishingHouse) -> None:
    await funded(house, "proven")
    record = house.record(uri="https://example.test/\u00fc", recordId="REC/100%/\u00fc\U0001f426")
    intent = signed("proven", record, der=False)
    queued = await house.publish(intent)
    others = [await house.queue("proven") for _ in range(3)]
    early = await record_of(house, record["recordId"], "/proof")
    assert (early.status, early.code) == (409, "not_confirmed")
    assert (early.json["jobId"], early.json["job_status"]) == (queued.json["jobId"], "queued")
    await house.anchor()
    first = await record_of(house, record["recordId"], "/proof")
    block = await check(house, record, first)
    assert first.json["signature"] == intent["signature"]["sig"]
    assert len({(await house.job(each))["txid"] for each in (queued, *others)}) == 1
    content = anchored(read_transaction(bytes.fromhex(first.json["rawTx"])).outputs[first.json["vout"]].script)
    said = {"p": "sl-drm", "v": 1, "rid": record["recordId"], "hash": record_hash(canonical_json(record))}
    assert json.loads(content or b"") == {**said, "uri": record["uri"], "ts": record["timestamp"]}
    await house.devnet.reorganise(1)
    await house.let("observer")
    job = await house.job(queued)
    assert (job["status"], job["confirmations"]) == ("reorged", 0)
    assert {*job["timestamps"]} == {"createdAt", "sentAt"}
    gone = await record_of(house, record["recordId"], "/proof")
    assert (gone.status, gone.code, gone.json["job_status"]) == (409, "not_confirmed", "reorged")
    await house.let("broadcaster")
    await house.devnet.mine()
    await house.let("observer")
    assert await check(house, record, await record_of(house, record["recordId"], "/proof")) != block
    assert (await house.job(queued))["txid"] == job["txid"]


async def test_a_reorganisation_that_was_only_told_of_is_undone_by_what_the_chain_says(house: PublishingHouse) -> None:
    await funded(house, "told")
    record = house.record()
    queued = await house.publish(signed("told", record))
    await house.anchor()
    height = (await record_of(house, record["recordId"], "/proof")).json["height"]
    block = await house.devnet.block(height)
    assert block is not None
    await house.decide(NoteReorged(POOL_ID, batch_of(house, queued), block.hash))
    assert (await house.job(queued))["status"] == "reorged"
    await house.let("observer")
    assert (await house.job(queued))["status"] == "confirmed"
    await check(house, record, await record_of(house, record["recordId"], "/proof"))


async def test_a_record_is_shown_as_it_was_signed(house: PublishingHouse) -> None:
    await house.register("shown")
    record = house.record(terms={"text": "\u0000\u2028", "numbers": [1.5, -0.0, 1e-7], "\ufb33": None})
    intent = signed("shown", record)
    queued = await house.publish(intent)
    answer = await record_of(house, record["recordId"])
    job = await house.job(queued)
    expected = {"record": record, "hash": record_hash(canonical_json(record)), "signer": intent["signer"], "job": job}
    assert answer.json == {**expected, "signature": intent["signature"]["sig"]}
    assert "Muniment-As-Of" in answer.headers


NAMES = [
    *(
        "a/b",
        "a/b/proof",
        "/",
        "//",
        "a%2Fb",
        "a%2fb",
        "%",
        "%25",
        "%zz",
        "a b",
        "a+b",
        "a?b=c&d#e",
        "{a}",
        "}{",
        "a\\b",
    ),
    *("ü", "u\u0308", "\U0001f426", "אב", "a;b=c", "a,b", "a:b@c", "'\"", "...", "a.", "~", "$&'()*", "\u200b", "İ"),
]


async def test_a_record_s_id_may_be_any_text(house: PublishingHouse) -> None:
    await house.register("names")
    for name in NAMES:
        await house.queue("names", recordId=name)
    for name in NAMES:
        for path, status, code in (("", 200, None), ("/proof", 409, "not_confirmed")):
            answer = await record_of(house, name, path)
            assert (answer.status, answer.code) == (status, code), (name, path, answer.text)
        shown = await record_of(house, name)
        assert shown.json["record"]["recordId"] == name


async def test_of_a_record_s_id_that_several_keys_published_one_says_whose(house: PublishingHouse) -> None:
    await house.register("whose a", "whose b")
    for name in ("whose a", "whose b"):
        await house.queue(name, recordId="shared/id")
    for path in ("", "/proof"):
        answer = await record_of(house, "shared/id", path)
        assert (answer.status, answer.code) == (409, "ambiguous_record")
        assert {*answer.json["pubkeys"]} == {pubkey("whose a"), pubkey("whose b")}
        nobody = await record_of(house, "shared/id", path, pubkey=pubkey("nobody"))
        assert (nobody.status, nobody.code) == (404, "not_found")
        wrong = await record_of(house, "shared/id", path, pubkey="02")
        assert (wrong.status, wrong.code) == (400, "invalid_request")
    for name in ("whose a", "whose b"):
        shown = await record_of(house, "shared/id", pubkey=pubkey(name))
        assert shown.json["signer"] == {"pubkey": pubkey(name)}
        proof = await record_of(house, "shared/id", "/proof", pubkey=pubkey(name))
        assert (proof.code, proof.json["jobId"]) == ("not_confirmed", shown.json["job"]["jobId"])


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/job/x", "/v1/job/job_" + "a" * 52, "/v1/job/%00", "/v1/job/%F0%9F%90%A6", "/v1/job/" + "x" * 5_000),
        *("/v1/record/x", "/v1/record/%00", "/v1/record/a%00b", "/v1/record/" + "x" * 257, "/v1/record/x/proof"),
        *("/v1/record/%FF", "/v1/record/%ED%A0%80", "/v1/record/a/b", "/v1/record/", "/v1/record/%F0%9F%90%A5/proof"),
    ],
)
async def test_what_is_not_there_is_not_found(house: PublishingHouse, path: str) -> None:
    answer = await house.registry.ask("GET", path)
    assert (answer.status, answer.code) == (404, "not_found")


async def test_a_read_waits_for_the_position_that_it_is_given(house: PublishingHouse) -> None:
    await house.register("fresh")
    queued = await house.queue("fresh")
    path = f"/v1/job/{queued.json['jobId']}"
    fresh = await house.read(path, min_position=queued.headers["Muniment-Position"])
    assert fresh.json["status"] == "queued"
    far = token_at(CONTEXT, PARTITION, 10**6)
    late = await house.read(path, min_position=far, wait_ms=0)
    assert (late.status, late.code, late.headers["Retry-After"]) == (503, "not_caught_up", "1")
    assert (await house.read(path, min_position="nonsense")).code == "invalid_request"
