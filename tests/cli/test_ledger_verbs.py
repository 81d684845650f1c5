"""The ledger's verbs: AVT for people, micro-AVT in digits for programs, against a registry of canned answers."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from log.signatures import verify
from log.statements import mandate_signed_bytes
from muniment.cli import main
from muniment.signing_key import SigningKey

KEY = SigningKey(bytes(range(32)))
A, B = "acc_" + "a" * 26, "acc_" + "b" * 26
TRANSFER = {"id": "trf_1", "from": A, "to": B, "amount": "1500000", "fee": "7500", "status": "settled"}
SUPPLY = {
    "frame_id": "local", "tokens_issued": "2000000000", "tokens_destroyed": "1", "transit_net": "-1500000",
    "tokens_circulating": "1998499999", "in_flight": "1500000", "holds": True, "position": "bGVkZ2VyLzAvMQ",
}  # fmt: skip
LINE = {
    "at": "2026-01-02T03:04:05.678Z", "amount": "-1507500", "part": "available", "type": "TransferSettled",
    "about": "trf_1", "counterparty": B, "available": "998492500", "staked": "0", "held": "0",
}  # fmt: skip


def token() -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"iat": 0, "exp": 900}).encode()).decode().rstrip("=")
    return f"e30.{claims}.e30"


class Registry:
    """Answers by path, opens sessions for anybody, and keeps what it was sent."""

    def __init__(self, tmp_path: Path, **found: Any) -> None:
        self._found = {f"/{path}": value for path, value in found.items()}
        self.sent: dict[str, Any] = {}
        self._key = tmp_path / "key.json"
        KEY.save(self._key)

    async def _answer(self, request: web.Request) -> web.Response:
        if request.path == "/auth/nonce":
            return web.json_response({"nonce": "n", "issuer": "i"}, status=201)
        if request.path == "/auth/session":
            return web.json_response({"token": token()}, status=201)
        text = await request.text()
        self.sent[request.path] = json.loads(text) if text else dict(request.query)
        status, body = self._found[request.path]
        kind = "application/problem+json" if status >= 400 else "application/json"
        return web.json_response(body, status=status, content_type=kind)

    @contextlib.asynccontextmanager
    async def _served(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        async with TestServer(app) as server:
            yield str(server.make_url("/"))

    async def run(self, *arguments: str) -> int:
        """Run one verb of the ledger against it."""
        async with self._served() as url:
            return await asyncio.to_thread(main, ["ledger", *arguments, "--url", url, "--as", str(self._key)])


def registry(tmp_path: Path, path: str, body: Any, status: int = 200) -> Registry:
    return Registry(tmp_path, **{path: (status, body)})


async def test_people_move_avt_and_micro_avt_is_signed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = registry(tmp_path, "transfers", TRANSFER, 201)
    assert await found.run("transfer", A, B, "1.5", "--memo", "for you") == 0
    assert capsys.readouterr().out == f"settled trf_1: 1.5 AVT to {B}, fee 0.0075 AVT\n"
    sent = found.sent["/transfers"]
    assert {name: sent[name] for name in ("from", "to", "amount", "memo")} == {
        "from": A,
        "to": B,
        "amount": "1500000",
        "memo": "for you",
    }
    signature = sent.pop("signature")
    verify("ed25519", KEY.did, mandate_signed_bytes("transfer", sent), signature)


async def test_programs_get_what_the_registry_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await registry(tmp_path, "transfers", TRANSFER, 201).run("transfer", A, B, "1.5", "--json") == 0
    assert json.loads(capsys.readouterr().out) == TRANSFER


async def test_an_aborted_transfer_ends_with_status_1_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared, aborted = {**TRANSFER, "status": "prepared"}, {**TRANSFER, "status": "aborted", "reason": "timeout"}
    found = Registry(tmp_path, **{"transfers": (202, prepared), "transfers/trf_1": (200, aborted)})
    assert await found.run("transfer", A, B, "1.5") == 1
    assert capsys.readouterr().out.startswith("aborted trf_1: 1.5 AVT to ")


async def test_a_transfer_is_not_waited_for_when_nobody_wants_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = registry(tmp_path, "transfers", {**TRANSFER, "status": "prepared"}, 202)
    assert await found.run("transfer", A, B, "1.5", "--no-wait") == 0
    assert capsys.readouterr().out == f"prepared trf_1: 1.5 AVT to {B}\n"


async def test_a_refusal_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = {"code": "insufficient_funds", "detail": "too little", "available": "1", "needed": "1507500"}
    found = registry(tmp_path, "transfers", problem, 409)
    assert await found.run("transfer", A, B, "1.5", "--json") == 1
    said = json.loads(capsys.readouterr().err)
    assert (said["code"], said["available"], said["needed"]) == ("insufficient_funds", "1", "1507500")


async def test_people_are_told_in_avt_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = {"code": "insufficient_funds", "detail": "too little", "available": "1", "needed": "1507500"}
    assert await registry(tmp_path, "transfers", problem, 409).run("transfer", A, B, "1.5") == 1
    said = capsys.readouterr().err
    assert "insufficient_funds: too little (" in said
    assert "available 0.000001 AVT, needed 1.5075 AVT" in said


async def test_a_balance_is_shown_in_avt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    account = {
        "account_id": A, "frame_id": "local", "registry_id": "one", "owner": KEY.did, "kind": "user",
        "available": "998492500", "staked": "0", "held": "1", "frozen": False,
    }  # fmt: skip
    found = registry(tmp_path, f"accounts/{A}", account)
    assert await found.run("balance", A, "--as-of", "2026-01-02T03:04:05Z") == 0
    said = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert (said["available"], said["staked"], said["held"], said["frozen"]) == ("998.4925", "0", "0.000001", "no")
    assert found.sent[f"/accounts/{A}"] == {"as_of": "2026-01-02T03:04:05Z"}


async def test_a_statement_is_a_table_of_avt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = registry(tmp_path, f"accounts/{A}/statement", {"items": [LINE], "next_cursor": None})
    assert await found.run("statement", A) == 0
    heading, _, row = capsys.readouterr().out.splitlines()
    assert heading.split()[:3] == ["at", "amount", "part"]
    assert row.split() == [
        "2026-01-02T03:04:05.678Z", "-1.5075", "available", "TransferSettled", "trf_1", B, "998.4925", "0", "0",
    ]  # fmt: skip


@pytest.mark.parametrize(("holds", "status"), [(True, 0), (False, 1)])
async def test_a_supply_that_does_not_add_up_ends_with_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], holds: object, status: int
) -> None:
    frames = {"items": [{"frame_id": "local", "mode": "sovereign", "minting": "disabled"}]}
    supply = {**SUPPLY, "holds": holds}
    found = Registry(tmp_path, **{"frames": (200, frames), "frames/local/supply": (200, supply)})
    assert await found.run("supply") == status
    row = capsys.readouterr().out.splitlines()[-1]
    assert row.split() == ["local", "2000", "0.000001", "-1.5", "1998.499999", "1.5", "yes" if holds else "no"]


async def test_the_supply_of_one_frame_is_itself_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await registry(tmp_path, "frames/local/supply", SUPPLY).run("supply", "local", "--json") == 0
    assert json.loads(capsys.readouterr().out) == SUPPLY


async def test_a_developer_registers_itself_and_is_told_its_account(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    developer = {"did": KEY.did, "account_id": A, "grant": "1000000000"}
    found = registry(tmp_path, "registries/one/developers", developer, 201)
    assert await found.run("register", "one", "Ada L. / x", "--invite", "code") == 0
    assert capsys.readouterr().out == f"registered {KEY.did}: account {A} with a grant of 1000 AVT\n"
    assert found.sent["/registries/one/developers"] == {"did": KEY.did, "name": "Ada L. / x", "invite": "code"}


async def test_stakes_come_and_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stake = {
        "id": "stk_1", "account": A, "amount": "2000000", "lock_days": 30, "unlocks_at": "2026-02-01T00:00:00.000Z",
    }  # fmt: skip
    found = Registry(tmp_path, **{"stakes": (201, stake), "stakes/stk_1/unstake": (200, stake)})
    assert await found.run("stake", A, "2", "--lock", "30") == 0
    assert await found.run("unstake", "stk_1") == 0
    staked, unstaked = capsys.readouterr().out.splitlines()
    assert staked == "staked stk_1: 2 AVT until 2026-02-01T00:00:00.000Z"
    assert unstaked == f"unstaked stk_1: 2 AVT on {A}"
    assert found.sent["/stakes"]["amount"] == "2000000"
    assert found.sent["/stakes"]["lock_days"] == 30
    assert found.sent["/stakes/stk_1/unstake"]["stake_id"] == "stk_1"


async def test_stakers_are_asked_and_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ends = "2026-02-01T00:00:00.000Z"
    proposal = {"id": "prp_1", "registry_id": "one", "kind": "parameter", "title": "Less", "ends_at": ends}
    vote = {"proposal_id": "prp_1", "choice": "yes", "power": "2000000"}
    found = Registry(
        tmp_path, **{"proposals": (201, {**proposal, "status": "open"}), "proposals/prp_1/votes": (201, vote)}
    )
    asked = ("propose", "one", "Less", "--parameter", "fee_bps", "--value", "50", "--ends-at", ends)
    assert await found.run(*asked) == 0
    assert await found.run("vote", "prp_1", "yes") == 0
    proposed, voted = capsys.readouterr().out.splitlines()
    assert proposed == f"proposed prp_1: Less, open until {ends}"
    assert voted == "voted yes on prp_1 with 2 AVT"
    assert found.sent["/proposals"] == {
        "registry_id": "one", "kind": "parameter", "title": "Less", "parameter": "fee_bps", "value": "50",
        "ends_at": ends,
    }  # fmt: skip


async def test_agents_are_found_by_words_and_skill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agent = {"agent_id": "agt_1", "did": "did:key:z6Mk", "card": {"name": "Painter"}, "registry_id": "one"}
    found = registry(tmp_path, "agents", {"items": [agent], "next_cursor": None})
    assert await found.run("agents", "paint", "--skill", "art") == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["agt_1", "Painter", "did:key:z6Mk", "one"]
    assert found.sent["/agents"] == {"q": "paint", "skill": "art"}
