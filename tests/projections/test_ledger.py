"""The ledger's tables hold what the deciders know, in any batches and in any order of the partitions."""

import asyncio
import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.ledger.posting import Supply
from domain.ledger.proposal import Proposal
from domain.ledger.registry import Registry, terms_of
from log.store import MemoryStore
from projections.dump import PROJECTIONS
from projections.ledger import LedgerProjection
from projections.ledger_registries import read_terms
from projections.postgres import Postgres
from projections.projector import Projector
from projections.rebuilding import rebuild
from tests.conftest import Services
from tests.projections.conftest import emptied
from tests.projections.ledger_world import (
    FRAMES,
    MICRO,
    MOVES,
    OWNERS,
    PARTITIONS,
    Economy,
    ends,
    feed,
    ledger_tables,
    project,
)
from tests.projections.plain_fold import Tables

pytestmark = pytest.mark.stack
MOVE = st.tuples(st.sampled_from(MOVES), st.integers(0, 40), st.integers(0, 40))


async def played(moves: int = 500) -> Economy:
    """Give an economy in which something of everything happened."""
    economy, chance = await Economy().start(), random.Random(11)  # noqa: S311 - the same play each time
    await economy.stake("books", OWNERS[0], 10 * MICRO)
    await economy.play([("unstake", 0, 0)])
    await economy.stake("books", OWNERS[0], 20 * MICRO)
    await economy.propose("books", OWNERS[0], 60)
    await economy.hold(("books", OWNERS[0]), ("books", OWNERS[2]), 3 * MICRO)
    await economy.play([("claim", 0, 0), ("vote", 0, 1), ("vote", 0, 0), ("tally", 0, 0)])
    await economy.play([(chance.choice(MOVES), chance.randrange(41), chance.randrange(41)) for _ in range(moves)])
    return economy


def agree(tables: Tables, stores: list[MemoryStore]) -> None:
    """See that the tables hold what the deciders' fold does."""
    entries = {key: entry for store in stores for key, entry in store.scan("")}

    def of(prefix: str) -> dict[str, Any]:
        return {key.split("/", 1)[1]: entry for key, entry in entries.items() if key.startswith(prefix + "/")}

    names = ("frame_id", "registry_id", "owner", "kind", "available", "staked", "held", "frozen")
    found = {key[0]: tuple(row[name] for name in names) for key, row in tables["accounts"].items()}
    assert found == {name: tuple(entry) for name, entry in of("account").items()}
    supplies = {
        key[0]: (row["issued"], row["destroyed"], row["transit_net"], row["circulating"])
        for key, row in tables["frames"].items()
    }
    assert supplies == {name: tuple(entry) for name, entry in of("supply").items()}
    assert all(Supply(*figures).holds for figures in supplies.values())
    registries = {key[0]: row for key, row in tables["registries"].items()}
    for name, entry in of("registry").items():
        assert registries[name]["staked"] == Registry(*entry).staked
        assert read_terms(registries[name]["terms"]) == terms_of(Registry(*entry))
    held = {key[0]: row["status"] for key, row in tables["payments"].items()}
    assert held == {name: entry[-1] for name, entry in of("payment").items()}
    for name, entry in of("stake").items():
        row = tables["stakes"][name,]
        assert (row["withdrawn_at"], row["rewarded_day"] or -1) == (entry[8], entry[9])
    for name, entry in of("proposal").items():
        row, known = tables["proposals"][name,], Proposal(*entry)
        assert (row["status"], row["yes"], row["no"], row["abstain"]) == known[7:]
    votes = {"/".join(key): (row["choice"], row["power"]) for key, row in tables["votes"].items()}
    assert votes == {name: tuple(entry) for name, entry in of("vote").items()}
    assert len(tables["developers"]) == len(of("developer"))
    assert len(tables["agents"]) == len(of("agent"))
    departures, arrivals = of("departure"), of("arrival")
    for name, entry in departures.items():
        status = arrivals[name][0] if entry[-1] == "prepared" and name in arrivals else entry[-1]
        assert tables["transfers"][name,]["status"] == status
    statements(tables)
    transit(tables)


def statements(tables: Tables) -> None:
    """See that each posting's balances follow from the one before, and end as the account has them."""
    balances: dict[str, dict[str, int]] = {}
    for (account, _, _), row in sorted(tables["account_postings"].items()):
        now = balances.setdefault(account, {"available": 0, "staked": 0, "held": 0})
        now[row["account_part"]] += row["amount"]
        assert {name: row[name] for name in now} == now
    for (account,), row in tables["accounts"].items():
        assert {name: row[name] for name in ("available", "staked", "held")} == balances.get(
            account, {"available": 0, "staked": 0, "held": 0}
        )


