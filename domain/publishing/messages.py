"""The messages of publishing by their names on the log."""

from collections.abc import Sequence

from domain.message_type import MessageType, message_types
from domain.publishing import anchoring, batch, job, output, publisher

MESSAGES: Sequence[MessageType] = (
    *message_types(
        "publishing",
        publisher.PUBLISHER,
        {"RegisterPublisher": publisher.RegisterPublisher, "RemovePublisher": publisher.RemovePublisher},
        {"PublisherRegistered": publisher.PublisherRegistered, "PublisherRemoved": publisher.PublisherRemoved},
    ),
    *message_types(
        "publishing",
        job.JOB,
        {"QueueJob": job.QueueJob, "HoldJobs": job.HoldJobs},
        {"JobQueued": job.JobQueued, "JobsWaiting": job.JobsWaiting},
    ),
    *message_types("publishing", output.OUTPUT, {"FundPool": output.FundPool}, {"PoolFunded": output.PoolFunded}),
    *message_types(
        "publishing",
        anchoring.ANCHORING,
        {
            "ReserveBatch": anchoring.ReserveBatch,
            "ReleaseBatch": anchoring.ReleaseBatch,
            "SignBatch": anchoring.SignBatch,
            "NoteSent": anchoring.NoteSent,
            "NoteSeen": anchoring.NoteSeen,
            "NoteConfirmed": anchoring.NoteConfirmed,
            "NoteReorged": anchoring.NoteReorged,
            "FailBatch": anchoring.FailBatch,
        },
        {
            "BatchReserved": batch.BatchReserved,
            "BatchReleased": batch.BatchReleased,
            "BatchSigned": batch.BatchSigned,
            "BatchSent": batch.BatchSent,
            "BatchSeen": batch.BatchSeen,
            "BatchConfirmed": batch.BatchConfirmed,
            "BatchReorged": batch.BatchReorged,
            "BatchFailed": batch.BatchFailed,
        },
    ),
)
