"""Identity's tables against the log: each column of a row of each table, as they lie in the real Postgres."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from log.chain import Chain, Mark
from muniment.audited_projections import of_tables
from muniment.auditing import AuditOptions, audit_log
from processors.audit_row_keys import row_key
from processors.audit_rows import Dump, Row
from processors.audit_tables import RULES
from projections.dump import dump
from projections.identity import IdentityProjection
from projections.postgres import Postgres
from tests.audit.chancery import EVENTS, Chancery, every_kind_of_operation
from tests.conftest import Services
from tests.projections.conftest import emptied
from tests.projections.test_identity import project, tables_of

pytestmark = [pytest.mark.slow, pytest.mark.stack]
OPTIONS = AuditOptions(cores=1, patience_s=0.0)


def dump_of(chancery: Chancery, rows: dict[str, Any]) -> Dump:
    """Give rows as they would lie in a store at the log's end."""
    marks: dict[int, Mark] = {}
    for partition in range(chancery.partitions):
        chain = Chain(Mark.start(EVENTS, partition))
        assert all(chain.admit(message) for message in chancery.log.messages(EVENTS, partition))
        marks[partition] = chain.mark

    async def each() -> AsyncIterator[Row]:
        for key in sorted(rows):
            yield key, rows[key]

    return Dump("identity", "identity", RULES["identity"], marks, each())


async def test_identity_s_tables_are_compared_and_whatever_differs_is_named(services: Services) -> None:
    chancery = await every_kind_of_operation()
    postgres = Postgres(services.postgres)
    await emptied(postgres)
    await project(chancery, postgres)
    tables = await tables_of(postgres)
    await postgres.close()
    rows = {row_key(name, row): row for name, table in tables.items() for row in table.values()}
    assert {key.split("/")[0] for key in rows} == {table.name for table in IdentityProjection.tables}
    verdict = await audit_log(chancery.log, [dump_of(chancery, rows)], OPTIONS)
    assert verdict.difference is None, str(verdict.difference)
    assert verdict.projections == {"identity": len(rows)}
    for table in IdentityProjection.tables:
        name = next(key for key in sorted(rows, reverse=True) if key.startswith(f"{table.name}/"))
        for column, value in rows[name].items():
            if column in table.key:
                continue
            changed = {**rows, name: {**rows[name], column: "another" if value != "another" else None}}
            found = (await audit_log(chancery.log, [dump_of(chancery, changed)], OPTIONS)).difference
            assert found is not None, (name, column)
            assert found.place.startswith(f"identity:{name} @ identity/")
            assert found.detail == f"the row isn't what the log says: {column}"
        fewer = {key: row for key, row in rows.items() if key != name}
        found = (await audit_log(chancery.log, [dump_of(chancery, fewer)], OPTIONS)).difference
        assert found is not None
        assert (found.place.split(" @ ")[0], found.detail) == (f"identity:{name}", "the row is missing")
    more = {**rows, "dids/did:mun:nobody": {"did": "did:mun:nobody"}}
    found = (await audit_log(chancery.log, [dump_of(chancery, more)], OPTIONS)).difference
    assert found is not None
    assert "did:mun:nobody" in found.place


async def test_what_lies_in_postgres_is_audited_with_all_the_rest(services: Services) -> None:
    chancery = await every_kind_of_operation()
    postgres = Postgres(services.postgres)
    await emptied(postgres)
    await project(chancery, postgres)
    async with postgres.transaction() as transaction:
        await transaction.run("UPDATE identity_g1.identity_keys SET compromised_since = NULL WHERE key_id = 'tablet'")
    async with dump(postgres, "identity") as found:
        verdict = await audit_log(chancery.log, [of_tables(found)], OPTIONS)
    await postgres.close()
    assert verdict.difference is not None
    assert verdict.difference.place.startswith("identity:identity_keys/did:mun:")
    assert verdict.difference.detail == "the row isn't what the log says: compromised_since"


async def test_tables_that_stand_on_another_decision_are_named() -> None:
    chancery = await every_kind_of_operation()
    found = dump_of(chancery, {})
    found.marks = {partition: replace(mark, chain=b"\0" * 32) for partition, mark in found.marks.items()}
    verdict = await audit_log(chancery.log, [found], OPTIONS)
    assert verdict.difference is not None
    assert verdict.difference.detail == "the projection stands on another decision here"
