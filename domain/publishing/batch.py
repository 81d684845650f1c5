"""A batch is one transaction of the pool: reserved, signed, sent, seen, confirmed; signed once, it is never rebuilt.

What is signed lies on the log before anybody broadcasts it, so whatever dies, the same bytes are sent again: no job is
anchored twice. A batch without jobs splits an output of the pool.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from domain.decider import Change, State
from domain.publishing.job import Job, job_key, record_key
from domain.publishing.output import (
    AVAILABLE,
    PENDING,
    POOL,
    RESERVED,
    SPENT,
    Output,
    output,
    output_key,
    pool,
    put,
)

RESERVED_BATCH: Final = "reserved"
SIGNED: Final = "signed"
CONFIRMED: Final = "confirmed"
LIVING: Final = frozenset({"sent", "seen", CONFIRMED, "reorged"})
"""Of a batch whose transaction the chain took at least once."""


@dataclass(frozen=True, slots=True)
class ChangeOutput:
    """An output by which a transaction gives satoshis back to the pool; ``script`` is hex."""

    vout: int
    satoshis: int
    script: str


@dataclass(frozen=True, slots=True)
class BatchReserved:
    """Outputs of the pool are these jobs' until ``expires_at`` (ms), or for good once the batch is signed.

    A batch without jobs splits what it reserves into ``pieces`` outputs of ``piece_satoshis``.
    """

    pool_id: str
    batch_id: str
    job_ids: tuple[str, ...]
    outpoints: tuple[str, ...]
    pieces: int
    piece_satoshis: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class BatchReleased:
    """A batch that nobody signed is given up: its outputs are free again, its jobs queued."""

    pool_id: str
    batch_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class BatchSigned:
    """A batch's transaction is these bytes for ever; job *n* of it is output *n*."""

    pool_id: str
    batch_id: str
    txid: str
    raw: bytes
    fee: int
    change: tuple[ChangeOutput, ...]


@dataclass(frozen=True, slots=True)
class BatchSent:
    """The chain took a batch's transaction: its change can be spent."""

    pool_id: str
    batch_id: str


@dataclass(frozen=True, slots=True)
class BatchSeen:
    """The chain was seen to have a batch's transaction, in no block yet."""

    pool_id: str
    batch_id: str


@dataclass(frozen=True, slots=True)
class BatchConfirmed:
    """A batch's transaction is in a block; ``header`` is its 80 bytes, ``bump`` the Merkle path to it (BRC-74)."""

    pool_id: str
    batch_id: str
    height: int
    block_hash: str
    header: bytes
    bump: bytes


@dataclass(frozen=True, slots=True)
class BatchReorged:
    """The block that had a batch's transaction is no block of the chain any more."""

    pool_id: str
    batch_id: str
    block_hash: str


@dataclass(frozen=True, slots=True)
class BatchFailed:
    """The chain will never take a batch's transaction: its jobs failed; outputs that aren't ``lost`` are free again."""

    pool_id: str
    batch_id: str
    reason: str
    lost: tuple[str, ...]


BatchEvent = (
    BatchReserved | BatchReleased | BatchSigned | BatchSent | BatchSeen | BatchConfirmed | BatchReorged | BatchFailed
)


class Batch(NamedTuple):
    """A batch's entry: ``height`` and ``block_hash`` are those of its block, where it is in one."""

    status: str
    job_ids: tuple[str, ...]
    outpoints: tuple[str, ...]
    expires_at: int
    txid: str | None = None
    fee: int = 0
    change: tuple[str, ...] = ()
    block_hash: str | None = None


def batch_key(batch_id: str) -> str:
    """Give the key of a batch's entry."""
    return f"batch/{batch_id}"


def batch(state: State, batch_id: str) -> Batch | None:
    """Find a batch."""
    entry = state.get(batch_key(batch_id))
    return None if entry is None else Batch(*entry)


