"""How far back a search looks: among the newest records first, then over a longer while, and at last at all of them.

Only the newest matches are ranked, so whoever finds enough of them in a while needs nothing from before it. How long
it must be follows from how many were found in a shorter one, whatever Postgres believes of a word.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from projections.generations import Generation
from projections.postgres import Transaction
from projections.record_words import LIES_IN, SPANS

NEWEST: Final = 1_000
"""How many of a collection's newest records the first window holds."""
SPANS_LIMIT: Final = 64
"""How many spans a window has at most, for each collection: their length goes by that."""
WIDENED: Final = 2, 256
"""By how much a window is widened, at least and at most."""
WIDENED_FOR_NOTHING: Final = 1_024
"""By how much a window without a single hit is widened."""
HITS_LIMIT: Final = 4_000
"""How many hits the next window may be expected to have."""


@dataclass(frozen=True, slots=True)
class Window:
    """A while, in ms, up to the newest record; ``since`` is none where it holds every record."""

    since: int | None
    newest: int
    oldest: int
    span: int = 0

    @property
    def asked(self) -> dict[str, Any]:
        """Give what ``hits_query`` asks for it."""
        return {"since": self.since, "newest": self.newest, "span": self.span}

    def wider(self, hits: int, matches: int, wanted: int) -> "Window":
        """Give the window that should have as many matches as are wanted: twice, since few tell little of many."""
        least, most = WIDENED
        if not hits:
            least = most = WIDENED_FOR_NOTHING
        else:
            # Where there were too few hits, none of them was asked whether it matches.
            found = matches if hits >= wanted else hits
            most = min(most, 2 * wanted // (found or 1), HITS_LIMIT // hits)
        return beginning(self.newest - (self.newest - (self.since or 0) + 1) * max(least, most), self)


def beginning(since: int, window: Window) -> Window:
    """Give a window that begins as late as a span does that holds this time (ms), or holds all where that is enough."""
    spans = [span for span in SPANS if (window.newest >> span) - (since >> span) < SPANS_LIMIT]
    begins = since >> spans[0] << spans[0] if spans else 0
    if begins <= window.oldest:
        return replace(window, since=None)
    return replace(window, since=begins, span=spans[0])


async def first(
    transaction: Transaction, generation: Generation, collections: Sequence[str], offsets: Sequence[int]
) -> Window:
    """Give the window of the newest records of these collections, as they were at offsets."""
    ((newest, since, oldest),) = await transaction.rows(
        first_query(generation.schema), {"collections": list(collections), "offsets": list(offsets), "looked": NEWEST}
    )
    window = Window(None, newest or 0, oldest or 0)
    return window if since is None else beginning(since, window)


def first_query(schema: str) -> str:
    """Write the query of the newest record's time, of when the newest ones begin, and of the oldest record's time."""
    living = f"FROM {schema}.records r WHERE r.collection = named.collection AND r.until_pos IS NULL"
    return (
        "SELECT max(l.newest), max(l.since), min(o.indexed_at) FROM unnest(%(collections)s::text[]) AS named"
        " (collection) CROSS JOIN LATERAL (SELECT max(indexed_at) AS newest, CASE WHEN count(*) = %(looked)s::bigint"
        f" THEN min(indexed_at) END AS since FROM (SELECT indexed_at {living} AND r.pos <="
        " (%(offsets)s::bigint[])[r.part + 1] ORDER BY r.indexed_at DESC, r.rkey, r.did LIMIT %(looked)s::bigint) r) l"
        f" LEFT JOIN LATERAL (SELECT indexed_at {living} ORDER BY r.indexed_at, r.rkey DESC, r.did DESC LIMIT 1) o"
        " ON true"
    )


def hits_query(schema: str, columns: str, window: Window) -> str:
    """Write the query of what the index of words knows in a window."""
    spans = since = ""
    if window.since is not None:
        spans = (
            f" AND {LIES_IN} && ARRAY(SELECT hashtextextended(c, %(span)s::bigint) # n"
            " FROM unnest(%(collections)s::text[]) c, generate_series(%(since)s::bigint >> %(span)s::integer,"
            " %(newest)s::bigint >> %(span)s::integer) n)"
        )
        since = " AND r.indexed_at >= %(since)s::bigint"
    # What else is asked stands outside: by no other index than that of words would be found what must be found.
    return (
        f"SELECT {columns} FROM (SELECT * FROM {schema}.records r WHERE r.words @@ %(indexed)s::tsquery"
        f" AND r.until_pos IS NULL{spans} OFFSET 0) r WHERE r.collection = ANY(%(collections)s){since}"
        " AND r.pos <= (%(offsets)s::bigint[])[r.part + 1]"
    )
