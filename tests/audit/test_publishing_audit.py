"""The whole audit against a press on which somebody lied: signatures, roles, rules and figures, each at its place."""

import asyncio
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import hypothesis.strategies as st
import pytest
from hypothesis import given

from domain.catalog import CATALOG
from domain.publishing.anchoring import FailBatch, NoteSeen, ReserveBatch
from domain.publishing.batch import (
    BatchConfirmed,
    BatchFailed,
    BatchReleased,
    BatchReorged,
    BatchReserved,
    BatchSeen,
    BatchSent,
    BatchSigned,
)
from domain.publishing.job import JobQueued, JobsWaiting, QueueJob
from domain.publishing.output import FundPool, PoolFunded, pool
from domain.publishing.publisher import PublisherRegistered, PublisherRemoved, RegisterPublisher, RemovePublisher
from log.bitcoin import BitcoinTransaction, Output, anchored, anchoring_script, read_header, read_transaction, txid_of
from log.fold import Overlay
from log.merkle_path import bump_of
from log.message import Command
from log.store import MemoryStore
from muniment.auditing import AuditOptions, audit_export, audit_log
from muniment.exporting import export
from processors.anchor_transactions import anchored_content
from processors.audit import Audit
from processors.audit_anchors import content_of
from processors.audit_batches import Queued, job_key
from processors.audit_names import Fault
from processors.audit_pool import FIGURES, coin_key
from processors.audit_publishing import changes, roles_needed
from processors.audit_rules import RULES
from processors.audit_source import LogSource
from processors.audit_verdict import Difference
from tests.audit.economy import first
from tests.audit.pressroom import CONTEXT, POOL, SCRIPT, Pressroom, author, every_kind_of_anchoring, mined
from tests.audit.registry import key

pytestmark = pytest.mark.slow  # each lie is audited from the log's beginning

OPTIONS = AuditOptions(cores=1, patience_s=0.0)
Change = Callable[[Any], Any]


def with_(**members: Any) -> Change:
    """Change members of an event."""
    return lambda event: replace(event, **members)


def more(member: str) -> Change:
    """Raise a member of an event by one."""
    return lambda event: replace(event, **{member: getattr(event, member) + 1})


def rewritten(change: Callable[[BitcoinTransaction], BitcoinTransaction], **members: Any) -> Change:
    """Change a signed transaction, and its id with it."""

    def make(event: Any) -> Any:
        raw = change(read_transaction(event.raw)).raw
        return replace(event, raw=raw, txid=txid_of(raw), **members)

    return make


def outputs(change: Callable[[list[Output]], list[Output]]) -> Callable[[BitcoinTransaction], BitcoinTransaction]:
    """Change a transaction's outputs."""
    return lambda made: made._replace(outputs=tuple(change([*made.outputs])))


def anchoring_twice(given: list[Output]) -> list[Output]:
    """Let the second output carry what the first does."""
    return [given[0], given[0], *given[2:]]


def spaced(given: list[Output]) -> list[Output]:
    """Let the first output's JSON have a space."""
    return [Output(0, anchoring_script((anchored(given[0].script) or b"").replace(b",", b", "))), *given[1:]]


def elsewhere(made: BitcoinTransaction) -> BitcoinTransaction:
    """Let a transaction spend another output."""
    return made._replace(inputs=(made.inputs[0]._replace(outpoint="ff" * 32 + ":0"),))


def of_block_without_work(event: BatchConfirmed) -> BatchConfirmed:
    """Let a block's header ask for more work than it shows."""
    header = event.header[:72] + (0x1D00FFFF).to_bytes(4, "little") + event.header[76:]
    return replace(event, header=header, block_hash=read_header(header).hash)


def of_another_block(event: BatchConfirmed) -> BatchConfirmed:
    """Let a confirmation name a block that hasn't the transaction."""
    header = mined(["ab" * 32])
    return replace(event, header=header, block_hash=read_header(header).hash)


def with_the_path_of_another(event: BatchConfirmed) -> BatchConfirmed:
    """Let the Merkle path be that of another transaction of a block of the same height."""
    return replace(event, bump=bump_of(event.height, ["ab" * 32, "cd" * 32], "cd" * 32))


def burning(event: Any) -> Any:
    """Let the first output hold a satoshi of the change."""
    made = read_transaction(event.raw)
    last = made.outputs[-1]
    given = [Output(1, made.outputs[0].script), *made.outputs[1:-1], Output(last.satoshis - 1, last.script)]
    raw = made._replace(outputs=tuple(given)).raw
    change = (replace(event.change[0], satoshis=last.satoshis - 1),)
    return replace(event, raw=raw, txid=txid_of(raw), change=change)


