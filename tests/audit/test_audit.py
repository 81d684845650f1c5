"""The auditor against logs on which somebody lied: the first difference names the place."""

import asyncio
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from domain.facts.fact import ExpireFact, FactExpired, FactIssued
from log import released, topic
from log.chain import chain_start, chain_value
from log.message import Command, Decision, Happening, Refused
from log.store import MemoryStore
from log.topic import partition_of
from muniment.operator import genesis_command
from processors.audit_chain import check_chain
from processors.audit_source import LogSource
from tests.audit.registry import Registry, every_kind_of_decision, issue, key

COMMANDS, EVENTS = topic.commands("facts"), topic.events("facts")


def decisions(registry: Registry, partition: int) -> list[Decision]:
    """Decode a partition's decisions."""
    return [released.codec("facts", "decision").decode(m.value) for m in registry.log.messages(EVENTS, partition)]


def rewrite(registry: Registry, partition: int, changed: dict[int, Decision]) -> None:
    """Write decisions anew and chain all that follow, as one who holds the broker could."""
    codec = released.codec("facts", "decision")
    held, chain = registry.log.messages(EVENTS, partition), chain_start(EVENTS, partition)
    for offset, decision in enumerate(decisions(registry, partition)):
        value = codec.encode(replace(changed.get(offset, decision), prev=chain))
        held[offset] = replace(held[offset], value=value)
        chain = chain_value(value)


def place_of(registry: Registry, kind: type, index: int = 0) -> tuple[int, int, Decision]:
    """Find a decision by what it holds."""
    found = [
        (partition, offset, decision)
        for partition in range(registry.partitions)
        for offset, decision in enumerate(decisions(registry, partition))
        if any(isinstance(happening.payload, kind) for happening in decision.events)
    ]
    return found[index]


async def test_an_honest_log_has_no_difference(tmp_path: Path) -> None:
    registry, keys = await every_kind_of_decision()
    verdict = await registry.audit(tmp_path)
    assert verdict.difference is None
    assert verdict.decisions == len(registry.held(EVENTS)) == len(registry.held(COMMANDS))
    assert (verdict.facts, verdict.refusals, verdict.undecodable, verdict.pending) == (7, 5, 1, 0)
    assert verdict.genesis == keys["operator"].did
    assert verdict.signatures == verdict.commands - 4  # three by reactors, one undecodable


async def test_an_empty_log_has_no_difference(tmp_path: Path) -> None:
    registry = Registry()
    await released.prepare(registry.log, 3)
    verdict = await registry.audit(tmp_path)
    assert verdict.holds
    assert verdict.decisions == 0


async def test_a_command_with_a_bad_signature_is_found_though_it_was_decided(tmp_path: Path) -> None:
    registry, keys = await every_kind_of_decision()
    forged = issue(keys["curator"], "pl_forged")
    other = key(9).sign(b"something else")
    signature = replace(forged.signature, signature=other)
    forged = replace(forged, payload=replace(forged.payload, signature=other), signature=signature)
    await registry.send(forged.actor, forged)
    await registry.decide()
    verdict = await registry.audit(tmp_path)
    assert verdict.difference is not None
    assert verdict.difference.rule == "signature"
    partition = partition_of(forged.actor, registry.partitions)
    offset = len(registry.log.messages(EVENTS, partition)) - 1
    assert verdict.difference.place == f"facts/{partition}/{offset}"


async def test_a_command_that_is_still_pending_is_none_but_a_forged_one_is_found(tmp_path: Path) -> None:
    registry, keys = await every_kind_of_decision()
    await registry.send(keys["curator"].did, issue(keys["curator"], "pl_later"))
    verdict = await registry.audit(tmp_path / "one")
    assert verdict.holds
    assert verdict.pending == 1
    forged = replace(issue(keys["curator"], "pl_later2"), signature=None)
    await registry.send(keys["curator"].did, forged)
    verdict = await registry.audit(tmp_path / "two")
    assert verdict.difference is not None
    assert verdict.difference.place.startswith(f"{COMMANDS}/")


