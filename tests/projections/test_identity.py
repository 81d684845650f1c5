"""Identity's tables hold what the deciders know, in any batches and in any order of the partitions."""

import asyncio
import random
from typing import Any

import pytest

from domain.catalog import CATALOG
from domain.identity.identifier import Identifier
from domain.identity.key import window_of
from domain.identity.operation import Operation
from log.chain import Chain
from log.following import Decided, follow
from log.store import MemoryStore
from projections.dump import dump
from projections.identity import IdentityProjection
from projections.postgres import Postgres
from projections.projector import Projector
from projections.rebuilding import rebuild
from tests.audit.chancery import EVENTS, HOUR_MS, Chancery, every_kind_of_operation, pen
from tests.projections.conftest import emptied
from tests.projections.plain_fold import Tables

pytestmark = pytest.mark.stack


def ends(chancery: Chancery) -> dict[int, int]:
    """Give the ends of identity's events."""
    return {part: len(chancery.log.messages(EVENTS, part)) for part in range(chancery.partitions)}


async def project(chancery: Chancery, postgres: Postgres) -> None:
    """Project all that the log holds."""
    await follow(chancery.log, "identity", Projector(postgres, [IdentityProjection()]), until=ends(chancery))


async def feed(chancery: Chancery, postgres: Postgres, order: list[tuple[int, int]]) -> None:
    """Project so many decisions of a partition at a time, each time in a transaction of its own."""
    projector = Projector(postgres, [IdentityProjection()])
    for part, count in order:
        mark = (await projector.marks("identity", chancery.partitions))[part]
        chain = Chain(mark)
        messages = chancery.log.messages(EVENTS, part)[mark.next : mark.next + count]
        decided = [Decided("identity", message) for message in chain.counted(messages)]
        await projector.apply("identity", decided, {part: chain.mark})


async def tables_of(postgres: Postgres) -> Tables:
    """Give every row of identity, by table and key."""
    found: Tables = {}
    async with dump(postgres, "identity") as opened:
        for table in IdentityProjection.tables:
            found[table.name] = {tuple(row[n] for n in table.key): row async for row in opened.rows(table.name)}
    return found


def agree(tables: Tables, stores: list[MemoryStore]) -> None:
    """See that the tables hold what the deciders' fold does."""
    entries = {key: entry for store in stores for key, entry in store.scan("")}

    def of(prefix: str) -> dict[str, Any]:
        return {key.split("/", 1)[1]: entry for key, entry in entries.items() if key.startswith(prefix + "/")}

    known = {did: Identifier(*entry) for did, entry in of("did").items()}
    assert {did for (did,) in tables["dids"]} == known.keys()
    for did, each in known.items():
        row = tables["dids"][did,]
        assert (row["head"], row["handle"]) == (each.head, each.handle)
        assert row["rotation_keys"].split() == list(each.rotation_keys)
        guardians = each.guardians and (" ".join(each.guardians[0]), *each.guardians[1:])
        found = (row["guardians"], row["guardian_threshold"], row["guardian_delay_s"])
        assert found == (guardians or (None, None, None))
        pending = each.recovery
        assert (row["pending"], row["pending_at"]) == (
            (None, None) if pending is None else (pending.operation, pending.effective_at)
        )
    windows = {(did, window.id, window.valid_from): window for did, each in known.items() for window in each.windows}
    for name, past in of("past").items():
        did = name.rpartition("/")[0]
        windows |= {(did, window.id, window.valid_from): window for window in map(window_of, past)}
    columns = ("type", "public_key", "purposes", "valid_until", "compromised_since")
    assert {name: tuple(row[c] for c in columns) for name, row in tables["identity_keys"].items()} == {
        name: (each.type, each.public_key_multibase, " ".join(each.purposes), each.valid_until, each.compromised_since)
        for name, each in windows.items()
    }
    operations = {tuple(name.split("/")): Operation(*entry) for name, entry in of("operation").items()}
    assert {
        name: (row["prev"], row["at"], row["nullified"]) for name, row in tables["identity_operations"].items()
    } == {name: (each.prev, each.at, each.nullified) for name, each in operations.items()}