def to_another(event: Any) -> Any:
    """Let the change be said to go where it doesn't."""
    return replace(event, change=(replace(event.change[0], script="51"), *event.change[1:]))


NOBODY: Final = "did:web:nobody"
COIN: Final = "00" * 32 + ":0"
TOLD: list[tuple[type, Change, int, str]] = [
    (PublisherRegistered, with_(label="another"), 0, "command"),
    (PublisherRegistered, with_(registered_by=NOBODY), 0, "actor"),
    (PublisherRemoved, with_(removed_by=NOBODY), 0, "actor"),
    (PublisherRemoved, with_(pubkey=author(1).pubkey), 0, "command"),
    (JobQueued, with_(hash="ab" * 32), 0, "command"),
    (JobQueued, with_(uri=None), 0, "command"),
    (JobQueued, more("paced_until"), 0, "ruling"),
    (JobsWaiting, with_(job_ids=("job_other",)), 0, "command"),
    (PoolFunded, more("satoshis"), 0, "command"),
    (BatchReserved, lambda event: replace(event, job_ids=event.job_ids[::-1]), 0, "command"),
    (BatchReserved, more("expires_at"), 0, "expiry"),
    (BatchReleased, with_(reason="another"), 0, "ruling"),
    (BatchReleased, with_(reason="another"), 1, "command"),
    (BatchSigned, more("fee"), 0, "command"),
    (BatchSent, with_(batch_id="bat_2"), 0, "command"),
    (BatchSeen, with_(batch_id="bat_2"), 0, "command"),
    (BatchConfirmed, more("height"), 0, "command"),
    (BatchReorged, with_(block_hash="ab" * 32), 0, "command"),
    (BatchFailed, with_(lost=()), 0, "command"),
]
"""Events that aren't what was asked for; which of its kind, and the rule that names it."""
ASKED: list[tuple[type, Change, int, str]] = [
    (PublisherRegistered, with_(label="another"), 1, "possession"),
    (JobQueued, with_(record='{"recordId":"REC_1"}'), 0, "signature"),
    (JobQueued, with_(signature=author(1).sign(b"else")), 0, "signature"),
    (JobQueued, with_(pubkey=author(2).pubkey), 0, "actor"),
    (JobQueued, with_(hash="ab" * 32), 0, "hash"),
    (JobQueued, with_(job_id="job_" + "a" * 52), 0, "job_id"),
    (JobQueued, with_(record_id="REC_9"), 0, "recordId"),
    (JobQueued, with_(nonce="another"), 0, "nonce"),
    (JobQueued, with_(timestamp="2026-01-01T00:00:00.001Z"), 0, "timestamp"),
    (JobQueued, with_(uri=None), 0, "uri"),
    (JobQueued, with_(priority="never"), 0, "priority"),
    (BatchReserved, with_(outpoints=(COIN,)), 3, "spent_twice"),
    (BatchReserved, with_(outpoints=("ab" * 32 + ":0",)), 3, "output"),
    (BatchReserved, with_(job_ids=("job_other",)), 3, "job"),
    (BatchReserved, with_(batch_id="bat_1"), 3, "batch"),
    (BatchSigned, with_(raw=b"raw"), 0, "transaction"),
    (BatchSigned, with_(txid="ab" * 32), 0, "txid"),
    (BatchSigned, to_another, 0, "change"),
    (BatchSigned, rewritten(elsewhere), 0, "inputs"),
    (BatchSigned, rewritten(outputs(anchoring_twice)), 0, "anchor"),
    (BatchSigned, rewritten(outputs(spaced)), 0, "anchor"),
    (BatchSigned, burning, 0, "anchor"),
    (BatchSigned, with_(change=()), 0, "change"),
    (BatchSigned, more("fee"), 0, "fee"),
    (BatchSent, with_(batch_id="bat_failed"), 0, "batch"),
    (BatchSent, with_(batch_id="bat_failed"), 2, "status"),
    (BatchConfirmed, more("height"), 0, "height"),
    (BatchConfirmed, with_(block_hash="ab" * 32), 0, "header"),
    (BatchConfirmed, with_(header=b"short"), 0, "header"),
    (BatchConfirmed, of_block_without_work, 0, "header"),
    (BatchConfirmed, of_another_block, 0, "bump"),
    (BatchConfirmed, with_the_path_of_another, 0, "bump"),
    (BatchReorged, with_(block_hash="ab" * 32), 0, "block"),
    (BatchFailed, with_(lost=(COIN,)), 0, "output"),
]
"""What somebody who writes commands too would have asked and decided alike."""


async def audit(press: Pressroom) -> Difference | None:
    """Audit who has which role, and publishing."""
    kept = {"open_store": lambda _path: MemoryStore()}
    of_roles = Audit(LogSource(press.log), "facts", Path(), **kept)
    assert (await of_roles.run()).difference is None
    return (await Audit(LogSource(press.log), CONTEXT, Path(), roles=of_roles.roles, **kept).run()).difference


