"""The audits of identity against logs on which somebody lied: signatures, forks, windows, guardians, handles, keys."""

import random
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from domain.catalog import CATALOG
from domain.identity.completion import CompleteRecovery, GuardianRecoveryCompleted
from domain.identity.creation import DidCreated
from domain.identity.guardian import GuardianRecoveryBegun, GuardiansSet, RecoveryCancelled
from domain.identity.handle import ConfirmHandle, HandleClaimed, HandleConfirmed, HandleReleased
from domain.identity.key import Key
from domain.identity.naming import ClaimLapsed, HandleSet
from domain.identity.recovery import DidRecovered
from domain.identity.rotation import KeyRevoked, KeysRotated, RotateKeys
from domain.identity.session import SessionEnded
from log import released
from log.fold import Overlay
from log.message import Command, Signature
from log.store import MemoryStore
from log.topic import partition_of
from muniment.auditing import AuditOptions, audit_log
from muniment.exporting import export
from muniment.identity_auditing import audit_exported_identity, audit_identity, summary
from processors.audit_did_log import HEARS, TYPES
from processors.audit_identity import changes, heard
from processors.audit_names import Fault
from tests.audit.chancery import COMMANDS, EVENTS, HOUR_MS, Chancery, every_kind_of_operation, pen, signed
from tests.audit.economy import DAY_MS, first

pytestmark = pytest.mark.slow

OPTIONS = AuditOptions(cores=1, patience_s=0.0)
Make = Callable[[Any], Any]
OTHER = "did:mun:" + "q" * 26
EVENTS_OF_IDENTITY = [entry.cls for entry in CATALOG if entry.context == "identity" and entry.role == "event"]


