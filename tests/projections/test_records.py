"""The records projection: what was sealed is read, in any batches, until its owner is erased."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.records.erasure import OwnerErased
from log import topic
from log.following import Decided
from log.released import codec
from projections import generations, record_queries
from projections.dump import writing
from projections.fact_queries import Cut
from projections.generations import Generation
from projections.postgres import Postgres, Transaction
from projections.reads import Reads
from projections.rebuilding import Rebuilt, rebuilds
from projections.record_queries import Behind, StoredRecord
from projections.records import RecordsBatch
from projections.vault_keys import VaultKeys
from tests.conftest import Services
from tests.projections.conftest import emptied
from tests.projections.record_world import COLLECTIONS, OWNERS, RKEYS, VAULT_KEY, RecordWorld

pytestmark = pytest.mark.stack
ANN, BEN, EVE = OWNERS
NOTES, POSTS = COLLECTIONS
MOVE = st.tuples(
    st.sampled_from(("put", "put", "put", "made", "delete", "project", "erase")),
    st.sampled_from((ANN, ANN, ANN, BEN, EVE)),
    st.sampled_from(COLLECTIONS),
    st.sampled_from(RKEYS),
)
Name = tuple[str, str, str]


async def rebuilt(world: RecordWorld) -> Rebuilt:
    """Build the projection anew beside the live one, and compare."""
    return await rebuilds(world.log, world.postgres, projections=writing(VAULT_KEY))["records"]()


async def page(postgres: Postgres, did: str, **more: Any) -> list[StoredRecord]:
    """Read a page as of now, or of what is given."""

    async def ask(transaction: Transaction, generation: Generation) -> list[StoredRecord]:
        offset = generation.marks[world_partition(generation, did)].last
        chosen = {"collection": None, "offset": offset, "limit": 100} | more
        return await record_queries.page(transaction, generation, did=did, **chosen)

    return (await Reads(postgres).read("records", ask))[0]


def world_partition(generation: Generation, did: str) -> int:
    """Give an owner's partition."""
    return topic.partition_of(did, len(generation.marks))


class Told:
    """What a reader knows who was given every value: the last of each record, and when it was first there."""

    def __init__(self) -> None:
        self.there: dict[Name, tuple[int, str]] = {}
        self.erased: set[str] = set()

    def hear(self, name: Name, events: Any, at: int, value: str | None) -> None:
        """Note what became of a command."""
        for event in events:
            if isinstance(event.payload, OwnerErased):
                self.erased.add(name[0])
                self.there = {each: held for each, held in self.there.items() if each[0] != name[0]}
            elif value is None:
                del self.there[name]
            else:
                first = self.there[name][0] if name in self.there else at
                self.there[name] = (first, value)

    def of(self, did: str) -> list[tuple[str, str, str]]:
        """List an owner's records in their order."""
        mine = [(name, held) for name, held in self.there.items() if name[0] == did]
        mine.sort(key=lambda each: (-each[1][0], each[0][2], each[0][1]))
        return [(name[1], name[2], held[1]) for name, held in mine]


async def make(world: RecordWorld, told: Told, number: int, move: tuple[str, str, str, str]) -> None:
    """Make one move."""
    what, owner, collection, rkey = move
    if what == "project":
        await world.project()
    elif what == "erase":
        # Somebody in a hundred: else nothing is left to look at.
        if owner == BEN:
            decision = (await world.erase(owner))[2]
            told.hear((owner, "", ""), decision.events, decision.at, None)
    elif what == "delete":
        decision = (await world.delete(owner, collection, rkey))[2]
        told.hear((owner, collection, rkey), decision.events, decision.at, None)
    else:
        value = f"\t\\n{number}\n\u0000é"
        decision = (await world.put(owner, collection, None if what == "made" else rkey, value))[2]
        for event in decision.events:
            told.hear((owner, collection, event.payload.rkey), decision.events, decision.at, value)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(MOVE, max_size=40))
def test_the_tables_are_what_the_log_says_in_whatever_batches_it_is_read(
    services: Services, moves: list[tuple[str, str, str, str]]
) -> None:
    async def scenario() -> None:
        postgres = Postgres(services.postgres)
        await emptied(postgres)
        world, told = await RecordWorld(postgres).start(), Told()
        for number, move in enumerate(moves):
            await make(world, told, number, move)
        await world.project()
        for owner in OWNERS:
            found = await page(postgres, owner)
            shown = [(each.collection, each.rkey, spoken(each.value)) for each in found]
            assert shown == told.of(owner)
        assert (await rebuilt(world)).difference is None
        await postgres.close()

    asyncio.run(scenario())


