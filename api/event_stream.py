"""The event stream of an api process: its tail, its readers, and how a reader begins."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from aiohttp import web

from api.event_connection import SHUTDOWN
from api.event_reading import Readers
from api.event_tail import EventTail
from api.event_view import EventViews
from api.freshness import not_caught_up, read_position
from api.problems import ProblemError
from api.route import Asked
from api.since import LARGEST_OFFSET, START
from api.wiring import Api
from log.token import InvalidToken, later, read_token
from projections.record_events import CONTEXT

STARTING_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class EventStream:
    """What the event stream's routes ask."""

    tail: EventTail
    readers: Readers


def stream_of(asked: Asked) -> EventStream:
    """Give what the event stream's routes ask."""
    return cast("EventStream", asked.api.events)


def attach(app: web.Application, api: Api) -> None:
    """Have an application's event stream followed while it runs, and its readers told before it ends."""
    bounds = api.settings.event_bounds
    views = EventViews(api.mirror, lambda: api.open_values)
    tail = EventTail(api.mirror, views.show, api.metrics, bounds)
    readers = Readers(bounds.readers)
    api.events = EventStream(tail, readers)
    api.metrics.event_lag.set_function(lambda: readers.lag)

    async def followed(_app: web.Application) -> AsyncIterator[None]:
        following = asyncio.create_task(tail.run(lambda: api.caught_up))
        yield
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following

    async def end_readers(_app: web.Application) -> None:
        tail.end(SHUTDOWN)

    app.cleanup_ctx.append(followed)
    app.on_shutdown.append(end_readers)


def _check_session(asked: Asked) -> None:
    """Refuse a reader whose session is over: it would be cut as soon as it was let in.

    Raises ``unauthenticated``, ``not_caught_up``.
    """
    if "Authorization" in asked.request.headers and asked.session is None:
        if not asked.api.caught_up:
            raise not_caught_up()
        asked.caller  # noqa: B018  # raises without a session


@contextlib.contextmanager
def seated(asked: Asked) -> Iterator[None]:
    """Let one more reader in while the block runs; raises ``rate_limited``, ``unauthenticated``, ``not_caught_up``.

    A caller may read as many streams at once as it may send requests in a minute.
    """
    _check_session(asked)
    counted = asked.api.rate_limits.counted_under(asked.session, asked.request.remote, asked.api.roles)
    name, most = ("", None) if counted is None else (counted[0], counted[1].per_minute)
    with stream_of(asked).readers.seated(name, most):
        yield


def read_since(text: str, partitions: int) -> dict[int, int]:
    """Read where to go on: a cursor or any other position token; raises ``invalid_cursor``.

    Of a partition that it doesn't name everything is meant to come. Positions of other contexts, and of partitions
    that there are not, are passed over.
    """
    if text == START:
        return {}
    try:
        positions = read_token(text)
    except InvalidToken:
        raise ProblemError("invalid_cursor") from None
    if any(offset > LARGEST_OFFSET for offset in positions.values()):
        raise ProblemError("invalid_cursor")
    return {p: offset for (context, p), offset in positions.items() if context == CONTEXT and p < partitions}


async def wait_for(asked: Asked, vector: Mapping[int, int]) -> None:
    """Wait until this process has what a reader had, and ``min_position``; raises ``not_caught_up``."""
    api, sent = asked.api, asked.query.min_position
    positions = [{(CONTEXT, partition): offset for partition, offset in vector.items()}]
    if sent is not None:
        named = read_position(sent).items()
        positions.append({where: offset for where, offset in named if where[0] == CONTEXT})
    wanted, wait_s = later(positions), asked.query.wait_ms / 1000
    # A process that has just begun doesn't know yet how far its store is.
    while wanted and sum(context == CONTEXT for context, _ in api.mirror.positions) < api.partitions:
        if wait_s <= 0:
            raise not_caught_up()
        await asyncio.sleep(STARTING_POLL_S)
        wait_s -= STARTING_POLL_S
    if not await api.mirror.wait_for(wanted, wait_s):
        raise not_caught_up()


async def begin(asked: Asked, since: str | None) -> dict[int, int] | None:
    """Give where a reader stands before it is sent anything; nothing for where the tail is.

    Raises ``invalid_cursor`` and ``not_caught_up``.
    """
    if since is not None:
        vector = read_since(since, asked.api.partitions)
        await wait_for(asked, vector)
        return vector
    await wait_for(asked, {})
    tail = stream_of(asked).tail
    try:
        async with asyncio.timeout(asked.query.wait_ms / 1000):
            while not tail.following:
                await tail.moved()
    except TimeoutError:
        raise not_caught_up() from None
    return None
