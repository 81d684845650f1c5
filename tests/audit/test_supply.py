"""The supply auditor against ledgers in which somebody changed one thing: it names the first event that fails."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from domain.ledger.developer import DeveloperRegistered
from domain.ledger.frame import TokensBurned, TokensMinted
from domain.ledger.payment import PaymentCancelled, PaymentHeld
from domain.ledger.posting import Posting
from domain.ledger.reward import RewardDayClosed, RewardDayOpened, StakesRewarded
from domain.ledger.stake import StakePlaced, StakeWithdrawn
from domain.ledger.transfer import TransferSettled
from domain.ledger.transit import (
    TransferAborted,
    TransferAccepted,
    TransferCommitted,
    TransferPrepared,
    TransferRejected,
)
from processors.audit_source import LogSource
from processors.audit_supply import SupplyAudit
from tests.audit.economy import AWAY, EVENTS, HOME, Economy, every_kind_of_movement


def more(event: Any) -> Any:
    """Let an event say one micro-AVT more."""
    return replace(event, amount=event.amount + 1)


def posted(event: Any) -> Any:
    """Let an event's last posting move one micro-AVT more."""
    *rest, last = event.postings
    return replace(event, postings=(*rest, Posting(last.account, last.part, last.amount + 1)))


def diverted(event: Any) -> Any:
    """Let an event's last posting reach the account of the first."""
    *rest, last = event.postings
    return replace(event, postings=(*rest, replace(last, account=event.postings[0].account)))


def dearer(event: Any) -> Any:
    """Let an event say a larger fee."""
    return replace(event, fee=event.fee + 1)


CHANGES: list[tuple[type, Callable[[Any], Any], str]] = [
    (TransferSettled, more, "postings"),
    (TransferSettled, dearer, "postings"),
    (TransferSettled, posted, "balance"),
    (TransferSettled, diverted, "postings"),
    (TransferPrepared, more, "postings"),
    (TransferPrepared, posted, "balance"),
    (TransferAccepted, more, "postings"),
    (TransferAccepted, dearer, "postings"),
    (TransferAccepted, lambda event: replace(event, transfer_id="trf_other"), "transit"),
    (TransferAborted, more, "transit"),
    (TransferAborted, posted, "balance"),
    (TokensMinted, more, "postings"),
    (TokensBurned, posted, "balance"),
    (DeveloperRegistered, lambda event: replace(event, grant=event.grant + 1), "postings"),
    (DeveloperRegistered, lambda event: replace(event, account="acc_" + "a" * 26), "account_id"),
    (PaymentHeld, dearer, "postings"),
    (PaymentCancelled, lambda event: replace(event, payment_id="pay_other"), "payment"),
    (StakePlaced, more, "postings"),
    (StakeWithdrawn, lambda event: replace(event, stake_id="stk_other"), "stakes"),
    (StakesRewarded, lambda event: replace(event, rewards=(more(event.rewards[0]), *event.rewards[1:])), "reward"),
    (RewardDayOpened, lambda event: replace(event, budget=event.budget + 1), "reward"),
    (RewardDayClosed, lambda event: replace(event, paid=event.paid + 1), "reward"),
]


async def audited(economy: Economy) -> SupplyAudit:
    """Audit a ledger from its beginning."""
    audit = SupplyAudit(LogSource(economy.log))
    await audit.advance()
    return audit


async def test_an_honest_ledger_adds_up_after_every_event() -> None:
    economy = await every_kind_of_movement()
    audit = await audited(economy)
    assert audit.difference is None
    home, far = sorted(audit.figures(), key=lambda each: each.frame_id != HOME)
    assert home.holds
    assert far.holds
    assert home.in_flight == 9_000
    assert home.transit_net + far.transit_net + home.in_flight + far.in_flight == 0
    assert far.transit_net == 30_000 - 400
    for each in (home, far):
        assert each.tokens_issued - each.tokens_destroyed + each.transit_net == each.tokens_circulating
    assert home.tokens_destroyed == 1_000_000
    assert (home.position, far.position) == (economy.place(HOME), economy.place(AWAY))


