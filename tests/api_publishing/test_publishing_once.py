"""An intent is taken once, however often and however spelled it comes; what is signed otherwise is no intent of it."""

import asyncio
import base64
import copy
from typing import Any

import pytest

from domain.publishing.job import JobQueued
from log.intents import intent_signed_bytes, job_id
from tests.api_publishing.publishing_house import PublishingHouse, pubkey, respelled, signed
from tests.vectors import intents

pytestmark = pytest.mark.asyncio(loop_scope="module")

CROWD = 1_000


def queued(desk: PublishingHouse, *names: str) -> int:
    """Count the jobs of publishers."""
    keys = {pubkey(name) for name in names}
    return sum(each.pubkey in keys for each in desk.happened(JobQueued))


async def test_the_very_same_intent_again_is_its_first_outcome(desk: PublishingHouse) -> None:
    await desk.register("again")
    record = desk.record()
    intent = signed("again", record)
    first = await desk.publish(intent)
    assert first.json["jobId"] == job_id(pubkey("again"), intent_signed_bytes(record))
    as_they_come: list[Any] = [intent, signed("again", record, der=False)]
    answers = [await desk.publish(each) for each in as_they_come]
    answers.append(await desk.registry.ask("POST", "/v1/publish", raw=respelled(intent)))
    for answer in answers:
        assert (answer.status, answer.json) == (202, first.json)
        assert answer.headers["Idempotency-Hit"] == "true"
        assert answer.headers["Location"] == first.headers["Location"]
        assert answer.headers["Muniment-Position"] == first.headers["Muniment-Position"]
    assert queued(desk, "again") == 1


async def test_a_refusal_is_the_first_outcome_too_and_another_key_asks_anew(desk: PublishingHouse) -> None:
    intent = signed("later", desk.record())
    first = await desk.publish(intent)
    assert (first.status, first.code) == (403, "key_not_registered")
    await desk.register("later")
    again = await desk.publish(intent)
    assert (again.code, again.headers["Idempotency-Hit"]) == ("key_not_registered", "true")
    anew = await desk.publish(intent, Idempotency_Key="anew")
    assert anew.status == 202, anew.text


async def test_under_another_idempotency_key_the_nonce_is_used(desk: PublishingHouse) -> None:
    await desk.register("keyed")
    intent = signed("keyed", desk.record())
    first = await desk.publish(intent, Idempotency_Key="one")
    assert first.status == 202
    for headers in ({"Idempotency_Key": "two"}, {}):
        other = await desk.publish(intent, **headers)
        assert (other.status, other.code, other.json["jobId"]) == (409, "nonce_used", first.json["jobId"])
    same = await desk.publish(intent, Idempotency_Key="one")
    assert (same.status, same.json, same.headers["Idempotency-Hit"]) == (202, first.json, "true")


async def test_an_idempotency_key_is_for_one_intent_of_one_public_key(desk: PublishingHouse) -> None:
    await desk.register("mine", "yours")
    assert (await desk.publish(signed("mine", desk.record()), Idempotency_Key="k")).status == 202
    other = await desk.publish(signed("mine", desk.record()), Idempotency_Key="k")
    assert (other.status, other.code) == (409, "idempotency_conflict")
    assert (await desk.publish(signed("yours", desk.record()), Idempotency_Key="k")).status == 202
    assert queued(desk, "mine", "yours") == 2


async def test_a_crowd_that_sends_one_intent_at_once_gets_one_job(desk: PublishingHouse) -> None:
    await desk.register("crowd")
    intent = signed("crowd", desk.record())
    answers = await asyncio.gather(*(desk.publish(intent) for _ in range(CROWD)))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["jobId"] for answer in answers}) == 1
    assert sum("Idempotency-Hit" in answer.headers for answer in answers) == CROWD - 1
    assert queued(desk, "crowd") == 1


async def test_a_dry_run_says_what_would_be_and_appends_nothing(desk: PublishingHouse) -> None:
    await desk.register("dry")
    intent, before = signed("dry", desk.record()), desk.registry.appended()
    imagined = await desk.publish(intent, "?dry_run=true")
    assert imagined.status == 200
    result = {"jobId": job_id(pubkey("dry"), intent_signed_bytes(intent["record"])), "status": "queued"}
    assert imagined.json == {"dry_run": True, "type": "QueueJob", "status": "accepted", "result": result}
    assert "Location" not in imagined.headers
    refused = await desk.publish(signed("nobody", desk.record()), "?dry_run=true")
    assert (refused.status, refused.code) == (403, "key_not_registered")
    assert desk.registry.appended() == before
    assert (await desk.publish(intent)).status == 202
    known = await desk.publish(intent, "?dry_run=true")
    assert (known.json["result"], known.headers["Idempotency-Hit"]) == (result, "true")
    used = await desk.publish(signed("dry", desk.record(nonce=intent["record"]["nonce"])), "?dry_run=true")
    assert used.code == "nonce_used"


