"""The ledger as it is read, from the real Postgres, with the process manager at work."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.catalog import CONTEXTS
from log.following import follow
from log.store import MemoryStore
from processors.ledger_agenda import LedgerAgenda
from processors.ledger_tasks import LedgerTasks
from processors.reactor_commands import ReactorCommands
from processors.together import together
from processors.transits import Transits
from projections.dump import PROJECTIONS
from projections.postgres import Postgres
from projections.projector import Projector
from projections.reads import Reads
from tests.api.registered import key_of, person
from tests.api.serving import Answer, key, running
from tests.api_ledger.economy import FRAME, GRANT, LATER, Economy, nonce
from tests.api_ledger.test_registries import CARD

pytestmark = pytest.mark.stack


@pytest.fixture
async def economy(postgres: Postgres) -> AsyncIterator[Economy]:
    """Run an api with its deciders, a projector, and the ledger's process manager."""
    async with running() as registry:
        agenda, commands = LedgerAgenda(MemoryStore()), ReactorCommands(registry.log)
        projector = Projector(postgres, PROJECTIONS)
        working = asyncio.create_task(
            together(
                *(projector.run(registry.log, context) for context in CONTEXTS),
                follow(registry.log, "ledger", agenda),
                Transits(agenda, commands, lambda: True).run(),
            )
        )
        registry.api.reads = Reads(postgres)
        found = Economy(registry)
        found.tasks = LedgerTasks(agenda, commands)
        await found.open()
        while (await registry.ask("GET", f"/frames/{FRAME}?wait_ms=0")).status != 200:
            await asyncio.sleep(0.02)
        yield found
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def ended(economy: Economy, transfer_id: str) -> Any:
    """Wait until a transfer is committed or aborted."""
    async with asyncio.timeout(10):
        while True:
            answer = await economy.registry.ask("GET", f"/transfers/{transfer_id}")
            if answer.status == 200 and answer.json["status"] in ("committed", "aborted", "settled"):
                return answer.json
            await asyncio.sleep(0.02)


async def balance(economy: Economy, by: Any, name: str, query: str = "") -> Any:
    answer: Answer = await economy.registry.ask("GET", f"/accounts/{name}{query}", by=by)
    assert answer.status == 200, answer.text
    return answer.json


async def test_a_transfer_across_registries_commits_and_its_fee_comes_out_of_the_amount(economy: Economy) -> None:
    one, first = await economy.person(1)
    two, second = await economy.person(2, "mall")
    sent = await economy.pay(one, first, second, 10_001)
    assert (sent.status, sent.json["status"]) == (202, "prepared")
    transfer = await ended(economy, sent.json["id"])
    assert (transfer["status"], transfer["fee"], transfer["to_registry_id"]) == ("committed", "51", "mall")
    assert (await balance(economy, one, first))["available"] == str(GRANT - 10_001)
    assert (await balance(economy, two, second))["available"] == str(GRANT + 9_950)
    supply = (await economy.registry.ask("GET", f"/frames/{FRAME}/supply")).json
    assert supply["holds"] is True
    assert (supply["tokens_circulating"], supply["in_flight"]) == (str(2 * GRANT), "0")


@pytest.mark.parametrize("receiver", ["shop", "mall"])
async def test_what_a_stolen_key_moved_stays_moved_and_is_marked(economy: Economy, receiver: str) -> None:
    ada = await person(economy.registry, "ada", key_of("main"), key_of("other"))
    main, other = ada.signer("main"), ada.signer("other")
    body = {"did": ada.did, "name": "Ada"}
    account = (await economy.registry.ask("POST", "/registries/shop/developers", body, by=main)).json["account_id"]
    _, to = await economy.person(2, receiver)
    sent = [await ended(economy, (await economy.pay(key, account, to, 1_000)).json["id"]) for key in (main, other)]
    await ada.revoke("main", "compromised", 0)

    async def shown(transfer: Any) -> Any:
        return (await economy.registry.ask("GET", f"/transfers/{transfer['id']}")).json

    async with asyncio.timeout(10):
        while "key_compromised" not in (marked := await shown(sent[0])):
            await asyncio.sleep(0.02)
    assert marked.pop("key_compromised") is True
    assert marked.pop("key_compromised_by").startswith("KeyRevoked identity/")
    assert [marked, await shown(sent[1])] == sent