def evolve(state: State, event: BatchEvent, _at: int) -> Iterable[Change]:
    """Fold one event of a batch."""
    if isinstance(event, BatchReserved):
        yield batch_key(event.batch_id), Batch(RESERVED_BATCH, event.job_ids, event.outpoints, event.expires_at)
        for outpoint in event.outpoints:
            yield from _set(state, outpoint, RESERVED, event.batch_id)
        yield from _anchored_by(state, event.job_ids, event.batch_id)
        return
    key = batch_key(event.batch_id)
    known = Batch(*state[key])
    match event:
        case BatchReleased():
            yield key, known._replace(status="released")
            for outpoint in known.outpoints:
                yield from _set(state, outpoint, AVAILABLE, None)
            yield from _anchored_by(state, known.job_ids, None)
        case BatchSigned():
            yield from _sign(state, event, known)
        case BatchSent() | BatchSeen() | BatchConfirmed():
            block = event.block_hash if isinstance(event, BatchConfirmed) else None
            yield key, known._replace(status=STATUSES[type(event)], block_hash=block)
            # The chain has the transaction: what it gives back can be spent, if it isn't by now.
            for outpoint in known.change:
                if Output(*state[output_key(outpoint)]).status == PENDING:
                    yield from _set(state, outpoint, AVAILABLE, None)
        case BatchReorged():
            yield key, known._replace(status="reorged", block_hash=None)
        case BatchFailed():
            yield from _fail(state, event, known)


def _set(state: State, outpoint: str, status: str, held_by: str | None) -> Iterable[Change]:
    yield from put(state, outpoint, Output(*state[output_key(outpoint)])._replace(status=status, held_by=held_by))


def _anchored_by(state: State, job_ids: tuple[str, ...], batch_id: str | None) -> Iterable[Change]:
    for job_id in job_ids:
        yield job_key(job_id), Job(*state[job_key(job_id)])._replace(batch_id=batch_id, waiting=False)


def _sign(state: State, event: BatchSigned, known: Batch) -> Iterable[Change]:
    change = tuple(f"{event.txid}:{each.vout}" for each in event.change)
    signed = known._replace(status=SIGNED, txid=event.txid, fee=event.fee, change=change)
    yield batch_key(event.batch_id), signed
    for outpoint in known.outpoints:
        yield from _set(state, outpoint, SPENT, event.batch_id)
    for outpoint, each in zip(change, event.change, strict=True):
        yield from put(state, outpoint, Output(each.satoshis, PENDING, event.batch_id, None))
    yield POOL, pool(state)._replace(fees=pool(state).fees + event.fee)


def _fail(state: State, event: BatchFailed, known: Batch) -> Iterable[Change]:
    """Take a transaction back that the chain never had; what somebody else spent of its outputs the pool has lost."""
    yield batch_key(event.batch_id), known._replace(status="failed")
    for outpoint in known.change:
        yield from put(state, outpoint, Output(*state[output_key(outpoint)])._replace(status=SPENT))
    yield POOL, pool(state)._replace(fees=pool(state).fees - known.fee)
    for outpoint in known.outpoints:
        if outpoint in event.lost:
            lost = Output(*state[output_key(outpoint)]).satoshis
            yield POOL, pool(state)._replace(funded=pool(state).funded - lost)
        else:
            yield from _set(state, outpoint, AVAILABLE, None)
    for job_id in known.job_ids:
        failed = Job(*state[job_key(job_id)])
        # The record was never anchored: its id may be used again, by another nonce.
        yield record_key(failed.pubkey, failed.record_id), None


STATUSES: Final[Mapping[type, str]] = {BatchSent: "sent", BatchSeen: "seen", BatchConfirmed: CONFIRMED}


def unconfirmed(state: State, outpoint: str) -> int:
    """Count the transactions of the pool in no block that an output stands on, along its longest line."""
    known = output(state, outpoint)
    made_by = None if known is None or known.made_by is None else batch(state, known.made_by)
    if made_by is None or made_by.status == CONFIRMED:
        return 0
    return 1 + max(unconfirmed(state, each) for each in made_by.outpoints)
