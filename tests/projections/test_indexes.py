"""Hot reads find their rows by an index, whatever the tables hold."""

# ruff: noqa: S608  # the schema is named here
import base64
import hashlib
import re
from typing import Any

import pytest

from projections import fact_change_queries, fact_queries, generations, signer_queries, webhook_queries
from projections.dump import PROJECTIONS
from projections.fact_queries import Cut, Filters
from projections.postgres import Postgres, Transaction
from projections.reads import vector
from tests.projections.test_projecting import project
from tests.projections.world import ISSUERS, World

pytestmark = [pytest.mark.stack, pytest.mark.slow]
FACTS = 120_000
CHANGED = 5_000


def fact_id(number: int) -> str:
    """Give the id of the n-th fact."""
    return "fct_" + base64.b32encode(hashlib.sha256(str(number).encode()).digest()).decode().rstrip("=").lower()


class Explaining(Transaction):
    """Runs each query as it is and keeps its plan."""

    def __init__(self, inner: Transaction) -> None:
        super().__init__(inner._connection)
        self.plans: list[str] = []

    async def rows(self, query: str, *parameters: Any) -> Any:
        if query.startswith("SELECT"):
            plan = await super().rows(f"EXPLAIN (ANALYZE, TIMING OFF) {query}", *parameters)
            self.plans.append("\n".join(text for (text,) in plan))
        return await super().rows(query, *parameters)


async def filled(postgres: Postgres, schema: str) -> None:
    """Fill the tables with facts of four issuers in three partitions, some of them changed."""
    async with postgres.transaction() as transaction:
        await transaction.run(
            f"INSERT INTO {schema}.facts SELECT id, CASE WHEN n %% 1000 = 0 THEN 'rights.grant' ELSE"
            " 'endorsement.star' END, 'feed.ff', 'playlist', 'pl_' || n, NULL, (%s::text[])[1 + n %% 4], '{}', 'h',"
            " 'ed25519', NULL, 's', n, NULL, n %% 3, 100 + n / 3, 1760000000000 + n / 3, CASE WHEN n < %s THEN"
            " 'revoked' ELSE 'active' END, CASE WHEN n < %s THEN 100000 ELSE 100 END + n / 3, 1760000000000 + n / 3,"
            " CASE WHEN n < %s THEN 'revoked' END, NULL FROM unnest(%s::text[]) WITH ORDINALITY AS x (id, m),"
            " LATERAL (SELECT m::integer - 1 AS n) y",
            list(ISSUERS), CHANGED, CHANGED, CHANGED, [fact_id(number) for number in range(FACTS)],
        )  # fmt: skip
        await transaction.run(
            f"INSERT INTO {schema}.fact_changes SELECT fact_id, part, changed_pos, changed_at, 'revoked', 'revoked'"
            f" FROM {schema}.facts WHERE change IS NOT NULL"
        )
        await transaction.run("UPDATE muniment.positions SET next = 200000, last = 199999 WHERE projection = 'facts'")
        await transaction.run(f"ANALYZE {schema}.facts; ANALYZE {schema}.fact_changes")


async def test_no_hot_read_scans_a_table(postgres: Postgres) -> None:
    world = await World().start()
    await project(world, postgres)
    await filled(postgres, "facts_g1")
    async with postgres.snapshot() as opened:
        live = await generations.live(opened, [projection.name for projection in PROJECTIONS])
        facts, transaction = live["facts"], Explaining(opened)
        now = Cut(vector(facts))
        assert await fact_queries.fact(transaction, facts, fact_id(77)) is not None
        for filters in (
            Filters(),
            Filters(kind="endorsement.star"),
            Filters(kind="rights.grant"),
            Filters(ref="pl_777", origin="feed.ff", type="playlist"),
            Filters(ref="pl_60001"),
            Filters(issuer=ISSUERS[0]),
            Filters(issuer=ISSUERS[2]),
            Filters(issuer="did:key:zNobody"),
            Filters(kind="endorsement.star", issuer=ISSUERS[1], origin="feed.ff", type="playlist", ref="pl_5001"),
        ):
            for status in ("active", "revoked", "expired"):
                found = await fact_queries.page(transaction, facts, filters, status=status, limit=51)
                after = (found[-1].at, found[-1].part, found[-1].pos) if found else (1_760_000_020_000, 1, 20_000)
                again = await fact_queries.page(
                    transaction, facts, filters, status=status, limit=51, cut=now, after=after
                )
                assert not {item.fact_id for item in found} & {item.fact_id for item in again}
        recent = Cut([offset - 100_000 for offset in now.offsets])
        await fact_queries.page(transaction, facts, Filters(), status="active", limit=51, cut=recent)
        await fact_change_queries.history(transaction, facts, fact_id(5), 51)
        for after_offsets in ({}, {0: 30_000, 1: 30_000, 2: 30_000}, {0: 199_999, 1: 199_999, 2: 199_999}):
            await fact_change_queries.feed(transaction, facts, Filters(), status=None, after=after_offsets, limit=50)
        await signer_queries.page(transaction, live["signers"], role=None, limit=51, offsets=now.offsets)
        await webhook_queries.deliveries(transaction, live["webhooks"], "wh_a", status=None, limit=51)
    assert len(transaction.plans) > 50
    for plan in transaction.plans:
        assert not re.search(r"Seq Scan on (facts|fact_changes|deliveries)\b", plan), plan
    slowest = max(transaction.plans, key=lambda plan: float(re.findall(r"Execution Time: ([\d.]+)", plan)[0]))
    assert float(re.findall(r"Execution Time: ([\d.]+)", slowest)[0]) < 1_000, slowest
    print(slowest)
