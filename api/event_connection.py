"""How events go over a connection: as Server-Sent Events or as messages of a WebSocket, never faster than it is read.

A connection that has no room for too long ends, with its cursor as the last thing that it is sent, if it still takes
that: what it got before has its cursors too. What it holds here is bounded by one chunk, the write buffer's limit and
the kernel's.
"""

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from aiohttp import web

from api.event_bounds import EventBounds
from api.event_reading import Reader
from api.event_tail import EventTail
from api.recent_events import Fallen, Frame
from log import strict_json

LOG = logging.getLogger("muniment.api.events")
SLOW, GONE, SHUTDOWN, FAILED, TALKS = "slow_reader", "gone", "shutdown", "internal", "not_for_messages"
"""Why a reader ends: it did not read, it left, this process ends, something went wrong here, it sent a message."""
SESSION_OVER: Final = "session_over"
"""Why a reader ends that came with a session: that was ended, its key went, or its token expired."""
CLOSE_CODES: Final = {SLOW: 1013, SHUTDOWN: 1001, FAILED: 1011, TALKS: 1008, SESSION_OVER: 1008}
"""By reason the code of a WebSocket's end (RFC 6455, IANA's registry)."""
ENDED, POSITION = "muniment.stream.ended", "muniment.stream.position"
RETRY_MS: Final = 1_000
"""How long a browser waits before it comes back."""
STANDING_ASKED_EVERY_S: Final = 0.5
"""How often it is asked whether a reader's session stands; everybody looks up every second."""
UNACKNOWLEDGED_MS: Final = 30_000
"""How long a peer may leave the network without an answer until it counts as gone."""
TEXT_FRAME, PING_FRAME = 0x81, b"\x89\x00"
SHORT, MIDDLE = 126, 1 << 16

Write = Callable[[bytes], Awaitable[None]]


class Manner(NamedTuple):
    """How a connection is written to: its name, an event, what it begins with, and what says that it still stands."""

    name: str
    event: Frame
    start: Callable[[str], bytes]
    mark: Callable[[str], bytes]


def sse_event(body: bytes, cursor: str) -> bytes:
    """Write an event whose id is its cursor (WHATWG HTML, 9.2); JSON of ours has no line breaks."""
    return b"id: %b\ndata: %b\n\n" % (cursor.encode(), body)


def sse_mark(cursor: str) -> bytes:
    """Write a cursor without an event: a reader keeps it as its last id, and is told of nothing."""
    return b": position\nid: %b\n\n" % cursor.encode()


def sse_start(cursor: str) -> bytes:
    """Write what a stream begins with."""
    return b"retry: %d\n%b" % (RETRY_MS, sse_mark(cursor))


def sse_end(reason: str, cursor: str) -> bytes:
    """Write the end of a stream: an event of a name of its own."""
    return b"event: end\n" + sse_event(strict_json.dump({"reason": reason, "cursor": cursor}), cursor)


def websocket_message(body: bytes, _cursor: str = "") -> bytes:
    """Write one text message of a server (RFC 6455, 5.2), so that all readers share the same bytes."""
    size = len(body)
    if size < SHORT:
        return struct.pack("!BB", TEXT_FRAME, size) + body
    if size < MIDDLE:
        return struct.pack("!BBH", TEXT_FRAME, SHORT, size) + body
    return struct.pack("!BBQ", TEXT_FRAME, SHORT + 1, size) + body


def websocket_start(_cursor: str) -> bytes:
    """Write nothing: a reader that didn't ask for cursors is sent events only."""
    return b""


def websocket_ping(_cursor: str) -> bytes:
    """Write a ping."""
    return PING_FRAME


def websocket_mark(cursor: str) -> bytes:
    """Write a cursor without an event, for a reader that asked for these."""
    return websocket_message(strict_json.dump({"type": POSITION, "cursor": cursor}))


def websocket_end(reason: str, cursor: str) -> bytes:
    """Write what comes before the end of a WebSocket."""
    return websocket_message(strict_json.dump({"type": ENDED, "reason": reason, "cursor": cursor}))


def bound(request: web.Request, bounds: EventBounds) -> None:
    """Bound what the kernel keeps for a connection, and how long a peer that is gone stays unnoticed."""
    sock = None if request.transport is None else request.transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, bounds.socket_bytes)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)


SSE: Final = Manner("sse", sse_event, sse_start, sse_mark)
WEBSOCKET: Final = Manner("websocket", websocket_message, websocket_start, websocket_ping)
MARKED_WEBSOCKET: Final = Manner("websocket", websocket_message, websocket_mark, websocket_mark)


async def send_all(
    reader: Reader,
    tail: EventTail,
    request: web.Request,
    write: Write,
    manner: Manner,
    *,
    stands: Callable[[], bool] = lambda: True,
) -> str:
    """Send a reader all that comes until it ends, and say why. ``stands`` says whether its session does.

    Where nothing was sent for a while a mark is, so that a reader for whom little is meant goes on near the end too.
    """
    bounds, loop = tail.bounds, asyncio.get_running_loop()
    spoke_at = asked_at = loop.time()
    while tail.ended is None:
        if loop.time() - asked_at >= STANDING_ASKED_EVERY_S:
            if not stands():
                return SESSION_OVER
            asked_at = loop.time()
        try:
            chunk = await reader.next()
        except Fallen:
            return SLOW
        content = b"" if chunk is None else chunk.content
        if not content and loop.time() - spoke_at >= bounds.heartbeat_s:
            content = manner.mark(reader.cursor if chunk is None else chunk.cursor)
        if content:
            spoke_at = loop.time()
            try:
                async with asyncio.timeout(bounds.slow_after_s):
                    await write(content)
            except TimeoutError:
                if chunk is not None:
                    reader.stand_behind(chunk)  # it lies before whatever else this connection carries
                return SLOW
            except ConnectionError:
                return GONE
        if chunk is not None:
            reader.stand_behind(chunk)
            tail.count_sent(chunk.events)
        elif not content:
            if request.transport is None or request.transport.is_closing():
                return GONE
            # Nothing waited since the reader found nothing, so nothing is missed.
            await tail.moved()
    return tail.ended


async def say_goodbye(request: web.Request, bounds: EventBounds, goodbye: Awaitable[object], reason: str) -> None:
    """Send the last words of a connection, and give it up where it doesn't take them in time."""
    transport = request.transport
    try:
        async with asyncio.timeout(bounds.linger_s):
            await goodbye
    except (TimeoutError, ConnectionError):
        pass
    finally:
        if transport is not None and (reason == SLOW or transport.is_closing()):
            # Closed, it would keep what nobody reads.
            transport.abort()