def own_fold(press: Pressroom, state: Overlay) -> tuple[str, str] | None:
    """Hear publishing by the auditor's own fold alone; give the place and the rule of its first fault."""
    commands = press.asked()
    for offset, decision in enumerate(press.decisions(press.part, CONTEXT)):
        command = commands[decision.cause]
        try:
            for happening in decision.events:
                for change in changes(state, happening.payload, command.payload, command.actor, decision.at):
                    state.put(change)
        except Fault as fault:
            return f"{CONTEXT}/{press.part}/{offset}", fault.rule
    return None


async def test_an_honest_press_has_no_difference() -> None:
    press = await every_kind_of_anchoring()
    verdict = await audit_log(press.log, (), OPTIONS)
    assert verdict.difference is None
    decisions = press.decisions(press.part, CONTEXT)
    assert verdict.decisions == len(decisions) + 1
    happened = {type(happening.payload) for each in decisions for happening in each.events}
    assert happened == {entry.cls for entry in CATALOG if entry.context == CONTEXT and entry.role == "event"}
    state = Overlay(MemoryStore())
    assert own_fold(press, state) is None
    assert tuple(state[FIGURES]) == tuple(pool(press.state))[:3]


def test_an_export_is_audited_as_its_log_is(tmp_path: Path) -> None:
    async def run(*, changed: bool) -> tuple[Difference | None, str]:
        press = await every_kind_of_anchoring()
        place = press.change(BatchSigned, rewritten(elsewhere), asked=True) if changed else ""
        await export(press.log, tmp_path / f"export-{changed}")
        return (await audit_export(tmp_path / f"export-{changed}", OPTIONS)).difference, place

    assert asyncio.run(run(changed=False)) == (None, "")
    found, place = asyncio.run(run(changed=True))
    assert found is not None
    assert (found.place, found.rule) == (place, "inputs")


@pytest.mark.parametrize(("kind", "change", "index", "rule"), TOLD)
async def test_an_event_that_was_not_asked_for_is_named(kind: type, change: Change, index: int, rule: str) -> None:
    press = await every_kind_of_anchoring()
    place = press.change(kind, change, index)
    found = await audit(press)
    assert found is not None
    assert (found.place, found.rule) == (place, rule)
    if rule != "ruling":
        assert own_fold(press, Overlay(MemoryStore())) == (place, rule), "without deciding anything again"


@pytest.mark.parametrize(("kind", "change", "index", "rule"), ASKED)
async def test_what_was_asked_and_decided_against_the_rules_is_named(
    kind: type, change: Change, index: int, rule: str
) -> None:
    press = await every_kind_of_anchoring()
    place = press.change(kind, change, index, asked=True)
    found = await audit(press)
    assert found is not None
    assert (found.place, found.rule) == (place, rule), found.detail


FORGED: list[tuple[Callable[[Command], Command], str]] = [
    (lambda command: replace(command, signature=None), "signature"),
    (lambda command: replace(command, actor=NOBODY), "actor"),
    (lambda command: replace(command, id="cmd_" + "a" * 52), "command_id"),
    (lambda command: replace(command, request_hash=b"\0" * 32), "request_hash"),
    (lambda command: replace(command, type="HoldJobs"), "type"),
    (lambda command: replace(command, payload=replace(command.payload, signed_at=command.payload.signed_at + 1)),
     "signed_at"),
]  # fmt: skip


@pytest.mark.parametrize(("forge", "rule"), FORGED)
async def test_a_forged_intent_is_found_though_it_was_decided(forge: Callable[[Command], Command], rule: str) -> None:
    press = await every_kind_of_anchoring()
    press.decide(forge(press.intent(author(1), "REC_forged")), POOL, CONTEXT)
    found = await audit(press)
    assert found is not None
    assert (found.place, found.rule) == (press.place(), rule)


async def test_a_signed_record_that_is_not_canonical_is_found() -> None:
    press = await every_kind_of_anchoring()
    command = press.intent(author(1), "REC_loose", lambda text: text.replace(b",", b", "))
    first(press.decide(command, POOL, CONTEXT))
    found = await audit(press)
    assert found is not None
    assert (found.place, found.rule) == (press.place(), "record")