def transit(tables: Tables) -> None:
    """See that what left and what arrived sums to zero with what is in flight."""
    rows = tables["frames"].values()
    assert sum(row["transit_net"] + row["departed"] - row["returned"] - row["landed"] for row in rows) == 0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(MOVE, max_size=60),
    after=st.lists(MOVE, max_size=60),
    order=st.lists(st.tuples(st.integers(0, PARTITIONS - 1), st.integers(1, 30)), max_size=12),
)
def test_the_tables_hold_what_the_deciders_know_in_any_batches_and_any_order_of_partitions(
    services: Services, before: list[tuple[str, int, int]], after: list[tuple[str, int, int]],
    order: list[tuple[int, int]],
) -> None:  # fmt: skip
    async def scenario() -> None:
        postgres = Postgres(services.postgres)
        await emptied(postgres)
        economy = await Economy().start()
        await economy.play(before)
        await project(economy, postgres)
        await economy.play(after)
        await project(economy, postgres)
        tables = await ledger_tables(postgres)
        agree(tables, [seat.store for seat in economy.seats])  # type: ignore[misc]
        await emptied(postgres)
        for step in order:
            await feed(economy, postgres, [step])
            if (rows := await ledger_tables(postgres))["frames"]:
                transit(rows)
        await project(economy, postgres)
        assert await ledger_tables(postgres) == tables
        await postgres.close()

    asyncio.run(scenario())


async def test_one_decision_at_a_time_makes_the_rows_that_one_batch_makes(postgres: Postgres) -> None:
    economy = await played()
    await project(economy, postgres)
    bulk = await ledger_tables(postgres)
    assert all(bulk[table.name] for table in LedgerProjection.tables)
    await emptied(postgres)
    live = [(part, 1) for part in reversed(range(PARTITIONS)) for _ in range(ends(economy.log)[part])]
    await feed(economy, postgres, live)
    assert await ledger_tables(postgres) == bulk
    agree(bulk, [seat.store for seat in economy.seats])  # type: ignore[misc]


async def test_a_rebuild_finds_every_table_equal(postgres: Postgres) -> None:
    economy = await played()
    await project(economy, postgres)
    before = await ledger_tables(postgres)
    done = await rebuild(economy.log, postgres, LedgerProjection())
    assert (done.number, done.difference) == (2, None)
    assert done.rows == sum(map(len, before.values()))
    assert await ledger_tables(postgres) == before
    async with postgres.transaction() as transaction:
        await transaction.run("UPDATE ledger_g2.accounts SET held = held + 1 WHERE kind = 'treasury'")
    difference = (await rebuild(economy.log, postgres, LedgerProjection())).difference
    assert difference is not None
    assert difference.table == "accounts"
    assert await ledger_tables(postgres) == before


async def test_events_lie_in_their_frame_s_order_in_the_conventions_of_the_api(postgres: Postgres) -> None:
    economy = await played()
    await project(economy, postgres)
    rows = (await ledger_tables(postgres))["ledger_events"]
    assert {row["type"] for row in rows.values()} == {event.__name__ for event in LedgerProjection.events}
    assert {row["frame_id"] for row in rows.values()} == set(FRAMES)

    def walk(value: Any, name: str) -> None:
        if isinstance(value, dict):
            for member, found in value.items():
                walk(found, member)
        elif isinstance(value, list):
            for found in value:
                walk(found, name)
        elif isinstance(value, int) and not isinstance(value, bool):
            assert name in {"number", "day", "lock_days"} or name.endswith("bps"), name
        elif name in {"deadline", "expires_at", "timeout_at", "ends_at", "unlocks_at"}:
            assert value.endswith("Z")

    for row in rows.values():
        walk(json.loads(row["event"]), "")


async def test_one_projector_follows_facts_and_the_ledger_at_once(postgres: Postgres) -> None:
    economy = await played(50)
    projector = Projector(postgres, PROJECTIONS)
    assert set(projector.contexts) == {projection.context for projection in PROJECTIONS}
    running = [asyncio.create_task(projector.run(economy.log, context)) for context in projector.contexts]
    everyone = {projection.name for projection in PROJECTIONS}
    wanted = {part: end - 1 for part, end in ends(economy.log).items()}
    async with asyncio.timeout(20):
        while projector.reached.get("ledger") != wanted or set(projector.reached) != everyone:
            await asyncio.sleep(0.05)
    agree(await ledger_tables(postgres), [seat.store for seat in economy.seats])  # type: ignore[misc]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
