"""The trail over HTTP: what happened in the log's order, of whose doing, about what, since when, page by page."""

from typing import Any
from urllib.parse import quote

import pytest

from api.times import rfc3339
from domain.publishing.anchoring import FailBatch
from domain.publishing.batch import BatchReserved, BatchSigned
from domain.publishing.job import HoldJobs
from domain.publishing.output import POOL_ID
from log.token import token_at
from tests.api.serving import PARTITIONS, Answer
from tests.api_publishing.publishing_house import CONTEXT, PARTITION, PublishingHouse, pubkey, signed

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.stack]

MEMBERS = {"event_type", "resource_type", "resource_id", "action", "details", "created_at", "position"}


async def trail(house: PublishingHouse, **query: Any) -> list[Any]:
    """Walk the trail."""
    found: list[Any] = []
    cursor = None
    while True:
        answer = await house.read("/v1/audit", cursor=cursor, **query)
        assert answer.status == 200, answer.text
        found += answer.json["items"]
        cursor = answer.json["next_cursor"]
        if cursor is None:
            return found


def kinds(steps: list[Any]) -> list[str]:
    """Give the types of events."""
    return [step["event_type"] for step in steps]


async def story(house: PublishingHouse, name: str) -> tuple[Answer, dict[str, Any]]:
    """Have a record anchored that had to wait for the pool."""
    await house.register(name)
    record = house.record()
    queued = await house.publish(signed(name, record))
    await house.decide(HoldJobs(POOL_ID, (queued.json["jobId"],)))
    await house.fund(1_000_000)
    await house.anchor()
    return queued, record


STORY = ["JobQueued", "JobsWaiting", "BatchReserved", "BatchSigned", "BatchSent", "BatchConfirmed"]


async def test_a_job_s_trail_is_its_whole_story(house: PublishingHouse) -> None:
    queued, record = await story(house, "story")
    name = queued.json["jobId"]
    steps = await trail(house, resource=name)
    assert kinds(steps) == STORY
    assert all({*step} - {"actor_pubkey"} == MEMBERS for step in steps)
    first = steps[0]
    assert (first["actor_pubkey"], first["resource_type"], first["resource_id"]) == (pubkey("story"), "job", name)
    assert first["action"] == "queued"
    assert first["details"]["recordId"] == record["recordId"]
    assert first["position"] == queued.headers["Muniment-Position"]
    job = await house.job(queued)
    assert first["created_at"] == job["timestamps"]["createdAt"]
    assert steps[3]["details"]["txid"] == job["txid"]
    assert [step["created_at"] for step in steps] == sorted(step["created_at"] for step in steps)
    assert await trail(house, resource=record["recordId"]) == steps


async def test_every_kind_of_thing_has_its_trail(house: PublishingHouse) -> None:
    queued, _ = await story(house, "kinds")
    job = await house.job(queued)
    reserved = next(each for each in house.happened(BatchReserved) if queued.json["jobId"] in each.job_ids)
    made = next(each for each in house.happened(BatchSigned) if each.batch_id == reserved.batch_id)
    of_batch = STORY[2:]
    expected = {
        reserved.batch_id: of_batch,
        job["txid"]: of_batch,
        f"{made.txid}:{made.change[0].vout}": of_batch,
        pubkey("kinds"): ["PublisherRegistered"],
        "nothing": [],
    }
    for resource, told in expected.items():
        assert kinds(await trail(house, resource=resource)) == told, resource
    spent = kinds(await trail(house, resource=reserved.outpoints[0]))
    assert spent[-len(of_batch) :] == of_batch
    funded = [step for step in await trail(house) if step["event_type"] == "PoolFunded"]
    assert {step["resource_type"] for step in funded} == {"output"}
    assert kinds(await trail(house, resource=funded[-1]["resource_id"]))[0] == "PoolFunded"
    assert "JobsWaiting" in kinds(await trail(house, resource=POOL_ID))


async def test_what_a_public_key_did_is_told_by_its_name(house: PublishingHouse) -> None:
    await house.register("doer", "other")
    for _ in range(3):
        await house.queue("doer")
    await house.queue("other")
    steps = await trail(house, actor=pubkey("doer"))
    assert kinds(steps) == ["JobQueued"] * 3
    assert await trail(house, actor=pubkey("doer"), resource=steps[1]["resource_id"]) == steps[1:2]
    assert await trail(house, actor=pubkey("doer"), resource=pubkey("other")) == []
    assert await trail(house, actor="nobody") == []


async def test_a_failure_and_a_removal_are_told(house: PublishingHouse) -> None:
    await house.register("fails")
    await house.fund(1_000_000)
    queued = await house.queue("fails")
    await house.let("batcher", "batcher")
    batch = [each for each in house.happened(BatchReserved) if queued.json["jobId"] in each.job_ids][-1].batch_id
    await house.decide(FailBatch(POOL_ID, batch, "no\u0000more", ()))
    told = (await trail(house, resource=queued.json["jobId"]))[-1]
    assert (told["event_type"], told["action"]) == ("BatchFailed", "failed")
    assert told["details"]["reason"] == "no\ufffdmore"
    assert (await house.admin("DELETE", f"/v1/keys/{pubkey('fails')}")).status == 200
    assert kinds(await trail(house, resource=pubkey("fails"))) == ["PublisherRegistered", "PublisherRemoved"]


