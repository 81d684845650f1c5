"""What is asked of how DIDs stood: a document's keys and handle at a decision or a time, and what was said by then."""

from dataclasses import dataclass

from domain.identity.key import Key
from projections.generations import Generation
from projections.postgres import Transaction

NEVER = 1 << 62
"""Stands for no limit."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How far a DID's log is read: offsets of its partition up to ``pos``, decided at ``at`` (ms) or before."""

    pos: int = NEVER
    at: int = NEVER


@dataclass(frozen=True, slots=True)
class StoodDid:
    """A DID as it stood; ``version`` is its last operation's hash, ``following`` that of the next one.

    ``created_at`` and ``updated_at`` are ms: when it was created, and when it changed last, which is later than its
    last operation where a guardians' recovery took effect since.
    """

    did: str
    handle: str | None
    keys: tuple[Key, ...]
    version: str
    following: str | None
    created_at: int
    updated_at: int


async def stood(
    transaction: Transaction, generation: Generation, did: str, limit: Limit, moment: int
) -> StoodDid | None:
    """Find a DID as what lies up to a limit left it, with the keys that hold at a moment (ms), or at its last change.

    The moment counts where it is the later one: what the log has decided has happened, whatever a clock says.
    """
    bound = {"did": did, "pos": limit.pos, "at": limit.at}
    rows = await transaction.rows(_SPAN.format(schema=generation.schema), bound)
    ((created_at, version, said_at, following, changed_at, handle),) = rows
    if created_at is None:
        return None
    bound["moment"] = max(moment, changed_at)
    found = await transaction.rows(_KEYS.format(schema=generation.schema), bound)
    keys = tuple(Key(name, kind, public_key, tuple(purposes.split())) for name, kind, public_key, purposes in found)
    return StoodDid(did, handle, keys, version, following, created_at, max(said_at, changed_at))


async def version_limit(transaction: Transaction, generation: Generation, did: str, version: str) -> Limit | None:
    """Give how far a DID's log goes that ends in an operation of this hash."""
    rows = await transaction.rows(
        f"SELECT pos, at FROM {generation.schema}.identity_operations WHERE did = %s AND hash = %s", did, version
    )
    return Limit(*rows[0]) if rows else None


_WITHIN = "did = %(did)s AND pos <= %(pos)s AND at <= %(at)s"
_SPAN = f"""SELECT first.at, last.hash, last.at, next.hash,
  greatest(last.at, (SELECT max(at) FROM {{schema}}.identity_windows WHERE {_WITHIN})),
  (SELECT handle FROM {{schema}}.identity_handles WHERE {_WITHIN} ORDER BY pos DESC LIMIT 1)
FROM (SELECT 1) one
LEFT JOIN LATERAL (SELECT at FROM {{schema}}.identity_operations WHERE {_WITHIN} ORDER BY pos LIMIT 1) first ON true
LEFT JOIN LATERAL
  (SELECT hash, at, pos FROM {{schema}}.identity_operations WHERE {_WITHIN} ORDER BY pos DESC LIMIT 1) last ON true
LEFT JOIN LATERAL (SELECT hash FROM {{schema}}.identity_operations
  WHERE did = %(did)s AND pos > last.pos ORDER BY pos LIMIT 1) next ON true
"""
_KEYS = f"""SELECT key_id, type, public_key, purposes FROM (
  SELECT DISTINCT ON (key_id, valid_from) key_id, valid_from, type, public_key, purposes, valid_until
  FROM {{schema}}.identity_windows WHERE {_WITHIN} ORDER BY key_id DESC, valid_from DESC, pos DESC) stood
WHERE valid_from <= %(moment)s AND (valid_until IS NULL OR valid_until > %(moment)s) ORDER BY valid_from, key_id
"""