def spoken(value: str | None) -> str:
    """Read a JSON string."""
    assert value is not None
    found: str = json.loads(value)
    return found


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(MOVE, max_size=25), between=st.lists(st.lists(MOVE, max_size=6), max_size=8))
def test_a_walk_shows_what_there_was_when_it_began_each_once(
    services: Services,
    before: list[tuple[str, str, str, str]],
    between: list[list[tuple[str, str, str, str]]],
) -> None:
    async def scenario() -> None:
        postgres = Postgres(services.postgres)
        await emptied(postgres)
        world, told = await RecordWorld(postgres).start(), Told()
        number = 0
        for number, move in enumerate(before):
            await make(world, told, number, move)
        await world.project()
        expected = told.of(ANN)
        async with postgres.snapshot() as transaction:
            live = (await generations.live(transaction, ["records"]))["records"]
        offset = live.marks[world_partition(live, ANN)].last
        walked: list[StoredRecord] = []
        behind = None
        for step in range(200):
            found = await page(postgres, ANN, offset=offset, limit=2, behind=behind)
            walked += found
            if not found:
                break
            behind = Behind(found[-1].indexed_at, found[-1].rkey, found[-1].collection)
            for move in between[step] if step < len(between) else ():
                number += 1
                await make(world, told, number, move)
            await world.project()
        assert [(each.collection, each.rkey, spoken(each.value)) for each in walked] == expected
        await postgres.close()

    asyncio.run(scenario())


async def test_a_record_is_found_as_it_was_at_any_decision(postgres: Postgres) -> None:
    world = await RecordWorld(postgres).start()
    moments: list[tuple[int, int, str | None]] = []
    for number in range(3):
        _, offset, decision = await world.put(ANN, NOTES, "a", str(number))
        moments.append((offset, decision.at, f'"{number}"'))
    _, offset, decision = await world.delete(ANN, NOTES, "a")
    moments.append((offset, decision.at, None))
    _, offset, decision = await world.put(ANN, NOTES, "a", "again")
    moments.append((offset, decision.at, '"again"'))
    await world.project()

    async def ask(transaction: Transaction, generation: Generation) -> list[str | None]:
        part, ends = world_partition(generation, ANN), len(generation.marks)
        values = []
        for offset, _, _ in [(-1, 0, None), *moments]:
            offsets = [offset if p == part else 1 << 40 for p in range(ends)]
            cut = Cut(offsets, [1 << 60] * ends)
            found = await record_queries.one(transaction, generation, (ANN, NOTES, "a"), cut)
            values.append(None if found is None else found.value)
        return values

    assert (await Reads(postgres).read("records", ask))[0] == [None, *(value for _, _, value in moments)]


async def test_an_erased_owner_leaves_no_value_and_no_key_and_a_rebuild_agrees(postgres: Postgres) -> None:
    world = await RecordWorld(postgres).start()
    for number in range(5):
        await world.put(ANN, NOTES, "a", f"secret {number}")
        await world.put(ANN, POSTS, None, f"secret {number}")
    kept = await world.put(BEN, NOTES, "a", "open")
    await world.project()
    await world.erase(ANN)
    await world.project()
    assert await page(postgres, ANN) == []
    assert await VaultKeys(postgres, VAULT_KEY).find([ANN, BEN]) == {
        BEN: await VaultKeys(postgres, VAULT_KEY).make(BEN)
    }
    done = await rebuilt(world)
    assert (done.difference, done.rows) == (None, 2), "a version of Ben's, and that Ann was erased"
    assert await page(postgres, ANN) == []
    assert [each.value for each in await page(postgres, BEN)] == ['"open"']
    assert kept[2].refusal is None


async def test_a_key_that_comes_back_with_an_old_copy_of_the_table_is_destroyed_by_a_rebuild(
    postgres: Postgres,
) -> None:
    world = await RecordWorld(postgres).start()
    await world.put(ANN, NOTES, "a", "secret")
    async with postgres.snapshot() as transaction:
        ((copy,),) = await transaction.rows("SELECT wrapped FROM muniment.vault_keys WHERE did = %s", ANN)
    await world.erase(ANN)
    await world.project()
    async with postgres.transaction() as transaction:
        await transaction.run("UPDATE muniment.vault_keys SET wrapped = %s, erased_at = NULL", copy)
    await rebuilt(world)
    assert await VaultKeys(postgres, VAULT_KEY).find([ANN]) == {}
    assert await page(postgres, ANN) == []


async def test_a_value_that_does_not_open_or_is_another_is_kept_without_text(
    postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    world = await RecordWorld(postgres).start()
    await world.put(ANN, NOTES, "a", "one")
    await world.put(BEN, NOTES, "a", "two")
    # Ann's key is lost, which is no erasure.
    async with postgres.transaction() as transaction:
        await transaction.run("DELETE FROM muniment.vault_keys WHERE did = %s", ANN)
    await world.project()
    assert [(each.rkey, each.value) for each in await page(postgres, ANN)] == [("a", None)]
    assert [each.value for each in await page(postgres, BEN)] == ['"two"']
    assert [entry.message for entry in caplog.records if entry.name == "projections.records"] == ["value_does_not_open"]


async def test_without_a_key_of_the_vault_no_value_is_written(postgres: Postgres) -> None:
    world = await RecordWorld(postgres).start()
    _, _, decision = await world.put(ANN, NOTES, "a", "one")
    message = world.log.messages(topic.events("records"), topic.partition_of(ANN, 2))[-1]
    assert codec("records", "decision").decode(message.value) == decision
    batch = RecordsBatch("records_g1", None)
    batch.take(decision.events[0].payload, Decided("records", message), decision.at)
    async with postgres.transaction() as transaction:
        with pytest.raises(LookupError):
            await batch.write(transaction)
