"""Whoever goes on from a cursor gets each event behind it once, in the order of each partition, wherever it stood."""

import asyncio
import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from api.event_reading import Reader
from api.event_stream import read_since
from api.event_tail import EventTail
from api.event_types import ALL, EventTypes, read_types
from log.token import read_token
from tests.events.scene import QUICK, tailing
from tests.events.vaults import PARTITIONS, Event, Vaults

NAMES = ["put"] * 6 + ["delete", "finalize", "erase", "nonsense"]
MOVES = st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 7), st.integers(0, 9)), max_size=40)
TYPES = st.sampled_from([None, "cdv.*", "cdv.records.org.example.post.*", "cdv.media.finalized", "cdv.records.none.*"])
BOUNDS = st.builds(
    lambda events, size, recent: replace(QUICK, chunk_events=events, chunk_bytes=size, recent_events=recent),
    st.integers(1, 7), st.sampled_from([1, 700, 1 << 20]), st.sampled_from([1, 3, 1_000]),
)  # fmt: skip


def frame(body: bytes, cursor: str) -> bytes:
    """Write an event so that it can be read again: its cursor is in its body and beside it."""
    assert json.loads(body)["cursor"] == cursor
    return body + b"\n"


class Heard:
    """A reader that keeps what it is sent."""

    def __init__(self, tail: EventTail, since: str | None, types: EventTypes = ALL) -> None:
        self.tail = tail
        self.reader = Reader(tail, types, frame, None if since is None else read_since(since, PARTITIONS))
        self.events: list[dict[str, Any]] = []

    async def take(self) -> bool:
        """Take one chunk; say whether there was one."""
        chunk = await self.reader.next()
        if chunk is None:
            return False
        found = [json.loads(line) for line in chunk.content.splitlines()]
        assert len(found) == chunk.events
        self.events += found
        self.reader.stand_behind(chunk)
        return True

    async def take_until(self, vaults: Vaults) -> None:
        """Take all that there is, and what comes, until the end of the log is reached."""
        ends = {found[-1].partition: found[-1].offset for found in vaults.told() if found}
        async with asyncio.timeout(10):
            while self.behind(ends):
                if not await self.take():
                    await self.tail.moved()

    def behind(self, ends: dict[int, int]) -> bool:
        reached = read_since(self.reader.cursor, PARTITIONS)
        return any(reached.get(partition, -1) < end for partition, end in ends.items())


def by_partition(events: list[dict[str, Any]]) -> list[list[str]]:
    """Give the positions of events by partition, in the order in which they came."""
    found: list[list[str]] = [[] for _ in range(PARTITIONS)]
    for event in events:
        ((_, partition),) = read_token(event["position"])
        found[partition].append(event["position"])
    return found


def wanted(told: list[list[Event]], types: EventTypes, after: dict[int, int]) -> list[list[str]]:
    """Give by partition the positions that a reader behind these offsets is to be told of."""
    return [
        [event.position for event in found if types.wants(event.type) and event.offset > after.get(partition, -1)]
        for partition, found in enumerate(told)
    ]


@settings(max_examples=40, deadline=None)
@given(MOVES, TYPES, BOUNDS)
def test_from_the_cursor_of_any_event_the_rest_is_told_once_and_in_order(moves: Any, listed: Any, bounds: Any) -> None:
    async def check() -> None:
        vaults = await Vaults().start()
        await vaults.play(moves)
        async with tailing(vaults, bounds) as tail:
            whole = Heard(tail, "0")
            await whole.take_until(vaults)
            told = vaults.told()
            assert by_partition(whole.events) == wanted(told, ALL, {})
            types = read_types(listed)
            for cursor in ["0", *(event["cursor"] for event in whole.events)]:
                rest = Heard(tail, cursor, types)
                await rest.take_until(vaults)
                assert by_partition(rest.events) == wanted(told, types, read_since(cursor, PARTITIONS))

    asyncio.run(check())


@settings(max_examples=40, deadline=None)
@given(MOVES, st.lists(st.integers(0, 3), min_size=40, max_size=40), TYPES, BOUNDS, st.sampled_from(["0", None]))
def test_while_others_write_nothing_is_missed_or_told_twice_between_the_store_and_the_tail(
    moves: Any, pauses: list[int], listed: Any, bounds: Any, since: str | None
) -> None:
    async def check() -> None:
        vaults, types = await Vaults().start(), read_types(listed)
        await vaults.play(moves[: len(moves) // 3])
        bounded = replace(bounds, recent_events=1_000)
        async with tailing(vaults, bounded) as tail:
            reader = Heard(tail, since, types)
            after = dict(tail.vector) if since is None else {}
            for move, pause in zip(moves[len(moves) // 3 :], pauses, strict=False):
                await vaults.play([move])
                for _ in range(pause):
                    await reader.take()
                    await asyncio.sleep(0)
            await reader.take_until(vaults)
            assert by_partition(reader.events) == wanted(vaults.told(), types, after)

    asyncio.run(check())
