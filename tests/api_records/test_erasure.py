"""Erasure over HTTP: 410 everywhere, nothing in clear left, and the log as it was."""

import asyncio

import pytest

from domain.catalog import CONTEXTS
from log import topic
from projections.dump import writing
from projections.postgres import Postgres
from projections.rebuilding import rebuilds
from projections.vault_keys import VaultKeys
from tests.api.serving import PARTITIONS, Registry, running
from tests.api_records.keeping import NOTES, VAULT_KEY, Keeper, keeping, person

ANN, BEN = person(1), person(2)
SECRET = "nobody-is-to-find-this-again"


async def everything_in(postgres: Postgres) -> str:
    """Give every row of every table of ours as text."""
    found = []
    async with postgres.snapshot() as transaction:
        tables = await transaction.rows(
            "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname ~ '_g[0-9]+$|^muniment$'"
        )
        for (table,) in tables:
            found += [row for (row,) in await transaction.rows(f"SELECT t::text FROM {table} t")]  # noqa: S608  # ours
    return "\n".join(found)


def everything_on(registry: Registry) -> bytes:
    """Give all bytes that the log holds."""
    names = [name(context) for context in CONTEXTS for name in (topic.commands, topic.events)]
    return b"".join(
        message.value or b""
        for name in names
        for partition in range(PARTITIONS)
        for message in registry.log.messages(name, partition)
    )


@pytest.fixture
async def anns(keeper: Keeper) -> Keeper:
    """Let Ann have kept a secret, changed it and let another go, and Ben something of his."""
    await keeper.put(ANN, "first", {"text": SECRET})
    await keeper.put(ANN, "first", {"text": f"{SECRET} too"})
    await keeper.put(ANN, "second", {"text": SECRET})
    await keeper.delete(ANN, "second")
    last = await keeper.put(BEN, "first", {"text": "Ben's"})
    await keeper.page(ANN.did, last)
    return keeper


async def test_what_was_erased_is_410_wherever_it_was(anns: Keeper) -> None:
    known = await anns.show(ANN.did, "first")
    position = known.headers["Muniment-As-Of"]
    done = await anns.erase(ANN)
    assert done.status == 200
    assert done.json["did"] == ANN.did
    for answer in (
        await anns.show(ANN.did, "first"),
        await anns.show(ANN.did, "second"),
        await anns.show(ANN.did, "never-there"),
        await anns.show(ANN.did, "first", as_of=position),
        await anns.page(ANN.did),
        await anns.read("/records", did=ANN.did),
        await anns.keep(ANN, {"text": "a"}),
        await anns.put(ANN, "first", {"text": "a"}),
        await anns.delete(ANN, "first"),
        await anns.erase(ANN),
    ):
        assert (answer.status, answer.code) == (410, "erased")
    assert (await anns.show(BEN.did, "first")).json["value"] == {"text": "Ben's"}
    assert (await anns.put(BEN, "first", {"text": "b"})).status == 200


async def test_nothing_in_clear_is_left_in_postgres_or_ever_was_on_the_log(anns: Keeper) -> None:
    assert SECRET in await everything_in(anns.postgres)
    key = (await VaultKeys(anns.postgres, VAULT_KEY).find([ANN.did]))[ANN.did]
    await anns.erase(ANN)
    rows = await everything_in(anns.postgres)
    assert SECRET not in rows
    assert "Ben's" in rows
    assert key.hex() not in rows
    assert await VaultKeys(anns.postgres, VAULT_KEY).find([ANN.did]) == {}
    assert SECRET.encode() not in everything_on(anns.registry)


async def test_a_replay_after_an_erasure_makes_the_same_tables_and_no_value(anns: Keeper) -> None:
    await anns.erase(ANN)
    log, postgres = anns.registry.log, anns.postgres
    done = await rebuilds(log, postgres, projections=writing(VAULT_KEY))["records"]()
    assert (done.number, done.difference) == (2, None)
    assert SECRET not in await everything_in(postgres)
    assert (await anns.show(ANN.did, "first")).code == "erased"
    assert (await anns.show(BEN.did, "first")).json["value"] == {"text": "Ben's"}
    async with running(log=log, decides=False, keys=anns.registry.keys) as other, keeping(other, postgres) as second:
        assert (await second.show(ANN.did, "first")).code == "erased"
        assert (await second.page(ANN.did)).code == "erased"


async def test_who_asks_must_say_whom(anns: Keeper) -> None:
    for confirm in (BEN.did, "", "yes"):
        refused = await anns.registry.ask("POST", f"/dids/{ANN.did}/erase", {"confirm": confirm}, by=ANN)
        assert (refused.status, refused.code) == (400, "invalid_request")
        assert refused.json["errors"][0]["pointer"] == "/confirm"
    assert (await anns.show(ANN.did, "first")).status == 200


async def test_the_same_erasure_asked_again_has_its_first_outcome(anns: Keeper) -> None:
    first = await anns.erase(ANN, Idempotency_Key="once")
    again = await anns.erase(ANN, Idempotency_Key="once")
    assert (again.status, again.json) == (200, first.json)
    assert again.headers["Idempotency-Hit"] == "true"


async def test_a_write_asked_again_after_the_erasure_gives_nothing_back(keeper: Keeper) -> None:
    await keeper.keep(ANN, {"text": SECRET}, Idempotency_Key="once")
    await keeper.erase(ANN)
    again = await keeper.keep(ANN, {"text": SECRET}, Idempotency_Key="once")
    assert (again.status, again.code) == (410, "erased")


async def test_writes_that_race_an_erasure_leave_no_value_and_no_key(anns: Keeper) -> None:
    racing = [anns.keep(ANN, {"text": f"{SECRET} {number}"}) for number in range(20)]
    answers = await asyncio.gather(*racing[:10], anns.erase(ANN), *racing[10:])
    assert {answer.status for answer in answers} <= {200, 201, 410}
    assert (await anns.page(ANN.did)).code == "erased"
    for answer in answers:
        if answer.status == 201:
            assert (await anns.page(ANN.did, answer)).code == "erased"
    await anns.page(BEN.did, await anns.put(BEN, "last", {"text": "b"}))
    assert SECRET not in await everything_in(anns.postgres)
    assert await VaultKeys(anns.postgres, VAULT_KEY).find([ANN.did]) == {}


async def test_an_erasure_whose_process_ends_before_the_key_is_destroyed_is_completed_by_the_projector(
    anns: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ends_here(_self: VaultKeys, _did: str) -> None:
        raise RuntimeError("the process ends here")

    monkeypatch.setattr(VaultKeys, "destroy", ends_here)
    assert (await anns.erase(ANN)).status == 500
    async with asyncio.timeout(5):
        while await VaultKeys(anns.postgres, VAULT_KEY).find([ANN.did]):
            await asyncio.sleep(0.02)
    assert SECRET not in await everything_in(anns.postgres)
    assert (await anns.show(ANN.did, "first")).code == "erased"


async def test_another_process_shows_nothing_once_it_knows(anns: Keeper) -> None:
    first = anns.registry
    async with running(log=first.log, decides=False, keys=first.keys) as other, keeping(other, anns.postgres) as second:
        kept = await second.put(ANN, "third", {"text": SECRET})
        done = await anns.erase(ANN)
        position = done.headers["Muniment-Position"]
        assert (await second.show(ANN.did, "third", min_position=position)).code == "erased"
        assert (await second.put(ANN, "third", {"text": SECRET})).code == "erased"
        assert kept.status == 201
        assert f"/{NOTES}/" in kept.json["uri"]
