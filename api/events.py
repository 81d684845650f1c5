"""What happens to records and media, told to everybody: page by page, as Server-Sent Events, over a WebSocket.

Each event is told at least once, in the order of its partition; ``position`` tells two apart. ``cursor`` is where to
go on behind an event, on any of the three and with any filter: ``since=``, or ``Last-Event-ID`` on the stream. A
stream needs no session; one that came with a session ends with it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Annotated

from aiohttp import WSMsgType, web
from pydantic import BaseModel, BeforeValidator, Field

from api import event_connection as wire
from api.event_reading import Reader
from api.event_stream import begin, read_since, seated, stream_of, wait_for
from api.event_tail import cursor_of
from api.event_types import read_types
from api.event_view import EventView
from api.freshness import AS_OF, as_of
from api.problems import ProblemError
from api.route import Asked, Route
from api.shapes import LIMIT_DEFAULT, LIMIT_MAX, WAIT_MS_MAX, Digits, FreshQuery, Maybe
from api.since import START
from log import strict_json

LOG = logging.getLogger("muniment.api.events")
PAGE_ROUNDS = 40
"""How often a page looks further where its filter lets little through."""
PAGE_BYTES = 1 << 20
MESSAGE_MAX_BYTES = 4_096
LAST_EVENT_ID = "Last-Event-ID"
NOT_KEPT = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""For what lies between: a stream is neither kept nor held back."""


class EventsQuery(FreshQuery):
    """Which types, separated by commas and with ``*`` at the end where it is a beginning; and from where on."""

    types: Maybe[Annotated[str, Field(min_length=1, max_length=8_192)]] = None
    since: Maybe[Annotated[str, Field(min_length=1, max_length=4_096)]] = None


class EventPageQuery(EventsQuery):
    """From the start, unless ``since`` says otherwise."""

    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX), Digits] = LIMIT_DEFAULT


class EventStreamQuery(EventsQuery):
    """From now on, unless ``since`` says otherwise; ``wait_ms`` is how long it is waited for that to be reached."""

    wait_ms: Annotated[int, Field(ge=0, le=WAIT_MS_MAX), Digits] = WAIT_MS_MAX


class EventSocketQuery(EventStreamQuery):
    """``marks=true``: cursors come as messages too, first of all and whenever there was nothing to tell."""

    marks: Annotated[bool, BeforeValidator(lambda value: {"true": True, "false": False}.get(value, ""))] = False


class EventPage(BaseModel):
    """Events in the order of each partition; ``next_cursor`` goes on, and stays the same where there is no more."""

    items: list[EventView]
    next_cursor: str


async def browse(asked: Asked) -> web.StreamResponse:
    """Give the events behind a cursor."""
    query: EventPageQuery = asked.query
    types, vector = read_types(query.types), read_since(query.since or START, asked.api.partitions)
    await wait_for(asked, vector)
    tail, headers = stream_of(asked).tail, as_of(asked.api.mirror)
    until, size = tail.reached(), 0
    bodies: list[bytes] = []
    for _ in range(PAGE_ROUNDS):
        if len(bodies) >= query.limit or size >= PAGE_BYTES or _is_behind(vector, until):
            break
        told, vector = await tail.read_store(types, vector, until, query.limit - len(bodies))
        bodies += [each.body for each in told]
        size += sum(len(each.body) for each in told)
    end = strict_json.dump({"next_cursor": cursor_of(vector)})
    body = b'{"items":[%b],%b' % (b",".join(bodies), end[1:])
    return web.Response(body=body, headers=headers, content_type="application/json")


def _is_behind(vector: dict[int, int], until: dict[int, int]) -> bool:
    return all(vector.get(partition, -1) >= offset for partition, offset in until.items())


async def stream(asked: Asked) -> web.StreamResponse:
    """Send events as they come, as Server-Sent Events."""
    request, query = asked.request, asked.query
    tail, types = stream_of(asked).tail, read_types(query.types)
    with seated(asked):
        # A browser that comes back asks for the same address as before, and says here how far it was.
        vector = await begin(asked, request.headers.get(LAST_EVENT_ID) or query.since)
        reader = Reader(tail, types, wire.SSE.event, vector)
        response = web.StreamResponse(headers={**_headers(asked, reader), **NOT_KEPT})
        response.content_type = "text/event-stream"
        response.force_close()
        await response.prepare(request)
        reason = await _sent(asked, reader, response.write, wire.SSE)

        async def goodbye() -> None:
            await response.write(wire.sse_end(reason, reader.cursor))
            await response.write_eof()

        await _ended(asked, reader, reason, goodbye)
    return response


