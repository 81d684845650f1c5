"""Owners' keys for an auditor: those that are there, and that a key was tampered with rather than that all are away."""

from collections.abc import Mapping, Sequence
from typing import Final

from processors.audit_sealed import KeysOf
from projections.postgres import Postgres
from projections.vault_keys import VaultKeys, WrongVaultKey

NOT_OURS: Final = b""
"""Stands for a key that isn't wrapped with the deployment's: it opens nothing."""


def opening(postgres: Postgres, key: bytes) -> KeysOf:
    """Give what finds owners' keys; ``key`` is the deployment's, of 32 bytes.

    It raises PostgresUnavailable, and WrongVaultKey where none of the keys that are asked for is wrapped with ``key``.
    """
    keys = VaultKeys(postgres, key)

    async def find(dids: Sequence[str]) -> Mapping[str, bytes]:
        try:
            return await keys.find(dids)
        except WrongVaultKey:
            found: dict[str, bytes] = {}
            for did in dids:
                try:
                    found |= await keys.find([did])
                except WrongVaultKey:
                    found[did] = NOT_OURS
            if not any(found.values()):
                raise
            return found

    return find
