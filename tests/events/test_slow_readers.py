"""A reader that stops reading is let go of with its position, costs a bounded amount of memory, and holds up nobody."""

import asyncio
import contextlib
import gc
import json
import re
import resource
import socket
from dataclasses import dataclass, field

import pytest

from api.connection import Connection
from tests.events.listening import LISTEN
from tests.events.scene import Scene, running
from tests.events.vaults import OWNERS

BOTH = pytest.mark.parametrize("wire", ["sse", "websocket"])
FAST, EVENTS, FILES = 500, 600, 4_096
LONG = "x" * 8_000
PATIENCE_S = 120
EVENT = re.compile(rb'"position":"([^"]+)"[^\n]*?"cursor":"([^"]+)"}')


@pytest.fixture(autouse=True)
def _room_for_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, FILES)), hard))


def asking(wire: str, since: str) -> bytes:
    """Write the request for a stream."""
    path = "/events/stream" if wire == "sse" else "/ws/events"
    lines = [f"GET {path}?since={since} HTTP/1.1", "Host: registry"]
    if wire == "websocket":
        lines += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
    return "\r\n".join([*lines, "", ""]).encode()


class Stalled:
    """A connection on which a stream was asked for, and that is read only when a test says so."""

    def __init__(self, scene: Scene, wire: str, since: str = "0") -> None:
        self.socket = socket.socket()
        # What the kernel of this side takes counts too: the less, the sooner the other side has no room.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self.socket.connect(("127.0.0.1", scene.port))
        self.socket.sendall(asking(wire, since))
        self.socket.setblocking(False)  # noqa: FBT003  # its only form

    async def rest(self) -> bytes:
        """Read all that comes until the other side ends it."""
        loop, found = asyncio.get_running_loop(), bytearray()
        with contextlib.suppress(ConnectionError):
            while piece := await loop.sock_recv(self.socket, 1 << 16):
                found += piece
        self.socket.close()
        return bytes(found)


@dataclass
class Fast:
    """A connection that is read as fast as it can be; it keeps nothing but the positions."""

    positions: list[bytes] = field(default_factory=list)

    async def listen(self, scene: Scene, wire: str, began: asyncio.Semaphore) -> None:
        """Read until every event was heard."""
        reader, writer = await asyncio.open_connection("127.0.0.1", scene.port)
        writer.write(asking(wire, "0"))
        rest = await reader.readuntil(b"\r\n\r\n")
        began.release()
        while len(self.positions) < EVENTS:
            rest += await reader.read(1 << 18)
            end = 0
            for found in EVENT.finditer(rest):
                self.positions.append(found[1])
                end = found.end()
            rest = rest[end:]
        writer.close()


async def ended(scene: Scene, reason: str) -> float:
    return await scene.metric(f'muniment_event_readers_ended_total{{reason="{reason}"}}')


async def write(scene: Scene, events: int, text: str = LONG) -> None:
    for number in range(events):
        await scene.vaults.put(OWNERS[number % 8], f"r{number}", text)
        if number % 20 == 0:
            await asyncio.sleep(0)


@pytest.mark.slow
@BOTH
async def test_among_five_hundred_fast_readers_one_that_stops_is_let_go_of_and_nobody_waits(wire: str) -> None:
    async with running(slow_after_s=1.0, socket_bytes=16 << 10) as scene, asyncio.timeout(PATIENCE_S):
        stalled, fast, began = Stalled(scene, wire), [Fast() for _ in range(FAST)], asyncio.Semaphore(0)
        listening = [asyncio.create_task(each.listen(scene, wire, began)) for each in fast]
        for _ in fast:
            await began.acquire()
        assert len(scene.api.events.readers) == FAST + 1
        await write(scene, EVENTS, "x" * 1_000)
        await asyncio.gather(*listening)
        told = [{event.position.encode() for event in found} for found in scene.vaults.told()]
        assert all(len(each.positions) == EVENTS and set(each.positions) == set().union(*told) for each in fast)
        while not await ended(scene, "slow_reader"):
            await asyncio.sleep(0.02)
        received = EVENT.findall(await stalled.rest())
        assert await ended(scene, "slow_reader") == 1
        # It goes on from the last cursor that reached it, and has what it missed.
        assert 0 < len(received) < EVENTS
        async with LISTEN[wire](scene.url, since=received[-1][1].decode()) as heir:
            rest = await heir.until(EVENTS - len(received))
    positions = [position for position, _ in received] + [event["position"].encode() for event in rest]
    assert len(positions) == EVENTS
    assert set(positions) == set().union(*told)