async def test_the_trail_goes_on_since_a_time(house: PublishingHouse) -> None:
    await house.register("timed")
    for _ in range(3):
        await house.queue("timed")
    steps = await trail(house)
    for step in (steps[0], steps[-1], steps[len(steps) // 2]):
        since = await trail(house, since=step["created_at"])
        assert since == [each for each in steps if each["created_at"] >= step["created_at"]]
    ahead = rfc3339(house.clock.now() + 60_000)
    assert await trail(house, since=ahead) == []
    assert await trail(house, since="0001-01-01T00:00:00Z") == steps
    assert await trail(house, since="9999-12-31T23:59:59.999Z") == []
    local = steps[-1]["created_at"].replace("Z", "+00:00")
    assert (await trail(house, since=local))[-1] == steps[-1]


async def test_the_trail_goes_on_behind_a_position(house: PublishingHouse) -> None:
    await house.register("placed")
    refused = await house.publish(signed("nobody", house.record()))
    assert refused.code == "key_not_registered"
    queued = await house.queue("placed")
    steps = await trail(house)
    assert await trail(house, since=refused.headers["Muniment-Position"]) == steps[-1:]
    assert steps[-1]["position"] == queued.headers["Muniment-Position"]
    assert await trail(house, since=steps[0]["position"]) == steps[1:]
    assert await trail(house, since=steps[-2]["position"], limit=1) == steps[-1:]
    for elsewhere in (token_at("facts", 0, 0), token_at(CONTEXT, PARTITIONS, 0), token_at(CONTEXT, 9_999, 0)):
        assert await trail(house, since=elsewhere) == steps
    late = await house.read("/v1/audit", since=token_at(CONTEXT, PARTITION, 10**6), wait_ms=0)
    assert (late.status, late.code) == (503, "not_caught_up")


async def test_a_walk_shows_each_event_once_whatever_its_pages(house: PublishingHouse) -> None:
    await house.register("walked")
    for _ in range(4):
        await house.queue("walked")
    steps = await trail(house, limit=100)
    positions = [step["position"] for step in steps]
    assert len(steps) > 5
    for limit in (1, 2, 7):
        assert [step["position"] for step in await trail(house, limit=limit)] == positions
    answer = await house.read("/v1/audit", limit=2, actor=pubkey("walked"))
    await house.queue("walked")
    rest = await house.read("/v1/audit", limit=100, actor=pubkey("walked"), cursor=answer.json["next_cursor"])
    assert kinds(answer.json["items"] + rest.json["items"]) == ["JobQueued"] * 5
    assert rest.json["next_cursor"] is None
    assert "Muniment-As-Of" in rest.headers


async def test_a_cursor_is_of_the_walk_that_gave_it(house: PublishingHouse) -> None:
    await house.register("bound")
    for _ in range(2):
        await house.queue("bound")
    since = "2000-01-01T00:00:00Z"
    given = {"actor": pubkey("bound"), "since": since}
    cursor = (await house.read("/v1/audit", limit=1, **given)).json["next_cursor"]
    fine = await house.read("/v1/audit", limit=5, cursor=cursor, **given)
    assert kinds(fine.json["items"]) == ["JobQueued"]
    others: list[dict[str, Any]] = [
        {},
        {"actor": pubkey("bound")},
        {"actor": pubkey("other"), "since": since},
        {**given, "resource": "x"},
        {**given, "since": "2000-01-01T00:00:00.000Z"},
    ]
    for filters in others:
        answer = await house.read("/v1/audit", cursor=cursor, **filters)
        assert (answer.status, answer.code) == (400, "invalid_cursor"), filters
    for spoiled in (cursor[:-3], cursor + "A", "x", "e30", "%00"):
        answer = await house.read("/v1/audit", cursor=spoiled, **given)
        assert (answer.status, answer.code) == (400, "invalid_cursor"), spoiled


@pytest.mark.parametrize(
    "query",
    [
        *("since=", "since=yesterday", "since=2026-01-01T00:00:00", "since=2026-01-01", "since=" + "x" * 4_097),
        *("since=1767268800000", "since=%00", "actor=", "actor=" + "x" * 129, "actor=%00", "resource="),
        *("resource=" + "x" * 257, "resource=%07", "limit=0", "limit=101", "limit=x", "more=1", "actor=a&actor=a"),
        *("wait_ms=-1", "min_position=x"),
    ],
    ids=lambda query: query[:30],
)
async def test_what_is_asked_of_the_trail_has_a_form(house: PublishingHouse, query: str) -> None:
    answer = await house.registry.ask("GET", f"/v1/audit?{query}")
    assert (answer.status, answer.code) == (400, "invalid_request"), answer.text


async def test_a_record_s_id_names_its_trail_whatever_it_is(house: PublishingHouse) -> None:
    await house.register("odd")
    for name in ("a/b%2F", "100%", "'; DROP TABLE jobs; --", "\U0001f426", "[]{}", "%s", "x?"):
        queued = await house.queue("odd", recordId=name)
        answer = await house.registry.ask(
            "GET", f"/v1/audit?resource={quote(name, safe='')}&min_position={house.position()}"
        )
        assert [step["resource_id"] for step in answer.json["items"]] == [queued.json["jobId"]], name
