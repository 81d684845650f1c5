"""Treasuries, stakes and escrow against postings: what they are on an honest ledger, and what doesn't go unnoticed."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from domain.ledger.account import Account, account_id
from domain.ledger.payment import PaymentCancelled
from domain.ledger.reward import RewardDayOpened
from domain.ledger.stake import StakeWithdrawn
from log.topic import partition_of
from processors.audit_source import LogSource
from processors.ledger_audits import LedgerAudits
from processors.task import DIFFERS, DONE
from tests.audit.economy import AWAY, HOME, Economy, every_kind_of_movement

SHOPS = {"north": HOME, "south": HOME, "east": AWAY}


def audits(economy: Economy) -> LedgerAudits:
    """Give the auditors of a ledger."""
    return LedgerAudits(LogSource(economy.log), lambda: economy.now)


def decided(economy: Economy, registry_id: str) -> Account:
    """Give a treasury as its decider has it."""
    frame_id = SHOPS[registry_id]
    store = economy._seats["ledger", partition_of(frame_id, economy.partitions)].store
    entry = store.get(f"account/{account_id(frame_id, registry_id, economy.operator.did, 'treasury')}")
    assert entry is not None
    return Account(*entry)


async def test_an_honest_ledger_has_what_events_say_and_its_treasuries_are_shown() -> None:
    economy = await every_kind_of_movement()
    run = await audits(economy).invariants()
    assert run.outcome == DONE
    assert run.said == {"treasuries": 3, "stakes": 1, "payments": 0, "reward_days": 1}
    for registry_id, frame_id in SHOPS.items():
        has = decided(economy, registry_id)
        assert has.available > 0
        for part in ("available", "staked", "held"):
            labels = {"frame": frame_id, "registry": registry_id, "part": part}
            shown = REGISTRY.get_sample_value("muniment_treasury_micro_avt", labels)
            assert shown == getattr(has, part), (registry_id, part)
    assert decided(economy, "north").held > 0, "a day of rewards is open"


Parts = Mapping[str, dict[str, int]]
Change = Callable[[Parts, str, str], None]


def moved(part: str, to: str) -> Change:
    """Let one micro-AVT be in another part of an account than it should, so that the sum is as it was."""

    def move(parts: Parts, account: str, _other: str) -> None:
        parts[part][account] = parts[part].get(account, 0) - 1
        parts[to][account] = parts[to].get(account, 0) + 1

    return move


def given_away(parts: Parts, treasury: str, other: str) -> None:
    """Let one micro-AVT of a treasury be another's."""
    parts["available"][treasury] -= 1
    parts["available"][other] += 1


WRONG = [
    (moved("available", "held"), "escrow"),
    (moved("available", "staked"), "stakes"),
    (moved("staked", "available"), "stakes"),
    (given_away, "treasuries"),
]


@pytest.mark.parametrize(("change", "rule"), WRONG)
async def test_an_account_that_has_another_amount_than_is_due_there_is_named(change: Change, rule: str) -> None:
    economy = await every_kind_of_movement()
    found = audits(economy)
    assert (await found.invariants()).outcome == DONE
    parts = found._reading.frames[HOME].parts
    treasury = account_id(HOME, "north", economy.operator.did, "treasury")
    staker = next(account for account, amount in parts["staked"].items() if amount)
    change(parts, treasury if rule == "treasuries" else staker, staker)
    run = await found.invariants()
    assert (run.outcome, run.said["difference"]["rule"]) == (DIFFERS, rule)
    assert run.said["difference"]["place"] == economy.place(HOME)
    assert REGISTRY.get_sample_value("muniment_invariants_hold", {"frame": HOME}) == 0
    assert REGISTRY.get_sample_value("muniment_invariants_hold", {"frame": AWAY}) == 1
    assert (await found.supply()).outcome == DONE, "what all accounts have is what there is"
    assert (await found.settlement()).outcome == DONE
    assert (await found.invariants()) == run, "what was found stays"


EVENTS: list[tuple[type, Callable[[Any], Any], str]] = [
    (StakeWithdrawn, lambda event: replace(event, stake_id="stk_other"), "stakes"),
    (PaymentCancelled, lambda event: replace(event, payment_id="pay_other"), "payment"),
    (RewardDayOpened, lambda event: replace(event, budget=event.budget + 1), "reward"),
]


@pytest.mark.parametrize(("kind", "change", "rule"), EVENTS)
async def test_an_event_that_moves_what_does_not_lie_there_is_named(
    kind: type, change: Callable[[Any], Any], rule: str
) -> None:
    economy = await every_kind_of_movement()
    place = economy.change(kind, change)
    run = await audits(economy).invariants()
    assert run.outcome == DIFFERS
    assert (run.said["difference"]["place"], run.said["difference"]["rule"]) == (place, rule)
