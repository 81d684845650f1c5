"""What is asked of posts: those of one author or of all whom somebody follows, newest first, as of where a walk began.

Whoever follows many finds a page among the newest posts of all, so those are looked through first, up to a bound. Where
that isn't enough, of a thousand authors only those can have a post on the page whose newest is among the newest of all:
their newest posts are found by one look into an index each, and then no more posts are read than as many authors as the
page is long have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from projections.compromised_keys import unspoiled
from projections.generations import Generation
from projections.postgres import Transaction
from projections.record_queries import COLUMNS, StoredRecord, marked

LOOKED: Final = 2_000
"""How many of a collection's newest posts are looked through, whoever wrote them."""
ORDER: Final = "indexed_at DESC, rkey, did, collection"
KEY: Final = "did, collection, rkey, pos, indexed_at"
OWN_PLAN: Final = "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_seqscan = off"
"""Has a query planned for what is asked: one plan for all would not suit few authors and many alike.

And by indexes, also while a table is small: it won't stay so, and what a plan needs then is found out early.
"""


@dataclass(frozen=True, slots=True)
class After:
    """Where a page goes on: behind a post in the order of the list."""

    indexed_at: int
    rkey: str
    did: str
    collection: str


@dataclass(frozen=True, slots=True)
class Following:
    """Whose posts are shown: of all whom ``did`` follows by records of ``collection``; ``part`` is its partition."""

    did: str
    collection: str
    part: int


def columns_of(table: str) -> str:
    """Name the columns of a record in one table of a query."""
    return ", ".join(f"{table}.{name}" for name in COLUMNS.split(", "))


def _behind(after: After | None) -> str:
    if after is None:
        return ""
    return (
        " AND r.indexed_at <= %(indexed_at)s AND (r.indexed_at < %(indexed_at)s"
        " OR (r.rkey, r.did, r.collection) > (%(rkey)s, %(did)s, %(collection)s))"
    )


def _authors(generation: Generation) -> str:
    """Write the query of whose posts are shown.

    Somebody is followed who was when the walk began and still is, by whichever records; not by those of whoever had
    stolen a key.
    """
    schema = generation.schema
    return (
        f"SELECT DISTINCT f.subject AS did FROM {schema}.records f WHERE f.did = %(me)s AND f.collection = %(follows)s"
        f" AND f.until_pos IS NULL AND f.subject IS NOT NULL AND {unspoiled(generation.beside['identity'], 'f')}"
        " AND (f.pos <= %(followed)s OR EXISTS ("
        f"SELECT FROM {schema}.records o WHERE o.did = %(me)s AND o.collection = %(follows)s"
        " AND o.until_pos > %(followed)s AND o.pos <= %(followed)s AND o.subject = f.subject))"
    )


def _ended(schema: str, then: str) -> str:
    """Write the query of posts that were there when the walk began and took another value since, or ended."""
    return (
        f" UNION ALL (SELECT {', '.join('r.' + each for each in KEY.split(', '))}"
        f" FROM generate_series(1, cardinality(%(offsets)s::bigint[])) p CROSS JOIN LATERAL (SELECT *"
        f" FROM {schema}.records r WHERE r.part = p - 1 AND r.until_pos > (%(offsets)s::bigint[])[p]"
        f" AND r.collection = ANY(%(posts)s) AND {then} OFFSET 0) r"
        f" WHERE r.did IN (SELECT did FROM author) ORDER BY {ORDER} LIMIT %(limit)s)"
    )


def _shown(schema: str, more: str = "") -> str:
    """Write the end of a query of a page: the rows of what was found."""
    return (
        f" SELECT {columns_of('r')}{more} FROM found a CROSS JOIN LATERAL (SELECT * FROM {schema}.records r"
        " WHERE r.did = a.did AND r.collection = a.collection AND r.rkey = a.rkey AND r.pos = a.pos OFFSET 0) r"
        " ORDER BY r.indexed_at DESC, r.rkey, r.did, r.collection"
    )


def newest_query(generation: Generation, after: After | None) -> str:
    """Write the query of a page out of the newest posts of all; no more are looked at than it takes to fill one.

    Each row ends in the time (ms) down to which every post was looked at; none where no post that was not can be on
    the page.
    """
    schema = generation.schema
    then = "r.pos <= (%(offsets)s::bigint[])[r.part + 1]" + _behind(after)
    named = "unnest(%(posts)s::text[]) AS named (collection)"
    first = "ORDER BY r.indexed_at DESC, r.rkey, r.did"
    newest = f"FROM {schema}.records r WHERE r.collection = named.collection AND r.until_pos IS NULL AND {then} {first}"
    return (
        f"WITH author AS MATERIALIZED ({_authors(generation)}), looked AS MATERIALIZED (SELECT r.* FROM {named}"
        f" CROSS JOIN LATERAL (SELECT {KEY} FROM (SELECT {KEY} {newest} LIMIT {LOOKED}) r"
        # Were it a join, all of them would be joined before the first is taken.
        f" WHERE (r.did IN (SELECT did FROM author)) IS TRUE {first} LIMIT %(limit)s) r), found AS ("
        f"(SELECT {KEY} FROM looked r ORDER BY {ORDER} LIMIT %(limit)s){_ended(schema, then)}"
        f" ORDER BY {ORDER} LIMIT %(limit)s)"
        + _shown(
            schema,
            f", (SELECT max(CASE WHEN (SELECT count(*) FROM looked l WHERE l.collection = named.collection)"
            f" < %(limit)s THEN (SELECT r.indexed_at {newest} OFFSET {LOOKED - 1} LIMIT 1) END) FROM {named})",
        )
    )


