"""Hot reads of publishing find their rows by an index, whatever the tables hold."""

import re

import pytest

from projections import generations, publishing_queries, publishing_trail_queries
from projections.postgres import Postgres
from projections.publishing import PublishingProjection
from tests.audit.pressroom import CONTEXT
from tests.projections.test_indexes import Explaining

pytestmark = pytest.mark.stack
JOBS = 20_000
A_BATCH = 20
FILLED = """
INSERT INTO {schema}.jobs SELECT 'job_' || n, 'key' || n % 50, 'REC_' || n / 2, '{{}}', 'h', 's', 'n', 't', NULL,
  'batch', 0, n, n, false, 'bat_' || n / {a_batch}, n % {a_batch} FROM generate_series(1, {jobs}) n;
INSERT INTO {schema}.batch_jobs SELECT batch_id, job_id, vout FROM {schema}.jobs;
INSERT INTO {schema}.batches (batch_id, status, part, pos, at, pieces, piece_satoshis, expires_at, txid, status_pos,
  status_at) SELECT DISTINCT batch_id, 'sent', 0, 1, 1, 0, 0, 1, 'tx' || batch_id, 1, 1 FROM {schema}.jobs;
INSERT INTO {schema}.outputs SELECT 'tx' || n || ':0', n, '', CASE WHEN n % 100 = 0 THEN 'available' ELSE 'spent' END,
  'bat_' || n / {a_batch}, 'bat_' || n / {a_batch} + 1, 0, n, n FROM generate_series(1, {jobs}) n;
INSERT INTO {schema}.publishing_trail SELECT 0, pos, 0, pos, 'JobQueued', pubkey, 'job', job_id, 'queued', '{{}}'
  FROM {schema}.jobs;
INSERT INTO {schema}.publishing_trail SELECT 0, pos, 1, pos, 'BatchReserved', NULL, 'batch', batch_id, 'reserved',
  jsonb_build_object('outpoints', ARRAY['tx' || pos || ':0']) FROM {schema}.jobs WHERE vout = 0;
INSERT INTO {schema}.publishing_trail SELECT 0, pos, 2, pos, 'JobsWaiting', NULL, 'pool', 'main', 'waiting',
  jsonb_build_object('jobIds', ARRAY[job_id]) FROM {schema}.jobs WHERE vout = 1;
ANALYZE {schema}.jobs, {schema}.batch_jobs, {schema}.batches, {schema}.outputs, {schema}.publishing_trail;
"""


async def test_no_hot_read_of_publishing_scans_a_table(postgres: Postgres) -> None:
    async with postgres.transaction() as transaction:
        await generations.prepare(transaction, [PublishingProjection()])
        await transaction.run(FILLED.format(schema="publishing_g1", jobs=JOBS, a_batch=A_BATCH))
    async with postgres.snapshot() as opened:
        publishing = (await generations.live(opened, [CONTEXT]))[CONTEXT]
        asking = Explaining(opened)
        found = await publishing_queries.job(asking, publishing, "job_777")
        assert found is not None
        assert found.status == "sent"
        assert len(await publishing_queries.jobs_of_record(asking, publishing, "REC_77")) == 2
        assert await publishing_queries.proof(asking, publishing, "bat_7") is not None
        assert await publishing_queries.batch_under_way(asking, publishing, "txbat_7") is not None
        assert len(await publishing_queries.batch_outputs(asking, publishing, ["tx7:0", "tx8:0"])) == 2
        assert len(await publishing_queries.available(asking, publishing, limit=5)) == 5
        for actor, resource in (
            *((None, None), ("key7", None), (None, "job_77"), (None, "REC_77"), (None, "txbat_7")),
            *((None, "bat_7"), (None, "tx80:0"), (None, "none")),
        ):
            for after in (None, (10, 0, 10, 0)):
                asked = {"actor": actor, "resource": resource, "after": after}
                assert bool(
                    await publishing_trail_queries.trail(asking, publishing, limit=51, **asked)  # type: ignore[arg-type]  # by name
                ) != (resource == "none")
        await publishing_trail_queries.step_at(asking, publishing, 0, 777)
    assert len(asking.plans) > 20
    for plan in asking.plans:
        assert not re.search(r"Seq Scan on (jobs|batches|batch_jobs|outputs|publishing_trail)\b", plan), plan
