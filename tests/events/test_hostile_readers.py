"""Whatever a reader asks for or sends: a problem or an end with its reason, never a 500, and no stream that hangs."""

import asyncio
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.event_types import NAME, TYPES_MAX, read_types
from api.problems import ProblemError
from log.token import write_token
from projections.record_events import ERASED
from tests.events.listening import sse, websocket
from tests.events.scene import Scene, running
from tests.events.vaults import OWNERS, POST

ROUTES = ("/events", "/events/stream", "/ws/events")
PATIENCE_S = 20

NO_TYPES = [
    "", ",", "cdv.*,", ",cdv.*", "*.created", "cdv.*.created", "**", "cdv.records.**", "cdv.records. x", " cdv.*",
    "cdv.*,cdv.*.x", "cdv.\x00*", "cdv.records.ü.created", "%", "_' OR 1=1 --", "cdv.records\n", "a" * 301,
    ",".join(["cdv.*"] * (TYPES_MAX + 1)), "," * 5_000,
]  # fmt: skip
NO_CURSORS = [
    "x", "=", "0" * 10, "-0", "00", "A" * 4_096, "%00", "ü", "cmVjb3Jkcy8wLzA=", " cmVjb3Jkcy8wLzA",
    write_token({("records", 0): (1 << 62) + 1}), write_token({("records", 0): 10**18 * 9}),
]  # fmt: skip


async def refused(scene: Scene, path: str, headers: dict[str, str] | None = None, **query: str) -> tuple[int, str]:
    """Ask for what must be refused, and give the status and the code."""
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    sent = {**(upgrade if path.startswith("/ws") else {}), **(headers or {})}
    async with (
        asyncio.timeout(PATIENCE_S),
        aiohttp.ClientSession() as session,
        session.get(scene.url + path, params=query, headers=sent) as answer,
    ):
        problem = await answer.json(content_type="application/problem+json")
        return answer.status, problem["code"]


@pytest.mark.parametrize("path", ROUTES)
async def test_types_and_cursors_that_are_none_are_refused_by_every_route(path: str) -> None:
    async with running() as scene:
        for types in NO_TYPES:
            assert await refused(scene, path, types=types) == (400, "invalid_request"), types
        for since in NO_CURSORS:
            assert await refused(scene, path, since=since) == (400, "invalid_cursor"), since
        assert await refused(scene, path, since="") == (400, "invalid_request")
        assert await refused(scene, path, since="y" * 5_000) == (400, "invalid_request")
        assert await refused(scene, path, what="x") == (400, "invalid_request")
        assert await refused(scene, path, wait_ms="99999") == (400, "invalid_request")
        ahead = write_token({("records", 1): 10**6})
        assert await refused(scene, path, since=ahead, wait_ms="0") == (503, "not_caught_up")
        assert len(scene.api.events.readers) == 0


async def test_the_header_of_a_browser_that_comes_back_is_checked_like_the_parameter() -> None:
    async with running() as scene:
        for since in [*NO_CURSORS, "z" * 5_000]:
            sent = {"Last-Event-ID": since}
            if since.isascii() and since == since.strip():
                assert await refused(scene, "/events/stream", sent, since="0") == (400, "invalid_cursor"), since


async def test_positions_of_elsewhere_say_nothing() -> None:
    async with running() as scene:
        await scene.vaults.put(OWNERS[0], "a")
        await scene.caught_up()
        for elsewhere in ({("ledger", 0): 5}, {("records", 999): 5}, {("facts", 1): 10**9}):
            status, page = await scene.ask("/events", since=write_token(elsewhere))
            assert (status, len(page["items"])) == (200, 1)


NAMES = st.one_of(
    st.text(max_size=12), st.from_regex(NAME, fullmatch=True).map(lambda name: name[:40]), st.sampled_from(NO_TYPES)
)


@given(st.lists(NAMES, max_size=5), st.sampled_from(["created", "updated", "deleted"]))
def test_a_list_of_types_wants_just_what_it_says(listed: list[str], change: str) -> None:
    name = f"cdv.records.{POST}.{change}"
    try:
        types = read_types(",".join(listed))
    except ProblemError:
        names = ",".join(listed).split(",")
        assert len(names) > TYPES_MAX or any(NAME.fullmatch(each) is None for each in names)
        return
    exact = {each for each in ",".join(listed).split(",") if not each.endswith("*")}
    beginnings = [each[:-1] for each in ",".join(listed).split(",") if each.endswith("*")]
    assert types.wants(name) == (name in exact or any(name.startswith(each) for each in beginnings))
    assert not types.wants(ERASED)


async def test_a_websocket_that_is_asked_for_like_a_page_is_refused_and_streams_have_no_head() -> None:
    async with running() as scene, aiohttp.ClientSession() as session:
        async with session.get(scene.url + "/ws/events") as answer:
            assert (answer.status, (await answer.json(content_type=None))["code"]) == (400, "invalid_request")
        for path in ("/events/stream", "/ws/events"):
            for method in ("HEAD", "POST", "DELETE"):
                async with session.request(method, scene.url + path) as answer:
                    assert answer.status == 405
        async with session.head(scene.url + "/events") as answer:
            assert answer.status == 200


@pytest.mark.parametrize("said", ["hello", b"\x00\x01", "x" * 100_000])
async def test_a_websocket_on_which_somebody_talks_ends(said: Any) -> None:
    async with running() as scene, asyncio.timeout(PATIENCE_S):
        await scene.vaults.put(OWNERS[0], "a")
        async with aiohttp.ClientSession() as session, session.ws_connect(scene.url + "/ws/events?since=0") as socket:
            event = await socket.receive_json()
            await (socket.send_str(said) if isinstance(said, str) else socket.send_bytes(said))
            last = await socket.receive()
            if last.type is aiohttp.WSMsgType.TEXT:
                assert last.json()["reason"] == "not_for_messages"
                assert last.json()["cursor"] == event["cursor"]
                last = await socket.receive()
            assert last.type is aiohttp.WSMsgType.CLOSE
            assert socket.close_code == (1008 if len(said) < 4_096 else 1009)
        while len(scene.api.events.readers):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("listen", [sse, websocket])
async def test_a_reader_that_leaves_without_a_word_leaves_its_seat(listen: Any) -> None:
    async with running(readers=2, heartbeat_s=0.1) as scene, asyncio.timeout(PATIENCE_S):
        for _ in range(6):
            while len(scene.api.events.readers) == 2:
                await asyncio.sleep(0.02)
            async with listen(scene.url) as heard:
                await scene.vaults.put(OWNERS[0], "a")
                await heard.until(1)


async def test_an_answer_of_a_stream_says_what_every_answer_says() -> None:
    async with running() as scene:
        for listen in (sse, websocket):
            async with listen(scene.url) as heard:
                assert heard.headers["X-Content-Type-Options"] == "nosniff"
                assert heard.headers["X-Request-ID"]
        async with sse(scene.url) as heard:
            assert heard.headers["Cache-Control"] == "no-store"
        for _ in range(100):
            if not len(scene.api.events.readers):
                break
            await asyncio.sleep(0.05)
        # Timed by its headers: how long somebody listens says nothing of how fast this process answers.
        assert await scene.metric('muniment_http_request_seconds_bucket{le="2.5",method="GET",route="/events/stream"}')
