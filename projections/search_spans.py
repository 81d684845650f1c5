"""How far back a search looks: one span of time after another, from the newest record on.

Only the newest matches are ranked, so whoever has enough of them needs nothing from before. The first spans are short.
How long the next one is follows from how many hits the last ones had, whatever Postgres believes of a word: few make it
longer, and one that turns out to have too many is left for a shorter one. Spans without a record are passed over.
"""

from collections.abc import Callable
from typing import Final

from projections.record_words import LIES_IN, SPANS

HITS_WANTED: Final = 128
"""How many hits a longer span may be expected to have, where most hits match."""
FEW_MATCH: Final = 4
"""How many times more they may be where few do."""
HITS_UNSEEN: Final = 16
"""How many more hits are expected than were seen: little that was looked at says little of what was not."""
HITS_LIMIT: Final = 800
"""A span with more hits than these is left for a shorter one, if there is one."""
TIMES_LONGER: Final = 1 << SPANS.step
BEFORE_ALL: Final = (1 << 63) - 1


def steps_query(schema: str, found: int, vector_of: Callable[[str], str]) -> str:
    """Write the recursive query ``step``, whose rows have the newest matches, ``found`` at most, in their order.

    Each row has ``records`` and ``vectors``: those that match of one span, newest first, and what ``vector_of`` makes
    of what each says, to be held against the whole query. ``seen`` are all hits, ``hits`` and ``spans`` those since the
    spans were last made longer or shorter.
    """
    return (
        f"step AS (SELECT {SPANS[0]} AS span, {BEFORE_ALL}::bigint AS before, 0 AS found, 0::bigint AS seen, 0::bigint"
        f" AS hits, 0 AS spans, NULL::{schema}.records[] AS records, NULL::tsvector[] AS vectors UNION ALL"
        " SELECT s.span + n.longer, CASE WHEN l.crowded THEN s.before ELSE t.newest >> s.span << s.span END,"
        " s.found + l.matches, s.seen + l.hits, CASE WHEN l.crowded OR n.longer = 0 THEN w.hits ELSE 0 END,"
        f" CASE WHEN l.crowded THEN {TIMES_LONGER} WHEN n.longer = 0 THEN s.spans + 1 ELSE 0 END, l.records, l.vectors"
        f" FROM step s CROSS JOIN LATERAL ({_newest(schema)}) t"
        f" CROSS JOIN LATERAL ({_looked(schema, found, vector_of)}) l"
        # Those of a crowded span lie in the shorter ones that it is made of.
        " CROSS JOIN LATERAL (SELECT CASE WHEN l.crowded THEN l.hits ELSE s.hits + l.hits END AS hits,"
        f" {HITS_WANTED} * greatest(1, least({FEW_MATCH}, (s.seen + l.hits) / (s.found + l.matches + 1))) AS wanted) w"
        f" CROSS JOIN LATERAL (SELECT CASE WHEN l.crowded THEN -{SPANS.step} WHEN s.span < {SPANS[-1]}"
        f" AND (w.hits + {HITS_UNSEEN}) * {TIMES_LONGER} <= w.wanted * (s.spans + 1) THEN {SPANS.step} ELSE 0 END"
        " AS longer) n"
        f" WHERE s.found < {found} AND t.newest IS NOT NULL)"
    )


def _newest(schema: str) -> str:
    """Write the query of the time of the newest record that was not looked at."""
    return (
        "SELECT max(r.indexed_at) AS newest FROM unnest(%(collections)s::text[]) AS named (collection) CROSS JOIN"
        f" LATERAL (SELECT indexed_at FROM {schema}.records r WHERE r.collection = named.collection"
        " AND r.until_pos IS NULL AND r.indexed_at < s.before ORDER BY r.indexed_at DESC, r.rkey, r.did LIMIT 1) r"
    )


def _looked(schema: str, found: int, vector_of: Callable[[str], str]) -> str:
    """Write the query of what a span has: how many hits, whether they are too many, and those that match."""
    shorter = f"s.span > {SPANS[0]}"
    hits = (
        f"SELECT r AS record FROM {schema}.records r WHERE r.words @@ %(indexed)s::tsquery AND r.until_pos IS NULL"
        f" AND {LIES_IN} && ARRAY(SELECT hashtextextended(c, s.span) # (t.newest >> s.span)"
        f" FROM unnest(%(collections)s::text[]) c) LIMIT CASE WHEN {shorter} THEN {HITS_LIMIT + 1} END"
    )
    # Two spans can have one name, and a longer span begins among what was looked at already.
    within = (
        "(record).collection = ANY(%(collections)s) AND (record).indexed_at >> s.span = t.newest >> s.span"
        " AND (record).indexed_at < s.before AND (record).pos <= (%(offsets)s::bigint[])[(record).part + 1]"
    )
    # Read in their order, so that no more is taken apart in the language than what is ranked, and nothing in vain.
    matches = (
        f"SELECT r.record, v.vector FROM (SELECT record FROM hit WHERE NOT (SELECT crowded FROM counted) AND {within}"
        " ORDER BY (record).indexed_at DESC, (record).rkey, (record).did, (record).collection OFFSET 0) r"
        f" CROSS JOIN LATERAL (SELECT {vector_of('(r.record).said')} AS vector OFFSET 0) v"
        f" WHERE v.vector @@ %(whole)s::tsquery LIMIT {found} - s.found"
    )
    return (
        f"WITH hit AS MATERIALIZED ({hits}), counted AS MATERIALIZED (SELECT count(*) AS hits,"
        f" count(*) > {HITS_LIMIT} AND {shorter} AS crowded FROM hit), matching AS ({matches})"
        " SELECT c.hits, c.crowded, m.* FROM counted c CROSS JOIN (SELECT count(*)::integer AS matches,"
        " array_agg(record) AS records, array_agg(vector) AS vectors FROM matching) m"
    )
