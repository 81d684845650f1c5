"""What is asked of publishing's trail: everything, what a key did, or what became of one thing, in the log's order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from projections.generations import Generation
from projections.pages import columns
from projections.postgres import Transaction

Step: TypeAlias = tuple[int, int, int, int]
"""Where a walk goes on: the time (ms), the partition, the offset and the index of the last event."""
ORDER: Final = "ORDER BY at, part, pos, idx LIMIT %(limit)s"
MOST_NAMES: Final = 1_000
"""How many things one name may stand for."""


@dataclass(frozen=True, slots=True)
class StoredStep:
    """An event of the trail; ``idx`` counts within its decision, ``details`` is JSON."""

    part: int
    pos: int
    idx: int
    at: int
    event_type: str
    actor_pubkey: str | None
    resource_type: str
    resource_id: str
    action: str
    details: dict[str, Any]


async def trail(
    transaction: Transaction,
    generation: Generation,
    *,
    actor: str | None = None,
    resource: str | None = None,
    limit: int,
    after: Step | None = None,
) -> list[StoredStep]:
    """Give the events behind ``after`` in the order of the log, of a public key's doing or about a resource.

    A resource is a job, a batch, a transaction, a record's id, a public key, an outpoint or a pool; with a job come
    the batches that ever held it. All of a pool's events lie in one partition and become visible in its order, so
    whoever goes on behind the last one that it was given sees each once.
    """
    bound: dict[str, Any] = {"limit": limit, "actor": actor}
    bound |= zip(("after_at", "after_part", "after_pos", "after_idx"), after or (-1, -1, -1, -1), strict=True)
    chosen = "(at, part, pos, idx) > (%(after_at)s, %(after_part)s, %(after_pos)s, %(after_idx)s)"
    if actor is not None:
        chosen += " AND actor_pubkey = %(actor)s"
    table = f"SELECT {columns(StoredStep)} FROM {generation.schema}.publishing_trail"
    if resource is None:
        rows = await transaction.rows(f"{table} WHERE {chosen} {ORDER}", bound)
        return [StoredStep(*row) for row in rows]
    jobs = await _jobs(transaction, generation, resource)
    bound |= {"names": [resource, *jobs, *await _batches(transaction, generation, resource, jobs)], "jobs": jobs}
    waited = "event_type = 'JobsWaiting' AND details->'jobIds' ?| %(jobs)s"
    rows = await transaction.rows(
        f"({table} WHERE {chosen} AND resource_id = ANY(%(names)s) {ORDER})"
        f" UNION ({table} WHERE {chosen} AND {waited} {ORDER}) {ORDER}",
        bound,
    )
    return [StoredStep(*row) for row in rows]


async def step_at(transaction: Transaction, generation: Generation, part: int, pos: int) -> Step | None:
    """Give the last event up to a position, behind which a walk begins; none before the first."""
    rows = await transaction.rows(
        f"SELECT at, part, pos, idx FROM {generation.schema}.publishing_trail WHERE part = %s AND pos <= %s"
        " ORDER BY pos DESC, idx DESC LIMIT 1",
        part,
        pos,
    )
    return None if not rows else (int(rows[0][0]), int(rows[0][1]), int(rows[0][2]), int(rows[0][3]))


def step_from(at: int) -> Step:
    """Give where a walk of all from a time (ms) on begins."""
    return at, -1, -1, -1


async def _jobs(transaction: Transaction, generation: Generation, resource: str) -> list[str]:
    """Give the jobs that a resource names: a job itself, or those of a record's id."""
    schema = generation.schema
    rows = await transaction.rows(
        f"(SELECT job_id FROM {schema}.jobs WHERE job_id = %(named)s)"
        f" UNION (SELECT job_id FROM {schema}.jobs WHERE record_id = %(named)s ORDER BY pubkey, pos LIMIT %(most)s)",
        {"named": resource, "most": MOST_NAMES},
    )
    return sorted(job_id for (job_id,) in rows)


async def _batches(
    transaction: Transaction, generation: Generation, resource: str, jobs: Sequence[str]
) -> Sequence[str]:
    """Give the batches that a resource names: of a transaction, of these jobs, or of an output."""
    schema = generation.schema
    rows = await transaction.rows(
        f"SELECT batch_id FROM {schema}.batches WHERE txid = %(named)s"
        f" UNION SELECT batch_id FROM {schema}.batch_jobs WHERE job_id = ANY(%(jobs)s)"
        f" UNION SELECT made_by FROM {schema}.outputs WHERE outpoint = %(named)s AND made_by IS NOT NULL"
        f" UNION SELECT resource_id FROM {schema}.publishing_trail"
        " WHERE event_type = 'BatchReserved' AND details->'outpoints' ? %(named)s LIMIT %(most)s",
        {"named": resource, "jobs": list(jobs), "most": MOST_NAMES},
    )
    return sorted(batch_id for (batch_id,) in rows)
