"""Anchoring rules on batches: which outputs they may reserve, and what becomes of them, never back and never twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.decider import Circumstances, Decider, Refusal, State
from domain.publishing.batch import (
    CONFIRMED,
    LIVING,
    RESERVED_BATCH,
    SIGNED,
    Batch,
    BatchConfirmed,
    BatchEvent,
    BatchFailed,
    BatchReleased,
    BatchReorged,
    BatchReserved,
    BatchSeen,
    BatchSent,
    BatchSigned,
    ChangeOutput,
    batch,
    evolve,
    unconfirmed,
)
from domain.publishing.job import job
from domain.publishing.output import AVAILABLE, output

LONGEST_CHAIN: Final = 25
"""How many transactions of ours that are in no block may stand on one another."""
MOST_JOBS: Final = 500


@dataclass(frozen=True, slots=True)
class ReserveBatch:
    """Hold these outputs for these jobs, or to be split, for ``keep_ms``; members are as in BatchReserved.

    ``authority`` is the position at which the actor was seen to be an admin, none for our own batcher.
    """

    pool_id: str
    batch_id: str
    job_ids: tuple[str, ...]
    outpoints: tuple[str, ...]
    pieces: int
    piece_satoshis: int
    keep_ms: int
    authority: str | None


@dataclass(frozen=True, slots=True)
class ReleaseBatch:
    """Give a batch up that isn't signed: its time is over, or ``reason`` says why it can't be."""

    pool_id: str
    batch_id: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class SignBatch:
    """Let a batch's transaction be these bytes; members are as in BatchSigned."""

    pool_id: str
    batch_id: str
    txid: str
    raw: bytes
    fee: int
    change: tuple[ChangeOutput, ...]


@dataclass(frozen=True, slots=True)
class NoteSent:
    """Say that the chain took a batch's transaction."""

    pool_id: str
    batch_id: str


@dataclass(frozen=True, slots=True)
class NoteSeen:
    """Say that the chain has a batch's transaction, in no block yet."""

    pool_id: str
    batch_id: str


@dataclass(frozen=True, slots=True)
class NoteConfirmed:
    """Say which block has a batch's transaction; members are as in BatchConfirmed."""

    pool_id: str
    batch_id: str
    height: int
    block_hash: str
    header: bytes
    bump: bytes


@dataclass(frozen=True, slots=True)
class NoteReorged:
    """Say that a batch's block is no block of the chain any more."""

    pool_id: str
    batch_id: str
    block_hash: str


@dataclass(frozen=True, slots=True)
class FailBatch:
    """Say that the chain will never take a batch's transaction; ``lost`` names outputs that somebody else spent."""

    pool_id: str
    batch_id: str
    reason: str
    lost: tuple[str, ...]


AnchoringCommand = (
    ReserveBatch | ReleaseBatch | SignBatch | NoteSent | NoteSeen | NoteConfirmed | NoteReorged | FailBatch
)


class AnchoringRefusal(StrEnum):
    """Why a batch stays as it is, in order of precedence."""

    BATCH_KNOWN = "batch_known"
    OUT_OF_BOUNDS = "out_of_bounds"
    JOB_NOT_QUEUED = "job_not_queued"
    OUTPUT_NOT_AVAILABLE = "output_not_available"
    CHAIN_TOO_LONG = "chain_too_long"
    NOT_FOUND = "not_found"
    NOT_IN_THIS_STATE = "not_in_this_state"
    NOT_EXPIRED = "not_expired"
    OUTPUT_KNOWN = "output_known"
    OUT_OF_BALANCE = "out_of_balance"