async def test_a_transfer_to_a_frozen_account_elsewhere_comes_back_in_full(economy: Economy) -> None:
    one, first = await economy.person(1)
    _, second = await economy.person(2, "mall")
    await economy.admin("POST", f"/accounts/{second}/freeze", {}, 200)
    sent = await economy.pay(one, first, second, 10_000)
    transfer = await ended(economy, sent.json["id"])
    assert (transfer["status"], transfer["reason"]) == ("aborted", "account_frozen")
    assert (await balance(economy, one, first))["available"] == str(GRANT)


async def test_money_goes_from_one_frame_to_another(economy: Economy) -> None:
    await economy.admin("POST", "/frames", {"frame_id": "city", "mode": "federated", "minting": "disabled"}, 201)
    await economy.admin("POST", "/frames/city/registries", {"registry_id": "bank"}, 201)
    one, first = await economy.person(1)
    two, second = await economy.person(2, "bank")
    transfer = await ended(economy, (await economy.pay(one, first, second, 1_000_000)).json["id"])
    assert transfer["status"] == "committed"
    assert (await balance(economy, two, second))["available"] == str(GRANT + 995_000)
    net = [
        int((await economy.registry.ask("GET", f"/frames/{name}/supply")).json["transit_net"])
        for name in (FRAME, "city")
    ]
    assert net == [-1_000_000, 1_000_000]


async def test_a_statement_is_newest_first_page_by_page_and_adds_up(economy: Economy) -> None:
    one, first = await economy.person(1)
    _, second = await economy.person(2)
    for amount in (100, 200, 300):
        last = await economy.pay(one, first, second, amount)
    fresh = f"min_position={last.json['position']}"
    lines, path = [], f"/accounts/{first}/statement?limit=2&{fresh}"
    answer = await economy.registry.ask("GET", path, by=one)
    while True:
        assert answer.status == 200, answer.text
        lines += answer.json["items"]
        if answer.json["next_cursor"] is None:
            break
        answer = await economy.registry.ask("GET", f"{path}&cursor={answer.json['next_cursor']}", by=one)
    assert [line["amount"] for line in lines] == ["-302", "-201", "-101", str(GRANT)]
    assert lines[0]["available"] == str(GRANT - 604)
    as_of = lines[2]["position"]
    assert (await balance(economy, one, first, f"?as_of={as_of}"))["available"] == str(GRANT - 101)


async def test_an_account_is_its_owner_s_and_an_operator_s_to_read(economy: Economy) -> None:
    one, first = await economy.person(1)
    await economy.registry.until(lambda: economy.registry.ask("GET", f"/accounts/{first}", by=one), {200})
    for path in (f"/accounts/{first}", f"/accounts/{first}/statement"):
        assert (await economy.registry.ask("GET", path)).status == 401
        assert (await economy.registry.ask("GET", path, by=key(9))).code == "forbidden"
        for reader in (one, economy.registry.operator):
            assert (await economy.registry.ask("GET", path, by=reader)).status == 200
    assert (await economy.registry.ask("GET", f"/stakes?owner={one.did}", by=key(9))).code == "forbidden"
    assert (await economy.registry.ask("GET", "/accounts/acc_nothing", by=one)).code == "not_found"