def another(value: Any) -> Any:
    """Give another value of the same kind."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return value[:-1] + ("a" if value[-1:] != "a" else "b")
        case None:
            return None
        case tuple():
            return (*value[:-1], another(value[-1])) if value else value
    member = next(each.name for each in fields(value) if getattr(value, each.name) is not None)
    return replace(value, **{member: another(getattr(value, member))})


def parts(kind: type, event: Any) -> list[tuple[str, Make]]:
    """Give each member of an event with what changes it, and each member of the operation that it holds."""
    held = getattr(event, "signed", None)
    inner = () if held is None else [each.name for each in fields(held) if getattr(held, each.name)]
    members = [each.name for each in fields(kind) if each.name != "signed" and getattr(event, each.name)]
    return [(name, _at(name)) for name in members] + [(f"signed.{name}", _within("signed", name)) for name in inner]


def _at(name: str) -> Make:
    return lambda event: replace(event, **{name: another(getattr(event, name))})


def _within(outer: str, name: str) -> Make:
    def change(event: Any) -> Any:
        held = getattr(event, outer)
        return replace(event, **{outer: replace(held, **{name: another(getattr(held, name))})})

    return change


async def test_an_honest_log_has_no_difference() -> None:
    chancery = await every_kind_of_operation()
    verdict = await audit_log(chancery.log, (), OPTIONS)
    assert verdict.difference is None
    assert verdict.decisions == len(chancery.events()) + 1
    found = await audit_identity(chancery.log, 0.0)
    assert found.difference is None
    assert (found.figures.dids, found.figures.operations, found.figures.nullified) == (3, 14, 2)
    assert found.figures.signatures == 16
    assert "no difference found" in summary(found)


def test_every_operation_has_a_rule_of_the_auditor_s_own() -> None:
    operations = {kind for kind in EVENTS_OF_IDENTITY if any(each.name == "signed" for each in fields(kind))}
    assert operations == TYPES.keys() == HEARS.keys() | {DidCreated}


@pytest.mark.parametrize("kind", EVENTS_OF_IDENTITY, ids=lambda kind: kind.__name__)
async def test_each_member_of_each_event_is_found_where_it_was_changed(kind: type) -> None:
    chancery = await every_kind_of_operation()
    event = next(
        event.payload
        for _, _, decision in chancery.events()
        for event in decision.events
        if type(event.payload) is kind
    )
    whole = [[*chancery.log.messages(EVENTS, partition)] for partition in range(chancery.partitions)]
    tried = parts(kind, event)
    assert tried
    for name, make in tried:
        place = chancery.change(kind, make)
        verdict = await audit_log(chancery.log, (), OPTIONS)
        assert verdict.difference is not None, name
        assert verdict.difference.place == place, (name, str(verdict.difference))
        own = await audit_identity(chancery.log, 0.0)
        if kind is not SessionEnded:
            assert own.difference is not None, f"from events alone: {name}"
        for partition, messages in enumerate(whole):
            chancery.log.messages(EVENTS, partition)[:] = messages
    assert (await audit_log(chancery.log, (), OPTIONS)).holds


@pytest.mark.slow
async def test_one_flipped_byte_anywhere_on_the_log_is_found() -> None:
    chancery = await every_kind_of_operation()
    chance = random.Random(5)  # noqa: S311 - the same bytes each time
    places = [
        (topic, partition, offset)
        for topic in (COMMANDS, EVENTS)
        for partition in range(chancery.partitions)
        for offset in range(len(chancery.log.messages(topic, partition)))
    ]
    for topic, partition, offset in places:
        held = chancery.log.messages(topic, partition)
        was = held[offset]
        for index in chance.sample(telling(topic, was.value), 4):
            value = was.value[:index] + bytes([was.value[index] ^ 1 << chance.randrange(8)]) + was.value[index + 1 :]
            held[offset] = replace(was, value=value)
            verdict = await audit_log(chancery.log, (), OPTIONS)
            assert verdict.difference is not None, (topic, partition, offset, index)
        held[offset] = was


def telling(topic: str, value: bytes) -> list[int]:
    """Give the bytes of a message, but those of a request's hash that its command's id, which has 130 bits, leaves."""
    if topic == EVENTS:
        return [*range(len(value))]
    asked = value.index(released.codec("identity", "command").decode(value).request_hash)
    return [*range(asked + 16), *range(asked + 32, len(value))]


async def test_an_export_is_audited_as_its_log_is(tmp_path: Path) -> None:
    chancery = await every_kind_of_operation()
    await export(chancery.log, tmp_path / "whole")
    assert (await audit_exported_identity(tmp_path / "whole")).holds
    place = chancery.change(KeysRotated, _within("signed", "signature"))
    await export(chancery.log, tmp_path / "changed")
    found = await audit_exported_identity(tmp_path / "changed")
    assert found.difference is not None
    assert (found.difference.place, found.difference.rule) == (place, "signature")


RULES: list[tuple[type, Make, str]] = [
    (DidCreated, lambda event: replace(event, did=OTHER), "key"),
    (DidCreated, lambda event: replace(event, rotation_keys=event.rotation_keys[::-1]), "operation"),
    (DidCreated, lambda event: replace(event, windows=(*event.windows, event.windows[0])), "windows"),
    (DidCreated, lambda event: replace(event, handle="else"), "operation"),
    (KeysRotated, lambda event: replace(event, windows=event.windows[:1]), "windows"),
    (KeyRevoked, lambda event: replace(event, since=event.since + 1), "since"),
    (DidRecovered, lambda event: replace(event, nullified=()), "operation"),
    (DidRecovered, lambda event: replace(event, handle=None), "fork"),
    (GuardiansSet, lambda event: replace(event, guardians=replace(event.guardians, threshold=1)), "operation"),
    (GuardianRecoveryBegun, lambda event: replace(event, effective_at=event.effective_at - 1), "recovery"),
    (GuardianRecoveryBegun, lambda event: replace(event, approvals=event.approvals[:1]), "operation"),
    (RecoveryCancelled, lambda event: replace(event, operation="sha256-" + "a" * 43), "operation"),
    (GuardianRecoveryCompleted, lambda event: replace(event, rotation_keys=(pen(1).multibase,)), "operation"),
    (HandleSet, lambda event: replace(event, former=None), "handle"),
    (ClaimLapsed, lambda event: replace(event, until=event.until + 1), "handle"),
    (HandleClaimed, lambda event: replace(event, until=event.until + 1), "handle"),
    (HandleConfirmed, lambda event: replace(event, seen_at="identity/9/0"), "seen_at"),
    (HandleReleased, lambda event: replace(event, held_until=5), "handle"),
]


@pytest.mark.parametrize(("kind", "make", "rule"), RULES)
async def test_a_lie_is_named_by_its_rule_from_events_alone(kind: type, make: Make, rule: str) -> None:
    chancery = await every_kind_of_operation()
    place = chancery.change(kind, make)
    found = await audit_identity(chancery.log, 0.0)
    assert found.difference is not None
    assert (found.difference.place, found.difference.rule) == (place, rule)


def approved(**members: Any) -> Make:
    """Change the first approval of a recovery."""
    return lambda event: replace(event, approvals=(replace(event.approvals[0], **members), *event.approvals[1:]))


@pytest.mark.parametrize(
    "members",
    [
        {"public_key_multibase": pen(99).multibase},
        {"seen_at": "identity/0/0"},
        {"seen_at": "facts/0/0"},
        {"seen_at": "identity/0/9999"},
        {"seen_at": ""},
    ],
)
async def test_an_approval_is_checked_against_the_guardian_s_own_log(members: dict[str, str]) -> None:
    chancery = await every_kind_of_operation()
    place = chancery.change(GuardianRecoveryBegun, approved(**members))
    found = await audit_identity(chancery.log, 0.0)
    assert found.difference is not None
    assert found.difference.place == place


async def test_a_guardian_s_key_that_was_over_approves_nothing() -> None:
    chancery = await Chancery().begin()
    assert isinstance(chancery, Chancery)
    friend = chancery.create((pen(1),), (pen(2).key("main"),))
    did = chancery.create((pen(3),), (pen(4).key("main"),))
    first(chancery.set_guardians(did, pen(3), [friend], 1, 60))
    chancery.now += HOUR_MS
    first(chancery.rotate(friend, pen(1), [pen(5).key("next")], ["main"], 0))
    chancery.now += HOUR_MS
    first(chancery.rescue(did, {friend: ("main", pen(2))}, (pen(6),), [pen(7).key("new")]))
    found = await audit_identity(chancery.log, 0.0)
    assert found.difference is not None
    assert (found.difference.place, found.difference.rule) == (chancery.where(did), "approval")


def by_payload(**members: Any) -> Callable[[Command], Command]:
    """Change what a command says, and not what was signed."""
    return lambda command: replace(command, payload=replace(command.payload, **members))


def resigned(command: Command) -> Command:
    """Let another key sign the operation."""
    held, thief = command.payload.signed, pen(77)
    forged = replace(held, signed_by=thief.multibase, signature=thief.sign(held.operation.encode()))
    return replace(command, payload=replace(command.payload, signed=forged))


def loosened(command: Command) -> Command:
    """Write the operation in another than its canonical form."""
    held = command.payload.signed
    return replace(command, payload=replace(command.payload, signed=replace(held, operation=held.operation + " ")))


def enveloped(command: Command) -> Command:
    """Let the envelope carry another signature than the operation's."""
    held = command.payload.signed
    signature = Signature("ed25519", command.actor, None, held.operation.encode(), pen(77).sign(b"else"))
    return replace(command, signature=signature)


