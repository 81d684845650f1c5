"""The verbs of the ledger's nouns: registries, agents, payments, stakes and proposals, against canned answers."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from log.signatures import verify
from log.statements import mandate_signed_bytes
from tests.cli.canned import KEY, A, B, Registry, registry

ENDS = "2026-02-01T00:00:00.000Z"
SHOP = {
    "registry_id": "shop", "frame_id": "local", "treasury": A, "fee_bps": 60, "step_bps": 0,
    "genesis": {"enabled": True, "grant": "250500000"},
}  # fmt: skip
PAYMENT = {"id": "pay_1", "from": A, "to": B, "amount": "1500000", "fee": "7500", "expires_at": ENDS, "status": "held"}
PROPOSAL = {
    "id": "prp_1", "registry_id": "one", "kind": "parameter", "title": "Less", "ends_at": ENDS, "status": "open",
}  # fmt: skip


async def test_a_developer_registers_itself_and_is_told_its_account(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    developer = {"did": KEY.did, "account_id": A, "grant": "1000000000"}
    found = registry(tmp_path, "registries/one/developers", developer, 201)
    assert await found.run("register", "one", "Ada L. / x", "--invite", "code") == 0
    assert capsys.readouterr().out == f"registered {KEY.did}: account {A} with a grant of 1000 AVT\n"
    assert found.sent["/registries/one/developers"] == {"did": KEY.did, "name": "Ada L. / x", "invite": "code"}


async def test_stakes_come_and_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stake = {"id": "stk_1", "account": A, "amount": "2000000", "lock_days": 30, "unlocks_at": ENDS}
    found = Registry(tmp_path, **{"stakes": (201, stake), "stakes/stk_1/unstake": (200, stake)})
    assert await found.run("stake", A, "2", "--lock", "30") == 0
    assert await found.run("unstake", "stk_1") == 0
    staked, unstaked = capsys.readouterr().out.splitlines()
    assert staked == f"staked stk_1: 2 AVT until {ENDS}"
    assert unstaked == f"unstaked stk_1: 2 AVT on {A}"
    assert found.sent["/stakes"]["amount"] == "2000000"
    assert found.sent["/stakes"]["lock_days"] == 30
    assert found.sent["/stakes/stk_1/unstake"]["stake_id"] == "stk_1"


async def test_stakers_are_asked_and_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vote = {"proposal_id": "prp_1", "choice": "yes", "power": "2000000"}
    found = Registry(tmp_path, **{"proposals": (201, PROPOSAL), "proposals/prp_1/votes": (201, vote)})
    asked = ("propose", "one", "Less", "--parameter", "fee_bps", "--value", "50", "--ends-at", ENDS)
    assert await found.run(*asked) == 0
    assert await found.run("vote", "prp_1", "yes") == 0
    proposed, voted = capsys.readouterr().out.splitlines()
    assert proposed == f"proposed prp_1: Less, open until {ENDS}"
    assert voted == "voted yes on prp_1 with 2 AVT"
    assert found.sent["/proposals"] == {
        "registry_id": "one", "kind": "parameter", "title": "Less", "parameter": "fee_bps", "value": "50",
        "ends_at": ENDS,
    }  # fmt: skip


async def test_agents_are_found_by_words_and_skill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agent = {"agent_id": "agt_1", "did": "did:key:z6Mk", "card": {"name": "Painter"}, "registry_id": "one"}
    found = registry(tmp_path, "agents", {"items": [agent], "next_cursor": None})
    assert await found.run("agents", "paint", "--skill", "art") == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["agt_1", "Painter", "did:key:z6Mk", "one"]
    assert found.sent["/agents"] == {"q": "paint", "skill": "art"}


async def test_an_admin_opens_a_frame_and_a_registry_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = {"frame_id": "union", "mode": "federated", "minting": "disabled"}
    opened = {**SHOP, "frame_id": "union"}
    found = Registry(tmp_path, **{"frames": (201, frame), "frames/union/registries": (201, opened)})
    assert await found.run("frame", "union", "--mode", "federated") == 0
    terms = ("--fee-bps", "60", "--genesis", "250.5", "--invite-required", "--premium", "30=150", "--premium", "90=300")
    assert await found.run("open", "shop", "--frame", "union", *terms) == 0
    of_frame, of_shop = capsys.readouterr().out.splitlines()
    assert of_frame == "opened union: federated, minting disabled"
    assert of_shop == f"opened shop in union: fee 60 bps, grant 250.5 AVT, treasury {A}"
    assert found.sent["/frames"] == frame
    assert found.sent["/frames/union/registries"] == {
        "registry_id": "shop", "fee_bps": 60, "genesis": {"enabled": True, "grant": "250500000"},
        "invite_required": True, "staking": {"premiums_bps": {"30": 150, "90": 300}},
    }  # fmt: skip


async def test_a_registry_opens_in_the_first_frame_with_the_defaults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = registry(tmp_path, "frames/local/registries", SHOP, 201)
    assert await found.run("open", "shop", "--json") == 0
    assert json.loads(capsys.readouterr().out) == SHOP
    assert found.sent["/frames/local/registries"] == {"registry_id": "shop"}


async def test_an_admin_changes_the_terms_that_are_named_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = {**SHOP, "genesis": {"enabled": False, "grant": "250500000"}}
    found = registry(tmp_path, "registries/shop", changed)
    assert await found.run("change", "shop", "--no-genesis", "--no-invite-required", "--base-apy-bps", "0") == 0
    assert capsys.readouterr().out == "changed shop in local: fee 60 bps, no grant\n"
    assert found.sent["/registries/shop"] == {
        "genesis": {"enabled": False}, "invite_required": False, "staking": {"base_apy_bps": 0},
    }  # fmt: skip


async def test_invites_are_a_code_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = registry(tmp_path, "registries/shop/invites", {"registry_id": "shop", "codes": ["one", "two"]}, 201)
    assert await found.run("invite", "shop", "--count", "2") == 0
    assert capsys.readouterr().out == "one\ntwo\n"
    assert found.sent["/registries/shop/invites"] == {"count": 2}


@pytest.mark.parametrize(
    ("given", "origin"), [((), None), (("--origin", "https://home.example"), "https://home.example")]
)
async def test_an_agent_is_registered_with_the_card_of_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: tuple[str, ...], origin: str | None
) -> None:
    card = tmp_path / "card.json"
    card.write_text('{"name": "Painter"}')
    found = registry(tmp_path, "registries/one/agents", {"agent_id": "agt_1", "did": "d", "account_id": A}, 201)
    assert await found.run("agent", "one", "did:key:z6Mk", str(card), *given) == 0
    assert capsys.readouterr().out == f"registered agt_1: account {A}\n"
    sent = found.sent["/registries/one/agents"]
    assert (sent["did"], sent["card"]) == ("did:key:z6Mk", {"name": "Painter"})
    assert sent["origin_registry_location"] == origin or sent["origin_registry_location"].startswith(
        "http://127.0.0.1:"
    )


async def test_an_amount_is_held_claimed_and_taken_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claimed = {**PAYMENT, "status": "claimed", "transfer_id": "trf_1"}
    cancelled = {**PAYMENT, "status": "cancelled"}
    found = Registry(
        tmp_path,
        **{
            "payments": (201, PAYMENT), "payments/pay_1": (200, PAYMENT),
            "payments/pay_1/claim": (200, claimed), "payments/pay_1/cancel": (200, cancelled),
        },
    )  # fmt: skip
    assert await found.run("pay", A, B, "1.5", "--expires-at", ENDS) == 0
    assert await found.run("claim", "pay_1") == 0
    assert await found.run("cancel", "pay_1") == 0
    assert await found.run("payment", "pay_1") == 0
    held, taken, back, *shown = capsys.readouterr().out.splitlines()
    assert held == f"held pay_1: 1.5 AVT for {B} until {ENDS}"
    assert taken == "claimed pay_1: 1.5 AVT by trf_1"
    assert back == f"cancelled pay_1: 1.5 AVT back on {A}"
    assert "amount 1.5" in [" ".join(line.split()) for line in shown]
    sent = found.sent["/payments"]
    signature = sent.pop("signature")
    verify("ed25519", KEY.did, mandate_signed_bytes("payment", sent), signature)
    assert (sent["amount"], sent["expires_at"]) == ("1500000", ENDS)
    assert found.sent["/payments/pay_1/claim"] == {}


async def test_a_payment_is_held_for_so_many_seconds_or_the_registrys_default(tmp_path: Path) -> None:
    found = registry(tmp_path, "payments", PAYMENT, 201)
    begun = datetime.now(UTC)
    assert await found.run("pay", A, B, "1.5", "--seconds", "90") == 0
    expires_at = datetime.fromisoformat(found.sent["/payments"]["expires_at"])
    assert timedelta(seconds=89) < expires_at - begun < timedelta(seconds=150)
    assert await found.run("pay", A, B, "1.5") == 0
    assert "expires_at" not in found.sent["/payments"]


async def test_a_refused_claim_ends_with_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = {"code": "payment_expired", "detail": "The payment's time is over"}
    assert await registry(tmp_path, "payments/pay_1/claim", problem, 409).run("claim", "pay_1") == 1
    assert capsys.readouterr().err == "muniment: payment_expired: The payment's time is over\n"


async def test_stakes_are_listed_with_what_they_earned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stake = {
        "id": "stk_1", "account": A, "registry_id": "one", "amount": "2000000", "lock_days": 30, "unlocks_at": ENDS,
        "status": "staked", "earned": "27",
    }  # fmt: skip
    found = registry(tmp_path, "stakes", {"items": [stake], "next_cursor": None})
    assert await found.run("stakes") == 0
    row = capsys.readouterr().out.splitlines()[-1].split()
    assert row == ["stk_1", A, "one", "2", "30", ENDS, "staked", "0.000027"]
    assert found.sent["/stakes"]["owner"] == KEY.did


async def test_a_grant_is_asked_for_in_avt_and_sent_in_micro_avt(tmp_path: Path) -> None:
    found = registry(tmp_path, "proposals", PROPOSAL, 201)
    asked = ("propose", "one", "Less", "--parameter", "genesis.grant", "--seconds", "60", "--value")
    for value, sent in (("500.5", "500500000"), ("0", "0")):
        assert await found.run(*asked, value) == 0
        assert found.sent["/proposals"]["value"] == sent


async def test_proposals_are_listed_as_they_stand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grant = PROPOSAL | {"parameter": "genesis.grant", "value": "500000000", "status": "passed"}
    counted = {"yes": "2000000", "no": "0", "abstain": "0", "electorate": "3000000"}
    text = PROPOSAL | {"id": "prp_2", "kind": "text", "title": "Word"}
    found = registry(tmp_path, "proposals", {"items": [grant | counted, text], "next_cursor": None})
    assert await found.run("proposals", "one", "--status", "passed") == 0
    *_, first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["prp_1", "one", "Less", "genesis.grant", "500", "passed", "2", "0", "0", "3", ENDS]
    assert second.split() == ["prp_2", "one", "Word", "open", ENDS]
    assert found.sent["/proposals"] == {"registry": "one", "status": "passed"}
    assert await found.run("proposals", "--json") == 0
    assert json.loads(capsys.readouterr().out)["items"][0]["value"] == "500000000"