async def test_who_does_not_wait_is_told_where_the_command_is(desk: PublishingHouse) -> None:
    await desk.register("async")
    intent = signed("async", desk.record())
    sent = await desk.publish(intent, Prefer="respond-async")
    assert (sent.status, sent.json["status"], sent.json["type"]) == (202, "pending", "QueueJob")
    assert sent.headers["Preference-Applied"] == "respond-async"
    ruled = await desk.registry.ruled(sent.headers["Location"])
    assert (ruled.json["status"], ruled.json["result"]["status"]) == ("accepted", "queued")
    again = await desk.publish(intent, Prefer="respond-async")
    assert (again.status, again.json, again.headers["Idempotency-Hit"]) == (202, ruled.json["result"], "true")
    assert again.headers["Location"] == f"/v1/job/{again.json['jobId']}"


def forged(desk: PublishingHouse) -> dict[str, Any]:
    """Make intents whose signature doesn't hold."""
    good = signed("forged", desk.record(), der=False)
    compact = base64.b64decode(good["signature"]["sig"])
    high = compact[:32] + (intents.ORDER - int.from_bytes(compact[32:], "big")).to_bytes(32, "big")
    found: dict[str, Any] = {}
    for about, content in {
        "a bit of it is flipped": bytes([compact[0] ^ 1]) + compact[1:],
        "s is high": high,
        "it is cut off": compact[:-1],
        "it is longer": compact + b"\0",
        "it is of another key": base64.b64decode(signed("another", good["record"], der=False)["signature"]["sig"]),
    }.items():
        made = copy.deepcopy(good)
        made["signature"]["sig"] = base64.b64encode(content).decode()
        found[about] = made
    for name, value in {"terms": {}, "uri": "https://example.test/", "timestamp": "2020-01-01T00:00:00Z"}.items():
        made = copy.deepcopy(good)
        made["record"][name] = value
        found[f"the record has another {name}"] = made
    owner = copy.deepcopy(good)
    owner["signer"]["pubkey"] = pubkey("another")
    padded = copy.deepcopy(good)
    padded["signature"]["sig"] = good["signature"]["sig"].rstrip("=")
    return {**found, "another key is named": owner, "its base64 isn't canonical": padded}


async def failures(desk: PublishingHouse) -> float:
    """Give how many signatures didn't hold."""
    text = (await desk.registry.ask("GET", "/metrics")).text
    return float(text.split("\nsignature_verification_failures ")[1].split()[0])


async def test_a_signature_that_does_not_hold_is_refused_and_counted(desk: PublishingHouse) -> None:
    await desk.register("forged", "another")
    before, cases = desk.registry.appended(), forged(desk)
    counted = await failures(desk)
    for about, intent in cases.items():
        for query in ("", "?dry_run=true"):
            answer = await desk.publish(intent, query)
            assert (answer.status, answer.code) == (401, "invalid_signature"), about
    assert desk.registry.appended() == before
    assert await failures(desk) == counted + 2 * len(cases)


async def test_der_and_compact_signatures_are_taken(desk: PublishingHouse) -> None:
    await desk.register("signs")
    for der in (True, False):
        assert (await desk.publish(signed("signs", desk.record(), der=der))).status == 202


async def test_every_signature_that_the_vectors_call_bad_is_refused(desk: PublishingHouse) -> None:
    for each in intents.bad():
        each["intent"]["record"]["terms"].pop("1", None)  # a number that no body may have
        answer = await desk.publish(each["intent"])
        assert answer.code in {"invalid_signature", "invalid_request"}, each["about"]


async def test_while_the_log_is_away_nothing_is_taken_and_the_same_intent_is_afterwards(desk: PublishingHouse) -> None:
    await desk.register("away")
    intent = signed("away", desk.record())
    desk.registry.log.reachable = False
    try:
        refused = await desk.publish(intent)
        assert (refused.status, refused.code) == (503, "log_unavailable")
    finally:
        desk.registry.log.reachable = True
    assert (await desk.publish(intent)).status == 202
