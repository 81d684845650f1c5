"""Jobs as they are read: each signed record on its way onto the chain, and every batch that ever held it."""

from typing import Any, Final

from domain.publishing.batch import BatchReleased, BatchReserved
from domain.publishing.job import JobQueued, JobsWaiting
from projections.generations import Table
from projections.lines import line
from projections.postgres import Transaction
from projections.rows import Place, Rows, appending, blank

JOBS: Final = Table(
    "jobs",
    (
        "job_id", "pubkey", "record_id", "record", "hash", "signature", "nonce", "timestamp", "uri", "priority",
        "part", "pos", "at", "waiting", "batch_id", "vout",
    ),
    ("job_id",),
)  # fmt: skip
BATCH_JOBS: Final = Table("batch_jobs", ("batch_id", "job_id", "vout"), ("batch_id", "job_id"))
DEFINITION: Final = """
CREATE TABLE {schema}.jobs (
  job_id text COLLATE "C" PRIMARY KEY, pubkey text COLLATE "C" NOT NULL, record_id text COLLATE "C" NOT NULL,
  record text NOT NULL, hash text COLLATE "C" NOT NULL, signature text COLLATE "C" NOT NULL,
  nonce text COLLATE "C" NOT NULL, timestamp text COLLATE "C" NOT NULL, uri text, priority text COLLATE "C" NOT NULL,
  part integer NOT NULL, pos bigint NOT NULL, at bigint NOT NULL, waiting boolean NOT NULL,
  batch_id text COLLATE "C", vout integer);
CREATE INDEX jobs_record ON {schema}.jobs (record_id, pubkey, pos);
CREATE INDEX jobs_of_no_batch ON {schema}.jobs (waiting) WHERE batch_id IS NULL;
CREATE TABLE {schema}.batch_jobs (
  batch_id text COLLATE "C" NOT NULL, job_id text COLLATE "C" NOT NULL, vout integer NOT NULL,
  PRIMARY KEY (batch_id, job_id));
CREATE INDEX batch_jobs_job ON {schema}.batch_jobs (job_id);
"""
SAID: Final = (
    "job_id", "pubkey", "record_id", "record", "hash", "signature", "nonce", "timestamp", "uri", "priority",
)  # fmt: skip
"""Columns that an event says as they are."""


class Jobs:
    """What a batch makes of jobs: a batch takes them up, and lets go of them where nobody signs it."""

    events: tuple[type, ...] = (JobQueued, JobsWaiting, BatchReserved, BatchReleased)

    def __init__(self, schema: str) -> None:
        self._rows = Rows(schema, JOBS, {"waiting": "boolean", "batch_id": "text", "vout": "integer"})
        self._held = appending(schema, BATCH_JOBS)
        self._batch_jobs = f"{schema}.{BATCH_JOBS.name}"
        self._of: dict[str, tuple[str, ...]] = {}
        self._released: set[str] = set()

    def want(self, event: Any) -> None:
        """Note the jobs that were queued before, or the batch that says which they are."""
        match event:
            case JobsWaiting() | BatchReserved():
                for job_id in event.job_ids:
                    self._rows.want(job_id)
            case BatchReleased():
                self._released.add(event.batch_id)

    async def load(self, transaction: Transaction) -> None:
        """Read the jobs, those of batches that are let go of too."""
        if self._released:
            found = await transaction.rows(
                f"SELECT batch_id, array_agg(job_id) FROM {self._batch_jobs} WHERE batch_id = ANY(%s) GROUP BY 1",
                sorted(self._released),
            )
            self._of = {batch_id: tuple(job_ids) for batch_id, job_ids in found}
            for job_ids in self._of.values():
                for job_id in job_ids:
                    self._rows.want(job_id)
        await self._rows.load(transaction)

    def fold(self, event: Any, place: Place) -> None:
        """Fold one event of jobs."""
        match event:
            case JobQueued():
                said = {name: getattr(event, name) for name in SAID}
                where = {"part": place.part, "pos": place.pos, "at": place.at}
                self._rows.put(blank(JOBS, **said, **where, waiting=False))
            case JobsWaiting():
                for job_id in event.job_ids:
                    self._rows.changed(job_id)["waiting"] = True
            case BatchReserved():
                self._of[event.batch_id] = event.job_ids
                for vout, job_id in enumerate(event.job_ids):
                    row = self._rows.changed(job_id)
                    row |= {"waiting": False, "batch_id": event.batch_id, "vout": vout}
                    self._held.add(line((event.batch_id, job_id, str(vout))))
            case BatchReleased():
                for job_id in self._of.get(event.batch_id, ()):
                    row = self._rows.changed(job_id)
                    row |= {"waiting": False, "batch_id": None, "vout": None}

    async def save(self, transaction: Transaction) -> None:
        """Write the jobs that are new or changed, and what held them."""
        await self._rows.save(transaction)
        await self._held.end(transaction)
