"""The whole audit against ledgers on which somebody lied: signatures, roles, rules and figures, each at its place."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.ledger.account import AccountFrozen
from domain.ledger.agent import AgentRegistered
from domain.ledger.developer import DeveloperRegistered, InvitesIssued
from domain.ledger.frame import FrameOpened, MintTokens, TokensMinted, VelocityMeasured
from domain.ledger.payment import PaymentCancelled, PaymentClaimed, PaymentExpired, PaymentHeld
from domain.ledger.posting import Posting
from domain.ledger.proposal import ProposalOpened, ProposalTallied, VoteCast
from domain.ledger.registry import ParameterChanged, RegistryChanged, RegistryOpened
from domain.ledger.reward import RewardDayClosed, RewardDayOpened, StakesRewarded
from domain.ledger.stake import StakePlaced, StakeWithdrawn
from domain.ledger.transfer import PostTransfer, TransferSettled
from domain.ledger.transit import (
    CommitTransfer,
    TransferAborted,
    TransferAccepted,
    TransferCommitted,
    TransferPrepared,
    TransferRejected,
)
from log import released
from log.fold import Overlay
from log.message import Command
from log.store import MemoryStore
from muniment.auditing import AuditOptions, audit_export, audit_log
from muniment.exporting import export
from muniment.operator import first_frame_command
from processors.audit_ledger import changes
from processors.audit_names import Fault
from processors.audit_verdict import Verdict
from tests.audit.economy import COMMANDS, EVENTS, HOME, Economy, every_kind_of_movement, first
from tests.audit.registry import key

pytestmark = pytest.mark.slow

OPTIONS = AuditOptions(cores=1, patience_s=0.0)
Change = Callable[[Any], Any]


def with_(**members: Any) -> Change:
    """Change members of an event."""
    return lambda event: replace(event, **members)


def more(member: str) -> Change:
    """Raise a member of an event by one."""
    return lambda event: replace(event, **{member: getattr(event, member) + 1})


def cheaper(event: Any) -> Any:
    """Let a transfer's fee, and what is posted of it, be one micro-AVT less."""
    payer, receiver, treasury = event.postings
    posted = (replace(payer, amount=payer.amount + 1), receiver, replace(treasury, amount=treasury.amount - 1))
    return replace(event, fee=event.fee - 1, postings=posted)


def free(event: TransferAccepted) -> TransferAccepted:
    """Let an arrival pay no fee."""
    counter, receiver, _ = event.postings
    return replace(event, fee=0, postings=(counter, replace(receiver, amount=event.amount)))


def granted(event: DeveloperRegistered) -> DeveloperRegistered:
    """Let a grant, and what is posted of it, be one micro-AVT more."""
    less, grant = event.postings
    posted = (replace(less, amount=less.amount - 1), replace(grant, amount=grant.amount + 1))
    return replace(event, grant=event.grant + 1, postings=posted)


def twice(event: StakesRewarded) -> StakesRewarded:
    """Let the first stake be rewarded twice, out of the same treasury."""
    source, *others = event.postings
    prize = event.rewards[0]
    posted = (
        replace(source, amount=source.amount - prize.amount),
        *others,
        Posting(prize.account, "available", prize.amount),
    )
    return replace(event, rewards=(*event.rewards, prize), postings=posted)


def reworded(**members: Any) -> Change:
    """Change an event's mandate."""
    return lambda event: replace(event, mandate=replace(event.mandate, **members))


CHANGES: list[tuple[type, Change, str]] = [
    (FrameOpened, with_(frame_id="other"), "command"),
    (RegistryOpened, lambda event: replace(event, terms=replace(event.terms, fee_bps=40)), "command"),
    (RegistryChanged, lambda event: replace(event, terms=replace(event.terms, base_apy_bps=1_501)), "bounds"),
    (InvitesIssued, with_(code_hashes=("ab",)), "command"),
    (DeveloperRegistered, granted, "grant"),
    (AgentRegistered, with_(developer_did="did:web:nobody"), "actor"),
    (AccountFrozen, with_(frozen_by="did:web:nobody"), "actor"),
    (TokensMinted, with_(minted_by="did:web:nobody"), "actor"),
    (VelocityMeasured, more("velocity_bps"), "velocity"),
    (TransferSettled, cheaper, "fee"),
    (TransferSettled, reworded(nonce="nonce-of-another"), "command"),
    (TransferSettled, more("amount"), "command"),
    (TransferPrepared, with_(receiver="acc_" + "a" * 26), "command"),
    (TransferAccepted, free, "fee"),
    (TransferRejected, with_(sender="acc_" + "a" * 26), "command"),
    (TransferCommitted, more("amount"), "transit"),
    (TransferAborted, with_(reason="unknown_account"), "command"),
    (PaymentHeld, more("expires_at"), "ruling"),
    (PaymentHeld, with_(expires_at=2**45), "expiry"),
    (PaymentHeld, more("fee"), "fee"),
    (PaymentHeld, with_(receiver_owner="did:web:nobody"), "account"),
    (PaymentClaimed, with_(claimed_by="did:web:nobody"), "actor"),
    (PaymentCancelled, with_(cancelled_by="did:web:nobody"), "actor"),
    (PaymentExpired, with_(payment_id="pay_other"), "command"),
    (StakePlaced, more("unlocks_at"), "lock"),
    (StakeWithdrawn, more("amount"), "stakes"),
    (RewardDayOpened, more("due"), "command"),
    (RewardDayOpened, with_(minted=True), "reward"),
    (StakesRewarded, twice, "reward"),
    (RewardDayClosed, more("shortfall"), "reward"),
    (ProposalOpened, more("electorate"), "vote"),
    (VoteCast, more("power"), "vote"),
    (ProposalTallied, more("yes"), "vote"),
    (ProposalTallied, with_(status="rejected"), "vote"),
    (ParameterChanged, with_(value="91"), "proposal"),
]


