"""The ledger's tables against the log: each column of a row of each table, as they lie in the real Postgres."""

# ruff: noqa: S608 - the names of tables and columns are the projection's own

import random
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from log import released, topic
from log.following import follow
from log.memory import MemoryLog
from muniment.audited_projections import opened
from muniment.auditing import AuditOptions, audit_log
from processors.audit_row_keys import KEYS
from processors.audit_rows import Dump, Expected, compare
from processors.audit_verdict import Difference, Differs, Verdict
from projections.dump import PROJECTIONS
from projections.generations import Table
from projections.ledger import LedgerProjection
from projections.postgres import Postgres
from projections.projector import Projector
from tests.audit.economy import every_kind_of_movement
from tests.conftest import Services
from tests.projections.conftest import emptied
from tests.projections.ledger_world import OWNERS, PARTITIONS, Economy, feed, ledger_tables, project
from tests.projections.test_ledger import played

pytestmark = [pytest.mark.slow, pytest.mark.stack]

OPTIONS = AuditOptions(cores=1, patience_s=0.0)
ANOTHER = {
    "text": "coalesce({0}, '') || 'x'",
    "boolean": "NOT {0}",
    "jsonb": '\'{{"name": "x"}}\'',
    "text[]": "'{{x}}'",
}
"""By type of a column, another value than it has; of a number, a greater one."""


@asynccontextmanager
async def emptied_postgres(services: Services) -> AsyncIterator[Postgres]:
    """Open an empty database."""
    postgres = Postgres(services.postgres)
    await emptied(postgres)
    try:
        yield postgres
    finally:
        await postgres.close()


async def projected(log: MemoryLog, postgres: Postgres, partitions: int) -> None:
    """Project all that lies on a log."""
    for context in dict.fromkeys(each.context for each in PROJECTIONS):
        until = {part: len(log.messages(topic.events(context), part)) for part in range(partitions)}
        await follow(log, context, Projector(postgres, PROJECTIONS), until=until)


async def empty_but_for_the_ledger(postgres: Postgres) -> None:
    """Make every other context's tables, with nothing in them."""
    for context in dict.fromkeys(each.context for each in PROJECTIONS if each.context != "ledger"):
        await Projector(postgres, PROJECTIONS).marks(context, PARTITIONS)


async def audited(log: MemoryLog, postgres: Postgres, partitions: int) -> Verdict:
    """Audit a log and all that is made of it."""
    async with opened(postgres, partitions=partitions) as dumps:
        return await audit_log(log, dumps, OPTIONS)


async def compared(log: MemoryLog, postgres: Postgres, partitions: int) -> Difference | int:
    """Compare the ledger's rows with a log whose decisions are taken as they are."""
    decode = released.codec("ledger", "decision").decode
    with tempfile.TemporaryDirectory() as folder:
        async with opened(postgres, partitions=partitions) as dumps:
            (found,) = [dump for dump in dumps if dump.projection == "ledger"]
            return await _compared(found, log, decode, Path(folder), partitions)


async def _compared(dump: Dump, log: MemoryLog, decode: Any, folder: Path, partitions: int) -> Difference | int:
    expected = Expected(dump, folder / "rows")
    try:
        for partition in range(partitions):
            for message in log.messages(topic.events("ledger"), partition):
                decision = decode(message.value)
                expected.take(message, [happening.payload for happening in decision.events], decision.at)
        return await compare(expected)
    except Differs as differs:
        return differs.difference
    finally:
        expected.close()


async def types_of(postgres: Postgres, table: Table) -> dict[str, str]:
    """Give the type of each column of a table."""
    async with postgres.transaction() as transaction:
        rows = await transaction.rows(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            f"ledger_g1.{table.name}",
        )
    return dict(rows)


@asynccontextmanager
async def changed(postgres: Postgres, table: str, column: str, kind: str) -> AsyncIterator[None]:
    """Let one column of one row have another value meanwhile."""
    async with postgres.transaction() as transaction:
        ((place, was),) = await transaction.rows(
            f"SELECT ctid::text, {column}::text FROM ledger_g1.{table} ORDER BY ctid LIMIT 1"
        )
        other = ANOTHER.get(kind, "coalesce({0}, 0) + 4000").format(column)
        ((place,),) = await transaction.rows(
            f"UPDATE ledger_g1.{table} SET {column} = {other} WHERE ctid = %s::tid RETURNING ctid::text", place
        )
    yield
    async with postgres.transaction() as transaction:
        await transaction.run(f"UPDATE ledger_g1.{table} SET {column} = %s::{kind} WHERE ctid = %s::tid", was, place)