async def test_what_a_second_writer_added_off_the_chain_is_skipped_and_counted(tmp_path: Path) -> None:
    registry, _ = await every_kind_of_decision()
    partition, _, decision = place_of(registry, FactIssued)
    codec = released.codec("facts", "decision")
    held = registry.log.messages(EVENTS, partition)
    held.append(replace(held[-1], offset=len(held), value=codec.encode(decision)))
    held.append(replace(held[-1], offset=len(held), value=b"junk"))
    verdict = await registry.audit(tmp_path)
    assert verdict.holds
    assert verdict.skipped == 2
    chain = await check_chain(LogSource(registry.log), "facts")
    assert (chain.decisions, chain.skipped) == (verdict.decisions, 2)
    assert chain.holds


async def test_the_chain_alone_shows_a_decision_that_was_changed(tmp_path: Path) -> None:
    registry, _ = await every_kind_of_decision()
    partition, offset, _ = place_of(registry, FactIssued)
    value = registry.log.messages(EVENTS, partition)[offset].value
    registry.tamper(EVENTS, partition, offset, value=value[:-20] + b"x" + value[-19:])
    chain = await check_chain(LogSource(registry.log), "facts")
    assert chain.difference is not None
    assert chain.difference.place == f"facts/{partition}/{offset + 1}"


async def test_a_log_that_ends_in_what_does_not_count_is_waited_for_while_it_is_written(tmp_path: Path) -> None:
    registry, keys = await every_kind_of_decision()
    partition = partition_of(keys["curator"].did, registry.partitions)
    held, codec = registry.log.messages(EVENTS, partition), released.codec("facts", "decision")
    await registry.send(keys["curator"].did, issue(keys["curator"], "pl_later"))
    cause = len(registry.log.messages(COMMANDS, partition)) - 1
    skipped = codec.encode(replace(codec.decode(held[-1].value), prev=b"z" * 32, cause=cause))
    await (await registry.log.append(EVENTS, partition, [(b"k", skipped)]))
    auditing = asyncio.create_task(registry.audit(tmp_path / "one", patience_s=5.0))
    await asyncio.sleep(0.4)
    await registry.decide()
    verdict = await auditing
    assert verdict.holds
    assert (verdict.pending, verdict.skipped) == (0, 1)


async def test_a_decision_that_was_added_on_the_chain_is_found(tmp_path: Path) -> None:
    registry, _ = await every_kind_of_decision()
    partition, _, decision = place_of(registry, FactIssued)
    held = registry.log.messages(EVENTS, partition)
    value = released.codec("facts", "decision").encode(replace(decision, prev=chain_value(held[-1].value)))
    held.append(replace(held[-1], offset=len(held), value=value))
    verdict = await registry.audit(tmp_path)
    assert verdict.difference is not None
    assert verdict.difference.place == f"facts/{partition}/{len(held) - 1}"
    assert verdict.difference.rule == "cause"


async def test_a_missing_decision_is_found(tmp_path: Path) -> None:
    registry, _ = await every_kind_of_decision()
    partition, offset, _ = place_of(registry, FactIssued, 2)
    held = registry.log.messages(EVENTS, partition)
    del held[offset]
    held[offset:] = [replace(message, offset=message.offset - 1) for message in held[offset:]]
    verdict = await registry.audit(tmp_path / "one")
    assert verdict.difference is not None
    assert (verdict.difference.rule, verdict.difference.place) == ("chain", f"facts/{partition}/{offset}")
    rewrite(registry, partition, {})
    verdict = await registry.audit(tmp_path / "two")
    assert verdict.difference is not None
    assert (verdict.difference.rule, verdict.difference.place) == ("cause", f"facts/{partition}/{offset}")


