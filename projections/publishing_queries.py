"""What is asked of publishing: jobs with their batch, public keys that publish, and the pool.

Satoshis are integers, times ms since 1970 UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from projections.generations import Generation
from projections.pages import NEWEST, Behind, behind, columns
from projections.postgres import Transaction
from projections.reads import vector

QUEUED: Final = "queued"
WAITING: Final = "waiting_for_utxo"
FAILED: Final = "failed"
STATUS: Final = f"CASE WHEN b.batch_id IS NOT NULL THEN b.status WHEN j.waiting THEN '{WAITING}' ELSE '{QUEUED}' END"
"""A job's status is its batch's, where it is in one."""
UNDER_WAY: Final = ("signed", "sent", "seen", "reorged")
"""Of a batch that has its transaction, which is in no block."""


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job and what its batch is; ``part``, ``pos`` and ``at`` are where it was queued.

    ``vout`` is its output in the transaction ``txid``; ``reason`` says why its batch failed.
    """

    job_id: str
    pubkey: str
    record_id: str
    record: str
    hash: str
    signature: str
    nonce: str
    timestamp: str
    uri: str | None
    priority: str
    part: int
    pos: int
    at: int
    status: str
    batch_id: str | None
    vout: int | None
    txid: str | None
    fee: int | None
    signed_at: int | None
    sent_at: int | None
    seen_at: int | None
    confirmed_at: int | None
    height: int | None
    block_hash: str | None
    reason: str | None
    status_pos: int | None
    status_at: int | None


@dataclass(frozen=True, slots=True)
class StoredProof:
    """What proves that a batch's transaction is in a block: its bytes, the block's header and the path (BRC-74)."""

    batch_id: str
    status: str
    txid: str | None
    raw: bytes | None
    height: int | None
    block_hash: str | None
    header: bytes | None
    bump: bytes | None


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch and what it is; ``part`` and ``status_pos`` are where it became that."""

    batch_id: str
    status: str
    part: int
    status_pos: int


@dataclass(frozen=True, slots=True)
class StoredPublisher:
    """A public key as it is; ``authority`` is where who registered it was seen to be an admin."""

    pubkey: str
    label: str
    registered_by: str
    authority: str | None
    part: int
    pos: int
    at: int
    removed_by: str | None
    removed_pos: int | None
    removed_at: int | None


@dataclass(frozen=True, slots=True)
class StoredOutput:
    """An output of the pool; ``made_by`` is the batch whose change it is, ``held_by`` the one that spends it."""

    outpoint: str
    satoshis: int
    script: str
    status: str
    made_by: str | None
    held_by: str | None


@dataclass(frozen=True, slots=True)
class StoredPool:
    """A pool's figures in satoshis, how many of its outputs have which status, and how many jobs are in no batch."""

    pool_id: str
    funded: int
    held: int
    fees: int
    available: int
    reserved: int
    pending: int
    queued: int
    waiting: int

    @property
    def holds(self) -> bool:
        """Tell whether nothing was lost."""
        return self.held + self.fees == self.funded


def _jobs(generation: Generation) -> str:
    of_batch = {
        "txid", "fee", "signed_at", "sent_at", "seen_at", "confirmed_at", "height", "block_hash", "reason",
        "status_pos", "status_at",
    }  # fmt: skip
    names = [name.strip() for name in columns(StoredJob).split(",")]
    chosen = [STATUS if name == "status" else f"{'b' if name in of_batch else 'j'}.{name}" for name in names]
    tables = f"{generation.schema}.jobs j LEFT JOIN {generation.schema}.batches b USING (batch_id)"
    return f"SELECT {', '.join(chosen)} FROM {tables}"


async def job(transaction: Transaction, generation: Generation, job_id: str) -> StoredJob | None:
    """Find a job."""
    rows = await transaction.rows(f"{_jobs(generation)} WHERE j.job_id = %s", job_id)
    return StoredJob(*rows[0]) if rows else None


async def jobs_of_record(
    transaction: Transaction, generation: Generation, record_id: str, pubkey: str | None = None, *, limit: int = 100
) -> list[StoredJob]:
    """Give for each public key that published a record's id the job that counts, newest first.

    That is the one that didn't fail, or the newest of those that did.
    """
    of_key = "" if pubkey is None else " AND j.pubkey = %(pubkey)s"
    chosen = _jobs(generation).replace("SELECT ", "SELECT DISTINCT ON (j.pubkey) ", 1)
    rows = await transaction.rows(
        f"SELECT * FROM ({chosen} WHERE j.record_id = %(record_id)s{of_key} ORDER BY j.pubkey,"
        f" coalesce(b.status, '') = '{FAILED}', j.at DESC, j.part DESC, j.pos DESC) found {NEWEST}",
        {"record_id": record_id, "pubkey": pubkey, "limit": limit},
    )
    return [StoredJob(*row) for row in rows]