@pytest.mark.parametrize(("kind", "make", "rule"), CHANGES)
async def test_one_changed_thing_is_named_by_its_place(kind: type, make: Callable[[Any], Any], rule: str) -> None:
    economy = await every_kind_of_movement()
    place = economy.change(kind, make)
    audit = await audited(economy)
    assert audit.difference is not None
    assert (audit.difference.place, audit.difference.rule) == (place, rule)
    failed = [each for each in audit.figures() if not each.holds]
    assert place in [each.position for each in failed]


async def test_what_takes_more_than_there_is_is_named() -> None:
    economy = await every_kind_of_movement()

    def steal(event: TransferSettled) -> TransferSettled:
        stolen = 10**15
        moves = (-(stolen + event.fee), stolen, event.fee)
        postings = tuple(replace(each, amount=by) for each, by in zip(event.postings, moves, strict=True))
        return replace(event, amount=stolen, postings=postings)

    place = economy.change(TransferSettled, steal)
    audit = await audited(economy)
    assert audit.difference is not None
    assert (audit.difference.place, audit.difference.rule) == (place, "below_zero")


async def test_a_transfer_that_returns_after_it_arrived_is_named() -> None:
    economy = await every_kind_of_movement()
    partition, offset, decision = economy.find(TransferCommitted, 1)
    committed = decision.events[0].payload
    _, _, aborted = economy.find(TransferAborted)
    amount = committed.amount
    postings = (Posting("transit", "counter", -amount), Posting(committed.sender, "available", amount))
    returned = TransferAborted(
        committed.transfer_id, HOME, committed.sender, committed.receiver, amount, "timeout", "", postings
    )
    happening = replace(aborted.events[0], payload=returned)
    economy.rewrite(partition, {offset: replace(decision, events=(happening,))})
    audit = await audited(economy)
    assert audit.difference is not None
    assert audit.difference.rule == "transit"
    assert audit.difference.place == f"ledger/{partition}/{offset}"


async def test_a_return_that_nobody_rejected_is_named() -> None:
    economy = await every_kind_of_movement()
    economy.change(TransferRejected, lambda event: replace(event, transfer_id="trf_other"))
    partition, offset, _ = economy.find(TransferAborted)
    audit = await audited(economy)
    assert audit.difference is not None
    assert (audit.difference.place, audit.difference.rule) == (f"ledger/{partition}/{offset}", "transit")


async def test_it_goes_on_from_where_it_stood() -> None:
    economy = await every_kind_of_movement()
    whole = [list(economy.log.messages(EVENTS, p)) for p in range(economy.partitions)]
    for partition in range(economy.partitions):
        economy.log.messages(EVENTS, partition).clear()
    audit = SupplyAudit(LogSource(economy.log))
    longest = max(len(each) for each in whole)
    for length in range(longest + 1):
        for partition, messages in enumerate(whole):
            economy.log.messages(EVENTS, partition)[:] = messages[:length]
        await audit.advance()
        assert audit.difference is None, f"after {length}"
    again = await audited(economy)
    assert audit.figures() == again.figures()
    assert audit.events == again.events


async def test_another_frame_is_followed_where_one_fails() -> None:
    economy = await every_kind_of_movement()
    economy.change(TokensBurned, posted)
    audit = await audited(economy)
    assert {each.frame_id: each.holds for each in audit.figures()} == {HOME: False, AWAY: True}


async def test_messages_at_the_end_that_do_not_count_are_told() -> None:
    economy = await every_kind_of_movement()
    partition, offset, _ = economy.find(TokensMinted)
    held = economy.log.messages(EVENTS, partition)
    value = held[offset].value
    held[offset] = replace(held[offset], value=value[:-3] + bytes([value[-3] ^ 1]) + value[-2:])
    audit = await audited(economy)
    broken = audit.broken()
    assert broken is not None
    assert broken.place == f"ledger/{partition}/{offset + 1}"
    assert not (await audited(await every_kind_of_movement())).broken()
