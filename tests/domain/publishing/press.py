"""What tests of publishing begin with: a key that publishes, intents of it, and a pool with an output."""

from domain.publishing.anchoring import ReserveBatch, SignBatch
from domain.publishing.batch import BatchReserved, BatchSigned, ChangeOutput
from domain.publishing.job import BURST_MS, JobQueued, QueueJob
from domain.publishing.output import PoolFunded
from domain.publishing.publisher import PublisherRegistered
from tests.domain.scenario import NOON, Scenario

POOL, OPERATOR = "main", "did:key:operator"
KEY, OTHER = "02" + "aa" * 32, "03" + "bb" * 32
HERE = "facts/1/12"
PER_MINUTE = 60
APART_MS = BURST_MS // PER_MINUTE
TXID, NEXT = "11" * 32, "22" * 32
COIN = f"{'00' * 32}:0"
SATOSHIS, FEE = 10_000, 100
KEEP_MS = 60_000
REGISTERED = PublisherRegistered(POOL, KEY, "a label", OPERATOR, HERE)
FUNDED = PoolFunded(POOL, COIN, SATOSHIS, "76a9", OPERATOR, HERE)


def intent(number: int = 1, pubkey: str = KEY, at: int = NOON, per_minute: int = PER_MINUTE) -> QueueJob:
    """Give the n-th intent of a key."""
    said = (f"REC_{number}", f'{{"recordId":"REC_{number}"}}', f"{number:064x}", "c2ln", f"nonce-{number}")
    return QueueJob(POOL, job_id(number, pubkey), pubkey, *said, "2025-10-09T08:53:20Z", None, "batch", at, per_minute)


def job_id(number: int, pubkey: str = KEY) -> str:
    """Name the n-th job of a key."""
    return f"job_{pubkey[:4]}{number}"


def queued(number: int = 1, paced_until: int = NOON + APART_MS) -> JobQueued:
    """Give what becomes of the n-th intent."""
    sent = intent(number)
    return JobQueued(
        POOL, sent.job_id, KEY, sent.record_id, sent.record, sent.hash, sent.signature, sent.nonce, sent.timestamp,
        sent.uri, sent.priority, paced_until,
    )  # fmt: skip


def reserve(*numbers: int, batch: str = "bat_1", outpoints: tuple[str, ...] = (COIN,)) -> ReserveBatch:
    """Hold outputs for jobs."""
    return ReserveBatch(POOL, batch, tuple(map(job_id, numbers)), outpoints, 0, 0, KEEP_MS, None)


def reserved(*numbers: int, batch: str = "bat_1", outpoints: tuple[str, ...] = (COIN,)) -> BatchReserved:
    """Give what becomes of that at noon."""
    return BatchReserved(POOL, batch, tuple(map(job_id, numbers)), outpoints, 0, 0, NOON + KEEP_MS)


def change(satoshis: int = SATOSHIS - FEE) -> tuple[ChangeOutput, ...]:
    """Give what a transaction gives back by its second output."""
    return (ChangeOutput(1, satoshis, "76a9"),)


SIGN = SignBatch(POOL, "bat_1", TXID, b"raw", FEE, change())
SIGNED = BatchSigned(POOL, "bat_1", TXID, b"raw", FEE, change())


def press(*numbers: int) -> Scenario:
    """Begin with a key that publishes, a pool of one output, and these jobs queued."""
    return Scenario(actor=OPERATOR).given(REGISTERED, FUNDED, *map(queued, numbers))
