"""Frames, registries, invites, agents, payments, stakes and votes over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.ledger.account import account
from tests.api.serving import key
from tests.api_ledger.economy import FRAME, GRANT, LATER, Economy, nonce

CARD: dict[str, Any] = {
    "protocolVersion": "0.3.0",
    "name": "Weather",
    "description": "Says how it will be",
    "version": "1",
    "url": "https://agent.example/a2a",
    "capabilities": {},
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["text/plain"],
    "skills": [{"id": "forecast", "name": "Forecast", "description": "of tomorrow", "tags": ["weather"]}],
}
NEW_CARD = {name: value for name, value in CARD.items() if name not in ("url", "protocolVersion")} | {
    "supportedInterfaces": [{"url": "https://agent.example", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]
}


@pytest.mark.parametrize(
    ("body", "bound"),
    [
        ({"fee_bps": 49}, "fee_bps"),
        ({"fee_bps": 501}, "fee_bps"),
        ({"genesis": {"grant": "100000000001"}}, "genesis_grant"),
        ({"staking": {"base_apy_bps": 1501}}, "base_apy_bps"),
        ({"governance": {"quorum_bps": 10001}}, "quorum_bps"),
    ],
)
async def test_terms_keep_to_their_bounds(economy: Economy, body: dict[str, Any], bound: str) -> None:
    opened = await economy.admin("POST", f"/frames/{FRAME}/registries", {"registry_id": "new", **body}, 400)
    changed = await economy.admin("PATCH", "/registries/shop", body, 400)
    for problem in (opened, changed):
        assert (problem["code"], problem["bound"]) == ("out_of_bounds", bound)


async def test_a_change_of_terms_keeps_those_that_it_does_not_name(economy: Economy) -> None:
    await economy.admin("PATCH", "/registries/shop", {"fee_bps": 200}, 200)
    terms = await economy.admin("PATCH", "/registries/shop", {"genesis": {"grant": "5"}}, 200)
    assert (terms["fee_bps"], terms["genesis"]) == (200, {"enabled": True, "grant": "5"})
    assert (await economy.person(1))[1]


async def test_only_an_admin_opens_mints_and_freezes(economy: Economy) -> None:
    one, first = await economy.person(1)
    for path, body in (
        ("/frames", {"frame_id": "x", "mode": "sovereign", "minting": "enabled"}),
        (f"/frames/{FRAME}/mint", {"account": first, "amount": "1"}),
        (f"/accounts/{first}/freeze", {}),
    ):
        answer = await economy.registry.ask("POST", path, body, by=one)
        assert (answer.status, answer.code) == (403, "forbidden"), path


async def test_a_federated_frame_mints_nothing(economy: Economy) -> None:
    await economy.admin("POST", "/frames", {"frame_id": "fed", "mode": "federated", "minting": "enabled"}, 400)
    await economy.admin("POST", "/frames", {"frame_id": "fed", "mode": "federated", "minting": "disabled"}, 201)
    await economy.admin("POST", "/frames", {"frame_id": "fed", "mode": "federated", "minting": "disabled"}, 409)
    problem = await economy.admin("POST", "/frames/fed/mint", {"account": "acc_" + "a" * 26, "amount": "1"}, 409)
    assert problem["code"] == "minting_disabled"


async def test_tokens_are_minted_and_burned(economy: Economy) -> None:
    _, first = await economy.person(1)
    await economy.admin("POST", f"/frames/{FRAME}/mint", {"account": first, "amount": "10"}, 200)
    await economy.admin("POST", f"/frames/{FRAME}/burn", {"account": first, "amount": "4"}, 200)
    known = account(economy.registry.api.mirror.store, first)  # type: ignore[arg-type]  # only asked by key
    assert known is not None
    assert known.available == GRANT + 6


async def test_an_invite_lets_one_developer_in_and_lies_nowhere(economy: Economy) -> None:
    await economy.admin("PATCH", "/registries/shop", {"invite_required": True}, 200)
    codes = (await economy.admin("POST", "/registries/shop/invites", {"count": 2}, 201))["codes"]
    assert len(set(codes)) == 2
    one = key(1)

    async def register(**more: str) -> Any:
        body = {"did": one.did, "name": "one", **more}
        return await economy.registry.ask("POST", "/registries/shop/developers", body, by=one)

    assert (await register()).code == "invite_required"
    assert (await register(invite="nonsense")).code == "invite_invalid"
    assert (await register(invite=codes[0])).status == 201
    two = {"did": key(2).did, "name": "two", "invite": codes[0]}
    used = await economy.registry.ask("POST", "/registries/shop/developers", two, by=key(2))
    assert (used.status, used.code) == (403, "invite_invalid")
    log = economy.registry.log
    for name in ("muniment.ledger.commands", "muniment.ledger.events"):
        for partition in range(4):
            assert not any(codes[0].encode() in message.value for message in log.messages(name, partition))


@pytest.mark.parametrize("card", [CARD, NEW_CARD])
async def test_an_agent_of_either_protocol_has_an_account(economy: Economy, card: dict[str, Any]) -> None:
    one, _ = await economy.person(1)
    body = {"did": key(7).did, "card": card, "origin_registry_location": "https://registry.example"}
    answer = await economy.registry.ask("POST", "/registries/shop/agents", body, by=one)
    assert answer.status == 201, answer.text
    assert answer.json["agent_id"].startswith("agt_")
    stranger = await economy.registry.ask("POST", "/registries/shop/agents", body, by=key(8))
    assert (stranger.status, stranger.code) == (403, "developer_not_registered")
    bad = {**body, "card": {**card, "skills": [{"id": "x"}]}}
    refused = await economy.registry.ask("POST", "/registries/shop/agents", bad, by=one)
    assert (refused.status, refused.code) == (400, "invalid_card")
    assert refused.json["errors"][0]["pointer"].startswith("/card/skills/0/")


async def test_a_payment_is_claimed_by_its_payee_once(economy: Economy) -> None:
    one, first = await economy.person(1)
    two, second = await economy.person(2)
    body = one.sign_payment(first, second, 1_000, nonce=nonce(), deadline=LATER)
    held = await economy.registry.ask("POST", "/payments", body, by=one)
    assert (held.status, held.json["status"], held.json["fee"]) == (201, "held", "5")
    path = f"/payments/{held.json['id']}"
    assert (await economy.registry.ask("POST", f"{path}/claim", {}, by=one)).code == "not_the_payee"
    assert (await economy.registry.ask("POST", f"{path}/cancel", {}, by=two)).code == "not_the_owner"
    claimed = await economy.registry.ask("POST", f"{path}/claim", {}, by=two)
    assert (claimed.status, claimed.json["status"]) == (200, "claimed"), claimed.text
    assert (await economy.registry.ask("POST", f"{path}/claim", {}, by=two)).code == "already_claimed"
    assert (await economy.registry.ask("POST", f"{path}/cancel", {}, by=one)).code == "already_claimed"


async def test_a_locked_stake_votes_and_stays(economy: Economy) -> None:
    one, first = await economy.person(1)
    body = one.sign_stake(first, 1_000, 30, nonce=nonce(), deadline=LATER)
    placed = await economy.registry.ask("POST", "/stakes", body, by=one)
    assert placed.status == 201, placed.text
    stake_id = placed.json["id"]
    early = one.sign_unstake(stake_id, nonce=nonce(), deadline=LATER)
    locked = await economy.registry.ask("POST", f"/stakes/{stake_id}/unstake", early, by=one)
    assert (locked.status, locked.code) == (409, "stake_locked")
    assert locked.json["unlocks_at"] == placed.json["unlocks_at"]
    ends_at = (datetime.now(UTC) + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    ask = {"registry_id": "shop", "kind": "parameter", "title": "More", "parameter": "fee_bps", "ends_at": ends_at}
    wild = await economy.registry.ask("POST", "/proposals", {**ask, "value": 501}, by=one)
    assert (wild.status, wild.code) == (400, "out_of_bounds")
    opened = await economy.registry.ask("POST", "/proposals", {**ask, "value": 100}, by=one)
    assert opened.status == 201, opened.text
    name = opened.json["id"]
    vote = one.sign_vote(name, "yes", nonce=nonce(), deadline=LATER)
    cast = await economy.registry.ask("POST", f"/proposals/{name}/votes", vote, by=one)
    assert (cast.status, cast.json["power"]) == (201, "1000"), cast.text
    two, _ = await economy.person(2)
    late = two.sign_vote(name, "no", nonce=nonce(), deadline=LATER)
    powerless = await economy.registry.ask("POST", f"/proposals/{name}/votes", late, by=two)
    assert (powerless.status, powerless.code) == (403, "no_voting_power")


async def test_a_command_on_the_ledger_is_found_by_its_id(economy: Economy) -> None:
    made = key(1)
    body = {"did": made.did, "name": "one"}
    sent = await economy.registry.ask(
        "POST", "/registries/shop/developers", body, by=made, headers={"Prefer": "respond-async"}
    )
    assert sent.status == 202, sent.text
    ruled = await economy.registry.ruled(sent.headers["Location"])
    assert (ruled.json["status"], ruled.json["result"]["grant"]) == ("accepted", str(GRANT))


@pytest.mark.parametrize(
    "path", ["accounts/{}", "frames/{}", "transfers/{}", "payments/{}", "agents/{}", "proposals/{}"]
)
@pytest.mark.parametrize("name", ["%00", "a%00b", "%C3%A9", "a%2Fb", "A", "a" * 129])
async def test_text_that_no_id_is_finds_nothing(economy: Economy, path: str, name: str) -> None:
    economy.registry.api.reads = object()
    answer = await economy.registry.ask("GET", "/" + path.format(name), by=economy.registry.operator)
    assert (answer.status, answer.code) == (404, "not_found")