async def forge(registry: Registry, command: Command, *events: Any, route: str = "") -> str:
    """Lay down a command with a decision that accepts it, chained, as a decider that lies would."""
    route = route or command.actor
    partition = partition_of(route, registry.partitions)
    await registry.send(route, command)
    cause = len(registry.log.messages(COMMANDS, partition)) - 1
    asked = registry.log.messages(COMMANDS, partition)[cause]
    before = registry.log.messages(EVENTS, partition)
    previous = decisions(registry, partition)[-1] if before else None
    at = max(asked.timestamp, previous.at if previous else 0)
    prev = chain_value(before[-1].value) if before else chain_start(EVENTS, partition)
    happenings = tuple(Happening(type(event).__name__, 1, event) for event in events)
    value = released.codec("facts", "decision").encode(Decision(prev, command.id, cause, at, happenings, None))
    await (await registry.log.append(EVENTS, partition, [(asked.key, value)]))
    return f"facts/{partition}/{len(before) - 1}"


def issued(command: Command) -> FactIssued:
    """Give the event that accepts an issue."""
    payload = command.payload
    return FactIssued(*(getattr(payload, name) for name in FactIssued.__slots__))


async def test_a_fact_that_was_issued_without_the_role_is_found(tmp_path: Path) -> None:
    registry, _ = await every_kind_of_decision()
    command = issue(key(7), "pl_0")
    place = await forge(registry, command, issued(command))
    verdict = await registry.audit(tmp_path)
    assert verdict.difference is not None
    assert (verdict.difference.place, verdict.difference.rule) == (place, "role")


async def test_a_second_active_fact_is_found(tmp_path: Path) -> None:
    registry, keys = await every_kind_of_decision()
    command = issue(keys["curator"], "pl_2", reason="twice")
    place = await forge(registry, command, issued(command))
    verdict = await registry.audit(tmp_path)
    assert verdict.difference is not None
    assert (verdict.difference.place, verdict.difference.rule) == (place, "uniqueness")


async def test_a_fact_that_expired_before_its_time_is_found(tmp_path: Path) -> None:
    registry, keys = await every_kind_of_decision()
    fact_id = place_of(registry, FactIssued, 2)[2].events[0].payload.fact_id
    command = registry.by_reactor(ExpireFact(fact_id))
    place = await forge(registry, command, FactExpired(fact_id), route=keys["curator"].did)
    verdict = await registry.audit(tmp_path)
    assert verdict.difference is not None
    assert (verdict.difference.place, verdict.difference.rule) == (place, "expiry")


async def test_a_refusal_that_the_rules_do_not_give_is_found(tmp_path: Path) -> None:
    registry, _ = await every_kind_of_decision()
    partition, offset, decision = place_of(registry, FactIssued, 1)
    refused = replace(decision, events=(), refusal=Refused("signer_not_authorized", {"roles": "curator"}))
    rewrite(registry, partition, {offset: refused})
    verdict = await registry.audit(tmp_path)
    assert verdict.difference is not None
    assert (verdict.difference.place, verdict.difference.rule) == (f"facts/{partition}/{offset}", "ruling")


async def test_an_admin_who_was_none_at_the_position_cited_is_found(tmp_path: Path) -> None:
    registry, keys = await every_kind_of_decision()
    await registry.add_signer(key(8).did, ["curator"], actor=keys["curator"])
    verdict = await registry.audit(tmp_path)
    partition = partition_of(key(8).did, registry.partitions)
    offset = len(registry.log.messages(EVENTS, partition)) - 1
    assert verdict.difference is not None
    assert (verdict.difference.place, verdict.difference.rule) == (f"facts/{partition}/{offset}", "authority")


async def test_a_second_first_signer_is_found(tmp_path: Path) -> None:
    registry = await Registry().open()
    here = partition_of(registry.operator.did, registry.partitions)
    other = next(k for n in range(20, 60) if partition_of((k := key(n)).did, registry.partitions) != here)
    await registry.send(other.did, genesis_command(other))
    await registry.decide()
    verdict = await registry.audit(tmp_path)
    assert verdict.difference is not None
    assert verdict.difference.rule == "genesis"


async def test_a_decision_with_another_time_is_found(tmp_path: Path) -> None:
    registry, _ = await every_kind_of_decision()
    partition, offset, decision = place_of(registry, FactIssued)
    rewrite(registry, partition, {offset: replace(decision, at=decision.at + 1)})
    verdict = await registry.audit(tmp_path)
    assert verdict.difference is not None
    assert (verdict.difference.place, verdict.difference.rule) == (f"facts/{partition}/{offset}", "at")


