"""A job is a signed record on its way onto the chain: queued once, known for ever by its nonce and its record's id."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.publishing.publisher import publisher

LARGEST_SKEW_MS: Final = 10 * 60_000
"""How far a record's timestamp may be from the log's time."""
BURST_MS: Final = 60_000
"""How much of its rate a public key may use at once."""


@dataclass(frozen=True, slots=True)
class JobQueued:
    """A record is to be anchored.

    ``record`` is its RFC 8785 text, ``hash`` the SHA-256 of that (hex), ``signature`` base64 as it was sent, ``uri``
    and ``timestamp`` are as the record has them. ``paced_until`` (ms) is until when this public key's pace is used up.
    """

    pool_id: str
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
    paced_until: int


@dataclass(frozen=True, slots=True)
class JobsWaiting:
    """Jobs wait for an output of the pool that could pay for them."""

    pool_id: str
    job_ids: tuple[str, ...]


class Job(NamedTuple):
    """A job's entry in the state: ``batch_id`` is the batch that anchors it, where there is one."""

    pubkey: str
    record_id: str
    waiting: bool
    batch_id: str | None


class Known(NamedTuple):
    """By a nonce or a record's id of a public key, the job that has it."""

    job_id: str


class Pace(NamedTuple):
    """Until when (ms) a public key's pace is used up: a bucket that leaks, told by when it is empty again."""

    until: int


def job_key(job_id: str) -> str:
    """Give the key of a job's entry."""
    return f"job/{job_id}"


def nonce_key(pubkey: str, nonce: str) -> str:
    """Give the key of a nonce's entry."""
    return f"nonce/{pubkey}/{nonce}"


def record_key(pubkey: str, record_id: str) -> str:
    """Give the key of a record's entry; a public key holds no slash, and its length is known."""
    return f"record/{pubkey}/{record_id}"


def pace_key(pubkey: str) -> str:
    """Give the key of the entry of a public key's pace."""
    return f"pace/{pubkey}"


def job(state: State, job_id: str) -> Job | None:
    """Find a job."""
    entry = state.get(job_key(job_id))
    return None if entry is None else Job(*entry)


def evolve(state: State, event: JobQueued | JobsWaiting, _at: int) -> Iterable[Change]:
    """Fold one event of jobs."""
    match event:
        case JobQueued():
            yield job_key(event.job_id), Job(event.pubkey, event.record_id, waiting=False, batch_id=None)
            yield nonce_key(event.pubkey, event.nonce), Known(event.job_id)
            yield record_key(event.pubkey, event.record_id), Known(event.job_id)
            yield pace_key(event.pubkey), Pace(event.paced_until)
        case JobsWaiting():
            for job_id in event.job_ids:
                yield job_key(job_id), Job(*state[job_key(job_id)])._replace(waiting=True)


@dataclass(frozen=True, slots=True)
class QueueJob:
    """Take an intent, whose form and signature were checked before the log; members are as in JobQueued.

    ``signed_at`` is the timestamp in ms. ``per_minute`` is how many a public key may queue in a minute.
    """

    pool_id: str
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
    signed_at: int
    per_minute: int


@dataclass(frozen=True, slots=True)
class HoldJobs:
    """Say of queued jobs that the pool has nothing for them."""

    pool_id: str
    job_ids: tuple[str, ...]


class JobRefusal(StrEnum):
    """Why nothing is queued, in order of precedence."""

    TIMESTAMP_OUT_OF_RANGE = "timestamp_out_of_range"
    KEY_NOT_REGISTERED = "key_not_registered"
    NONCE_USED = "nonce_used"
    RECORD_EXISTS = "record_exists"
    RATE_LIMITED = "rate_limited"
    NOTHING_TO_DO = "nothing_to_do"


def decide(
    state: State, command: QueueJob | HoldJobs, around: Circumstances
) -> Sequence[JobQueued | JobsWaiting] | Refusal:
    """Rule on an intent, or on jobs that can't be paid for."""
    if isinstance(command, HoldJobs):
        return decide_hold(state, command)
    pubkey, now = command.pubkey, around.now
    if abs(command.signed_at - now) > LARGEST_SKEW_MS:
        return Refusal(JobRefusal.TIMESTAMP_OUT_OF_RANGE, {"now": str(now), "largest_skew_ms": str(LARGEST_SKEW_MS)})
    if publisher(state, pubkey) is None:
        return Refusal(JobRefusal.KEY_NOT_REGISTERED, {"pubkey": pubkey})
    for key, code in (
        (nonce_key(pubkey, command.nonce), JobRefusal.NONCE_USED),
        (record_key(pubkey, command.record_id), JobRefusal.RECORD_EXISTS),
    ):
        known = state.get(key)
        if known is not None:
            return Refusal(code, {"jobId": Known(*known).job_id})
    entry = state.get(pace_key(pubkey))
    until = max(now, 0 if entry is None else Pace(*entry).until) + BURST_MS // command.per_minute
    if until - now > BURST_MS:
        return Refusal(JobRefusal.RATE_LIMITED, {"retry_after_ms": str(until - now - BURST_MS)})

    return [
        JobQueued(
            command.pool_id,
            command.job_id,
            pubkey,
            command.record_id,
            command.record,
            command.hash,
            command.signature,
            command.nonce,
            command.timestamp,
            command.uri,
            command.priority,
            until,
        )
    ]


def decide_hold(state: State, command: HoldJobs) -> Sequence[JobsWaiting] | Refusal:
    """Rule on jobs that the pool has nothing for: those that are on their way by now are passed over."""
    found = {job_id: job(state, job_id) for job_id in command.job_ids}
    held = [name for name, each in found.items() if each is not None and not each.waiting and each.batch_id is None]
    if not held:
        return Refusal(JobRefusal.NOTHING_TO_DO)

    return [JobsWaiting(command.pool_id, tuple(held))]


JOB = Decider(initial={}, decide=decide, evolve=evolve)
