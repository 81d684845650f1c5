"""The event stream, as a client follows it: it comes back by itself to where it was, and gives each event once."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final

from log.token import InvalidToken, later, read_token
from muniment.client.noun import Noun
from muniment.client.pages import read_items
from muniment.client.refusals import Refused, Unauthenticated, UnexpectedAnswer, Unreachable
from muniment.client.server_sent import Block, Blocks
from muniment.client.shapes import PublicEvent
from muniment.client.transport import Answer, pause_s

START: Final = "0"
END: Final = "end"
PAGE: Final = 100
CLOSED_PAUSE_S: Final = 0.2
"""How long to wait before coming back to a registry that said goodbye."""


class Events(Noun):
    """What happens to records and media: ``async for event in client.events(["cdv.records.org.example.post.*"])``."""

    def __call__(
        self, types: Sequence[str] = (), since: str | None = None, *, follow: bool = True
    ) -> AsyncGenerator[PublicEvent, None]:
        """Give the events of these types, with ``*`` at the end for a beginning; all where none is named.

        ``since`` is ``0`` for the start, the ``cursor`` of the last event that was dealt with, or any position; without
        it events come from now on, or with ``follow=False``, which ends where the log does, from the start. Events of
        one partition, which is to say of one owner, come in their order. A connection that breaks is opened again where
        it broke; raises Unreachable and Refused once that takes longer than a call may.
        """
        listed = ",".join(types) or None
        return _each_once(self._followed(listed, since) if follow else self._listed(listed, since or START), since)

    async def _listed(self, types: str | None, since: str) -> AsyncGenerator[PublicEvent, None]:
        cursor, end = since, None
        while True:
            answer = await self._transport.read("/events", {"types": types, "since": cursor, "limit": PAGE})
            # Where the registry was when it was first asked is the end: under load there would be none.
            end = end or answer.as_of
            for found in read_items(answer):
                yield PublicEvent.read(found, answer)
            behind = answer.json.get("next_cursor")
            if not isinstance(behind, str):
                raise UnexpectedAnswer("a page of events without a cursor")
            if behind == cursor or _has(behind, end):
                return
            cursor = behind

    async def _followed(self, types: str | None, since: str | None) -> AsyncGenerator[PublicEvent, None]:
        cursor, attempt, let_in = since, 0, True
        gives_up_at = time.monotonic() + self._transport.timeout_s
        while True:
            try:
                query = {"types": types, "since": cursor}
                async with self._transport.streamed("/events/stream", query) as pieces:
                    blocks = Blocks()
                    async for piece in pieces:
                        attempt, gives_up_at, let_in = 0, time.monotonic() + self._transport.timeout_s, True
                        for block in blocks.feed(piece):
                            cursor = block.last_id or cursor
                            if block.data and block.name != END:
                                yield _event(block)
                await asyncio.sleep(CLOSED_PAUSE_S)
            except Unauthenticated:
                # The session that it came with is over; it comes back with another, once.
                if not let_in:
                    raise
                let_in = False
            except (Refused, Unreachable) as error:
                attempt += 1
                waits_s = pause_s(error, attempt)
                if waits_s is None or time.monotonic() + waits_s >= gives_up_at:
                    raise
                await asyncio.sleep(waits_s)


def _event(block: Block) -> PublicEvent:
    try:
        found: Any = json.loads(block.data)
    except ValueError:
        raise UnexpectedAnswer("an event with broken JSON") from None
    answer = Answer(200, block.data, found, position=None, as_of=None, repeated=False)
    return PublicEvent.read(found, answer)


def _has(cursor: str, end: str | None) -> bool:
    """Tell whether a cursor has all of its partitions that an answer's position has."""
    try:
        reached = read_token(cursor)
        wanted = {} if end is None else read_token(end)
    except InvalidToken:
        return False
    contexts = {context for context, _ in reached}
    return bool(wanted) and all(
        reached.get(where, -1) >= offset for where, offset in wanted.items() if where[0] in contexts
    )


async def _each_once(events: AsyncGenerator[PublicEvent, None], since: str | None) -> AsyncGenerator[PublicEvent, None]:
    """Leave out what was given before: a registry tells each event at least once."""
    known: Mapping[tuple[str, int], int] = {}
    with contextlib.suppress(InvalidToken):  # the registry says so better
        known = read_token(since or START)
    async with contextlib.aclosing(events):
        async for event in events:
            try:
                position = read_token(str(event.position))
            except InvalidToken as error:
                raise UnexpectedAnswer(str(error)) from None
            if any(known.get(where, -1) < offset for where, offset in position.items()):
                known = later([known, position])
                yield event
