"""Handles that look like what was typed, by the trigrams that they share with it.

Postgres's extension for trigrams isn't there in every installation, the embedded one for one, so they are made here,
as that extension makes them, and lie in an index of Postgres's own.
"""

import math

from projections.generations import Generation
from projections.postgres import Transaction

ALIKE = 0.3
"""How much of the trigrams of both must be shared, from 0 to 1."""
FUNCTION = """
CREATE FUNCTION {schema}.trigrams(handle text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN
  ARRAY(SELECT DISTINCT substr('  ' || handle || ' ', place, 3) FROM generate_series(1, length(handle) + 1) place);
"""
COLUMN = "trigrams text[] GENERATED ALWAYS AS ({schema}.trigrams(handle)) STORED"
INDEX = "CREATE INDEX dids_trigrams ON {schema}.dids USING gin (trigrams) WHERE handle IS NOT NULL;\n"
QUERY = (
    "SELECT did, handle, shared::real / (cardinality(d.trigrams) + %(number)s - shared) AS alike"
    " FROM {schema}.dids d CROSS JOIN LATERAL (SELECT count(*) AS shared FROM unnest(d.trigrams) t"
    " WHERE t = ANY(%(trigrams)s::text[])) s WHERE handle IS NOT NULL AND d.trigrams && %(telling)s::text[]"
)


def trigrams(text: str) -> list[str]:
    """Give the trigrams of a handle in their order; it begins behind two spaces and ends before one."""
    padded = f"  {text} "
    return list(dict.fromkeys(padded[place : place + 3] for place in range(len(padded) - 2)))


def telling(made: list[str]) -> list[str]:
    """Give trigrams of which every handle that is alike enough has one: the last ones, which fewest handles share."""
    return made[math.ceil(ALIKE * len(made)) - 1 :]


async def handles_like(
    transaction: Transaction, generation: Generation, text: str, limit: int
) -> list[tuple[str, str, float]]:
    """Give DID, handle and likeness (0 to 1) of the handles that are most like a text, or begin with it, best first."""
    query, made = QUERY.format(schema=generation.schema), trigrams(text)
    rows = await transaction.rows(
        f"SELECT did, handle, alike FROM ({query}) found WHERE alike >= %(alike)s OR starts_with(handle, %(text)s)"
        " ORDER BY alike DESC, handle LIMIT %(limit)s",
        {
            "trigrams": made,
            "telling": telling(made),
            "number": len(made),
            "alike": ALIKE,
            "text": text,
            "limit": limit,
        },
    )
    return [(did, handle, float(alike)) for did, handle, alike in rows]
