"""Every projection as it lies in its store, for an audit to compare: Postgres in a snapshot, a feed on disk."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from domain.decider import Entry
from log.store import MemoryStore, Store
from processors.audit_feed import FeedRows
from processors.audit_row_keys import row_key
from processors.audit_rows import Dump, Row
from processors.audit_tables import RULES
from projections import dump
from projections.feed_dump import dump_feed, marks_of, open_running
from projections.postgres import Postgres

FEED_CONTEXT: Final = "facts"


@asynccontextmanager
async def opened(
    postgres: Postgres | None, feeds: Sequence[Path] = (), *, partitions: int, origin: str = "feed.ff"
) -> AsyncIterator[list[Dump]]:
    """Open what there is to compare; each path in ``feeds`` is the folder of a feed's generations.

    Raises PostgresUnavailable.
    """
    async with AsyncExitStack() as held:
        dumps: list[Dump] = []
        if postgres is not None:
            for projection in dump.PROJECTIONS:
                found = await held.enter_async_context(dump.dump(postgres, projection.name))
                dumps.append(of_tables(found))
        for folder in feeds:
            store = open_running(folder)
            if store is not None:
                held.callback(store.close)
                dumps += of_feed(store, partitions, origin)
        yield dumps


def of_tables(found: dump.Dump) -> Dump:
    """Give a projection in Postgres as something to compare."""
    projection = found.projection

    async def rows() -> AsyncIterator[Row]:
        for table in projection.tables:
            async for row in found.rows(table.name):
                yield row_key(table.name, row), row

    return Dump(projection.name, projection.context, RULES[projection.name], found.generation.marks, rows())


def of_feed(store: Store | MemoryStore, partitions: int, origin: str = "feed.ff") -> list[Dump]:
    """Give a feed's store as something to compare: a feed is made of facts alone."""
    marks, queue_next = marks_of(store, partitions)
    return [
        Dump(
            "playlists",
            FEED_CONTEXT,
            FeedRows(FEED_CONTEXT, origin, queue_used=queue_next > 0),
            {partition: mark for (of, partition), mark in marks.items() if of == FEED_CONTEXT},
            _each(dump_feed(store)),
        )
    ]


async def _each(entries: Iterator[tuple[str, Entry]]) -> AsyncIterator[Row]:
    for key, entry in entries:
        yield key, list(entry)