async def audit(economy: Economy) -> Verdict:
    """Audit all that lies on the log."""
    return await audit_log(economy.log, (), OPTIONS)


def heard(economy: Economy, partition: int, state: Overlay) -> tuple[str, str] | None:
    """Hear a partition by the auditor's own fold alone; give the place and the rule of its first fault."""
    commands, asked = released.codec("ledger", "command"), economy.log.messages(COMMANDS, partition)
    for offset, decision in enumerate(economy.decisions(partition)):
        command: Command = commands.decode(asked[decision.cause].value)
        try:
            for happening in decision.events:
                for change in changes(state, happening.payload, command.payload, command.actor, decision.at):
                    state.put(change)
        except Fault as fault:
            return f"ledger/{partition}/{offset}", fault.rule
    return None


def own_fold(economy: Economy) -> tuple[str, str] | None:
    """Hear every partition by the auditor's own fold alone."""
    found = (heard(economy, partition, Overlay(MemoryStore())) for partition in range(economy.partitions))
    return next((each for each in found if each is not None), None)


async def test_an_honest_ledger_has_no_difference() -> None:
    economy = await every_kind_of_movement()
    verdict = await audit(economy)
    assert verdict.difference is None
    of_ledger = sum(len(economy.log.messages(EVENTS, partition)) for partition in range(economy.partitions))
    assert verdict.decisions == of_ledger + 1
    assert verdict.supplies[HOME]["holds"]
    assert own_fold(economy) is None


def test_an_export_is_audited_as_its_log_is(tmp_path: Path) -> None:
    async def run(*, changed: bool) -> tuple[Verdict, str]:
        economy = await every_kind_of_movement()
        place = economy.change(StakesRewarded, twice) if changed else ""
        await export(economy.log, tmp_path / f"export-{changed}")
        return await audit_export(tmp_path / f"export-{changed}", OPTIONS), place

    honest, _ = asyncio.run(run(changed=False))
    assert honest.difference is None
    found, place = asyncio.run(run(changed=True))
    assert found.difference is not None
    assert found.difference.place == place


@pytest.mark.parametrize(("kind", "change", "rule"), CHANGES)
async def test_one_changed_thing_is_named_by_its_place(kind: type, change: Change, rule: str) -> None:
    economy = await every_kind_of_movement()
    place = economy.change(kind, change)
    verdict = await audit(economy)
    assert verdict.difference is not None
    assert (verdict.difference.place, verdict.difference.rule) == (place, rule)
    if rule != "ruling":
        assert own_fold(economy) == (place, rule), "without deciding anything again"


async def test_a_frozen_treasury_takes_no_fee() -> None:
    economy = await every_kind_of_movement()
    partition, _, decision = economy.find(TransferSettled)
    state, event = Overlay(MemoryStore()), decision.events[0].payload
    assert heard(economy, partition, state) is None
    treasury = event.postings[-1].account
    state.put((f"own/account/{treasury}", (HOME, "north", economy.operator.did, True)))
    again = replace(event, transfer_id="trf_again", mandate=None, payment_id="pay_any")
    with pytest.raises(Fault, match=f"{treasury} is frozen"):
        list(changes(state, again, again, "", decision.at))


async def test_a_movement_that_only_its_postings_tell_is_named() -> None:
    economy = await every_kind_of_movement()

    def diverted(event: TransferSettled) -> TransferSettled:
        payer, receiver, treasury = event.postings
        return replace(event, postings=(payer, receiver, replace(treasury, account=receiver.account)))

    place = economy.change(TransferSettled, diverted)
    verdict = await audit(economy)
    assert verdict.difference is not None
    assert (verdict.difference.place, verdict.difference.rule) == (place, "postings")