def in_memory(_folder: Path) -> MemoryStore:
    """Open a fold's store in memory: thousands of audits of a few decisions would each wait for the disk."""
    return MemoryStore()


async def test_an_audit_in_memory_is_the_audit_on_disk(tmp_path: Path) -> None:
    registry, _ = await every_kind_of_decision()
    there, here = await registry.audit(tmp_path), await registry.audit(tmp_path, open_store=in_memory)
    assert replace(there, duration_s=0) == replace(here, duration_s=0)
    assert there.holds


@pytest.mark.slow
@pytest.mark.parametrize("name", [EVENTS, COMMANDS])
async def test_one_flipped_byte_in_any_value_is_found(name: str, tmp_path: Path) -> None:
    registry, _ = await every_kind_of_decision(facts=2)
    unseen: list[tuple[int, int, int]] = []
    count = 0
    for partition in range(registry.partitions):
        for offset, message in enumerate(list(registry.log.messages(name, partition))):
            step = 1 if name == EVENTS and offset >= len(registry.log.messages(name, partition)) - 1 else 7
            for at in range(0, len(message.value), step):
                changed = bytearray(message.value)
                changed[at] ^= 1 << (count % 8)
                registry.tamper(name, partition, offset, value=bytes(changed))
                verdict = await registry.audit(tmp_path, open_store=in_memory)
                registry.tamper(name, partition, offset, value=message.value)
                count += 1
                if verdict.holds:
                    unseen.append((partition, offset, at))
    assert count > 300
    assert not [entry for entry in unseen if not _is_beyond_the_id(registry, name, *entry)]


NOT_SAID_IN_FULL = ("AddSigner", "ExpireFact", "ReleaseFact", "PostPlaylist", "RegisterWebhook")
"""Commands that don't say all that was asked: the auditor can't make the hash of their request again."""


def _is_beyond_the_id(registry: Registry, name: str, partition: int, offset: int, at: int) -> bool:
    """Tell whether a byte is one that nothing else tells of: the end of a request's hash, or no command at all."""
    value = registry.log.messages(name, partition)[offset].value
    if name == EVENTS:
        return False
    try:
        command: Command = released.codec("facts", "command").decode(value)
    except ValueError:
        return True
    start = value.index(command.request_hash)
    return start + 16 <= at < start + 32 and command.type in NOT_SAID_IN_FULL


async def test_a_key_that_belongs_elsewhere_is_found(tmp_path: Path) -> None:
    registry, _ = await every_kind_of_decision()
    partition, offset, _ = place_of(registry, FactIssued)
    registry.tamper(EVENTS, partition, offset, key=b"another")
    verdict = await registry.audit(tmp_path)
    assert verdict.difference is not None
    assert (verdict.difference.place, verdict.difference.rule) == (f"facts/{partition}/{offset}", "key")


async def test_signatures_are_checked_on_other_processes_with_the_same_verdict(tmp_path: Path) -> None:
    registry, _ = await every_kind_of_decision(facts=40)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        there = await registry.audit(tmp_path / "one", executor=pool)
    here = await registry.audit(tmp_path / "two")
    assert replace(there, duration_s=0) == replace(here, duration_s=0)
    assert there.holds


async def test_messages_without_a_value_stop_neither_the_decider_nor_the_auditor(tmp_path: Path) -> None:
    registry, keys = await every_kind_of_decision()
    route = keys["curator"].did
    partition = partition_of(route, registry.partitions)
    await (await registry.log.append(EVENTS, partition, [(route.encode(), None)]))  # type: ignore[list-item]
    await registry.append(route, None)  # type: ignore[arg-type]
    await registry.decide()
    verdict = await registry.audit(tmp_path)
    assert verdict.difference is None, str(verdict.difference)
    assert (verdict.skipped, verdict.undecodable) == (1, 2)