NOBODYS: list[tuple[Any, str]] = [
    (FundPool(POOL, "ab" * 32 + ":0", 5, SCRIPT, "facts/0/0"), "authority"),
    (FundPool(POOL, "ab" * 32 + ":0", 5, SCRIPT, "genesis"), "signature"),
    (FundPool(POOL, "ab" * 32 + ":0", 5, SCRIPT, "faucet"), "actor"),
    (RegisterPublisher(POOL, author(3).pubkey, "a label", "facts/0/0", None), "authority"),
    (RegisterPublisher(POOL, author(3).pubkey, "a label", "faucet", None), "authority"),
    (RemovePublisher(POOL, author(1).pubkey, "facts/0/0"), "authority"),
    (ReserveBatch(POOL, "bat_own", (), (f"{3:064x}:3",), 1, 1, 60_000, None), "actor"),
    (ReserveBatch(POOL, "bat_own", (), (f"{3:064x}:3",), 1, 1, 60_000, "facts/0/0"), "authority"),
    (NoteSeen(POOL, "bat_2"), "actor"),
    (FailBatch(POOL, "bat_2", "I say so", ()), "actor"),
]
"""What only an admin or a process of ours may ask for."""


@pytest.mark.parametrize(("payload", "rule"), NOBODYS)
async def test_one_who_is_no_admin_asks_in_vain_for_what_is_an_admin_s(payload: Any, rule: str) -> None:
    press = await every_kind_of_anchoring()
    press.by_session(key(22), payload)
    found = await audit(press)
    assert found is not None
    assert (found.place, found.rule) == (press.place(), rule)


async def test_even_the_first_signer_cites_a_position_for_what_an_admin_may() -> None:
    press = await every_kind_of_anchoring()
    press.by_admin(FundPool(POOL, "ab" * 32 + ":0", 5, SCRIPT, "genesis"))
    found = await audit(press)
    assert found is not None
    assert (found.place, found.rule) == (press.place(), "signature")
    assert press.asked()[-1].payload.authority == "genesis"
    needed = roles_needed(press.asked()[-1].payload)
    assert needed == ("admin",)
    assert RULES[CONTEXT].founds is JobQueued


async def test_an_event_of_another_pool_in_the_same_partition_is_found() -> None:
    press = await every_kind_of_anchoring()
    first(press.by_reactor(FundPool("other", "ab" * 32 + ":0", 5, SCRIPT, "faucet")))
    found = await audit(press)
    assert found is not None
    assert (found.place, found.rule) == (press.place(), "pool")


async def test_a_job_of_a_key_that_does_not_publish_or_publishes_it_again_is_named() -> None:
    press = await every_kind_of_anchoring()
    state = Overlay(MemoryStore())
    assert own_fold(press, state) is None

    def rule_of(command: Command, at: int = press.now) -> str:
        said = {each.name: getattr(command.payload, each.name, 0) for each in fields(JobQueued)}
        with pytest.raises(Fault) as fault:
            list(changes(state, JobQueued(**said), command.payload, command.actor, at))
        return fault.value.rule

    again = press.intent(author(1), "REC_1")
    assert rule_of(press.intent(author(3), "REC_1")) == "publisher"
    assert rule_of(again) == "record_id"
    assert rule_of(press.intent(author(1), "REC_new"), press.now + 600_001) == "timestamp"
    (queued, *_) = press.all_of(QueueJob)
    assert rule_of(press.intent(author(1), "REC_new", nonce=queued.nonce)) == "nonce"
    assert rule_of(replace(again, payload=queued)) == "job"


async def test_a_job_that_is_signed_already_and_an_output_that_is_another_s_are_named() -> None:
    press = await every_kind_of_anchoring()
    press.reserve("bat_3", [press.publish(author(1), "REC_3")], press.known("bat_split").change[:1])
    command = press.transaction("bat_3")
    event = BatchSigned(POOL, "bat_3", command.txid, command.raw, command.fee, command.change)

    def rule_of(of: str, entry: Any) -> str:
        state = Overlay(MemoryStore())
        assert own_fold(press, state) is None
        state.put((of, entry(state[of])))
        with pytest.raises(Fault) as fault:
            list(changes(state, event, command, "", press.now))
        return fault.value.rule

    known = press.known("bat_3")
    job, coin = job_key(known.job_ids[0]), coin_key(known.outpoints[0])
    assert rule_of(job, lambda entry: entry._replace(signed_by="bat_1")) == "anchored_once"
    assert rule_of(coin, lambda entry: entry._replace(batch_id="bat_1")) == "spent_twice"
    assert rule_of(FIGURES, lambda entry: entry._replace(fees=0)) == "balance"


@given(record_id=st.text(), uri=st.none() | st.text(), timestamp=st.text())
def test_what_an_auditor_looks_for_in_an_output_is_what_is_anchored(
    record_id: str, uri: str | None, timestamp: str
) -> None:
    queued = Queued(author(1).pubkey, record_id, "ab" * 32, uri, timestamp)
    assert content_of(queued) == anchored_content(record_id, "ab" * 32, uri, timestamp)