async def websocket(asked: Asked) -> web.StreamResponse:
    """Send events as they come, over a WebSocket."""
    request, query = asked.request, asked.query
    tail, types = stream_of(asked).tail, read_types(query.types)
    socket = web.WebSocketResponse(compress=False, max_msg_size=MESSAGE_MAX_BYTES, timeout=tail.bounds.linger_s)
    if not socket.can_prepare(request):
        raise ProblemError("invalid_request", "this route is a WebSocket: ask to upgrade to it")
    with seated(asked):
        vector = await begin(asked, query.since)
        manner = wire.MARKED_WEBSOCKET if query.marks else wire.WEBSOCKET
        reader = Reader(tail, types, manner.event, vector)
        socket.headers.update(_headers(asked, reader))
        # What it gives writes past the socket's own framing, so that readers alike are sent the same bytes.
        writer = await socket.prepare(request)
        sending = asyncio.create_task(_sent(asked, reader, writer.write, manner))
        listening = asyncio.create_task(_heard(socket))
        try:
            await asyncio.wait({sending, listening}, return_when=asyncio.FIRST_COMPLETED)
            reason = sending.result() if sending.done() else listening.result()
        finally:
            for task in (sending, listening):
                task.cancel()
            await asyncio.gather(sending, listening, return_exceptions=True)

        async def goodbye() -> None:
            await writer.write(wire.websocket_end(reason, reader.cursor))
            await socket.close(code=wire.CLOSE_CODES[reason], message=reason.encode())

        await _ended(asked, reader, reason, goodbye)
    return socket


async def _heard(socket: web.WebSocketResponse) -> str:
    """Wait until the reader leaves or says something, which is not what this stream is for; say which."""
    message = await socket.receive()
    return wire.TALKS if message.type in {WSMsgType.TEXT, WSMsgType.BINARY} else wire.GONE


def _stands(asked: Asked) -> bool:
    """Tell whether a reader may stay: one without a session may, one with a session until that is over."""
    caller = asked.session
    return caller is None or (caller.expires_at > time.time() and asked.api.standing(caller) is not None)


def _headers(asked: Asked, reader: Reader) -> dict[str, str]:
    return {**asked.headers, AS_OF: reader.cursor}


async def _sent(asked: Asked, reader: Reader, write: wire.Write, manner: wire.Manner) -> str:
    """Send a reader all that comes, after what its connection begins with, and say why it ended."""
    asked.streaming_since = time.perf_counter()
    api, events = asked.api, stream_of(asked)
    wire.bound(asked.request, events.tail.bounds)
    with events.readers.reading(reader), api.metrics.event_readers.labels(manner.name).track_inprogress():
        try:
            if start := manner.start(reader.cursor):
                await write(start)
            return await wire.send_all(reader, events.tail, asked.request, write, manner, stands=lambda: _stands(asked))
        except ConnectionError:
            return wire.GONE
        except Exception:
            # The answer is under way, so the one who asked can't be told by a problem.
            LOG.exception("event_reader_failed", extra={"request_id": asked.request_id})
            return wire.FAILED


async def _ended(asked: Asked, reader: Reader, reason: str, goodbye: Callable[[], Awaitable[None]]) -> None:
    asked.api.metrics.event_readers_ended.labels(reason).inc()
    level = logging.INFO if reason in {wire.SLOW, wire.FAILED} else logging.DEBUG
    LOG.log(
        level, "event_reader_ended", extra={"reason": reason, "cursor": reader.cursor, "request_id": asked.request_id}
    )
    if reason != wire.GONE:
        await wire.say_goodbye(asked.request, stream_of(asked).tail.bounds, goodbye(), reason)


PROBLEMS = ("invalid_cursor", "not_caught_up")

ROUTES = [
    Route(
        "GET",
        "/events",
        browse,
        "What happened to records and media",
        query_model=EventPageQuery,
        responses={200: EventPage},
        problems=PROBLEMS,
    ),
    Route(
        "GET",
        "/events/stream",
        stream,
        "What happens to records and media, as Server-Sent Events",
        query_model=EventStreamQuery,
        response_type="text/event-stream",
        problems=(*PROBLEMS, "unauthenticated"),
        header_parameters={LAST_EVENT_ID: "The id of the last event that was heard; it goes before `since`."},
        streams=True,
    ),
    Route(
        "GET",
        "/ws/events",
        websocket,
        "What happens to records and media, over a WebSocket",
        query_model=EventSocketQuery,
        responses={101: None},
        problems=(*PROBLEMS, "unauthenticated"),
        streams=True,
    ),
]
