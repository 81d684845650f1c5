"""The ledger as its users have it: one story from two registries and a second frame to audits that agree."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from muniment import SigningKey
from muniment.client import AlreadyClaimed, PaymentCancelled, Proposal, StakeLocked
from tests.end_to_end.economy import AVT, Economy, Person, ahead, entered, fee_of, figures
from tests.end_to_end.registry import running

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(300)]

FEE_BPS = 50
VOTED_FEE_BPS = 120
TALLIED_WITHIN_S = 15.0
AUDIT_EVERY_S = 2
AUDITED_WITHIN_S = 30.0
AUDITORS = ("supply", "settlement", "invariants")
TASKS = {*AUDITORS, "expire", "expire_payments", "rewards", "tally", "transits", "velocity"}
CARD: Mapping[str, Any] = {
    "protocolVersion": "0.3.0",
    "name": "Cartographer",
    "description": "Draws maps of playlists",
    "url": "https://agent.example/a2a",
    "version": "1.0.0",
    "capabilities": {},
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["image/png"],
    "skills": [{"id": "draw-map", "name": "Draw", "description": "Draws what is asked for", "tags": ["maps"]}],
}


@pytest.fixture
async def economy(tmp_path: Path) -> AsyncIterator[Economy]:
    with running(tmp_path / "data", env={"MUNIMENT_AUDIT_EVERY": str(AUDIT_EVERY_S)}) as registry:
        async with entered(registry) as found:
            yield found


async def test_one_story_through_the_whole_ledger(economy: Economy) -> None:
    economy.frames.append("local")
    await economy.frame("union", "federated")
    await economy.shop("local", "shop")
    await economy.shop("local", "mall")
    await economy.shop("union", "guild")
    ada, bob = await economy.person("shop", "Ada"), await economy.person("shop", "Bob")
    eve, kim = await economy.person("mall", "Eve"), await economy.person("guild", "Kim")
    assert {economy.book[each.account] for each in (ada, bob, eve, kim)} == {1_000 * AVT}
    await an_agent_is_found_and_paid(economy, ada, bob)
    await money_moves_inside_and_across(economy, ada, bob, eve, kim)
    await payments_are_claimed_and_cancelled(economy, ada, bob)
    await stakers_change_the_fee(economy, ada, bob)
    await economy.check_balances()
    await audits_agree(economy)


async def an_agent_is_found_and_paid(economy: Economy, ada: Person, bob: Person) -> None:
    did, place = SigningKey.generate().did, "https://registry.example"
    registered = await ada.client.ledger.agents.register("shop", did, CARD, place)
    for asked in ({"query": "maps playlists"}, {"skill": "draw-map"}, {"skill": "maps"}):
        found = [each async for each in bob.client.ledger.agents.list(**asked, min_position=ada.client.position)]
        assert [each.agent_id for each in found] == [registered.agent_id]
    assert [each async for each in bob.client.ledger.agents.list("submarine")] == []
    account = found[0].account_id
    assert account is not None
    economy.enter(await bob.client.ledger.transfers.send(bob.account, account, 5 * AVT, "a map, please"))
    assert economy.book[account] == 5 * AVT


async def money_moves_inside_and_across(economy: Economy, ada: Person, bob: Person, eve: Person, kim: Person) -> None:
    inside = await ada.client.ledger.transfers.send(ada.account, bob.account, 10 * AVT + 1, wait=True)
    assert (inside.status, inside.fee) == ("settled", fee_of(10 * AVT + 1, FEE_BPS))
    economy.enter(inside)
    for sender, receiver in ((ada, eve), (bob, kim), (kim, ada)):
        sent = await sender.client.ledger.transfers.send(sender.account, receiver.account, 30 * AVT + 7, wait=True)
        assert (sent.status, sent.from_registry_id, sent.to_registry_id) == (
            "committed",
            sender.registry_id,
            receiver.registry_id,
        )
        economy.enter(sent)


async def payments_are_claimed_and_cancelled(economy: Economy, ada: Person, bob: Person) -> None:
    payments = ada.client.ledger.payments
    claimed, cancelled = [await payments.create(ada.account, bob.account, 4 * AVT) for _ in range(2)]
    held = 2 * (4 * AVT + fee_of(4 * AVT, FEE_BPS))
    assert (await ada.client.ledger.accounts.get(ada.account)).held == held
    taken = await bob.client.ledger.payments.claim(claimed.id)
    assert taken.transfer_id is not None
    economy.enter(await bob.client.ledger.transfers.get(taken.transfer_id))
    assert (await payments.cancel(cancelled.id)).status == "cancelled"
    with pytest.raises(AlreadyClaimed):
        await payments.cancel(claimed.id)
    with pytest.raises(PaymentCancelled):
        await bob.client.ledger.payments.claim(cancelled.id)
    assert (await ada.client.ledger.accounts.get(ada.account)).held == 0


async def stakers_change_the_fee(economy: Economy, ada: Person, bob: Person) -> None:
    locked = await ada.client.ledger.stakes.create(ada.account, 100 * AVT, 30)
    free = await bob.client.ledger.stakes.create(bob.account, 40 * AVT)
    economy.book[ada.account] -= 100 * AVT
    economy.book[bob.account] -= 40 * AVT
    with pytest.raises(StakeLocked):
        await ada.client.ledger.stakes.unstake(locked.id)
    asked = await ada.client.ledger.proposals.create(
        "shop", "Dearer", ahead(seconds=6), parameter="fee_bps", value=str(VOTED_FEE_BPS)
    )
    await bob.client.ledger.proposals.vote(asked.id, "yes")
    await bob.client.ledger.proposals.vote(asked.id, "no")
    await ada.client.ledger.proposals.vote(asked.id, "yes")
    tallied = await until_tallied(ada, asked)
    assert (tallied.status, tallied.yes, tallied.no, tallied.electorate) == ("passed", 100 * AVT, 40 * AVT, 140 * AVT)
    # A stake that is taken back after the proposal was made has voted all the same.
    assert (await bob.client.ledger.stakes.unstake(free.id)).status == "withdrawn"
    economy.book[bob.account] += 40 * AVT
    dearer = await ada.client.ledger.transfers.send(ada.account, bob.account, AVT)
    assert dearer.fee == fee_of(AVT, VOTED_FEE_BPS)
    economy.enter(dearer)


async def until_tallied(person: Person, asked: Proposal) -> Proposal:
    async with asyncio.timeout(6 + TALLIED_WITHIN_S):
        while True:
            found = [each async for each in person.client.ledger.proposals.list(registry="shop")]
            assert [each.id for each in found] == [asked.id]
            if found[0].status != "open":
                return found[0]
            await asyncio.sleep(0.2)


async def audits_agree(economy: Economy) -> None:
    shown = {name: figures(each) for name, each in (await economy.supplies()).items()}
    assert set(shown) == {"local", "union"}
    counted = await asyncio.to_thread(economy.audit_supply)
    assert {name: figures(each) for name, each in counted.items()} == shown
    whole = json.loads(await asyncio.to_thread(economy.registry.cli, "audit", "--json"))
    assert {name: figures(each) for name, each in whole["supplies"].items()} == shown
    # The task comes again and again, and a run of it is behind what was written last.
    async with asyncio.timeout(AUDITED_WITHIN_S):
        while {each.frame_id: figures(each) for each in await economy.admin.ledger.audited_supply()} != shown:
            await asyncio.sleep(0.5)
    health = json.loads(await asyncio.to_thread(economy.registry.cli, "health", "--json"))
    assert set(health["tasks"]) >= TASKS
    assert {name: health["tasks"][name]["outcome"] for name in AUDITORS} == dict.fromkeys(AUDITORS, "done")
    assert {each["reactor"] for each in health["tasks"].values()} == {health["leader"]}
    assert (health["tasks"]["settlement"]["pending"], health["tasks"]["transits"]["late"]) == (0, 0)
    assert health["tasks"]["invariants"]["treasuries"] == len(economy.treasuries)
