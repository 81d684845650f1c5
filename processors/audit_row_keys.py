"""What makes a row of each of Postgres's tables one, as an auditor names it."""

from collections.abc import Mapping
from typing import Any, Final

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "facts": ("fact_id",),
    "fact_changes": ("fact_id", "pos"),
    "signers": ("identity", "pos"),
    "webhooks": ("webhook_id",),
    "deliveries": ("webhook_id", "sequence"),
    "dids": ("did",),
    "identity_keys": ("did", "key_id", "valid_from"),
    "identity_operations": ("did", "hash"),
    "identity_windows": ("did", "key_id", "valid_from", "pos"),
    "identity_handles": ("did", "pos"),
    "frames": ("frame_id",),
    "registries": ("registry_id", "frame_id"),
    "developers": ("frame_id", "identity"),
    "agents": ("agent_id",),
    "accounts": ("account_id",),
    "account_freezes": ("account", "pos"),
    "account_postings": ("account", "pos", "idx"),
    "transfers": ("transfer_id",),
    "payments": ("payment_id",),
    "stakes": ("stake_id",),
    "proposals": ("proposal_id",),
    "votes": ("proposal_id", "identity"),
    "ledger_events": ("frame_id", "pos", "idx"),
    "records": ("did", "collection", "rkey", "pos"),
    "media": ("media_id",),
    "erased_owners": ("did",),
    "publishers": ("pubkey",),
    "jobs": ("job_id",),
    "batch_jobs": ("batch_id", "job_id"),
    "batches": ("batch_id",),
    "outputs": ("outpoint",),
    "pool": ("pool_id",),
    "publishing_trail": ("part", "pos", "idx"),
}
"""What makes a row of each table one."""


def row_key(table: str, row: Mapping[str, Any]) -> str:
    """Give the key under which a row is compared."""
    return table + "/" + "/".join(str(row[column]) for column in KEYS[table])