def order(economy: Economy) -> Command:
    """Write a transfer that would hold."""
    settled = economy.find(TransferSettled)[2].events[0].payload
    members = {"from": settled.sender, "to": settled.receiver, "amount": "500", "memo": None}
    return economy.signed(
        key(11),
        "transfer",
        members,
        lambda name, word: PostTransfer(name, HOME, settled.sender, settled.receiver, HOME, 500, None, word, 60_000),
    )


def of_payload(**members: Any) -> Callable[[Command], Command]:
    """Change what a command says, and not what was signed."""
    return lambda command: replace(command, payload=replace(command.payload, **members))


def by_another(command: Command) -> Command:
    """Let another sign, and the mandate say that the owner did."""
    if command.signature is None:
        raise AssertionError
    thief = key(12)
    signature = thief.sign(command.signature.signed_bytes)
    return replace(command, signature=replace(command.signature, did=thief.did, signature=signature))


def unsigned(command: Command) -> Command:
    """Sign something else."""
    if command.signature is None:
        raise AssertionError
    return replace(command, signature=replace(command.signature, signature=key(11).sign(b"else")))


FORGED: list[tuple[Callable[[Command], Command], str]] = [
    (unsigned, "signature"),
    (lambda command: replace(command, signature=None), "signature"),
    (by_another, "mandate"),
    (of_payload(amount=501), "mandate"),
    (of_payload(memo="for cake"), "mandate"),
    (of_payload(transfer_id="trf_" + "a" * 52), "transfer_id"),
    (lambda command: of_payload(mandate=replace(command.payload.mandate, nonce="n" * 16))(command), "mandate"),
    (lambda command: of_payload(mandate=replace(command.payload.mandate, deadline=2**45))(command), "mandate"),
    (lambda command: replace(command, actor="did:web:nobody"), "actor"),
    (lambda command: replace(command, id="cmd_" + "a" * 52), "command_id"),
]


@pytest.mark.parametrize(("forge", "rule"), FORGED)
async def test_a_forged_order_is_found_though_it_was_decided(forge: Callable[[Command], Command], rule: str) -> None:
    economy = await every_kind_of_movement()
    first(economy.decide(forge(order(economy)), HOME))
    verdict = await audit(economy)
    assert verdict.difference is not None
    assert (verdict.difference.place, verdict.difference.rule) == (economy.place(), rule)


@pytest.mark.parametrize("authority", ["genesis", "facts/9/0", "facts/0/999", "ledger/2/0"])
async def test_minting_on_a_made_up_authority_is_found(authority: str) -> None:
    economy = await every_kind_of_movement()
    treasury = economy.find(TokensMinted)[2].events[0].payload.account
    first(economy.by_admin(MintTokens(HOME, treasury, 5, authority)))
    verdict = await audit(economy)
    assert verdict.difference is not None
    assert verdict.difference.place == economy.place()
    assert verdict.difference.rule in {"authority", "signature"}


async def test_minting_by_one_who_is_no_admin_is_found() -> None:
    economy = await every_kind_of_movement()
    treasury = economy.find(TokensMinted)[2].events[0].payload.account
    first(economy.by_session(key(11), MintTokens(HOME, treasury, 5, economy.authority)))
    verdict = await audit(economy)
    assert verdict.difference is not None
    assert (verdict.difference.place, verdict.difference.rule) == (economy.place(), "authority")


async def test_a_ledger_that_another_than_the_first_signer_began_is_found() -> None:
    economy = await Economy().begin()
    first(economy.decide(first_frame_command(key(11), HOME), HOME))
    verdict = await audit(economy)
    assert verdict.difference is not None
    assert (verdict.difference.place, verdict.difference.rule) == (economy.place(), "genesis")


async def test_a_reactors_word_from_another_is_found() -> None:
    economy = await every_kind_of_movement()
    economy.by_session(key(11), CommitTransfer("trf_any", HOME, "ledger/0/0"))
    verdict = await audit(economy)
    assert verdict.difference is not None
    assert (verdict.difference.place, verdict.difference.rule) == (economy.place(), "actor")


async def test_a_nonce_that_was_used_before_is_named() -> None:
    economy = await every_kind_of_movement()
    partition, _, decision = economy.find(TransferSettled)
    state = Overlay(MemoryStore())
    assert heard(economy, partition, state) is None
    message = economy.log.messages(COMMANDS, partition)[decision.cause]
    command = of_payload(transfer_id="trf_again")(released.codec("ledger", "command").decode(message.value))
    again = replace(decision.events[0].payload, transfer_id="trf_again")
    with pytest.raises(Fault, match="was used before"):
        list(changes(state, again, command.payload, command.actor, decision.at))