def page_query(generation: Generation, after: After | None) -> str:
    """Write the query of a page of those whom somebody follows, however old their newest posts are."""
    schema = generation.schema
    then = "r.pos <= (%(offsets)s::bigint[])[r.part + 1]" + _behind(after)
    now = f"r.did = a.did AND r.collection = a.collection AND r.until_pos IS NULL AND {then}"
    first = "ORDER BY r.indexed_at DESC, r.rkey LIMIT"
    records = f"{schema}.records r"
    return (
        f"WITH author AS MATERIALIZED ({_authors(generation)}), front AS MATERIALIZED ("
        "SELECT a.did, a.collection FROM (SELECT did, collection FROM author,"
        f" unnest(%(posts)s::text[]) AS named (collection)) a CROSS JOIN LATERAL (SELECT r.indexed_at, r.rkey"
        f" FROM {records} WHERE {now} {first} 1) r ORDER BY {ORDER} LIMIT %(limit)s), found AS ("
        f"(SELECT {', '.join('r.' + each for each in KEY.split(', '))} FROM front a CROSS JOIN LATERAL ("
        f"SELECT {KEY} FROM {records} WHERE {now} {first} %(limit)s) r ORDER BY {ORDER} LIMIT %(limit)s)"
        f"{_ended(schema, then)} ORDER BY {ORDER} LIMIT %(limit)s){_shown(schema)}"
    )


def author_query(generation: Generation, after: After | None) -> str:
    """Write the query of a page of one author's posts: what still is as it was, and what ended since, by author each.

    It reads its rows where it finds them; looking for their keys first pays only among many authors.
    """
    then = "r.pos <= (%(offsets)s::bigint[])[r.part + 1]" + _behind(after)
    records = f"{generation.schema}.records r"
    return (
        f"SELECT {columns_of('r')} FROM ((SELECT r.* FROM unnest(%(posts)s::text[]) AS named (collection) CROSS JOIN"
        f" LATERAL (SELECT {COLUMNS} FROM {records} WHERE r.did = %(author)s AND r.collection = named.collection"
        f" AND r.until_pos IS NULL AND {then} ORDER BY r.indexed_at DESC, r.rkey LIMIT %(limit)s) r)"
        " UNION ALL (SELECT r.* FROM generate_series(1, cardinality(%(offsets)s::bigint[])) p CROSS JOIN LATERAL ("
        f"SELECT {COLUMNS} FROM {records} WHERE r.did = %(author)s AND r.part = p - 1"
        " AND r.until_pos > (%(offsets)s::bigint[])[p]"
        f" AND r.collection = ANY(%(posts)s) AND {then} OFFSET 0) r)) r ORDER BY {ORDER} LIMIT %(limit)s"
    )


async def page(
    transaction: Transaction,
    generation: Generation,
    of: Following | str,
    *,
    posts: Sequence[str],
    offsets: Sequence[int],
    limit: int,
    after: After | None = None,
) -> list[StoredRecord]:
    """Give posts in these collections as they were at offsets, newest first by ``indexed_at``.

    Ties go by rkey, and then by author and collection. ``of`` is an author, or whose follows are the authors. What an
    author let go of since is shown for as long as the walk goes on; whoever is followed no more is not.
    """
    asked: dict[str, Any] = {"posts": list(posts), "offsets": list(offsets), "limit": limit}
    if after is not None:
        asked |= {"indexed_at": after.indexed_at, "rkey": after.rkey, "did": after.did, "collection": after.collection}
    await transaction.run(OWN_PLAN)
    if isinstance(of, str):
        rows = await transaction.rows(author_query(generation, after), {**asked, "author": of})
        return await marked(transaction, generation, rows)
    asked |= {"me": of.did, "follows": of.collection, "followed": offsets[of.part]}
    rows = await transaction.rows(newest_query(generation, after), asked)
    down_to = rows[-1][-1] if rows else 0
    newest = [row[:-1] for row in rows]
    # What was not looked at is older than that, so a page that ends before it is whole.
    if rows and (down_to is None or (len(rows) == limit and StoredRecord(*newest[-1]).indexed_at > down_to)):
        return await marked(transaction, generation, newest)
    rows = await transaction.rows(page_query(generation, after), asked)
    return await marked(transaction, generation, rows)
