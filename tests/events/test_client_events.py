"""Our client's way to follow the stream: it comes back by itself, gives each event once, and says when it gives up."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from log.token import write_token
from muniment.client import InvalidRequest, PublicEvent, UnexpectedAnswer, Unreachable
from muniment.client.server_sent import Block, Blocks
from tests.events.scene import Scene, client, running
from tests.events.vaults import OWNERS, POST, Vaults
from tests.muniment.scripted import Scripted

PATIENCE_S = 30


def told(vaults: Vaults) -> set[str]:
    return {event.position for found in vaults.told() for event in found}


async def test_it_lists_to_the_end_of_the_log_and_stops() -> None:
    async with running() as scene, client(scene) as registry:
        await scene.vaults.play([("put", number, number) for number in range(150)])
        await scene.caught_up()
        found = [event async for event in registry.events(follow=False)]
        assert {event.position for event in found} == told(scene.vaults)
        assert len(found) == 150
        posts = [event async for event in registry.events([f"cdv.records.{POST}.*"], found[9].cursor, follow=False)]
        assert [event.position for event in posts] == [each.position for each in found[10:] if POST in each.type]
        assert [event async for event in registry.events(["cdv.nothing.*"], follow=False)] == []


async def test_while_others_write_without_a_pause_a_list_ends_all_the_same() -> None:
    async with running() as scene, client(scene) as registry, asyncio.timeout(PATIENCE_S):
        await scene.vaults.play([("put", number, number) for number in range(250)])
        await scene.caught_up()
        there, found = told(scene.vaults), set()
        async for event in registry.events(follow=False):
            found.add(event.position)
            await scene.vaults.put(OWNERS[0], "more")
            await scene.caught_up()
        assert there <= found


async def test_it_goes_on_over_the_end_of_one_process_and_the_start_of_the_next() -> None:
    vaults = await Vaults().start()
    heard: list[PublicEvent] = []

    async def listen(scene: Scene) -> None:
        async with client(scene) as registry:
            async for each in registry.events(since="0"):
                heard.append(each)  # noqa: PERF401  # what was heard so far is looked at meanwhile

    async def until(events: int) -> None:
        while len(heard) < events:
            await asyncio.sleep(0.01)

    scene = Scene(vaults)
    await scene.start()
    listening = asyncio.create_task(listen(scene))
    async with asyncio.timeout(PATIENCE_S):
        for process in range(3):
            await vaults.play([("put", number, number) for number in range(20)])
            await until(20 + 30 * process)
            port = scene.port
            await scene.stop()
            # What is written while no process is there is not missed either.
            await vaults.play([("put", number, number) for number in range(10)])
            scene = Scene(vaults, port=port)
            await scene.start()
        await until(90)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await scene.stop()
    assert len({event.position for event in heard}) == len(heard) == 90
    for partition in vaults.told():
        mine = {event.position for event in partition}
        assert [event.position for event in heard if event.position in mine] == [e.position for e in partition]


async def test_a_refusal_is_raised_as_it_is() -> None:
    async with running() as scene, client(scene) as registry:
        with pytest.raises(InvalidRequest):
            await anext(registry.events(["no such *thing"]))
        with pytest.raises(InvalidRequest):
            await anext(registry.events(since="nonsense"))


def event(partition: int, offset: int) -> str:
    found = {"type": "cdv.records.x.created", "did": "did:key:z", "at": "", "correlation_id": "c"}
    place = write_token({("records", partition): offset})
    return json.dumps({**found, "position": place, "cursor": place})


def streaming(*pieces: bytes) -> Any:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(0)
        return response

    return answer


async def test_an_event_that_comes_again_is_given_once_and_the_last_id_is_where_it_goes_on() -> None:
    first = f"id: one\ndata: {event(0, 0)}\n\nid: two\ndata: {event(1, 0)}\n\n".encode()
    again = f"retry: 1\nid: two\n\n: nothing\ndata: {event(1, 0)}\n\nid: three\ndata: {event(0, 1)}\n\n".encode()
    end = b'event: end\nid: three\ndata: {"reason": "shutdown", "cursor": "three"}\n\n'
    server = Scripted(streaming(first[:70], first[70:]), streaming(again, end), streaming())
    async with server.served() as registry, asyncio.timeout(PATIENCE_S):
        events = registry.events(["cdv.*", "x"], since="0")
        heard = [(await anext(events)).position for _ in range(3)]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await anext(events)
        await events.aclose()
    assert heard == [write_token({("records", p): o}) for p, o in ((0, 0), (1, 0), (0, 1))]
    assert [request.query.get("since") for request in server.asked][:3] == ["0", "two", "three"]
    assert server.asked[0].query["types"] == "cdv.*,x"


@pytest.mark.parametrize(
    "piece",
    [b"data: {\n\n", b"data: []\n\n", b"data: \xff\n\n", b'data: {"type": "x"}\n\n', b"data: " + b"x" * (9 << 20)],
)
async def test_what_is_no_event_is_an_unexpected_answer(piece: bytes) -> None:
    server = Scripted(streaming(piece))
    async with server.served() as registry, asyncio.timeout(PATIENCE_S):
        with pytest.raises(UnexpectedAnswer):
            await anext(registry.events(since="0"))


async def test_a_page_instead_of_a_stream_is_an_unexpected_answer() -> None:
    server = Scripted(lambda _request: web.json_response({}))
    async with server.served() as registry:
        with pytest.raises(UnexpectedAnswer):
            await anext(registry.events())


async def test_it_gives_up_on_a_registry_that_stays_away() -> None:
    async with running() as scene:
        pass
    async with asyncio.timeout(PATIENCE_S), client(scene, timeout_s=1.0) as registry:
        with pytest.raises(Unreachable):
            await anext(registry.events())


@given(st.data())
def test_blocks_are_the_same_however_their_bytes_are_cut(data: Any) -> None:
    text = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=8)
    fields = st.one_of(
        text.map(lambda value: f"data: {value}"), text.map(lambda value: f"id:{value}"), text.map(lambda v: f":{v}")
    )
    lines = data.draw(st.lists(st.one_of(fields, st.just("")), max_size=12))
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    whole = "".join(line + end for line in lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    blocks = Blocks()
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    found = [block for piece in pieces for block in blocks.feed(piece)]
    assert found == plain(lines)


def plain(lines: list[str]) -> list[Block]:
    """Read whole lines as the standard's algorithm says."""
    found: list[Block] = []
    said: list[str] = []
    last: str | None = None
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            found.append(Block("", "\n".join(said), last))
            said = []
        elif name == "data":
            said.append(value)
        elif name == "id":
            last = value
    return found
