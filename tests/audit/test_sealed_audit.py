"""Sealed values are opened again: what its owner had erased is one thing, what somebody tampered with another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from domain.records.record import RecordCreated, RecordUpdated
from log import released, topic
from log.chain import chain_start, chain_value
from log.message import Decision
from muniment.auditing import AuditOptions, audit_log, summary
from muniment.vault_opening import opening
from processors.audit_sealed import KeysOf, SealedAudit
from processors.audit_source import LogSource
from projections.postgres import Postgres
from projections.vault_keys import VaultKeys, WrongVaultKey
from tests.api_records.conftest import keeper
from tests.api_records.keeping import VAULT_KEY as KEEPERS_KEY
from tests.api_records.keeping import Keeper, person
from tests.audit.test_record_rows import every_kind_of_event
from tests.projections.conftest import postgres
from tests.projections.record_world import COLLECTIONS, OWNERS, VAULT_KEY, RecordWorld

__all__ = ["keeper", "postgres"]
pytestmark = pytest.mark.stack
ANN, BEN, EVE = OWNERS
NOTES, POSTS = COLLECTIONS
EVENTS = topic.events("records")
VALUES_EACH = 4
"""How many values each owner of that world wrote."""


async def audited(world: RecordWorld, keys_of: KeysOf | None) -> SealedAudit:
    """Audit the values of a world."""
    audit = SealedAudit(LogSource(world.log), keys_of)
    await audit.run()
    return audit


def written(world: RecordWorld) -> list[tuple[int, int, Any]]:
    """Give every event with a value: partition, offset, event."""
    decode = released.codec("records", "decision").decode
    return [
        (partition, message.offset, happening.payload)
        for partition in range(len(world.seats))
        for message in world.log.messages(EVENTS, partition)
        for happening in decode(message.value).events
        if isinstance(happening.payload, RecordCreated | RecordUpdated)
    ]


def rewrite(world: RecordWorld, partition: int, offset: int, change: Callable[[Any], Any]) -> str:
    """Change an event where it lies, and chain anew what follows, as one who holds the broker could."""
    codec = released.codec("records", "decision")
    held, chain = world.log.messages(EVENTS, partition), chain_start(EVENTS, partition)
    for index, message in enumerate(held):
        decision: Decision = codec.decode(message.value)
        events = decision.events
        if index == offset:
            events = tuple(replace(each, payload=change(each.payload)) for each in events)
        value = codec.encode(replace(decision, prev=chain, events=events))
        held[index], chain = replace(message, value=value), chain_value(value)
    return f"records/{partition}/{offset}"


async def test_values_open_with_their_owners_keys_or_were_erased_by_them(postgres: Postgres) -> None:
    world = await every_kind_of_event(postgres)
    audit = await audited(world, opening(postgres, VAULT_KEY))
    assert audit.difference is None, str(audit.difference)
    told = {"opened": 2 * VALUES_EACH, "erased": VALUES_EACH, "tampered": 0, "unopened": 0, "keys_left": 0}
    assert audit.figures.as_json() == told
    without = await audited(world, None)
    assert without.difference is None
    assert without.figures.as_json() == dict.fromkeys(told, 0) | {"unopened": 3 * VALUES_EACH}


@pytest.mark.parametrize(
    "taken",
    ["DELETE FROM muniment.vault_keys WHERE did = %s", "UPDATE muniment.vault_keys SET wrapped = NULL WHERE did = %s"],
)
async def test_a_key_that_is_gone_without_an_erasure_was_taken_away(postgres: Postgres, taken: str) -> None:
    world = await every_kind_of_event(postgres)
    async with postgres.transaction() as transaction:
        await transaction.run(taken, ANN)
    audit = await audited(world, opening(postgres, VAULT_KEY))
    assert audit.figures.as_json() == {
        "opened": VALUES_EACH, "erased": VALUES_EACH, "tampered": VALUES_EACH, "unopened": 0, "keys_left": 0,
    }  # fmt: skip
    place = next(f"records/{partition}/{offset}" for partition, offset, event in written(world) if event.did == ANN)
    assert audit.difference is not None
    assert (audit.difference.place, audit.difference.rule) == (place, "sealed")
    assert "no erasure is on the log" in audit.difference.detail


async def test_a_table_of_keys_that_is_gone_is_no_erasure(postgres: Postgres) -> None:
    world = await every_kind_of_event(postgres)
    async with postgres.transaction() as transaction:
        await transaction.run("DROP TABLE muniment.vault_keys")
    audit = await audited(world, opening(postgres, VAULT_KEY))
    assert (audit.figures.tampered, audit.figures.erased) == (2 * VALUES_EACH, VALUES_EACH)


async def test_one_changed_byte_of_what_is_sealed_is_found_though_the_chain_was_made_anew(postgres: Postgres) -> None:
    world = await every_kind_of_event(postgres)
    keys_of = opening(postgres, VAULT_KEY)
    own = [each for each in written(world) if each[2].did != BEN]
    for partition, offset, event in own:
        for index in (0, 24, len(event.sealed) - 1):
            changed = bytearray(event.sealed)
            changed[index] ^= 1
            place = rewrite(world, partition, offset, lambda each, to=bytes(changed): replace(each, sealed=to))
            audit = await audited(world, keys_of)
            assert audit.difference is not None
            assert (audit.difference.place, audit.figures.tampered) == (place, 1)
            rewrite(world, partition, offset, lambda each, to=event.sealed: replace(each, sealed=to))
    assert (await audited(world, keys_of)).difference is None


async def test_a_value_opens_only_as_what_it_was_sealed_as(postgres: Postgres) -> None:
    world = await every_kind_of_event(postgres)
    keys_of = opening(postgres, VAULT_KEY)
    one, two = (each for each in written(world) if each[2].did == ANN and each[2].collection == NOTES)
    changes: Sequence[Mapping[str, Any]] = (
        {"sealed": two[2].sealed}, {"cid": two[2].cid}, {"cid": two[2].cid, "sealed": two[2].sealed, "size": 1},
        {"collection": POSTS}, {"size": one[2].size + 1}, {"sealed": b""}, {"sealed": one[2].sealed[:24]},
    )  # fmt: skip
    for change in changes:
        place = rewrite(world, one[0], one[1], lambda each, to=change: replace(each, **to))
        audit = await audited(world, keys_of)
        assert audit.difference is not None, change
        assert (audit.difference.place, audit.figures.tampered) == (place, 1)
        rewrite(world, one[0], one[1], lambda _each: one[2])


async def test_a_key_that_was_changed_opens_nothing_and_a_deployment_s_key_that_is_wrong_is_said(
    postgres: Postgres,
) -> None:
    world = await every_kind_of_event(postgres)
    with pytest.raises(WrongVaultKey):
        await audited(world, opening(postgres, bytes(32)))
    async with postgres.transaction() as transaction:
        await transaction.run(
            "UPDATE muniment.vault_keys SET wrapped = set_byte(wrapped, 30, get_byte(wrapped, 30) # 1) WHERE did = %s",
            ANN,
        )
    # Both owners' keys are asked for at once where both lie in one partition; alone a changed one is no key at all.
    keys_of = opening(postgres, VAULT_KEY)
    both = await keys_of([ANN, EVE])
    assert (both[ANN], len(both[EVE])) == (b"", 32)
    audit = SealedAudit(LogSource(world.log), lambda _dids: keys_of([ANN, EVE]))
    await audit.run()
    assert audit.figures.tampered == VALUES_EACH
    assert audit.difference is not None
    assert "doesn't open with its owner's key" in audit.difference.detail


async def test_an_owner_who_erases_while_the_audit_reads_is_no_lie(postgres: Postgres) -> None:
    world = await every_kind_of_event(postgres)
    keys_of = opening(postgres, VAULT_KEY)

    async def erasing(dids: Sequence[str]) -> Mapping[str, bytes]:
        if EVE in dids and not world_erased:
            world_erased.append(EVE)
            await world.erase(EVE)
            await VaultKeys(postgres, VAULT_KEY).destroy(EVE)
        return await keys_of(dids)

    world_erased: list[str] = []
    audit = await audited(world, erasing)
    assert world_erased
    assert audit.difference is None, str(audit.difference)
    assert (audit.figures.erased, audit.figures.tampered) == (2 * VALUES_EACH, 0)


async def test_a_key_that_outlived_its_owner_s_erasure_is_counted(postgres: Postgres) -> None:
    world = await every_kind_of_event(postgres)
    await world.erase(EVE)
    audit = await audited(world, opening(postgres, VAULT_KEY))
    assert (audit.figures.keys_left, audit.figures.opened, audit.difference) == (1, 2 * VALUES_EACH, None)


async def test_an_audit_of_the_log_says_how_many_values_it_opened(keeper: Keeper) -> None:
    ann, ben = person(1), person(2)
    for text in ("one", "two"):
        assert (await keeper.keep(ann, {"text": text})).status == 201
    assert (await keeper.keep(ben, {"text": "three"})).status == 201
    assert (await keeper.erase(ben)).status == 200
    log = keeper.registry.log
    options = AuditOptions(cores=1, patience_s=0.0)
    opened = replace(options, keys_of=opening(keeper.postgres, KEEPERS_KEY))
    verdict = await audit_log(log, (), opened)
    assert verdict.difference is None, str(verdict.difference)
    told = {"opened": 2, "erased": 1, "tampered": 0, "unopened": 0, "keys_left": 0}
    assert verdict.as_json()["sealed"] == told
    assert "sealed      values: 2 opened, 1 erased" in summary(verdict).splitlines()
    closed = await audit_log(log, (), options)
    assert closed.holds
    assert "sealed      values: 3 not opened: their keys are not here" in summary(closed).splitlines()
    await VaultKeys(keeper.postgres, KEEPERS_KEY).destroy(ann.did)
    taken = await audit_log(log, (), opened)
    assert taken.difference is not None
    assert (taken.difference.rule, taken.as_json()["sealed"]["tampered"]) == ("sealed", 2)
    assert "sealed      values: 1 erased, 2 tampered with" in summary(taken).splitlines()
