"""The next generation of the key-value store: folded from the log beside the live one, compared with it, made live."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from domain.catalog import CONTEXTS
from domain.decider import Entry
from log import topic
from log.chain import Mark
from log.log import Log
from log.store import MemoryStore, Store
from log.topic import FACTS_INGEST
from projections.feed import DEFAULT_ORIGIN, FeedWriter
from projections.feed_dump import dump_fold
from projections.feed_generations import Generations
from projections.feed_queue import Held, QueueFold, fold_queue
from projections.feed_store import fold_to
from projections.mirror import Marks, Writer
from projections.rebuilding import Difference, Rebuilt

SERVED_TIMEOUT_S: Final = 60.0
SERVED_POLL_S: Final = 0.1
READ_ATTEMPTS: Final = 5


KEYS: Final = "keys"
MARKS: Final = "marks"


class NotServed(RuntimeError):
    """The next generation is live, and the process that serves did not change over to it in time."""


def difference(key: str, live: Entry | None, rebuilt: Entry | None, table: str = KEYS) -> Difference:
    """Name a key whose entry isn't what the log says."""
    shown = [None if entry is None else {"entry": list(entry)} for entry in (live, rebuilt)]
    return Difference(table, (key,), *shown)


def differences(live: Iterator[tuple[str, Entry]], rebuilt: Iterator[tuple[str, Entry]]) -> Iterator[Difference | None]:
    """Walk two dumps together; give for each key the difference, or nothing where there is none."""
    left, right = next(live, None), next(rebuilt, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[0] < right[0]):
            assert left is not None  # noqa: S101  # one of both is there
            yield difference(left[0], left[1], None)
            left = next(live, None)
        elif left is None or right[0] < left[0]:
            yield difference(right[0], None, right[1])
            right = next(rebuilt, None)
        else:
            yield None if left[1] == right[1] else difference(left[0], left[1], right[1])
            left, right = next(live, None), next(rebuilt, None)


async def rebuild_playlists(
    log: Log,
    folder: Path,
    *,
    origin: str = DEFAULT_ORIGIN,
    writers: Sequence[Writer] = (),
    progress: Callable[[int], None] = lambda _decisions: None,
    served_timeout_s: float = SERVED_TIMEOUT_S,
) -> Rebuilt:
    """Build the next generation from the log, compare it with the live one key by key at the same marks, make it live.

    ``folder`` is that of an api process's generations, ``writers`` those that it adds; it goes on reading and writing
    meanwhile. Raises RebuildRunning and LogUnavailable, and the live generation stays as it is then; and NotServed.
    """
    generations = Generations(folder)
    with generations.building() as number:
        live = await _live(generations)
        running = generations.is_held
        try:
            marks, queue = await _target(log, live)
            store = Store(generations.path(number))
            try:
                await fold_to(log, store, marks, [FeedWriter(origin), *writers], progress)
                await fold_queue(log, QueueFold(Held(store), origin), queue)
                rows, first = _compare(live, store, marks)
            finally:
                store.close()
        finally:
            if live is not None:
                live.close()
        # Durable from here: the pointer names the new generation; a crash before leaves the live one as it was.
        generations.make_live(number)
        if running:
            await _served(generations, number, served_timeout_s)
    return Rebuilt("playlists", number, rows, first)


async def _live(generations: Generations) -> Store | None:
    """Open the live generation to read; its writer may remove a file just then, so this is tried a few times."""
    for attempt in range(1, READ_ATTEMPTS + 1):
        try:
            return generations.read()
        except Exception:  # rocksdict raises bare exceptions
            if attempt == READ_ATTEMPTS:
                raise
            await asyncio.sleep(SERVED_POLL_S)
    raise AssertionError


async def _target(log: Log, live: Store | MemoryStore | None) -> tuple[Marks, int]:
    """Say how far the fold goes: as far as the live one, but to the end of the log where that isn't there."""
    marks: dict[tuple[str, int], Mark] = {}
    for context in CONTEXTS:
        name = topic.events(context)
        for partition, end in (await log.ends(name, range(await log.partitions(name)))).items():
            mark = Mark(end, b"") if live is None else live.mark(name, partition)
            marks[context, partition] = Mark(min(mark.next, end), mark.chain, mark.last)
    queue = (await log.ends(FACTS_INGEST, [0]))[0]
    return marks, queue if live is None else min(queue, live.mark(FACTS_INGEST, 0).next)


def _compare(live: Store | MemoryStore | None, rebuilt: Store, marks: Marks) -> tuple[int, Difference | None]:
    """Count the keys compared, and give the first difference."""
    if live is None:
        return 0, None
    first = None
    for (context, partition), mark in marks.items():
        found = rebuilt.mark(topic.events(context), partition)
        if found != mark and first is None:
            first = difference(f"{context}/{partition}", (mark.chain.hex(),), (found.chain.hex(),), MARKS)
    keys = 0
    for each in differences(dump_fold(live), dump_fold(rebuilt)):
        keys += 1
        first = first or each
    return keys, first


async def _served(generations: Generations, number: int, timeout_s: float) -> None:
    """Wait until the running process reads a generation; raises NotServed."""
    try:
        async with asyncio.timeout(timeout_s):
            while generations.served != number:  # noqa: ASYNC110  # another process is waited for
                await asyncio.sleep(SERVED_POLL_S)
    except TimeoutError:
        raise NotServed(f"generation {number} is live; the running process has not changed over yet") from None
