"""The ledger's verbs: AVT for people, micro-AVT in digits for programs, against a registry of canned answers."""

import json
from pathlib import Path

import pytest

from log.signatures import verify
from log.statements import mandate_signed_bytes
from tests.cli.canned import KEY, A, B, Registry, registry

TRANSFER = {"id": "trf_1", "from": A, "to": B, "amount": "1500000", "fee": "7500", "status": "settled"}
SUPPLY = {
    "frame_id": "local", "tokens_issued": "2000000000", "tokens_destroyed": "1", "transit_net": "-1500000",
    "tokens_circulating": "1998499999", "in_flight": "1500000", "holds": True, "position": "bGVkZ2VyLzAvMQ",
}  # fmt: skip
LINE = {
    "at": "2026-01-02T03:04:05.678Z", "amount": "-1507500", "part": "available", "type": "TransferSettled",
    "about": "trf_1", "counterparty": B, "available": "998492500", "staked": "0", "held": "0",
}  # fmt: skip


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