FORGED: list[tuple[Callable[[Command], Command], str]] = [
    (by_payload(overlap_ms=0), "operation"),
    (by_payload(end=("main",)), "operation"),
    (by_payload(add=(Key("key", "ed25519", pen(78).multibase, ("assertion",)),)), "operation"),
    (lambda command: by_payload(signed=replace(command.payload.signed, signature="AA=="))(command), "signature"),
    (loosened, "operation"),
    (enveloped, "signature"),
    (lambda command: replace(command, actor=OTHER), "actor"),
    (lambda command: replace(command, id="cmd_" + "a" * 52), "command_id"),
    (lambda command: replace(command, request_hash=b"\0" * 32), "command_id"),
]


@pytest.mark.parametrize(("forge", "rule"), FORGED)
async def test_a_forged_operation_is_found_though_it_was_decided(
    forge: Callable[[Command], Command], rule: str
) -> None:
    chancery = await every_kind_of_operation()
    did = chancery.create((pen(70),), (pen(71).key("main"),))
    first(chancery.rotate(did, pen(70), [pen(72).key("next")], [], 60))
    partition = partition_of(did, chancery.partitions)
    codec = released.codec("identity", "command")
    messages, decided = chancery.log.messages(COMMANDS, partition), chancery.log.messages(EVENTS, partition)
    command: Command = codec.decode(messages.pop().value)
    decided.pop()
    chancery._seats.clear()
    messages.append(replace(messages[-1], offset=len(messages), value=codec.encode(forge(command))))
    verdict = await audit_log(chancery.log, (), OPTIONS)
    assert verdict.difference is not None
    assert verdict.difference.rule == rule


