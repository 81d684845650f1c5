"""A Postgres that can't be reached, or is lost, is counted; what it says no to isn't."""

import psycopg
import pytest

from projections.postgres import CONNECTION_ERRORS, Postgres, PostgresUnavailable
from tests.conftest import Services


def counted() -> float:
    (metric,) = CONNECTION_ERRORS.collect()
    return metric.samples[0].value


async def test_a_postgres_that_is_away_is_counted_each_time_that_it_is_tried() -> None:
    postgres, before = Postgres("postgresql://muniment@127.0.0.1:1/muniment"), counted()
    for _ in range(2):
        with pytest.raises(PostgresUnavailable):
            async with postgres.snapshot():
                pass
    assert counted() == before + 2


async def test_a_lost_connection_is_counted_in_a_transaction_and_while_it_is_idle(
    postgres: Postgres, services: Services
) -> None:
    async def cut() -> None:
        async with await psycopg.AsyncConnection.connect(services.postgres, application_name="cutter") as other:
            await other.execute(
                "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE application_name = 'muniment'"
            )

    async def ask_over_a_cut() -> None:
        async with postgres.snapshot() as opened:
            await cut()
            await opened.rows("SELECT 1")

    before = counted()
    with pytest.raises(PostgresUnavailable):
        await ask_over_a_cut()
    assert counted() == before + 1
    async with postgres.snapshot():
        pass
    await cut()
    async with postgres.snapshot() as opened:
        assert await opened.rows("SELECT 1") == [(1,)], "by another connection"
    assert counted() == before + 2


async def test_a_statement_that_is_refused_or_late_is_no_error_of_a_connection(postgres: Postgres) -> None:
    before = counted()
    with pytest.raises(PostgresUnavailable):
        async with postgres.snapshot(statement_timeout_ms=1) as opened:
            await opened.rows("SELECT pg_sleep(5)")
    assert counted() == before