def decide(state: State, command: AnchoringCommand, around: Circumstances) -> Sequence[BatchEvent] | Refusal:
    """Rule on a batch."""
    known = batch(state, command.batch_id)
    if isinstance(command, ReserveBatch):
        return decide_reserve(state, command, known, around)
    if known is None:
        return Refusal(AnchoringRefusal.NOT_FOUND, {"batch_id": command.batch_id})
    if known.status not in ALLOWED[type(command)]:
        return Refusal(AnchoringRefusal.NOT_IN_THIS_STATE, {"batch_id": command.batch_id, "batch_status": known.status})
    pool_id, batch_id = command.pool_id, command.batch_id
    match command:
        case ReleaseBatch():
            if command.reason is None and around.now < known.expires_at:
                return Refusal(AnchoringRefusal.NOT_EXPIRED, {"expires_at": str(known.expires_at)})
            return [BatchReleased(pool_id, batch_id, command.reason or "nobody signed it in time")]
        case SignBatch():
            return decide_sign(state, command, known)
        case NoteSent():
            return [BatchSent(pool_id, batch_id)]
        case NoteSeen():
            return [BatchSeen(pool_id, batch_id)]
        case NoteConfirmed():
            block = (command.height, command.block_hash, command.header, command.bump)
            return [BatchConfirmed(pool_id, batch_id, *block)]
        case NoteReorged():
            if known.block_hash != command.block_hash:
                return Refusal(AnchoringRefusal.NOT_IN_THIS_STATE, {"block_hash": known.block_hash or ""})
            return [BatchReorged(pool_id, batch_id, command.block_hash)]
        case FailBatch():
            if not set(command.lost) <= {*known.outpoints}:
                return Refusal(AnchoringRefusal.OUT_OF_BALANCE, {"detail": "what is lost was none of its outputs"})
            return [BatchFailed(pool_id, batch_id, command.reason, command.lost)]


def decide_reserve(
    state: State, command: ReserveBatch, known: Batch | None, around: Circumstances
) -> Sequence[BatchEvent] | Refusal:
    """Rule on holding outputs for jobs, or to be split."""
    if known is not None:
        return Refusal(AnchoringRefusal.BATCH_KNOWN, {"batch_id": command.batch_id})
    splits = command.pieces > 0 and command.piece_satoshis > 0
    jobs, outpoints = set(command.job_ids), set(command.outpoints)
    whole = len(jobs) == len(command.job_ids) <= MOST_JOBS and len(outpoints) == len(command.outpoints) > 0
    if not whole or splits == bool(jobs) or command.keep_ms <= 0:
        detail = "a batch holds outputs for 1 to 500 jobs, or to be split, for a while"
        return Refusal(AnchoringRefusal.OUT_OF_BOUNDS, {"bound": "batch", "detail": detail})
    for job_id in command.job_ids:
        queued = job(state, job_id)
        if queued is None or queued.batch_id is not None:
            return Refusal(AnchoringRefusal.JOB_NOT_QUEUED, {"job_id": job_id})
    for outpoint in command.outpoints:
        held = output(state, outpoint)
        if held is None or held.status != AVAILABLE:
            return Refusal(AnchoringRefusal.OUTPUT_NOT_AVAILABLE, {"outpoint": outpoint})
        if unconfirmed(state, outpoint) >= LONGEST_CHAIN:
            return Refusal(AnchoringRefusal.CHAIN_TOO_LONG, {"outpoint": outpoint})

    return [
        BatchReserved(
            command.pool_id,
            command.batch_id,
            command.job_ids,
            command.outpoints,
            command.pieces,
            command.piece_satoshis,
            around.now + command.keep_ms,
        )
    ]


def decide_sign(state: State, command: SignBatch, known: Batch) -> Sequence[BatchEvent] | Refusal:
    """Rule on a batch's transaction: it gives back what it takes, less the fee."""
    for each in command.change:
        if output(state, f"{command.txid}:{each.vout}") is not None:
            return Refusal(AnchoringRefusal.OUTPUT_KNOWN, {"outpoint": f"{command.txid}:{each.vout}"})
    taken = sum(held.satoshis for held in (output(state, each) for each in known.outpoints) if held is not None)
    given = sum(each.satoshis for each in command.change)
    apart = len({each.vout for each in command.change}) == len(command.change)
    sound = apart and command.fee >= 0 and all(each.satoshis > 0 for each in command.change)
    if not sound or taken != given + command.fee:
        told = {"taken": str(taken), "given": str(given), "fee": str(command.fee)}
        return Refusal(AnchoringRefusal.OUT_OF_BALANCE, told)

    return [BatchSigned(command.pool_id, command.batch_id, command.txid, command.raw, command.fee, command.change)]


ALLOWED: Final = {
    ReleaseBatch: {RESERVED_BATCH},
    SignBatch: {RESERVED_BATCH},
    NoteSent: {SIGNED, "reorged"},
    NoteSeen: {SIGNED, "sent", "reorged"},
    NoteConfirmed: {SIGNED, *LIVING - {CONFIRMED}},
    NoteReorged: {CONFIRMED},
    FailBatch: {SIGNED},
}
"""By command the statuses of a batch that it is for. What the chain took once never fails: it is sent again."""
ANCHORING = Decider(initial={}, decide=decide, evolve=evolve)