async def test_an_operation_signed_by_no_rotation_key_is_found() -> None:
    chancery = await every_kind_of_operation()
    did = chancery.create((pen(70),), (pen(71).key("main"),))
    said = {
        "type": "rotate",
        "version": 1,
        "did": did,
        "prev": chancery.head(did),
        "add": [],
        "end": [],
        "overlap_s": 1,
    }
    forged = signed(said, pen(79))
    event = KeysRotated(did, forged, ())
    state = _heard(chancery, partition_of(did, chancery.partitions))
    with pytest.raises(Fault, match="was no rotation key"):
        list(heard(state, event, chancery.now))
    with pytest.raises(Fault, match="asked for"):
        list(changes(state, event, RotateKeys(did, signed(said, pen(70)), (), (), 1), did, chancery.now))


def _heard(chancery: Chancery, partition: int) -> Overlay:
    """Hear a partition by the auditor's own fold alone."""
    state = Overlay(MemoryStore())
    for at, _, decision in chancery.events():
        for event in decision.events if at == partition else ():
            for change in heard(state, event.payload, decision.at):
                state.put(change)
    return state


def forked(chancery: Chancery, did: str, by: Any, prev: str, nullified: tuple[str, ...]) -> DidRecovered:
    """Write a recovery from an operation on, as one who decides unlawfully could."""
    said = {
        "type": "recover", "version": 1, "did": did, "prev": prev, "rotation_keys": [by.multibase], "keys": [],
    }  # fmt: skip
    return DidRecovered(did, signed(said, by), (by.multibase,), None, None, nullified, ())


@pytest.mark.parametrize(
    ("late", "by", "why"),
    [
        (HOUR_MS, pen(2), "no higher key"),
        (HOUR_MS, pen(9), "was no rotation key"),
        (4 * DAY_MS, pen(1), "after 72 hours"),
    ],
)
async def test_an_unlawful_override_is_found(late: int, by: Any, why: str) -> None:
    chancery = Chancery()
    await chancery.begin()
    did = chancery.create((pen(1), pen(2)), (pen(3).key("main"),), None, 1)
    genesis = chancery.head(did)
    first(chancery.rotate(did, pen(2), [pen(4).key("next")]))
    state = _heard(chancery, partition_of(did, chancery.partitions))
    event = forked(chancery, did, by, genesis, (chancery.head(did),))
    with pytest.raises(Fault, match=why):
        list(heard(state, event, chancery.now + late))


async def test_what_guardians_did_is_never_taken_back() -> None:
    chancery = Chancery()
    await chancery.begin()
    friend = chancery.create((pen(8),), (pen(9).key("main"),))
    did = chancery.create((pen(1),), (pen(3).key("main"),))
    first(chancery.set_guardians(did, pen(1), [friend], 1, 0))
    before = chancery.head(did)
    first(chancery.rescue(did, {friend: ("main", pen(9))}, (pen(5),), [pen(6).key("new")]))
    chancery.now += 1
    first(chancery.reactor(CompleteRecovery(did, chancery.head(did)), did))
    state = _heard(chancery, partition_of(did, chancery.partitions))
    event = forked(chancery, did, pen(1), before, (chancery.head(did),))
    with pytest.raises(Fault, match="took effect is taken back"):
        list(heard(state, event, chancery.now + 1))
    late = KeysRotated(did, signed({
        "type": "rotate", "version": 1, "did": did, "prev": chancery.head(did), "add": [], "end": [], "overlap_s": 0,
    }, pen(1)), ())  # fmt: skip
    with pytest.raises(Fault, match="was no rotation key"):
        list(heard(state, late, chancery.now + 1))


async def test_a_handle_taken_without_a_claim_that_holds_is_found() -> None:
    for number in range(20):
        chancery, handle = Chancery(), f"ada-{number}"
        await chancery.begin()
        did = chancery.create((pen(1),), (pen(3).key("main"),), handle)
        if partition_of(did, chancery.partitions) != partition_of(handle, chancery.partitions):
            break
    chancery.log.messages(EVENTS, partition_of(handle, chancery.partitions)).clear()
    found = await audit_identity(chancery.log, 0.0)
    assert found.difference is not None
    place = f"identity/{partition_of(did, chancery.partitions)}/0"
    assert (found.difference.place, found.difference.rule) == (place, "claim")


async def test_a_reactor_s_word_from_another_is_found() -> None:
    chancery = await every_kind_of_operation()
    did = chancery.create((pen(1),), (pen(3).key("main"),), "newcomer")
    chancery.ask(ConfirmHandle("newcomer", did, chancery.where(did)), "newcomer", did, "sly")
    verdict = await audit_log(chancery.log, (), OPTIONS)
    assert verdict.difference is not None
    assert (verdict.difference.place, verdict.difference.rule) == (chancery.where("newcomer"), "actor")
