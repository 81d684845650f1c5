"""Projections against the log: each row of Postgres and each key of the feed, as of the marks that they stand at."""

import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.facts.signer import AddSigner
from log import topic
from log.chain import Chain, Mark
from log.following import follow
from log.store import MemoryStore
from muniment.audited_projections import of_feed, opened
from muniment.auditing import audit_log, summary
from processors.audit import Audit
from processors.audit_rows import Dump, Row
from processors.audit_source import LogSource
from processors.audit_tables import RULES
from projections.dump import PROJECTIONS
from projections.feed import FeedWriter
from projections.mirror import Mirror
from projections.postgres import Postgres
from projections.projector import Projector
from tests.audit.registry import Registry, every_kind_of_decision, issue, key, revoke
from tests.conftest import Services
from tests.projections.conftest import emptied

pytestmark = pytest.mark.slow

EVENTS = topic.events("facts")


async def feed_of(registry: Registry, until: dict[int, int] | None = None) -> MemoryStore:
    """Fold the log into a feed, by the feed's own code."""
    store = MemoryStore()
    ends = {p: len(registry.log.messages(EVENTS, p)) for p in range(registry.partitions)}
    await follow(registry.log, "facts", Mirror(store, [FeedWriter()]), until=until or ends)
    return store


async def rows_of(registry: Registry, projection: str) -> dict[str, Any]:
    """Make the rows that a projection must have, as a stand-in for Postgres."""
    rows: dict[str, Any] = {}

    def fold(message: Any, events: Sequence[Any], at: int) -> None:
        for event in events:
            rows.update(RULES[projection].change(rows.get, event, (message.partition, message.offset), at))

    with tempfile.TemporaryDirectory() as folder:
        await Audit(LogSource(registry.log), "facts", Path(folder), on_decision=fold).run()
    return {key: row for key, row in rows.items() if not key.startswith("\x02")}


async def marks_of(registry: Registry) -> dict[int, Mark]:
    """Stand at the end of the log."""
    marks = {}
    for partition in range(registry.partitions):
        chain = Chain(Mark.start(EVENTS, partition))
        list(chain.counted(registry.log.messages(EVENTS, partition)))
        marks[partition] = chain.mark
    return marks


async def given(rows: dict[str, Any]) -> AsyncIterator[Row]:
    """Give rows as a dump does."""
    for row in rows.items():
        yield row


async def dump_of(registry: Registry, projection: str, rows: dict[str, Any]) -> Dump:
    """Offer rows as a projection."""
    return Dump(projection, "facts", RULES[projection], await marks_of(registry), given(rows))


async def stars(registry: Registry, count: int = 14) -> None:
    """Put many stars on one playlist by many bodies, and take some back."""
    for number in range(count):
        signer = key(100 + number)
        await registry.send(signer.did, registry.by_session(registry.operator, _add(registry, signer.did)))
    await registry.decide()
    commands = [issue(key(100 + number), "pl:odd;name") for number in range(count)]
    for command in commands:
        await registry.send(command.actor, command)
    await registry.decide()
    for number in range(0, count, 3):
        taken = revoke(key(100 + number), commands[number].payload.fact_id)
        await registry.send(taken.actor, taken)
    await registry.decide()


def _add(registry: Registry, did: str) -> Any:
    return AddSigner(did, ("curator",), registry.authority(registry.operator.did))


async def test_a_feed_that_follows_the_log_is_equal_to_it() -> None:
    registry, _ = await every_kind_of_decision()
    await stars(registry)
    store = await feed_of(registry)
    verdict = await audit_log(registry.log, of_feed(store, registry.partitions))
    assert verdict.difference is None, str(verdict.difference)
    assert verdict.projections["playlists"] > 30
    assert "no difference found" in summary(verdict)


async def test_a_feed_behind_the_log_is_compared_as_of_its_own_marks() -> None:
    registry, _ = await every_kind_of_decision()
    ends = {p: len(registry.log.messages(EVENTS, p)) for p in range(registry.partitions)}
    store = await feed_of(registry, ends)
    await stars(registry)
    assert (await audit_log(registry.log, of_feed(store, registry.partitions))).holds


