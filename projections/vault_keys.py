"""The keys of vaults: one for each owner, wrapped with a key of the deployment, and destroyed at an erasure.

This table is no fold of the log, and can't be rebuilt: without it nobody reads a value again. It must be backed up, and
whoever restores an older one must erase again whom the log says was erased, which the projector does by itself. Of an
erased owner a row without a key stays, so that no process ever makes another.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from domain.did import identity
from log.sealing import CannotUnseal, new_key, seal_bound, unseal_bound
from projections.generations import MAKING_LOCK
from projections.postgres import Postgres, TableGone, Transaction

DEFINITION: Final = (
    "CREATE SCHEMA IF NOT EXISTS muniment;"
    "CREATE TABLE IF NOT EXISTS muniment.vault_keys ("
    ' did text COLLATE "C" PRIMARY KEY, wrapped bytea, made_at bigint NOT NULL, erased_at bigint)'
    # A destroyed key must not lie on as a dead row until many have gathered.
    " WITH (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);"
)
DURABLE: Final = "SET LOCAL synchronous_commit = on"
"""A key is on disk before anything that was sealed with it is on the log; a destroyed one is gone from it."""


class WrongVaultKey(RuntimeError):
    """The deployment's key isn't the one that the owners' keys were wrapped with: nothing may be made of it."""


class OwnerIsErased(LookupError):
    """The owner's key was destroyed."""


class VaultKeys:
    """Makes, finds and destroys owners' keys; ``key`` is the deployment's, of 32 bytes."""

    def __init__(self, postgres: Postgres, key: bytes) -> None:
        self._postgres, self._key = postgres, key

    def __repr__(self) -> str:
        return "VaultKeys()"

    async def make(self, did: str) -> bytes:
        """Give an owner's key, made where there is none; two processes that make one at once get the same.

        Raises OwnerIsErased, PostgresUnavailable, WrongVaultKey.
        """
        owner, wrapped = identity(did), _wrapped(self._key, did, new_key())
        try:
            found = await self._insert(owner, wrapped)
        except TableGone:
            async with self._postgres.transaction() as transaction:
                await define(transaction)
            found = await self._insert(owner, wrapped)
        if found is None:
            raise OwnerIsErased(did)
        return _unwrapped(self._key, owner, found)

    async def _insert(self, owner: str, wrapped: bytes) -> bytes | None:
        query = "SELECT wrapped FROM muniment.vault_keys WHERE did = %s"
        async with self._postgres.transaction() as transaction:
            rows = await transaction.rows(query, owner)
            if not rows:
                await transaction.run(DURABLE)
                await transaction.run(
                    "INSERT INTO muniment.vault_keys (did, wrapped, made_at) VALUES (%s, %s, %s)"
                    " ON CONFLICT DO NOTHING",
                    owner,
                    wrapped,
                    _now(),
                )
                rows = await transaction.rows(query, owner)
        # Durable from here, whoever's row it is: another's insert was waited for until it was.
        return None if rows[0][0] is None else bytes(rows[0][0])

    async def find(self, dids: Sequence[str]) -> Mapping[str, bytes]:
        """Give the keys of owners that have one, by their identity. Raises PostgresUnavailable, WrongVaultKey."""
        try:
            async with self._postgres.snapshot() as transaction:
                return await find(transaction, self._key, dids)
        except TableGone:
            return {}

    async def destroy(self, did: str) -> None:
        """Destroy an owner's key for good. Raises PostgresUnavailable."""
        async with self._postgres.transaction() as transaction:
            await transaction.run(DURABLE)
            await destroy(transaction, [did])


async def define(transaction: Transaction) -> None:
    """Make the table where it isn't there."""
    ((there,),) = await transaction.rows("SELECT to_regclass('muniment.vault_keys')")
    if there is None:
        await transaction.rows(f"SELECT pg_advisory_xact_lock({MAKING_LOCK})")
        await transaction.run(DEFINITION)


async def find(transaction: Transaction, key: bytes, dids: Sequence[str]) -> Mapping[str, bytes]:
    """Give the keys of owners that have one, by their identity. Raises TableGone, WrongVaultKey."""
    rows = await transaction.rows(
        "SELECT did, wrapped FROM muniment.vault_keys WHERE did = ANY(%s) AND wrapped IS NOT NULL",
        sorted({identity(did) for did in dids}),
    )
    return {did: _unwrapped(key, did, bytes(wrapped)) for did, wrapped in rows}


async def destroy(transaction: Transaction, dids: Sequence[str]) -> None:
    """Destroy owners' keys, whether they have one or not; again it changes nothing."""
    await define(transaction)
    now = _now()
    await transaction.run(
        "INSERT INTO muniment.vault_keys (did, wrapped, made_at, erased_at) SELECT did, NULL, %s, %s FROM"
        " unnest(%s::text[]) AS erased (did) ON CONFLICT (did) DO UPDATE SET wrapped = NULL,"
        " erased_at = excluded.erased_at WHERE vault_keys.wrapped IS NOT NULL",
        now,
        now,
        sorted({identity(did) for did in dids}),
    )


def _wrapped(key: bytes, did: str, owners: bytes) -> bytes:
    return seal_bound(key, owners, identity(did).encode())


def _unwrapped(key: bytes, owner: str, wrapped: bytes) -> bytes:
    try:
        return unseal_bound(key, wrapped, owner.encode())
    except CannotUnseal:
        raise WrongVaultKey("the vault's key isn't the one that the owners' keys are wrapped with") from None


def _now() -> int:
    return time.time_ns() // 1_000_000