def stores(chancery: Chancery) -> list[MemoryStore]:
    """Give what the deciders of identity know."""
    return [seat.store for (context, _), seat in chancery._seats.items() if context == "identity"]  # type: ignore[misc]


async def test_the_tables_hold_what_the_deciders_know(postgres: Postgres) -> None:
    chancery = await every_kind_of_operation()
    await project(chancery, postgres)
    tables = await tables_of(postgres)
    agree(tables, stores(chancery))
    assert any(row["nullified"] for row in tables["identity_operations"].values())
    assert any(row["compromised_since"] for row in tables["identity_keys"].values())


async def test_any_batches_in_any_order_of_partitions_make_the_same_rows(postgres: Postgres) -> None:
    chancery = await every_kind_of_operation()
    await project(chancery, postgres)
    bulk = await tables_of(postgres)
    chance = random.Random(7)  # noqa: S311 - the same orders each time
    for _ in range(5):
        await emptied(postgres)
        for _ in range(12):
            await feed(chancery, postgres, [(chance.randrange(chancery.partitions), chance.randrange(1, 9))])
        await project(chancery, postgres)
        assert await tables_of(postgres) == bulk
    await emptied(postgres)
    await feed(chancery, postgres, [(part, 1) for part, end in ends(chancery).items() for _ in range(end)])
    assert await tables_of(postgres) == bulk


async def test_what_said_that_a_key_is_compromised_is_the_first_that_said_so(postgres: Postgres) -> None:
    chancery = await every_kind_of_operation()
    did = chancery.create((pen(50),), (pen(51).key("main"), pen(52).key("other")))
    chancery.now += HOUR_MS
    chancery.revoke(did, pen(50), "main", "compromised", chancery.now - 10)
    part, said = map(int, chancery.where(did).split("/")[1:])
    chancery.revoke(did, pen(50), "main", "compromised", chancery.now - 5)
    chancery.now += HOUR_MS
    await project(chancery, postgres)
    (row,) = [row for name, row in (await tables_of(postgres))["identity_keys"].items() if name[:2] == (did, "main")]
    assert (row["compromised_by"], row["changed_pos"]) == (f"KeyRevoked identity/{part}/{said}", said + 1)
    chancery.revoke(did, pen(50), "main", "compromised", chancery.now - HOUR_MS - 60_000)
    await project(chancery, postgres)
    (row,) = [row for name, row in (await tables_of(postgres))["identity_keys"].items() if name[:2] == (did, "main")]
    assert (row["compromised_by"], row["changed_pos"]) == (f"KeyRevoked identity/{part}/{said + 2}", said + 2)
    assert row["compromised_since"] == chancery.now - HOUR_MS - 60_000
    assert row["valid_until"] is not None


async def test_a_rebuild_finds_every_table_equal(postgres: Postgres) -> None:
    chancery = await every_kind_of_operation()
    await project(chancery, postgres)
    before = await tables_of(postgres)
    done = await rebuild(chancery.log, postgres, IdentityProjection())
    assert (done.number, done.difference) == (2, None)
    assert done.rows == sum(map(len, before.values()))
    async with postgres.transaction() as transaction:
        await transaction.run("UPDATE identity_g2.identity_keys SET valid_until = 1 WHERE key_id = 'rescue'")
    difference = (await rebuild(chancery.log, postgres, IdentityProjection())).difference
    assert difference is not None
    assert difference.table == "identity_keys"
    assert await tables_of(postgres) == before


def test_the_log_holds_every_event_of_identity() -> None:
    chancery = asyncio.run(every_kind_of_operation())
    found = {type(event.payload) for _, _, decision in chancery.events() for event in decision.events}
    assert found == {entry.cls for entry in CATALOG if entry.context == "identity" and entry.role == "event"}
