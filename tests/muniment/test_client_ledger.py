"""What the client makes of the ledger's answers, and what it sends."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from domain.ledger.account import AccountRefusal
from muniment import SigningKey
from muniment.amounts import InvalidAmount
from muniment.client import (
    AmountTooSmall,
    InsufficientFunds,
    NonceUsed,
    NotTheOwner,
    OutOfBounds,
    Refused,
    StakeLocked,
    StillInTransit,
    Terms,
    UnexpectedAnswer,
    UnknownAccount,
    account_id,
)
from muniment.client.ledger_refusals import LEDGER_BY_CODE
from muniment.client.problems import BY_STATUS, refusal
from tests.muniment.scripted import Scripted

KEY = SigningKey(bytes(range(32)))
POSITION = "bGVkZ2VyLzAvMQ"
A, B = "acc_" + "a" * 26, "acc_" + "b" * 26
TRANSFER = {
    "id": "trf_1", "from": A, "to": B, "amount": "1500000", "fee": "7500", "from_registry_id": "one",
    "to_registry_id": "one", "status": "settled",
}  # fmt: skip
STAKE = {"id": "stk_1", "account": A, "amount": "9007199254740993", "lock_days": 30, "status": "staked"}


def answers(*found: Any, status: int = 200) -> Scripted:
    """Serve these JSON values one after the other, the last one for ever."""
    made: list[Callable[[web.Request], web.Response]] = [
        lambda _request, each=each: web.json_response(each, status=status) for each in found
    ]
    return Scripted(*made)


class Kept(Scripted):
    """A server that also keeps the bodies that it was sent; it opens no sessions, so its client has no key."""

    def __init__(self, *found: Any, status: int = 200) -> None:
        super().__init__(*answers(*found, status=status)._answers)
        self.bodies: list[Any] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        self.bodies.append(json.loads(text) if text else None)
        return await super().answer(request)


async def test_a_signed_transfer_is_sent_as_it_is_and_is_its_own_idempotency_key() -> None:
    server = Kept({**TRANSFER, "amount": "9007199254740993"}, status=201)
    signed = KEY.sign_transfer(A, B, 2**53 + 1, "for you")
    async with server.served() as client:
        sent = await client.ledger.transfers.submit(signed)
    assert server.bodies == [signed]
    assert server.asked[0].path == "/transfers"
    assert server.keys == {None}
    assert (sent.sender, sent.receiver, sent.amount, sent.fee) == (A, B, 2**53 + 1, 7_500)
    assert (sent.status, sent.ended, sent.from_registry_id) == ("settled", True, "one")
    assert sent.json["amount"] == "9007199254740993"


async def test_an_idempotency_key_that_is_given_is_sent_and_unsigned_writes_always_have_one() -> None:
    server = Kept(TRANSFER)
    async with server.served() as client:
        await client.ledger.transfers.submit({}, idempotency_key="mine")
    assert server.keys == {"mine"}
    server = Kept({"registry_id": "one", "codes": ["c"]}, status=201)
    async with server.served() as client:
        assert (await client.ledger.invites.create("one")).codes == ["c"]
    assert None not in server.keys
    assert server.bodies == [{"count": 1}]


async def test_a_transfer_across_registries_is_waited_for_until_it_ends() -> None:
    statuses = [{**TRANSFER, "status": status} for status in ("prepared", "prepared", "accepted", "committed")]
    server = answers(*statuses)
    async with server.served() as client:
        sent = await client.ledger.transfers.submit({}, wait=True)
    assert sent.status == "committed"
    assert [(each.method, each.path) for each in server.asked] == [
        ("POST", "/transfers"),
        *[("GET", "/transfers/trf_1")] * 3,
    ]


async def test_an_aborted_transfer_ends_the_waiting_too_and_says_why() -> None:
    server = answers({**TRANSFER, "status": "prepared"}, {**TRANSFER, "status": "aborted", "reason": "account_frozen"})
    async with server.served() as client:
        sent = await client.ledger.transfers.submit({}, wait=True)
    assert (sent.status, sent.reason) == ("aborted", "account_frozen")


async def test_without_waiting_a_prepared_transfer_is_given_as_it_is() -> None:
    server = answers({**TRANSFER, "status": "prepared"}, status=202)
    async with server.served() as client:
        sent = await client.ledger.transfers.submit({})
    assert (sent.status, sent.ended, len(server.asked)) == ("prepared", False, 1)


async def test_waiting_ends_although_the_transfer_does_not() -> None:
    server = answers({**TRANSFER, "status": "prepared"})
    async with server.served() as client:
        sent = await client.ledger.transfers.get("trf_1")
        with pytest.raises(StillInTransit) as still:
            await client.ledger.transfers.ended(sent, timeout_s=0.2)
    assert (still.value.transfer_id, still.value.status) == ("trf_1", "prepared")


async def test_each_transfer_of_a_batch_has_its_own_outcome_in_order() -> None:
    problem = {"code": "insufficient_funds", "status": 409, "title": "t", "available": "1", "needed": "3"}
    items = [{"status": 201, "transfer": TRANSFER}, {"status": 409, "problem": problem}]
    server = Kept({"items": items})
    async with server.served() as client:
        found = [each async for each in client.ledger.transfers.send_many([{"memo": "1"}, {"memo": "2"}])]
    assert server.bodies == [{"transfers": [{"memo": "1"}, {"memo": "2"}]}]
    assert [each.status for each in found] == [201, 409]
    assert found[0].transfer is not None
    assert found[0].refused is None
    refused = found[1].refused
    assert isinstance(refused, InsufficientFunds)
    assert (refused.available, refused.needed) == (1, 3)


async def test_a_batch_with_too_few_outcomes_is_no_answer() -> None:
    async with answers({"items": []}).served() as client:
        with pytest.raises(UnexpectedAnswer):
            [each async for each in client.ledger.transfers.send_many([{}])]


async def test_a_statement_is_walked_page_by_page() -> None:
    line = {
        "amount": "-1507500",
        "type": "TransferSettled",
        "part": "available",
        "available": "0",
        "transfer_id": "trf_1",
    }
    server = answers({"items": [line, line], "next_cursor": "c1"}, {"items": [line], "next_cursor": None})
    async with server.served() as client:
        found = [each async for each in client.ledger.accounts.statement(A)]
    assert [each.amount for each in found] == [-1_507_500] * 3
    assert [each.query.get("cursor") for each in server.asked] == [None, "c1"]


async def test_a_frames_events_are_followed_by_a_cursor_that_can_be_kept() -> None:
    event = {
        "type": "TransferSettled",
        "at": "2026-01-02T03:04:05.678Z",
        "event": {"amount": "1"},
        "position": POSITION,
    }
    server = answers({"items": [event, event], "next_cursor": "c9"}, {"items": [], "next_cursor": "c9"})
    async with server.served() as client:
        found = [each async for each in client.ledger.events("local")]
    assert [(each.type, each.resume, each.position) for each in found] == [
        ("TransferSettled", "0", POSITION),
        ("TransferSettled", "c9", POSITION),
    ]
    assert [dict(each.query) for each in server.asked] == [
        {"frame": "local", "since": "0", "limit": "100"},
        {"frame": "local", "since": "c9", "limit": "100"},
    ]


async def test_a_supply_is_read_beyond_what_a_float_could_hold() -> None:
    figures = {
        "frame_id": "local", "tokens_issued": "9007199254740993", "tokens_destroyed": "1", "transit_net": "-2",
        "tokens_circulating": "9007199254740990", "in_flight": "2", "holds": True, "position": POSITION,
    }  # fmt: skip
    async with answers(figures).served() as client:
        supply = await client.ledger.supply("local")
    assert supply.tokens_issued - supply.tokens_destroyed + supply.transit_net == supply.tokens_circulating
    assert (supply.in_flight, supply.holds, supply.position) == (2, True, POSITION)


async def test_only_the_terms_that_are_named_are_sent() -> None:
    server = Kept({"registry_id": "one", "frame_id": "local", "treasury": A}, status=201)
    terms = Terms(fee_bps=75, genesis_grant=5_000_000, premiums_bps={30: 150})
    async with server.served() as client:
        assert (await client.ledger.registries.create("local", "one", terms)).treasury == A
        await client.ledger.registries.change("one", Terms(invite_required=False))
    assert server.bodies == [
        {
            "registry_id": "one",
            "fee_bps": 75,
            "genesis": {"grant": "5000000"},
            "staking": {"premiums_bps": {"30": 150}},
        },
        {"invite_required": False},
    ]
    assert [(each.method, each.path) for each in server.asked] == [
        ("POST", "/frames/local/registries"),
        ("PATCH", "/registries/one"),
    ]


async def test_a_proposal_says_what_it_is_about_and_no_more() -> None:
    shown = {"id": "prp_1", "registry_id": "one", "kind": "text", "title": "t", "ends_at": "e", "status": "open"}
    server = Kept({**shown, "electorate": "12"}, status=201)
    async with server.served() as client:
        proposal = await client.ledger.proposals.create("one", "t", "e")
        await client.ledger.proposals.create("one", "t", "e", parameter="fee_bps", value="60")
    asked = {"registry_id": "one", "title": "t", "ends_at": "e"}
    assert server.bodies == [
        {**asked, "kind": "text"},
        {**asked, "kind": "parameter", "parameter": "fee_bps", "value": "60"},
    ]
    assert proposal.electorate == 12


async def test_stakes_are_asked_for_by_owner() -> None:
    server = answers({"items": [STAKE], "next_cursor": None})
    async with server.served() as client:
        found = [each async for each in client.ledger.stakes.list(KEY.did)]
    assert [(each.id, each.amount) for each in found] == [("stk_1", 2**53 + 1)]
    assert server.asked[0].query["owner"] == KEY.did


async def test_a_client_without_a_key_orders_nothing() -> None:
    server = answers(TRANSFER)
    async with server.served() as client:
        for order in (
            client.ledger.transfers.send(A, B, 1),
            client.ledger.payments.create(A, B, 1),
            client.ledger.stakes.create(A, 1),
            client.ledger.stakes.unstake("stk_1"),
            client.ledger.proposals.vote("prp_1", "yes"),
        ):
            with pytest.raises(ValueError, match="without a key"):
                await order
    assert server.asked == []


async def test_an_amount_that_can_not_be_is_not_sent() -> None:
    server = answers(TRANSFER)
    async with server.served() as client:
        with pytest.raises(InvalidAmount):
            await client.ledger.frames.mint("local", A, -1)
    assert server.asked == []


@pytest.mark.parametrize("amount", [1, 1.5, "1.5", "", "1e3", [], True])
async def test_an_amount_that_is_no_digits_is_no_answer(amount: Any) -> None:
    async with answers({**TRANSFER, "amount": amount}).served() as client:
        with pytest.raises(UnexpectedAnswer):
            await client.ledger.transfers.get("trf_1")


STATUSES = dict.fromkeys(LEDGER_BY_CODE, 409) | {
    "out_of_bounds": 400, "invalid_card": 400, "developer_not_registered": 403, "not_the_payee": 403,
    "not_the_owner": 403, "no_voting_power": 403, "invite_required": 403, "invite_invalid": 403, "unknown_account": 404,
}  # fmt: skip


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
def test_a_refusal_of_the_ledger_is_also_what_its_status_says(code: str, status: int) -> None:
    found = refusal({"code": code, "detail": "why"}, status)
    assert type(found) is LEDGER_BY_CODE[code]
    assert isinstance(found, BY_STATUS[status])


def test_every_refusal_of_an_order_has_a_class() -> None:
    not_orders = {AccountRefusal.ACCOUNT_NOT_FROZEN}
    assert {each.value for each in set(AccountRefusal) - not_orders} <= set(LEDGER_BY_CODE)


async def test_refusals_say_what_the_registry_says() -> None:
    def problem(code: str, **members: Any) -> Callable[[web.Request], web.Response]:
        body = {"code": code, "title": "t", "status": STATUSES[code], "detail": "why", **members}
        return lambda _request: web.json_response(body, status=STATUSES[code], content_type="application/problem+json")

    table: list[tuple[str, dict[str, Any], type[Refused]]] = [
        ("insufficient_funds", {"available": "9007199254740993", "needed": "9007199254740994"}, InsufficientFunds),
        ("stake_locked", {"unlocks_at": "2026-01-02T03:04:05.678Z"}, StakeLocked),
        ("out_of_bounds", {"bound": "fee_bps"}, OutOfBounds),
        ("unknown_account", {"account": A}, UnknownAccount),
        ("not_the_owner", {}, NotTheOwner),
        ("nonce_used", {}, NonceUsed),
        ("amount_too_small", {}, AmountTooSmall),
    ]
    for code, members, kind in table:
        async with Scripted(problem(code, **members)).served() as client:
            with pytest.raises(kind) as refused:
                await client.ledger.transfers.submit({})
        match refused.value:
            case InsufficientFunds() as short:
                assert (short.available, short.needed) == (2**53 + 1, 2**53 + 2)
            case StakeLocked() as locked:
                assert locked.until == "2026-01-02T03:04:05.678Z"
            case OutOfBounds() as outside:
                assert outside.bound == "fee_bps"


def test_an_account_id_is_computed_as_the_contract_says() -> None:
    import base64
    import hashlib

    digest = hashlib.sha256(b"local\none\ndid:key:z6Mk\nuser").digest()
    assert account_id("local", "one", "did:key:z6Mk", "user") == (
        "acc_" + base64.b32encode(digest).decode().lower()[:26]
    )
