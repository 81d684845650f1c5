"""Which nonces opened a session, for every api process of a deployment.

This table is no fold of the log: it may be dropped at any time at the cost that a nonce younger than five minutes could
be used a second time, by whoever holds the signature over it.
"""

import hashlib
import time
from typing import Final

from projections.generations import MAKING_LOCK
from projections.postgres import Postgres, TableGone

DEFINITION: Final = (
    "CREATE SCHEMA IF NOT EXISTS muniment;"
    "CREATE TABLE IF NOT EXISTS muniment.used_nonces (nonce bytea PRIMARY KEY, expires_at bigint NOT NULL);"
    "CREATE INDEX IF NOT EXISTS used_nonces_expiry ON muniment.used_nonces (expires_at);"
)

FORGET_EVERY_S: Final = 60.0
KEPT_AFTER_EXPIRY_S: Final = 60
"""Clocks of api processes may differ by so much."""


class UsedNonces:
    """Remembers used nonces in Postgres, by their SHA-256."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._forgot_at = time.monotonic()

    async def use(self, nonce: str, expires_at: int) -> bool:
        """Use a nonce up; say whether it was unused. Raises PostgresUnavailable: then nobody knows, none is let in."""
        try:
            return await self._insert(nonce, expires_at)
        except TableGone:
            async with self._postgres.transaction() as transaction:
                await transaction.rows(f"SELECT pg_advisory_xact_lock({MAKING_LOCK})")
                await transaction.run(DEFINITION)
            return await self._insert(nonce, expires_at)

    async def _insert(self, nonce: str, expires_at: int) -> bool:
        digest = hashlib.sha256(nonce.encode()).digest()
        async with self._postgres.transaction() as transaction:
            if time.monotonic() - self._forgot_at > FORGET_EVERY_S:
                self._forgot_at = time.monotonic()
                over = int(time.time()) - KEPT_AFTER_EXPIRY_S
                await transaction.run("DELETE FROM muniment.used_nonces WHERE expires_at < %s", over)
            inserted = await transaction.run(
                "INSERT INTO muniment.used_nonces VALUES (%s, %s) ON CONFLICT DO NOTHING", digest, expires_at
            )
        return inserted == 1
