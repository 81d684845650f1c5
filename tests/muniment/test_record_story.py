"""A record's story is told from its intent to its block, and no lie of a registry's passes its checks."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from log.intents import intent_signed_bytes, job_id
from muniment import PublisherKey
from muniment.client.publishing_shapes import Block, Proof, PublishedRecord, TrailStep
from muniment.client.transport import Answer
from muniment.record_story import Evidence, Story, status_of, story
from tests.muniment import telling
from tests.muniment.telling import BLOCK_HASH, JOB_ID, PROOF, PUBKEY, STATUSES

ANSWER = Answer(200, "", None, None, "YXNfb2Y", repeated=False)
Answers = dict[str, Any]


def answers(until: str = "confirmed") -> Answers:
    """Give what a registry answers, to be changed by who lies."""
    found = {"record": telling.record(until), "trail": telling.trail(until), "vouching": telling.vouching()}
    if until == "confirmed":
        found |= {"proof": copy.deepcopy(PROOF), "block": telling.block()}
    return copy.deepcopy(found)


def told(found: Answers, *, chain_asked: bool = True) -> Story:
    proof, block = found.get("proof"), found.get("block")
    return story(
        Evidence(
            PublishedRecord.read(found["record"], ANSWER),
            [TrailStep.read(each, ANSWER) for each in found["trail"]],
            [TrailStep.read(each, ANSWER) for each in found["vouching"]],
            None if proof is None else Proof.read(proof, ANSWER),
            None if block is None else Block.read(block, ANSWER),
            chain_asked,
        )
    )


def failed(found: Story) -> list[str]:
    return [check.said for chapter in found.chapters for check in chapter.checks if check.holds is False]


def test_an_anchored_record_is_told_from_its_key_to_its_block_with_every_check() -> None:
    found = told(answers())
    assert (found.record_id, found.job_id, found.pubkey, found.status) == ("REC_1", JOB_ID, PUBKEY, "confirmed")
    assert found.holds
    assert found.end == "The record is anchored."
    assert [len(chapter.checks) for chapter in found.chapters] == [0, 4, 0, 5, 0, 0, 4]
    assert all(check.holds for chapter in found.chapters for check in chapter.checks)
    said = [chapter.said for chapter in found.chapters]
    assert said[0] == f"did:key:z6Mk registered the key {PUBKEY} as Wren, as an admin."
    assert f"came signed by {PUBKEY}, and was queued as {JOB_ID}." in said[1]
    assert said[2] == f"bat_1 took the job and 4 others, and reserved {telling.OUTPOINT} of the pool to pay."
    assert said[-1] == f"The transaction was found in block {BLOCK_HASH}, at height {PROOF['height']}."
    assert json.loads(json.dumps(found.to_json()))["holds"] is True


@pytest.mark.parametrize("until", STATUSES[:-1])
def test_a_job_on_its_way_is_told_as_far_as_it_is(until: str) -> None:
    found = told(answers(until))
    assert (found.status, found.holds) == (until, True)
    assert found.end.startswith("So far ")
    assert len(found.chapters) == 2 + STATUSES.index(until)


def test_what_came_between_is_told_in_its_order() -> None:
    given = answers()
    confirmed = given["trail"].pop()
    waiting = telling.step("JobsWaiting", 2, "main", "waiting", jobIds=[JOB_ID])
    tried = telling.step("BatchReserved", 2, "bat_0", "reserved", jobIds=[JOB_ID], outpoints=["cd" * 32 + ":1"])
    released = telling.step("BatchReleased", 2, "bat_0", "released", reason="nobody signed it")
    given["trail"][1:1] = [waiting, tried, released]
    given["trail"] += [
        {**confirmed, "details": {"height": 9, "blockHash": "ef" * 32}},
        telling.step("BatchReorged", 8, action="reorged", blockHash="ef" * 32),
        telling.step("BatchSent", 9, action="sent"),
        {**confirmed, "created_at": "2026-01-02T03:05:00.000Z"},
    ]
    found = told(given)
    assert found.holds
    said = [chapter.said for chapter in found.chapters]
    assert said[2:5] == [
        "The pool had no output to pay with, so the job waited.",
        f"bat_0 took the job, and reserved {'cd' * 32}:1 of the pool to pay.",
        "The batch was given up before it was signed: nobody signed it.",
    ]
    assert said[-3] == f"Block {'ef' * 32}, which had it, was no block of the chain any more."
    assert found.chapters[-1].checks
    for last, status in (("JobsWaiting", "waiting_for_utxo"), ("BatchReleased", "queued"), ("BatchReorged", "reorged")):
        steps = [TrailStep.read(each, ANSWER) for each in given["trail"]]
        until = max(at for at, each in enumerate(steps) if each.event_type == last)
        assert status_of(steps[: until + 1]) == status


def test_a_failed_job_and_a_removed_key_are_told() -> None:
    given = answers("signed")
    given["trail"].append(telling.step("BatchFailed", 5, action="failed", reason="the chain refuses it", lost=[]))
    by = {"registeredBy": "did:key:z6Mk", "label": "Wren"}
    given["vouching"] = [telling.step("PublisherRegistered", 1, PUBKEY, "registered", **by)]
    given["vouching"].append(telling.step("PublisherRemoved", 9, PUBKEY, "removed", removedBy="did:key:z6Mk"))
    given["vouching"].append(telling.step("PublisherPainted", 9, PUBKEY, "painted"))
    found = told(given)
    assert found.chapters[0].said.endswith("as Wren, with a signature by it.")
    assert [chapter.said for chapter in found.chapters[-3:]] == [
        "The batch failed: the chain refuses it.",
        f"did:key:z6Mk removed the key {PUBKEY}.",
        f"{PUBKEY}: painted.",
    ]
    assert found.end == "The record is not anchored, and may be published again."


def test_a_chain_that_cannot_be_asked_leaves_one_check_open() -> None:
    given = answers()
    del given["block"]
    found = told(given, chain_asked=False)
    assert found.holds
    assert [check.holds for check in found.chapters[-1].checks] == [True, True, True, None]


def owner_changed(found: Answers) -> None:
    found["record"]["record"]["owners"][0]["name"] = "Mallory"


def other_signature(found: Answers) -> None:
    found["record"]["signature"] = PublisherKey.generate().sign(PROOF["canonical"].encode())


def other_key(found: Answers) -> None:
    found["record"]["signer"] = {"pubkey": PublisherKey.generate().pubkey}


def not_a_key(found: Answers) -> None:
    found["record"]["signer"] = {"pubkey": "02"}


def a_number_that_json_cannot_say(found: Answers) -> None:
    found["record"]["record"]["terms"] = {"price": float("inf")}


def other_job(found: Answers) -> None:
    found["record"]["job"]["jobId"] = job_id(PUBKEY, intent_signed_bytes({"other": "record"}))


def hash_on_the_log(found: Answers) -> None:
    found["trail"][0]["details"]["hash"] = "00" * 32


def nonce_on_the_log(found: Answers) -> None:
    found["trail"][0]["details"]["nonce"] = "AAAA"


def never_queued(found: Answers) -> None:
    del found["trail"][0]


def never_signed(found: Answers) -> None:
    del found["trail"][2]


def other_transaction(found: Answers) -> None:
    found["trail"][2]["details"]["txid"] = "00" * 32


def other_place(found: Answers) -> None:
    found["trail"][1]["details"]["jobIds"].reverse()


def no_list_of_jobs(found: Answers) -> None:
    found["trail"][1]["details"]["jobIds"] = 5


def other_block(found: Answers) -> None:
    found["trail"][-1]["details"]["blockHash"] = "00" * 32


def other_height(found: Answers) -> None:
    found["trail"][-1]["details"]["height"] = 1


def another_block_on_the_chain(found: Answers) -> None:
    found["block"]["header"] = "00" * 80


def no_such_block_on_the_chain(found: Answers) -> None:
    del found["block"]


def broken_proof(found: Answers) -> None:
    found["proof"]["rawTx"] = "zz"


def other_vout(found: Answers) -> None:
    found["proof"]["vout"] = 0


def no_work(found: Answers) -> None:
    found["proof"]["blockHeader"] = "00" * 80


def proof_of_other_signature(found: Answers) -> None:
    found["proof"]["signature"] = PublisherKey(telling.SECRET).sign(b"something else")


@pytest.mark.parametrize(
    "lie",
    [
        owner_changed, other_signature, other_key, not_a_key, a_number_that_json_cannot_say, other_job,
        hash_on_the_log, nonce_on_the_log, never_queued, never_signed, other_transaction, other_place,
        no_list_of_jobs, other_block, other_height, another_block_on_the_chain, no_such_block_on_the_chain,
        broken_proof, other_vout, no_work, proof_of_other_signature,
    ],
    ids=lambda lie: lie.__name__,
)  # fmt: skip
def test_no_lie_passes(lie: Callable[[Answers], None]) -> None:
    given = answers()
    lie(given)
    found = told(given)
    assert not found.holds
    assert failed(found)
    assert found.to_json()["holds"] is False
