"""What is asked of people: the record by which they show themselves, whom they follow, who follows them, their posts.

The counts are taken from the records as they are, so that whatever happens to those, nothing can drift.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from domain.records.built_in import SELF
from projections.compromised_keys import unspoiled
from projections.generations import Generation
from projections.post_queries import OWN_PLAN
from projections.postgres import Transaction

QUERY: Final = (
    "SELECT a.did, (SELECT p.value FROM {schema}.records p WHERE p.did = a.did AND p.collection = %(profiles)s"
    " AND p.rkey = %(self)s AND p.until_pos IS NULL AND {profile_counts}),"
    " (SELECT count(DISTINCT f.did) FROM {schema}.records f WHERE f.subject = a.did AND f.collection = %(follows)s"
    " AND f.until_pos IS NULL AND {follow_counts}),"
    " (SELECT count(DISTINCT f.subject) FROM {schema}.records f WHERE f.did = a.did AND f.collection = %(follows)s"
    " AND f.until_pos IS NULL AND f.subject IS NOT NULL AND {follow_counts}),"
    # Posts that don't count are taken off: hardly anybody has a key under which there could be any.
    " (SELECT count(*) FROM {schema}.records p WHERE p.did = a.did AND p.collection = ANY(%(posts)s)"
    " AND p.until_pos IS NULL) - (SELECT count(*) FROM {schema}.records p WHERE EXISTS (SELECT FROM {keys} k"
    " WHERE k.did = a.did AND k.compromised_since IS NOT NULL) AND p.did = a.did AND p.collection = ANY(%(posts)s)"
    " AND p.until_pos IS NULL AND NOT {profile_counts})"
    " FROM unnest(%(dids)s::text[]) AS a (did)"
    " WHERE NOT EXISTS (SELECT FROM {schema}.erased_owners e WHERE e.did = a.did)"
)


@dataclass(frozen=True, slots=True)
class Shown:
    """How somebody is shown: the RFC 8785 text of their profile, if they have one, and three counts.

    Somebody who follows another by several records follows once, and what a stolen key wrote counts as nothing. Whom
    somebody follows stays counted when it is erased: a follow is its owner's record.
    """

    did: str
    profile: str | None
    followers: int
    following: int
    posts: int


def query(generation: Generation) -> str:
    """Write the query of how people are shown."""
    keys = generation.beside["identity"]
    return QUERY.format(
        schema=generation.schema,
        keys=f"{keys.schema}.identity_keys",
        profile_counts=unspoiled(keys, "p"),
        follow_counts=unspoiled(keys, "f"),
    )


async def profiles(
    transaction: Transaction,
    generation: Generation,
    dids: Sequence[str],
    *,
    posts: Sequence[str],
    follows: str,
    profiles: str,
) -> dict[str, Shown]:
    """Give how these people are shown, without those who were erased."""
    await transaction.run(OWN_PLAN)
    asked = {"dids": list(dids), "posts": list(posts), "follows": follows, "profiles": profiles, "self": SELF}
    rows = await transaction.rows(query(generation), asked)
    return {row[0]: Shown(*row) for row in rows}
