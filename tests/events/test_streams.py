"""The three ways to be told: the same events with the same members, from where one was, and an end that says so."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from api.rate_limits import RateLimits
from log.token import write_token
from tests.events.listening import LISTEN, sse, websocket
from tests.events.scene import Scene, running
from tests.events.vaults import FOLLOW, OWNERS, POST, Vaults

PATIENCE_S = 10
ANN, BEN = OWNERS[0], OWNERS[1]
BOTH = pytest.mark.parametrize("wire", ["sse", "websocket"])


async def pages(scene: Scene, **query: str) -> list[dict[str, Any]]:
    """Walk the feed to its end."""
    found: list[dict[str, Any]] = []
    since = query.pop("since", "0")
    while True:
        status, page = await scene.ask("/events", since=since, **query)
        assert status == 200, page
        found += page["items"]
        if page["next_cursor"] == since:
            return found
        since = page["next_cursor"]


async def test_an_event_has_the_members_of_the_contract_and_the_record_as_of_then() -> None:
    async with running() as scene:
        decisions = [await scene.vaults.put(ANN, "a", text) for text in ("one", "two")]
        await scene.vaults.delete(ANN, "a")
        await scene.vaults.finalize(ANN, "med_1")
        await scene.caught_up()
        created, updated, deleted, finalized = await pages(scene)
    uri = f"mun://{ANN}/{POST}/a"
    names = [event["type"] for event in (created, updated, deleted, finalized)]
    assert names == [f"cdv.records.{POST}.{change}" for change in ("created", "updated", "deleted")] + [
        "cdv.media.finalized"
    ]
    assert list(created) == ["type", "uri", "did", "cid", "correlation_id", "at", "position", "record", "cursor"]
    assert (created["uri"], created["did"], created["correlation_id"]) == (uri, ANN, decisions[0].command_id)
    assert created["record"] == {
        "uri": uri,
        "cid": created["cid"],
        "value": {"text": "one"},
        "schema_version": 1,
        "indexed_at": created["at"],
    }
    record = updated["record"]
    assert (record["value"], record["cid"]) == ({"text": "two"}, updated["cid"])
    assert record["indexed_at"] == created["at"]
    assert record.get("updated_at", created["at"]) == updated["at"]
    assert "record" not in deleted
    assert finalized["media_id"] == "med_1"
    about = {"id": "med_1", "did": ANN, "mime": "image/png", "size": 3, "sha256": "ab" * 32, "status": "finalized"}
    assert finalized["media"] == about
    assert "uri" not in finalized
    assert [event["position"] for event in (created, updated, deleted, finalized)] == [
        event.position for found in scene.vaults.told() for event in found
    ]


@BOTH
async def test_the_streams_tell_the_feeds_objects_from_the_start_and_as_they_come(wire: str) -> None:
    async with running() as scene:
        await scene.vaults.play([("put", number, number) for number in range(12)])
        async with asyncio.timeout(PATIENCE_S), LISTEN[wire](scene.url, since="0") as heard:
            await heard.until(12)
            await scene.vaults.play([("put", number, number) for number in range(12)])
            await heard.until(24)
        listed = await pages(scene)
        assert [event["position"] for event in heard.events[:12]] == [event["position"] for event in listed[:12]]
        told = {event["position"]: {**event, "cursor": ""} for event in listed}
        assert {event["position"]: {**event, "cursor": ""} for event in heard.events} == told
        assert len(told) == 24


@BOTH
async def test_without_a_cursor_events_come_from_now_on_and_the_answer_says_where_that_is(wire: str) -> None:
    async with running() as scene:
        await scene.vaults.put(ANN, "before")
        await scene.caught_up()
        async with asyncio.timeout(PATIENCE_S), LISTEN[wire](scene.url) as heard:
            begun = heard.headers["Muniment-As-Of"]
            await scene.vaults.put(ANN, "after")
            (event,) = await heard.until(1)
        assert event["uri"].endswith("/after")
        # Whoever lost the connection before the first event goes on from there, and misses nothing.
        assert [found["position"] for found in await pages(scene, since=begun)] == [event["position"]]


@BOTH
async def test_a_cursor_of_any_of_the_three_goes_on_in_any_other_and_with_another_filter(wire: str) -> None:
    async with running() as scene:
        await scene.vaults.play([("put", number, number) for number in range(20)])
        await scene.caught_up()
        listed = await pages(scene)
        for index in (0, 7, 18):
            async with asyncio.timeout(PATIENCE_S):
                async with LISTEN[wire](scene.url, since=listed[index]["cursor"]) as heard:
                    rest = await heard.until(19 - index)
                async with sse(
                    scene.url, since="0", last_id=rest[0]["cursor"], types=f"cdv.records.{FOLLOW}.*"
                ) as more:
                    follows = [event for event in listed[index + 2 :] if FOLLOW in event["type"]]
                    await more.until(len(follows))
            assert [event["position"] for event in rest] == [event["position"] for event in listed[index + 1 :]]
            assert [event["position"] for event in more.events] == [event["position"] for event in follows]


async def test_any_position_is_a_place_to_go_on_from_and_loses_nothing() -> None:
    async with running() as scene:
        await scene.vaults.play([("put", number % 2, number) for number in range(10)])
        await scene.caught_up()
        listed = await pages(scene)
        rest = {event["position"] for event in await pages(scene, since=listed[4]["position"])}
        assert {event["position"] for event in listed[5:]} <= rest
        assert listed[4]["position"] not in rest


async def test_a_reader_for_whom_little_is_meant_is_told_how_far_it_is_all_the_same() -> None:
    async with running() as scene, asyncio.timeout(PATIENCE_S):
        async with (
            sse(scene.url, types="cdv.media.*") as heard,
            websocket(scene.url, types="cdv.media.*", marks="true") as marked,
            websocket(scene.url, types="cdv.media.*") as silent,
        ):
            before = (await heard.until_marked(1))[0]
            await scene.vaults.put(ANN, "a")
            await scene.caught_up()
            for each in (heard, marked):
                while (await each.until_marked(len(each.marks) + 1))[-1] == before:
                    pass
                assert [event["uri"] for event in await pages(scene, since=each.marks[-1])] == []
            await scene.vaults.finalize(BEN, "m")
            (event,) = await silent.until(1)
        assert silent.marks == []
        assert event["media_id"] == "m"


@BOTH
async def test_when_the_process_ends_its_readers_are_told_where_they_are(wire: str) -> None:
    async with running() as scene, asyncio.timeout(PATIENCE_S):
        await scene.vaults.put(ANN, "a")
        async with LISTEN[wire](scene.url, since="0") as heard:
            (event,) = await heard.until(1)
            stopping = asyncio.create_task(scene.stop())
            end = await heard.until_closed()
            await stopping
        assert end is not None
        assert (end["reason"], end["cursor"]) == ("shutdown", event["cursor"])
        assert wire == "sse" or heard.code == 1001


@BOTH
async def test_the_next_process_goes_on_where_the_one_before_ended(wire: str) -> None:
    vaults = await Vaults().start()
    heard: list[dict[str, Any]] = []
    since = "0"
    for _ in range(3):
        async with running(vaults) as scene, asyncio.timeout(PATIENCE_S):
            await vaults.play([("put", number, number) for number in range(7)])
            async with LISTEN[wire](scene.url, since=since) as listening:
                heard += await listening.until(7)
            since = heard[-1]["cursor"]
            await vaults.play([("put", number, number) for number in range(4)])
            async with LISTEN[wire](scene.url, since=since) as listening:
                heard += await listening.until(4)
            since = heard[-1]["cursor"]
    assert len({event["position"] for event in heard}) == len(heard) == 33


async def test_a_cursor_that_is_not_reached_yet_is_waited_for() -> None:
    vaults = await Vaults().start()
    scene = Scene(vaults)
    await scene.start(follows=False)
    await vaults.play([("put", number, number) for number in range(6)])
    cursor = write_token({("records", found[-1].partition): found[-1].offset for found in vaults.told() if found})
    try:
        for path in ("/events", "/events/stream"):
            status, problem = await scene.ask(path, since=cursor, wait_ms="0")
            assert (status, problem["code"], problem["retryable"]) == (503, "not_caught_up", True)
        async with asyncio.timeout(PATIENCE_S):
            async with aiohttp.ClientSession() as session:
                asking = asyncio.create_task(
                    session.get(scene.url + "/events", params={"min_position": cursor, "wait_ms": "5000"})
                )
                await asyncio.sleep(0.05)
                assert not asking.done()
                scene.follow()
                async with await asking as answer:
                    assert len((await answer.json())["items"]) == 6
            async with sse(scene.url, since=cursor) as heard:
                await vaults.put(ANN, "later")
                (event,) = await heard.until(1)
            assert event["uri"].endswith("/later")
    finally:
        await scene.stop()


@BOTH
async def test_what_an_owner_erased_is_never_told_again_and_what_else_was_is(wire: str) -> None:
    async with running() as scene, asyncio.timeout(PATIENCE_S):
        async with LISTEN[wire](scene.url) as there:
            for owner in (ANN, BEN):
                await scene.vaults.put(owner, "secret", "what nobody shall know")
            before = await there.until(2)
            assert all(event["record"]["value"] == {"text": "what nobody shall know"} for event in before)
            await scene.vaults.finalize(ANN, "med_1")
            await there.until(3)
            place = scene.tail.recent.place
            await scene.vaults.erase(ANN)
            await scene.caught_up()
            while scene.tail.vector != scene.tail.reached():
                await scene.tail.moved()
            assert scene.tail.recent.place == place
            kept = [each.body for each in scene.tail.recent._told if b"what nobody" in each.body]
            assert [json.loads(body)["did"] for body in kept] == [BEN]
        async with LISTEN[wire](scene.url, since="0") as late:
            told = await late.until(3)
        again = {event["did"]: event for event in told if "uri" in event}
    assert [sorted(event) for event in told if "media_id" in event] == [
        ["at", "correlation_id", "cursor", "did", "media_id", "position", "type"]
    ]
    assert again[BEN] == next(event for event in before if event["did"] == BEN) | {"cursor": again[BEN]["cursor"]}
    assert "record" not in again[ANN]
    assert again[ANN]["cid"] == again[BEN]["cid"]


async def test_a_process_takes_as_many_readers_as_it_says_and_a_caller_as_many_as_its_tier_has() -> None:
    async with running(readers=3) as scene, asyncio.timeout(PATIENCE_S):
        async with sse(scene.url), websocket(scene.url), sse(scene.url):
            status, problem = await scene.ask("/events/stream")
            assert (status, problem["code"]) == (429, "rate_limited")
            assert await scene.metric('muniment_event_readers{wire="sse"}') == 2
            assert (await scene.ask("/events"))[0] == 200
        while len(scene.api.events.readers):
            await asyncio.sleep(0.02)
        async with sse(scene.url):
            pass
        scene.api.rate_limits = RateLimits()
        scene.api.rate_limits.tiers = {"anonymous": RateLimits().tiers["anonymous"].__class__("anonymous", 2)}
        async with sse(scene.url), sse(scene.url):
            scene.api.rate_limits._buckets.clear()
            status, problem = await scene.ask("/events/stream")
            assert (status, problem["code"]) == (429, "rate_limited")
