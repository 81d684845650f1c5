"""What is asked of the words of records: those that match, best first, among the newest that do.

A query is asked twice: of one index of the words of all languages, which finds too much, and of each record that it
found in the one language that was named. Ranking reads every match, so only the newest ``CANDIDATES`` are ranked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from projections.generations import Generation
from projections.post_queries import OWN_PLAN, columns_of
from projections.postgres import Transaction
from projections.record_queries import COLUMNS, StoredRecord, marked
from projections.record_words import LANGUAGES, PLAIN

CANDIDATES: Final = 300
"""How many of the newest matches are ranked."""
HITS: Final = (400, 1_600, None)
"""How many of the index's newest hits are looked at, and how many where too few of those match; all at last."""
SCORES: Final = 1_000_000_000
"""A rank, which is below 1, as a whole number that a cursor can hold."""
FIRST: Final = "score DESC, indexed_at DESC, rkey, did, collection"
BEGINS, ENDS = "\x02", "\x03"
"""What surrounds a match in a passage: no text that is marked holds these characters."""
MARKED: Final = f"StartSel={BEGINS}, StopSel={ENDS}, MaxWords=40, MinWords=15"


@dataclass(frozen=True, slots=True)
class Needle:
    """A query as Postgres reads it, in a language's configuration: whole, and the part of it that an index answers."""

    configuration: str
    whole: str
    indexed: str


@dataclass(frozen=True, slots=True)
class Rank:
    """Where a page goes on: behind a match in the order of the list."""

    score: int
    indexed_at: int
    rkey: str
    did: str
    collection: str


@dataclass(frozen=True, slots=True)
class Match:
    """A record that matches, with its score, and the passage that does."""

    record: StoredRecord
    score: int
    passage: str


async def needle(transaction: Transaction, text: str, language: str | None) -> Needle | None:
    """Read a query as people type it; nothing where no word is left in it, or only what must not be there."""
    configuration = PLAIN if language is None else LANGUAGES[language]
    rows = await transaction.rows(
        "SELECT q::text, querytree(q) FROM websearch_to_tsquery(%s::text::regconfig, %s) q", configuration, text
    )
    ((whole, indexed),) = rows
    return Needle(configuration, whole, indexed) if whole and indexed not in {"", "T"} else None


async def matching(
    transaction: Transaction,
    generation: Generation,
    sought: Needle,
    *,
    collections: Sequence[str],
    offsets: Sequence[int],
    limit: int,
    after: Rank | None = None,
) -> list[Match]:
    """Give the records of these collections that match, as they were at offsets, best first; ties newest first."""
    await transaction.run(OWN_PLAN)
    asked = {
        "collections": list(collections),
        "offsets": list(offsets),
        "limit": limit,
        "configuration": sought.configuration,
        "whole": sought.whole,
        "indexed": sought.indexed,
        "marked": MARKED,
        "score": after and after.score,
        "indexed_at": after and after.indexed_at,
        "rkey": after and after.rkey,
        "did": after and after.did,
        "collection": after and after.collection,
    }
    query = match_query(generation.schema, after)
    rows: list[Any] = []
    for hits in HITS:
        rows = await transaction.rows(query, {**asked, "hits": hits})
        if rows[0][-1]:
            break
    rows = [row for row in rows if row[0] is not None]
    records = await marked(transaction, generation, [row[:-3] for row in rows])
    return [Match(record, row[-3], row[-2]) for record, row in zip(records, rows, strict=True)]


def match_query(schema: str, after: Rank | None) -> str:
    """Write the query of a page of matches among the newest ``hits`` of the index, of each collection.

    Each row ends in whether that was enough: all hits were seen, or as many matches as are ranked, all of them newer
    than any hit that wasn't. Where nothing matches, one row of nothing says it.
    """
    kept = ", ".join(f"r.{name}" for name in (*COLUMNS.split(", "), "said"))
    hit = (
        "r.words @@ %(indexed)s::tsquery AND r.said IS NOT NULL"
        # As a CASE it is taken for true of every other record; as it is, of few: a common word would be gathered whole
        # from the index of words, where the newest posts have enough of it.
        " AND CASE WHEN r.pos <= (%(offsets)s::bigint[])[r.part + 1] THEN true END"
    )
    vector = "LATERAL (SELECT to_tsvector(%(configuration)s::regconfig, r.said) AS vector OFFSET 0) v"
    order = "ORDER BY r.indexed_at DESC, r.rkey, r.did, r.collection"
    hits = (
        f"SELECT r.* FROM unnest(%(collections)s::text[]) AS named (collection) CROSS JOIN LATERAL (SELECT {kept}"
        f" FROM {schema}.records r WHERE r.collection = named.collection AND r.until_pos IS NULL AND {hit}"
        " ORDER BY r.indexed_at DESC, r.rkey, r.did LIMIT %(hits)s::bigint) r"
    )
    # Read in their order, so that no more is taken apart in the language than what is ranked.
    living = (
        f"SELECT r.*, v.vector FROM (SELECT * FROM hit r {order} OFFSET 0) r CROSS JOIN {vector}"
        f" WHERE v.vector @@ %(whole)s::tsquery {order} LIMIT {CANDIDATES}"
    )
    ended = (
        f"SELECT {kept}, v.vector FROM generate_series(1, cardinality(%(offsets)s::bigint[])) p CROSS JOIN LATERAL ("
        f"SELECT * FROM {schema}.records r WHERE r.part = p - 1 AND r.until_pos > (%(offsets)s::bigint[])[p]"
        f" AND r.collection = ANY(%(collections)s) AND {hit} OFFSET 0) r CROSS JOIN {vector}"
        f" WHERE v.vector @@ %(whole)s::tsquery {order} LIMIT {CANDIDATES}"
    )
    behind = (
        " WHERE score < %(score)s OR (score = %(score)s AND (indexed_at < %(indexed_at)s OR (indexed_at ="
        " %(indexed_at)s AND (rkey, did, collection) > (%(rkey)s, %(did)s, %(collection)s))))"
    )
    return (
        f"WITH hit AS MATERIALIZED ({hits}), living AS MATERIALIZED ({living}), newest AS (SELECT * FROM ("
        f"(SELECT * FROM living) UNION ALL ({ended})) r {order} LIMIT {CANDIDATES}), ranked AS (SELECT *,"
        f" (ts_rank_cd(vector, %(whole)s::tsquery, 32) * {SCORES})::bigint AS score FROM newest),"
        f" page AS (SELECT * FROM ranked{'' if after is None else behind} ORDER BY {FIRST} LIMIT %(limit)s),"
        " seen AS (SELECT max(oldest) AS down_to FROM (SELECT min(indexed_at) AS oldest FROM hit GROUP BY collection"
        " HAVING count(*) = %(hits)s) full_ones),"
        f" last AS (SELECT min(indexed_at) AS at FROM living HAVING count(*) = {CANDIDATES})"
        f" SELECT {columns_of('page')}, score, ts_headline("
        "%(configuration)s::regconfig, translate(said, E'\\x02\\x03', ''), %(whole)s::tsquery, %(marked)s),"
        " down_to IS NULL OR coalesce((SELECT at FROM last) > down_to, false)"
        f" FROM seen LEFT JOIN page ON true ORDER BY {FIRST}"
    )
