"""How a DID stood is found by an index, however many DIDs there are."""

# ruff: noqa: S608  # the schema is named here
import re

import pytest

from projections import generations, identity_past_queries
from projections.dump import PROJECTIONS
from projections.identity_past_queries import Limit
from projections.postgres import Postgres
from tests.projections.test_indexes import Explaining

pytestmark = pytest.mark.stack
DIDS = 20_000
OPERATIONS = 40
"""How often one of the DIDs changed its keys."""


def did_of(number: int) -> str:
    """Give the n-th DID."""
    return f"did:mun:{number:026}"


async def filled(postgres: Postgres, schema: str) -> None:
    """Fill the tables: each DID has one key, and the first changed it again and again, each time a minute later."""
    async with postgres.transaction() as transaction:
        for who, times in ((DIDS, 1), (1, OPERATIONS)):
            chosen = "SELECT 'did:mun:' || lpad(d::text, 26, '0') AS did, n FROM generate_series(%s::int, %s::int) d,"
            chosen += " generate_series(1, %s::int) n"
            bounds = (1 if times == 1 else 0, who if times == 1 else 0, times)
            await transaction.run(
                f"INSERT INTO {schema}.identity_operations SELECT did, 'hash-' || n, NULL, 'z', '{{}}', 's', 0, n * 10,"
                f" n * 60000, false, NULL, NULL, NULL FROM ({chosen}) x",
                *bounds,
            )
            await transaction.run(
                f"INSERT INTO {schema}.identity_windows SELECT did, 'key-' || n, n * 60000, n * 10, n * 60000,"
                f" 'ed25519', 'z' || n, 'assertion', NULL FROM ({chosen}) x",
                *bounds,
            )
            await transaction.run(
                f"INSERT INTO {schema}.identity_windows SELECT did, 'key-' || n, n * 60000, n * 10 + 10,"
                f" n * 60000 + 60000, 'ed25519', 'z' || n, 'assertion', n * 60000 + 60000 FROM ({chosen}) x"
                f" WHERE n < {OPERATIONS}",
                *bounds,
            )
            await transaction.run(
                f"INSERT INTO {schema}.identity_handles SELECT did, n * 10, n * 60000, 'h' FROM ({chosen}) x", *bounds
            )
        for table in ("operations", "windows", "handles"):
            await transaction.run(f"ANALYZE {schema}.identity_{table}")


async def test_a_document_is_found_by_an_index_now_and_as_it_stood(postgres: Postgres) -> None:
    (identity,) = (each for each in PROJECTIONS if each.name == "identity")
    async with postgres.transaction() as transaction:
        await generations.prepare(transaction, [identity])
    async with postgres.snapshot() as transaction:
        generation = (await generations.live(transaction, ["identity"]))["identity"]
    await filled(postgres, generation.schema)
    async with postgres.snapshot() as transaction:
        asking = Explaining(transaction)
        for did, limit, key in (
            (did_of(0), Limit(), f"key-{OPERATIONS}"),
            (did_of(0), Limit(pos=255), "key-25"),
            (did_of(0), Limit(at=25 * 60_000), "key-25"),
            (did_of(7), Limit(pos=10), "key-1"),
        ):
            stood = await identity_past_queries.stood(asking, generation, did, limit, 0)
            assert stood is not None
            assert ([each.id for each in stood.keys], stood.version) == ([key], key.replace("key", "hash"))
        assert await identity_past_queries.stood(asking, generation, did_of(DIDS + 1), Limit(), 0) is None
        assert await identity_past_queries.version_limit(asking, generation, did_of(0), "hash-3") == Limit(30, 180_000)
        assert len(asking.plans) == 10
        for plan in asking.plans:
            assert not re.search(r"Seq Scan on identity_", plan), plan