async def test_agents_are_found_by_words_and_by_skill(economy: Economy) -> None:
    one, _ = await economy.person(1)
    body = {"did": key(7).did, "card": CARD, "origin_registry_location": "https://registry.example"}
    made = await economy.registry.ask("POST", "/registries/shop/agents", body, by=one)
    fresh = f"min_position={made.json['position']}"
    for query, found in (
        ("q=weather", 1),
        ("q=nothing", 0),
        ("skill=forecast", 1),
        ("skill=weather", 1),
        ("skill=x", 0),
    ):
        answer = await economy.registry.ask("GET", f"/agents?{query}&{fresh}")
        assert len(answer.json["items"]) == found, query
    shown = await economy.registry.ask("GET", f"/agents/{made.json['agent_id']}")
    assert shown.json["card"] == CARD


def ahead(seconds: float) -> str:
    """Give a time that is so far ahead."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def test_a_payment_expires_and_a_vote_takes_effect_by_the_clock(economy: Economy) -> None:
    one, first = await economy.person(1)
    _, second = await economy.person(2)
    ask = economy.registry.ask
    payment = one.sign_payment(first, second, 1_000, ahead(1), nonce=nonce(), deadline=LATER)
    held = await ask("POST", "/payments", payment, by=one)
    assert (await balance(economy, one, first, f"?min_position={held.json['position']}"))["held"] == "1005"
    assert (await economy.tasks.expire_payments()).said == {"asked": 0}
    stake = one.sign_stake(first, 5_000, 30, nonce=nonce(), deadline=LATER)
    assert (await ask("POST", "/stakes", stake, by=one)).status == 201
    wish = {"registry_id": "shop", "kind": "parameter", "title": "More", "parameter": "fee_bps", "value": "100"}
    opened = await ask("POST", "/proposals", {**wish, "ends_at": ahead(5.3)}, by=one)
    assert opened.status == 201, opened.text
    name = opened.json["id"]
    vote = one.sign_vote(name, "yes", nonce=nonce(), deadline=LATER)
    assert (await ask("POST", f"/proposals/{name}/votes", vote, by=one)).status == 201
    assert (await economy.tasks.tally()).said == {"asked": 0}
    await asyncio.sleep(5.5)
    assert (await economy.tasks.expire_payments()).said == {"asked": 1}
    assert (await economy.tasks.tally()).said == {"asked": 1}
    for path, status in ((f"/payments/{held.json['id']}", "expired"), (f"/proposals/{name}", "passed")):
        async with asyncio.timeout(5):
            while (await ask("GET", path)).json["status"] != status:
                await asyncio.sleep(0.02)
    late = one.sign_vote(name, "no", nonce=nonce(), deadline=LATER)
    assert (await ask("POST", f"/proposals/{name}/votes", late, by=one)).code == "voting_closed"
    assert (await economy.pay(one, first, second, 1_000)).json["fee"] == "10"
    assert (await balance(economy, one, first))["held"] == "0"
    for run in (await economy.tasks.expire_payments(), await economy.tasks.tally()):
        assert run.said == {"asked": 0}


async def test_a_frame_s_events_come_in_order_and_none_twice(economy: Economy) -> None:
    one, first = await economy.person(1)
    _, second = await economy.person(2)
    last = await economy.pay(one, first, second, 100)
    seen, since = [], "0"
    while True:
        path = f"/ledger/events?frame={FRAME}&since={since}&limit=2&min_position={last.json['position']}"
        answer = await economy.registry.ask("GET", path, by=economy.registry.operator)
        assert answer.status == 200, answer.text
        if not answer.json["items"]:
            break
        seen += answer.json["items"]
        since = answer.json["next_cursor"]
    types = [event["type"] for event in seen]
    assert types == ["FrameOpened", "RegistryOpened", "RegistryOpened"] + ["DeveloperRegistered"] * 2 + [
        "TransferSettled"
    ]
    assert (await economy.registry.ask("GET", f"/ledger/events?frame={FRAME}", by=one)).code == "forbidden"
    wrong = await economy.registry.ask("GET", "/ledger/events?frame=town&since=x", by=economy.registry.operator)
    assert wrong.code == "invalid_cursor"