async def test_one_changed_missing_or_added_key_of_the_feed_is_named() -> None:
    registry, _ = await every_kind_of_decision(facts=3)
    await stars(registry, 3)
    store = await feed_of(registry)
    keys_of_feed = [key for key in store._entries if key.startswith(("feed/", "star", "unstarred:", "playlist:"))]
    assert len(keys_of_feed) > 10
    for name in keys_of_feed:
        was = store._entries[name]
        store._entries[name] = (*was, "x")
        assert name in str((await audit_log(registry.log, of_feed(store, registry.partitions))).difference)
        del store._entries[name]
        assert name in str((await audit_log(registry.log, of_feed(store, registry.partitions))).difference)
        store._entries[name] = was
    store._entries["star:nobody"] = ("nobody",)
    assert "star:nobody" in str((await audit_log(registry.log, of_feed(store, registry.partitions))).difference)


async def test_a_feed_of_another_log_is_found_by_its_marks() -> None:
    registry, _ = await every_kind_of_decision()
    store = await feed_of(registry)
    for where, mark in list(store._marks.items()):
        store._marks[where] = replace(mark, chain=b"\0" * 32)
    verdict = await audit_log(registry.log, of_feed(store, registry.partitions))
    assert verdict.difference is not None
    assert verdict.difference.detail == "the projection stands on another decision here"


@pytest.mark.parametrize("projection", sorted(each.name for each in PROJECTIONS if each.context == "facts"))
async def test_one_changed_missing_or_added_row_of_a_table_is_named(projection: str) -> None:
    registry, _ = await every_kind_of_decision(facts=2)
    rows = await rows_of(registry, projection)
    assert rows
    assert (await audit_log(registry.log, [await dump_of(registry, projection, rows)])).holds
    for name, row in rows.items():
        for column, value in row.items():
            changed = {**rows, name: {**row, column: "another" if value != "another" else None}}
            verdict = await audit_log(registry.log, [await dump_of(registry, projection, changed)])
            assert verdict.difference is not None
            assert verdict.difference.place.startswith(f"{projection}:{name} @ facts/")
            assert column in verdict.difference.detail
        fewer = {other: row for other, row in rows.items() if other != name}
        assert name in str((await audit_log(registry.log, [await dump_of(registry, projection, fewer)])).difference)
    more = {**rows, "facts/fct_nobody": {"fact_id": "fct_nobody"}}
    assert "fct_nobody" in str((await audit_log(registry.log, [await dump_of(registry, projection, more)])).difference)


@pytest.mark.stack
async def test_what_lies_in_postgres_is_compared_row_by_row(services: Services) -> None:
    registry, _ = await every_kind_of_decision()
    postgres = Postgres(services.postgres)
    await emptied(postgres)
    ends = {p: len(registry.log.messages(EVENTS, p)) for p in range(registry.partitions)}
    for context in dict.fromkeys(each.context for each in PROJECTIONS):
        await follow(registry.log, context, Projector(postgres, PROJECTIONS), until=ends if context == "facts" else {})
    async with opened(postgres, partitions=registry.partitions) as dumps:
        verdict = await audit_log(registry.log, dumps)
    assert verdict.difference is None, str(verdict.difference)
    rows = {"facts": 11, "signers": 5, "webhooks": 2}
    assert verdict.projections == {each.name: rows.get(each.name, 0) for each in PROJECTIONS}
    async with postgres.transaction() as transaction:
        await transaction.run("UPDATE facts_g1.facts SET reason = 'nothing' WHERE status = 'revoked'")
    async with opened(postgres, partitions=registry.partitions) as dumps:
        verdict = await audit_log(registry.log, dumps)
    await postgres.close()
    assert verdict.difference is not None
    assert verdict.difference.place.startswith("facts:facts/fct_")
    assert verdict.difference.detail == "the row isn't what the log says: reason"


async def test_a_verdict_in_json_says_what_a_program_needs() -> None:
    registry, _ = await every_kind_of_decision(facts=2)
    told = (await audit_log(registry.log)).as_json()
    assert told["holds"] is True
    assert {"decisions", "facts", "signatures", "skipped", "projections", "positions", "duration_s"} <= set(told)
