"""One payload of each of publishing's messages, written for ever."""

from typing import Any

from domain.publishing import anchoring, batch, job, output, publisher

DID = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
AT = 1_760_324_400_000
HERE = "facts/1/12"
POOL, KEY, JOB, BATCH = "main", "02" + "79be667e" * 8, "job_" + "a" * 52, "bat_" + "b" * 52
RECORD = '{"assetId":"a","nonce":"MDEyMzQ1Njc4OWFiY2RlZg==","recordId":"REC_1","type":"music"}'
HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
SIGNED = (RECORD, HASH, "c2lnbmF0dXJl", "MDEyMzQ1Njc4OWFiY2RlZg==", "2025-10-13T03:00:00Z", "https://example.org/1")
TXID, BLOCK, SCRIPT = "ab" * 32, "00" * 4 + "cd" * 28, "76a914" + "11" * 20 + "88ac"
OUTPOINT = "ef" * 32 + ":0"
CHANGE = (batch.ChangeOutput(1, 4_000, SCRIPT),)
HEADER, BUMP = bytes(range(80)), b"a path"

PUBLISHING_PAYLOADS: tuple[Any, ...] = (
    publisher.RegisterPublisher(POOL, KEY, "a label", None, "c2lnbmF0dXJl"),
    publisher.RemovePublisher(POOL, KEY, HERE),
    publisher.PublisherRegistered(POOL, KEY, "a label", DID, None),
    publisher.PublisherRemoved(POOL, KEY, DID, HERE),
    job.QueueJob(POOL, JOB, KEY, "REC_1", *SIGNED, "batch", AT, 60),
    job.HoldJobs(POOL, (JOB,)),
    job.JobQueued(POOL, JOB, KEY, "REC_1", *SIGNED, "batch", AT + 1000),
    job.JobsWaiting(POOL, (JOB,)),
    output.FundPool(POOL, OUTPOINT, 5_000, SCRIPT, HERE),
    output.PoolFunded(POOL, OUTPOINT, 5_000, SCRIPT, DID, HERE),
    anchoring.ReserveBatch(POOL, BATCH, (JOB,), (OUTPOINT,), 0, 0, 60_000, None),
    anchoring.ReleaseBatch(POOL, BATCH, None),
    anchoring.SignBatch(POOL, BATCH, TXID, b"a transaction", 1_000, CHANGE),
    anchoring.NoteSent(POOL, BATCH),
    anchoring.NoteSeen(POOL, BATCH),
    anchoring.NoteConfirmed(POOL, BATCH, 7, BLOCK, HEADER, BUMP),
    anchoring.NoteReorged(POOL, BATCH, BLOCK),
    anchoring.FailBatch(POOL, BATCH, "the chain refused it", (OUTPOINT,)),
    batch.BatchReserved(POOL, BATCH, (JOB,), (OUTPOINT,), 0, 0, AT + 60_000),
    batch.BatchReleased(POOL, BATCH, "nobody signed it in time"),
    batch.BatchSigned(POOL, BATCH, TXID, b"a transaction", 1_000, CHANGE),
    batch.BatchSent(POOL, BATCH),
    batch.BatchSeen(POOL, BATCH),
    batch.BatchConfirmed(POOL, BATCH, 7, BLOCK, HEADER, BUMP),
    batch.BatchReorged(POOL, BATCH, BLOCK),
    batch.BatchFailed(POOL, BATCH, "the chain refused it", (OUTPOINT,)),
)
