"""What is asked of the words of records: those that match, best first, among the newest that do.

A query is asked twice: of one index of the words of all languages, which finds too much, and of each record that it
found in the one language that was named. Ranking reads every match, so only the newest ``CANDIDATES`` are ranked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from projections.generations import Generation
from projections.post_queries import OWN_PLAN, columns_of
from projections.postgres import Transaction
from projections.record_queries import StoredRecord, marked
from projections.record_rows import VERSION
from projections.record_words import LANGUAGES, PLAIN
from projections.search_spans import steps_query

CANDIDATES: Final = 250
"""How many of the newest matches are ranked."""
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
    rows = await transaction.rows(match_query(generation.schema, after), asked)
    records = await marked(transaction, generation, [row[:-2] for row in rows])
    return [Match(record, *row[-2:]) for record, row in zip(records, rows, strict=True)]


def match_query(schema: str, after: Rank | None) -> str:
    """Write the query of a page of the matches: those that still are as they were, and those that ended since."""
    columns = ", ".join((*VERSION, "words", "vector"))
    order = "ORDER BY r.indexed_at DESC, r.rkey, r.did, r.collection"
    living = f"SELECT r.* FROM step CROSS JOIN LATERAL ROWS FROM (unnest(records), unnest(vectors)) AS r ({columns})"
    ended = (
        "SELECT r.*, v.vector FROM generate_series(1, cardinality(%(offsets)s::bigint[])) p CROSS JOIN LATERAL ("
        f"SELECT * FROM {schema}.records r WHERE r.part = p - 1 AND r.until_pos > (%(offsets)s::bigint[])[p]"
        " AND r.collection = ANY(%(collections)s) AND r.words @@ %(indexed)s::tsquery"
        " AND r.pos <= (%(offsets)s::bigint[])[r.part + 1] OFFSET 0) r CROSS JOIN LATERAL"
        f" (SELECT {_vector_of('r.said')} AS vector OFFSET 0) v WHERE v.vector @@ %(whole)s::tsquery {order}"
        f" LIMIT {CANDIDATES}"
    )
    behind = (
        " WHERE score < %(score)s OR (score = %(score)s AND (indexed_at < %(indexed_at)s OR (indexed_at ="
        " %(indexed_at)s AND (rkey, did, collection) > (%(rkey)s, %(did)s, %(collection)s))))"
    )
    return (
        f"WITH RECURSIVE {steps_query(schema, CANDIDATES, _vector_of)},"
        f" newest AS (SELECT * FROM (({living}) UNION ALL ({ended})) r {order} LIMIT {CANDIDATES}),"
        f" ranked AS (SELECT *, (ts_rank_cd(vector, %(whole)s::tsquery, 32) * {SCORES})::bigint AS score FROM newest),"
        f" page AS (SELECT * FROM ranked{'' if after is None else behind} ORDER BY {FIRST} LIMIT %(limit)s)"
        f" SELECT {columns_of('page')}, score, ts_headline("
        "%(configuration)s::regconfig, translate(said, E'\\x02\\x03', ''), %(whole)s::tsquery, %(marked)s)"
        f" FROM page ORDER BY {FIRST}"
    )


def _vector_of(said: str) -> str:
    """Write what a text has of words in the query's language."""
    return f"to_tsvector(%(configuration)s::regconfig, {said})"