async def test_the_ledger_s_tables_are_compared_and_one_changed_row_of_each_is_named(services: Services) -> None:
    economy = await every_kind_of_movement()
    async with emptied_postgres(services) as postgres:
        await projected(economy.log, postgres, economy.partitions)
        tables = await ledger_tables(postgres)
        verdict = await audited(economy.log, postgres, economy.partitions)
        assert verdict.difference is None, str(verdict.difference)
        assert all(tables[table.name] for table in LedgerProjection.tables)
        assert verdict.projections["ledger"] == sum(map(len, tables.values()))
        for table in LedgerProjection.tables:
            column, kind = table.columns[-1], (await types_of(postgres, table))[table.columns[-1]]
            async with changed(postgres, table.name, column, kind):
                difference = (await audited(economy.log, postgres, economy.partitions)).difference
            assert difference is not None
            assert difference.place.startswith(f"ledger:{table.name}/"), str(difference)
            assert difference.place.split(" @ ")[1].startswith("ledger/")
            assert difference.detail == f"the row isn't what the log says: {column}"
        assert (await audited(economy.log, postgres, economy.partitions)).holds


@pytest.mark.parametrize("table", LedgerProjection.tables, ids=lambda table: table.name)
async def test_each_column_and_each_row_that_is_missing_or_too_many_is_named(services: Services, table: Table) -> None:
    economy = await every_kind_of_movement()
    assert KEYS[table.name] == table.key
    async with emptied_postgres(services) as postgres:
        await projected(economy.log, postgres, economy.partitions)
        for column, kind in (await types_of(postgres, table)).items():
            if column not in table.columns:
                continue
            async with changed(postgres, table.name, column, kind):
                difference = await compared(economy.log, postgres, economy.partitions)
            assert isinstance(difference, Difference), column
            assert difference.place.startswith(f"ledger:{table.name}/")
            assert column in table.key or difference.detail.endswith(f": {column}")
        assert isinstance(await compared(economy.log, postgres, economy.partitions), int)
        async with postgres.transaction() as transaction:
            await transaction.run(
                f"DELETE FROM ledger_g1.{table.name} WHERE ctid = (SELECT min(ctid) FROM ledger_g1.{table.name})"
            )
        missing = await compared(economy.log, postgres, economy.partitions)
        assert isinstance(missing, Difference)
        assert missing.place.startswith(f"ledger:{table.name}/")
        assert missing.detail == "the row is missing"


async def test_any_play_of_money_is_compared_as_of_any_marks(services: Services) -> None:
    economy, chance = await played(), random.Random(5)  # noqa: S311 - the same order each time
    async with emptied_postgres(services) as postgres:
        await empty_but_for_the_ledger(postgres)
        for _ in range(12):
            await feed(economy, postgres, [(chance.randrange(PARTITIONS), chance.randrange(1, 90))])
            found = await compared(economy.log, postgres, PARTITIONS)
            assert isinstance(found, int), str(found)
        await project(economy, postgres)
        assert await compared(economy.log, postgres, PARTITIONS) == sum(
            map(len, (await ledger_tables(postgres)).values())
        )


async def test_a_card_that_postgres_writes_otherwise_is_compared_by_its_values(services: Services) -> None:
    economy = await Economy().start()
    numbers = {"far": [1e23, 1.5e22, -1e21, 1e-7, 2.5, 1e300, 2**53 - 1, -0.0, 5e-324], "z": 1, "a": [True, None]}
    card = {
        "name": "\0Her\tald\\",
        "description": 7,
        "skills": [{"id": 'q"', "tags": ["\0", 3, "b"]}, "none"],
        **numbers,
    }
    await economy.agent("books", OWNERS[0], "did:key:zAgent", card)
    async with emptied_postgres(services) as postgres:
        await project(economy, postgres)
        await empty_but_for_the_ledger(postgres)
        found = await compared(economy.log, postgres, PARTITIONS)
        assert isinstance(found, int), str(found)
