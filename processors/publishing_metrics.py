"""What the reactor that leads says of publishing, for Prometheus; all of it follows from what it folded.

What is counted is told as gauges: a process that starts goes on with the count of the log, and doesn't begin anew.
"""

import time
from typing import Final

from prometheus_client import Gauge

from processors.publishing_agenda import PRIORITIES, Counts, PublishingAgenda

TOTAL: Final = Gauge("publish_jobs_total", "Jobs that were ever queued.")
QUEUED: Final = Gauge("publish_jobs_queued", "Jobs that no batch has yet.")
SENT: Final = Gauge("publish_jobs_sent", "Jobs whose transaction the chain took.")
FAILED: Final = Gauge("publish_jobs_failed", "Jobs that failed.")
OUTPUTS: Final = Gauge("utxo_pool_size", "Outputs of the pool that are not spent.")
AVAILABLE: Final = Gauge("utxo_available", "Outputs of the pool that are free.")
RESERVED: Final = Gauge("utxo_reserved", "Outputs of the pool that a batch holds.")
LAG: Final = Gauge("worker_lag", "How long the job that waits longest has waited, in seconds.")


def tell(agenda: PublishingAgenda, now: float | None = None) -> None:
    """Tell the figures of an agenda as they are (``now`` in s since 1970)."""
    at = time.time() if now is None else now
    oldest = [said.at for each in PRIORITIES if (said := agenda.oldest(each)) is not None]
    _set(agenda.counts, agenda.pool.available, max(0.0, at - min(oldest) / 1000) if oldest else 0.0)


def fall_silent() -> None:
    """Tell nothing more: another leads, and two that tell the same would be added up."""
    _set(Counts(), 0, 0.0)


def _set(counts: Counts, available: int, lag: float) -> None:
    TOTAL.set(counts.total)
    QUEUED.set(counts.queued)
    SENT.set(counts.sent)
    FAILED.set(counts.failed)
    OUTPUTS.set(counts.outputs)
    AVAILABLE.set(available)
    RESERVED.set(counts.reserved)
    LAG.set(lag)
