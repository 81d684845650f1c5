"""The tables of records against the log: each column of a row of each table, as they lie in the real Postgres."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from domain.records.media import FinalizeMedia, ReserveMedia, SweepMedia
from log import topic
from log.chain import Chain, Mark
from log.following import Decided
from processors.audit_row_keys import row_key
from processors.audit_rows import Dump, Expected, Row, compare
from processors.audit_tables import RULES
from processors.audit_verdict import Differs
from projections.dump import dump
from projections.postgres import Postgres
from projections.records import RecordsProjection
from tests.conftest import Services
from tests.projections.conftest import emptied
from tests.projections.record_world import COLLECTIONS, OWNERS, PARTITIONS, RecordWorld

pytestmark = pytest.mark.stack
EVENTS = topic.events("records")
ANN, BEN, EVE = OWNERS
NOTES, POSTS = COLLECTIONS
SHA256 = "ab" * 32


async def every_kind_of_event(postgres: Postgres) -> RecordWorld:
    """Write, change and delete records, reserve, finalize and sweep media, and erase an owner who has all of them."""
    world = await RecordWorld(postgres).start()
    for owner in OWNERS:
        await world.put(owner, NOTES, "a", {"text": "one"})
        await world.put(owner, NOTES, "a", {"text": "two"}, "phone")
        await world.put(owner, POSTS, None, {"text": "made"}, "main")
        await world.put(owner, POSTS, "b", {"text": "gone"})
        await world.delete(owner, POSTS, "b")
        for number, keep_ms in enumerate((60_000, 60_000, 0)):
            name = f"med_{owner[-3:]}{number}"
            await world.do(owner, ReserveMedia(name, owner, "image/png", 7, SHA256, keep_ms, 10, 1 << 20))
        await world.do(owner, FinalizeMedia(f"med_{owner[-3:]}0", owner, 7, SHA256))
        await world.do(owner, SweepMedia(f"med_{owner[-3:]}2", owner))
    await world.erase(BEN)
    await world.project()
    return world


async def rows_of(postgres: Postgres) -> dict[str, Any]:
    """Give what lies in Postgres."""
    async with dump(postgres, "records") as found:
        return {
            row_key(table.name, row): row for table in RecordsProjection.tables async for row in found.rows(table.name)
        }


async def compared(world: RecordWorld, rows: dict[str, Any], folder: Path) -> int:
    """Compare rows with what the log says. Raises Differs."""
    marks: dict[int, Mark] = {}
    for partition in range(PARTITIONS):
        chain = Chain(Mark.start(EVENTS, partition))
        assert all(chain.admit(message) for message in world.log.messages(EVENTS, partition))
        marks[partition] = chain.mark

    async def each() -> AsyncIterator[Row]:
        for key in sorted(rows):
            yield key, rows[key]

    expected = Expected(Dump("records", "records", RULES["records"], marks, each()), folder)
    for partition in range(PARTITIONS):
        for message in world.log.messages(EVENTS, partition):
            decided = Decided("records", message)
            expected.take(message, decided.payloads, decided.decision.at)
    try:
        return await compare(expected)
    finally:
        expected.close()


async def test_what_lies_in_postgres_follows_from_the_log_and_whatever_differs_is_named(
    services: Services, tmp_path: Path
) -> None:
    postgres = Postgres(services.postgres)
    await emptied(postgres)
    world = await every_kind_of_event(postgres)
    rows = await rows_of(postgres)
    await postgres.close()
    assert {key.split("/")[0] for key in rows} == {table.name for table in RecordsProjection.tables}
    assert not any(row["did"] == BEN for key, row in rows.items() if not key.startswith("erased_owners/"))
    assert await compared(world, rows, tmp_path / "as it is") == len(rows)
    for table in RecordsProjection.tables:
        name = next(key for key in sorted(rows) if key.startswith(f"{table.name}/"))
        for column, value in rows[name].items():
            if column in table.key:
                continue
            changed = {**rows, name: {**rows[name], column: "another" if value != "another" else None}}
            with pytest.raises(Differs) as found:
                await compared(world, changed, tmp_path / "changed")
            assert found.value.difference.detail == f"the row isn't what the log says: {column}", name
            assert found.value.difference.place.startswith(f"records:{name} @ records/")
        with pytest.raises(Differs) as found:
            await compared(world, {key: row for key, row in rows.items() if key != name}, tmp_path / "fewer")
        assert found.value.difference.detail == "the row is missing"


async def test_a_row_of_an_erased_owner_is_no_row_of_the_log(services: Services, tmp_path: Path) -> None:
    postgres = Postgres(services.postgres)
    await emptied(postgres)
    world = await every_kind_of_event(postgres)
    rows = await rows_of(postgres)
    await postgres.close()
    left = {**next(row for key, row in rows.items() if key.startswith("media/")), "did": BEN, "media_id": "med_Ben0"}
    with pytest.raises(Differs) as found:
        await compared(world, {**rows, row_key("media", left): left}, tmp_path / "left")
    assert found.value.difference.detail == "the row is there and the log has none for it"
