"""Which keys were in other hands when they signed: asked of identity's tables for what other projections hold.

What was signed is judged by the last window of its key that had begun when the log had it, as facts are: what comes
onto the log a moment behind its key's end is that window's still.
"""

from collections.abc import Iterable
from typing import NamedTuple

from projections.generations import Generation
from projections.postgres import Transaction


class Signed(NamedTuple):
    """What a registered DID's key signed, by when the log had it (ms)."""

    did: str
    key_id: str
    at: int


async def said_of(transaction: Transaction, generation: Generation, signed: Iterable[Signed]) -> dict[Signed, str]:
    """Give those whose key was in other hands then, with whose word that is: ``KeyRevoked identity/3/17``.

    ``generation`` is identity's.
    """
    wanted = sorted(set(signed))
    if not wanted or not await _any_compromised(transaction, generation, {each.did for each in wanted}):
        return {}
    rows = await transaction.rows(
        "SELECT s.did, s.key_id, s.at, k.compromised_by"
        " FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS s (did, key_id, at) CROSS JOIN LATERAL ("
        f"SELECT k.compromised_since, k.compromised_by FROM {generation.schema}.identity_keys k"
        " WHERE k.did = s.did AND k.key_id = s.key_id AND k.valid_from <= s.at ORDER BY k.valid_from DESC LIMIT 1) k"
        " WHERE k.compromised_since <= s.at",
        *(list(column) for column in zip(*wanted, strict=True)),
    )
    return {Signed(did, key_id, at): said_by for did, key_id, at, said_by in rows}


async def _any_compromised(transaction: Transaction, generation: Generation, dids: Iterable[str]) -> bool:
    """Tell whether anybody here has a key that was in other hands, which hardly anybody has."""
    query = (
        f"SELECT FROM {generation.schema}.identity_keys WHERE did = ANY(%s) AND compromised_since IS NOT NULL LIMIT 1"
    )
    return bool(await transaction.rows(query, list(dids)))


def unspoiled(generation: Generation, row: str) -> str:
    """Write the condition that a row's key was in nobody else's hands: the row has ``did``, ``key_id`` and ``at``."""
    keys = f"{generation.schema}.identity_keys"
    return (
        f"NOT EXISTS (SELECT FROM {keys} k WHERE k.did = {row}.did AND k.key_id = {row}.key_id"
        f" AND k.compromised_since <= {row}.at AND k.valid_from <= {row}.at AND NOT EXISTS (SELECT FROM {keys} l"
        f" WHERE l.did = k.did AND l.key_id = k.key_id AND l.valid_from > k.valid_from AND l.valid_from <= {row}.at))"
    )