async def proof(transaction: Transaction, generation: Generation, batch_id: str) -> StoredProof | None:
    """Give what proves that a batch is anchored, as far as there is any."""
    rows = await transaction.rows(
        f"SELECT {columns(StoredProof)} FROM {generation.schema}.batches WHERE batch_id = %s", batch_id
    )
    return StoredProof(*rows[0]) if rows else None


async def batch_under_way(transaction: Transaction, generation: Generation, txid: str) -> StoredBatch | None:
    """Find the batch whose transaction this is, while that is in no block."""
    rows = await transaction.rows(
        f"SELECT {columns(StoredBatch)} FROM {generation.schema}.batches WHERE txid = %s AND status = ANY(%s)"
        " ORDER BY part, pos DESC LIMIT 1",
        txid,
        list(UNDER_WAY),
    )
    return StoredBatch(*rows[0]) if rows else None


async def batch_outputs(
    transaction: Transaction, generation: Generation, outpoints: Sequence[str]
) -> list[StoredOutput | None]:
    """Give outputs by their outpoints, in the order of these; none where the pool never had one."""
    rows = await transaction.rows(
        f"SELECT {columns(StoredOutput)} FROM {generation.schema}.outputs WHERE outpoint = ANY(%s)", list(outpoints)
    )
    found = {row[0]: StoredOutput(*row) for row in rows}
    return [found.get(outpoint) for outpoint in outpoints]


async def publishers(
    transaction: Transaction,
    generation: Generation,
    *,
    limit: int,
    registered_by: str | None = None,
    removed: bool = False,
    offsets: Sequence[int] | None = None,
    after: Behind | None = None,
) -> list[StoredPublisher]:
    """Give the public keys that were registered at these offsets (or are now), newest first; ``removed`` ones too.

    A walk that keeps the offsets of its first page shows each once, unless it is registered again meanwhile.
    """
    bound: dict[str, Any] = {"limit": limit, "offsets": list(vector(generation) if offsets is None else offsets)}
    conditions = behind(bound, after)
    if registered_by is not None:
        bound["registered_by"] = registered_by
        conditions += " AND registered_by = %(registered_by)s"
    if not removed:
        conditions += " AND removed_pos IS NULL"
    rows = await transaction.rows(
        f"SELECT {columns(StoredPublisher)} FROM {generation.schema}.publishers"
        f" WHERE pos <= (%(offsets)s::bigint[])[part + 1]{conditions} {NEWEST}",
        bound,
    )
    return [StoredPublisher(*row) for row in rows]


async def publisher(transaction: Transaction, generation: Generation, pubkey: str) -> StoredPublisher | None:
    """Find a public key."""
    rows = await transaction.rows(
        f"SELECT {columns(StoredPublisher)} FROM {generation.schema}.publishers WHERE pubkey = %s", pubkey
    )
    return StoredPublisher(*rows[0]) if rows else None


async def pool(transaction: Transaction, generation: Generation, pool_id: str) -> StoredPool | None:
    """Give a pool's figures."""
    schema = generation.schema
    rows = await transaction.rows(
        f"SELECT pool_id, funded, held, fees, available FROM {schema}.pool WHERE pool_id = %s", pool_id
    )
    if not rows:
        return None
    outputs = await transaction.rows(
        f"SELECT status, count(*) FROM {schema}.outputs WHERE status <> 'spent' AND status <> 'available' GROUP BY 1"
    )
    jobs = await transaction.rows(f"SELECT waiting, count(*) FROM {schema}.jobs WHERE batch_id IS NULL GROUP BY 1")
    counted: dict[str | bool, int] = {name: int(count) for name, count in (*outputs, *jobs)}
    counts = [counted.get(name, 0) for name in ("reserved", "pending", False, True)]
    return StoredPool(*(*rows[0], *counts))


async def available(transaction: Transaction, generation: Generation, *, limit: int) -> list[StoredOutput]:
    """Give the largest outputs that a batch may take, the largest first."""
    rows = await transaction.rows(
        f"SELECT {columns(StoredOutput)} FROM {generation.schema}.outputs WHERE status = 'available'"
        " ORDER BY satoshis DESC, outpoint DESC LIMIT %s",
        limit,
    )
    return [StoredOutput(*row) for row in rows]