@BOTH
async def test_while_one_stands_still_with_no_end_others_hear_everything(wire: str) -> None:
    async with running(slow_after_s=600.0) as scene, asyncio.timeout(PATIENCE_S):
        stalled = [Stalled(scene, wire) for _ in range(3)]
        async with LISTEN[wire](scene.url, since="0") as heard:
            await write(scene, 300)
            await heard.until(300)
        while len([size for size in held() if size]) < len(stalled):
            await asyncio.sleep(0.05)
        assert await ended(scene, "slow_reader") == 0
        assert len(scene.api.events.readers) >= len(stalled)
        for each in stalled:
            each.socket.close()


@BOTH
async def test_one_that_reads_again_in_time_is_told_why_it_ended_and_where(wire: str) -> None:
    async with running(slow_after_s=0.3, linger_s=5.0) as scene, asyncio.timeout(PATIENCE_S):
        await write(scene, 200)
        await scene.caught_up()
        stalled = Stalled(scene, wire)
        await asyncio.sleep(1.0)
        received = await stalled.rest()
        told = EVENT.findall(received)
        start = received.rindex(b'{"')
        end = json.loads(received[start : received.index(b"}", start) + 1])
        assert (end["reason"], end["cursor"]) == ("slow_reader", told[-1][1].decode())
        assert 0 < len(told) < 200
        assert await ended(scene, "slow_reader") == 1


@BOTH
async def test_one_that_never_reads_again_is_cut_off_and_nothing_is_kept_for_it(wire: str) -> None:
    async with running(slow_after_s=0.3, linger_s=0.3) as scene, asyncio.timeout(PATIENCE_S):
        await write(scene, 200)
        await scene.caught_up()
        stalled = Stalled(scene, wire)
        while not await ended(scene, "slow_reader"):
            await asyncio.sleep(0.05)
        while len(scene.api.events.readers) or max(held(), default=0):
            await asyncio.sleep(0.05)
        stalled.socket.close()


async def test_a_reader_that_the_tail_left_behind_is_let_go_of_as_slow() -> None:
    async with running(recent_events=5, slow_after_s=60.0, linger_s=5.0) as scene, asyncio.timeout(PATIENCE_S):
        stalled = Stalled(scene, "sse")
        while not len(scene.api.events.readers):
            await asyncio.sleep(0.02)
        await write(scene, 400)
        await scene.caught_up()
        await asyncio.sleep(0.5)
        # It reads on, and by then what comes next is not kept any more.
        received = EVENT.findall(await stalled.rest())
        assert await ended(scene, "slow_reader") == 1
        assert 0 < len(received) < 400


async def test_a_stalled_reader_costs_a_bounded_amount_of_memory() -> None:
    gc.freeze()  # what was there before is not looked through twenty times: after many tests that takes a minute
    async with running(slow_after_s=60.0) as scene, asyncio.timeout(PATIENCE_S):
        stalled = [Stalled(scene, wire) for wire in ("sse", "websocket") for _ in range(3)]
        await write(scene, 600)
        await scene.caught_up()
        sizes: list[int] = []
        for _ in range(20):
            await asyncio.sleep(0.05)
            sizes = held()
        assert len([size for size in sizes if size]) == len(stalled)
        # A chunk, and what the write buffer takes before it says that it is full.
        assert max(sizes) <= scene.bounds.chunk_bytes + 2 * len(LONG) + (128 << 10)
        for each in stalled:
            each.socket.close()


def held() -> list[int]:
    """Count what each connection of this process's servers still has to send."""
    found = [each.transport for each in gc.get_objects() if isinstance(each, Connection)]
    return [transport.get_write_buffer_size() for transport in found if transport is not None]
