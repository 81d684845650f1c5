"""Up to 500 intents at once, each with its own outcome, in the order in which they were sent."""

import json
from typing import Any

import pytest

from api.publish import BATCH_MAX, BATCH_MAX_BYTES
from api.times import rfc3339
from domain.publishing.job import JobQueued
from tests.api.serving import Answer
from tests.api_publishing.publishing_house import PublishingHouse, pubkey, signed

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def send(desk: PublishingHouse, intents: Any, query: str = "", **headers: str) -> Answer:
    """Send a batch."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await desk.registry.ask("POST", f"/v1/publish/batch{query}", {"intents": intents}, headers=given)


def queued(desk: PublishingHouse, name: str) -> int:
    """Count the jobs of a publisher."""
    return sum(each.pubkey == pubkey(name) for each in desk.happened(JobQueued))


def codes(answer: Answer) -> list[str | None]:
    """Give the code of each outcome."""
    assert answer.status == 200, answer.text
    return [item.get("problem", {}).get("code") for item in answer.json["items"]]


async def test_each_of_five_hundred_has_its_own_outcome(desk: PublishingHouse) -> None:
    await desk.register("batch")
    fine = [signed("batch", desk.record(), der=False) for _ in range(BATCH_MAX)]
    wrong: dict[int, tuple[str, Any]] = {
        7: ("invalid_request", {}),
        8: ("invalid_request", {**fine[8], "version": 2}),
        100: ("invalid_signature", {**fine[100], "signature": fine[101]["signature"]}),
        200: ("timestamp_out_of_range", signed("batch", desk.record(timestamp=rfc3339(0)))),
        300: ("key_not_registered", signed("nobody", desk.record())),
        400: ("nonce_used", signed("batch", desk.record(nonce=fine[0]["record"]["nonce"]))),
        499: ("record_exists", signed("batch", desk.record(recordId=fine[1]["record"]["recordId"]))),
    }
    sent = [wrong[number][1] if number in wrong else each for number, each in enumerate(fine)]
    answer = await send(desk, sent)
    assert codes(answer) == [wrong[number][0] if number in wrong else None for number in range(BATCH_MAX)]
    for number, item in enumerate(answer.json["items"]):
        assert item["status"] == (item["problem"]["status"] if number in wrong else 202)
        assert ("jobId" in item) == (number not in wrong)
    assert answer.json["items"][400]["problem"]["jobId"] == answer.json["items"][0]["jobId"]
    assert answer.json["items"][8]["problem"]["errors"][0]["pointer"] == "/version"
    assert queued(desk, "batch") == BATCH_MAX - len(wrong)
    assert "Muniment-Position" in answer.headers
    assert "Idempotency-Hit" not in answer.headers
    again = await send(desk, fine[:3])
    assert [item["jobId"] for item in again.json["items"]] == [item["jobId"] for item in answer.json["items"][:3]]
    assert again.headers["Idempotency-Hit"] == "true"


@pytest.mark.parametrize("body", [{"intents": []}, {"intents": {}}, {}, {"intents": [1]}, {"intents": [[]]}, []])
async def test_a_batch_is_a_list_of_objects(desk: PublishingHouse, body: Any) -> None:
    answer = await desk.registry.ask("POST", "/v1/publish/batch", body)
    assert (answer.status, answer.code) == (400, "invalid_request")


async def test_one_more_than_five_hundred_are_refused_and_none_is_taken(desk: PublishingHouse) -> None:
    before = desk.registry.appended()
    answer = await send(desk, [{}] * (BATCH_MAX + 1))
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.json["errors"][0]["pointer"] == "/intents"
    assert desk.registry.appended() == before


async def test_a_batch_has_up_to_four_mebibytes(desk: PublishingHouse) -> None:
    await desk.register("heavy")
    intents = [signed("heavy", desk.record(terms={"x": "x" * 900_000}), der=False) for _ in range(4)]
    raw = json.dumps({"intents": intents}).encode()
    for extra, status in ((0, 200), (1, 413)):
        filled = raw + b" " * (BATCH_MAX_BYTES - len(raw) + extra)
        answer = await desk.registry.ask("POST", "/v1/publish/batch", raw=filled)
        assert answer.status == status
    assert answer.code == "payload_too_large"
    assert queued(desk, "heavy") == len(intents)


async def test_no_intent_of_a_batch_is_larger_than_one_alone_may_be(desk: PublishingHouse) -> None:
    await desk.register("large")
    large, small = desk.record(terms={"x": "x" * (2 << 20)}), desk.record()
    answer = await send(desk, [signed("large", large), signed("large", small)])
    assert codes(answer) == ["payload_too_large", None]


async def test_the_same_intent_twice_in_a_batch_is_one_job(desk: PublishingHouse) -> None:
    await desk.register("twice")
    intent = signed("twice", desk.record())
    answer = await send(desk, [intent, signed("twice", desk.record()), intent, signed("twice", intent["record"])])
    jobs = [item["jobId"] for item in answer.json["items"]]
    assert jobs[0] == jobs[2] == jobs[3] != jobs[1]
    assert queued(desk, "twice") == 2


async def test_a_batch_s_idempotency_key_holds_for_each_of_its_intents_at_its_place(desk: PublishingHouse) -> None:
    await desk.register("placed")
    intents = [signed("placed", desk.record()) for _ in range(2)]
    first = await send(desk, intents, Idempotency_Key="b")
    again = await send(desk, intents, Idempotency_Key="b")
    assert again.json == first.json
    assert again.headers["Idempotency-Hit"] == "true"
    turned = await send(desk, intents[::-1], Idempotency_Key="b")
    assert codes(turned) == ["idempotency_conflict"] * 2
    assert codes(await send(desk, intents, Idempotency_Key="c")) == ["nonce_used"] * 2
    assert queued(desk, "placed") == 2


async def test_a_dry_run_of_a_batch_takes_those_before_as_done(desk: PublishingHouse) -> None:
    await desk.register("imagined")
    one, two = (signed("imagined", desk.record()) for _ in range(2))
    used = signed("imagined", desk.record(nonce=one["record"]["nonce"]))
    before = desk.registry.appended()
    answer = await send(desk, [one, {}, two, used, one, used], "?dry_run=true")
    assert answer.json["dry_run"] is True
    assert codes(answer) == [None, "invalid_request", None, "nonce_used", None, "nonce_used"]
    assert [item["status"] for item in answer.json["items"]] == [202, 400, 202, 409, 202, 409]
    assert answer.json["items"][4] == answer.json["items"][0]
    assert desk.registry.appended() == before


async def test_a_batch_is_anchored_at_once_where_it_asks_for_that(desk: PublishingHouse) -> None:
    await desk.register("at once")
    assert codes(await send(desk, [signed("at once", desk.record())], "?priority=now")) == [None]
    assert [each.priority for each in desk.happened(JobQueued) if each.pubkey == pubkey("at once")] == ["now"]


async def test_while_the_log_is_away_each_says_so(desk: PublishingHouse) -> None:
    await desk.register("log away")
    intents = [signed("log away", desk.record()) for _ in range(2)]
    desk.registry.log.reachable = False
    try:
        answer = await send(desk, [*intents, {}])
    finally:
        desk.registry.log.reachable = True
    assert codes(answer) == ["log_unavailable", "log_unavailable", "invalid_request"]
