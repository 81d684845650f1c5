"""Transfers over HTTP: who may move what, what is answered, and that a repeat changes nothing."""

from typing import Any

import pytest

from domain.ledger.account import account, account_id
from log.statements import mandate_signed_bytes
from tests.api.serving import key
from tests.api_ledger.economy import FRAME, GRANT, LATER, Economy, nonce


def balance(economy: Economy, name: str) -> int:
    known = account(economy.registry.api.mirror.store, name)  # type: ignore[arg-type]  # only asked by key
    assert known is not None
    return known.available


async def test_a_developer_gets_its_grant_in_an_account_that_anybody_can_compute(economy: Economy) -> None:
    made, name = await economy.person(1)
    assert name == account_id(FRAME, "shop", made.did, "user")
    assert balance(economy, name) == GRANT
    again = await economy.registry.ask(
        "POST", "/registries/mall/developers", {"did": made.did, "name": "again"}, by=made
    )
    assert (again.status, again.code) == (409, "already_registered")


async def test_a_transfer_inside_pays_its_fee_to_the_treasury(economy: Economy) -> None:
    one, first = await economy.person(1)
    _, second = await economy.person(2)
    answer = await economy.pay(one, first, second, 1_000_001)
    assert answer.status == 201, answer.text
    assert answer.json["status"] == "settled"
    assert (answer.json["amount"], answer.json["fee"]) == ("1000001", "5001")
    assert answer.headers["Muniment-Position"] == answer.json["position"]
    assert balance(economy, first) == GRANT - 1_005_002
    assert balance(economy, second) == GRANT + 1_000_001


async def test_a_signed_transfer_is_its_own_key(economy: Economy) -> None:
    one, first = await economy.person(1)
    _, second = await economy.person(2)
    body = one.sign_transfer(first, second, 5, nonce=nonce(), deadline=LATER)
    made = await economy.registry.ask("POST", "/transfers", body, by=one)
    again = await economy.registry.ask("POST", "/transfers", body, by=one)
    assert (made.status, again.status) == (201, 200)
    assert again.headers["Idempotency-Hit"] == "true"
    assert again.json == made.json
    assert balance(economy, second) == GRANT + 5
    other = await economy.registry.ask("POST", "/transfers", body, by=one, headers={"Idempotency-Key": "another"})
    assert (other.status, other.code) == (409, "nonce_used")


async def test_across_registries_a_transfer_is_prepared_and_answered_with_202(economy: Economy) -> None:
    one, first = await economy.person(1)
    _, second = await economy.person(2, "mall")
    body = one.sign_transfer(first, second, 10_000, nonce=nonce(), deadline=LATER)
    made = await economy.registry.ask("POST", "/transfers", body, by=one)
    assert made.status == 202, made.text
    assert (made.json["status"], made.json["to_registry_id"]) == ("prepared", "mall")
    assert balance(economy, first) == GRANT - 10_000
    assert (await economy.registry.ask("POST", "/transfers", body, by=one)).status == 200


async def test_a_refused_transfer_uses_up_no_nonce(economy: Economy) -> None:
    one, first = await economy.person(1)
    _, second = await economy.person(2)
    once = nonce()
    rich = one.sign_transfer(first, second, 10 * GRANT, nonce=once, deadline=LATER)
    refused = await economy.registry.ask("POST", "/transfers", rich, by=one)
    assert (refused.status, refused.code) == (409, "insufficient_funds")
    assert refused.json["available"] == str(GRANT)
    assert int(refused.json["needed"]) > 10 * GRANT
    small = one.sign_transfer(first, second, 10, nonce=once, deadline=LATER)
    assert (await economy.registry.ask("POST", "/transfers", small, by=one)).status == 201


async def test_the_owner_s_key_and_no_other_moves_money(economy: Economy) -> None:
    one, first = await economy.person(1)
    two, second = await economy.person(2)
    forged = await economy.pay(two, first, second, 10)
    assert (forged.status, forged.code) == (403, "not_the_owner")
    spoiled = await economy.pay(one, first, second, 10, spoiled={"amount": "11"})
    assert (spoiled.status, spoiled.code) == (401, "invalid_signature")
    relayed = await economy.pay(one, first, second, 10, caller=two)
    assert relayed.status == 201, relayed.text
    nobody = await economy.pay(one, first, "acc_" + "a" * 26, 10)
    assert (nobody.status, nobody.code) == (404, "unknown_account")
    assert balance(economy, first) == GRANT - 11


@pytest.mark.parametrize(
    "amount",
    [
        "-1",
        "1.5",
        "1e3",
        " 1",
        "1 ",
        "",
        "٣",
        "9223372036854775808",
        "10000000000000000000",
        "0x1",
        "+1",
        1,
        None,
        True,
    ],
)
async def test_an_amount_of_a_wrong_form_is_refused_by_name_and_changes_nothing(economy: Economy, amount: Any) -> None:
    one, first = await economy.person(1)
    _, second = await economy.person(2)
    before = economy.registry.appended()
    answer = await economy.pay(one, first, second, 10, spoiled={"amount": amount})
    assert (answer.status, answer.code) == (400, "invalid_request"), answer.text
    assert answer.json["errors"][0]["pointer"] == "/amount"
    assert economy.registry.appended() == before


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount": 0}, "amount_not_positive"),
        ({"same": True}, "same_account"),
        ({"deadline": "2020-01-01T00:00:00.000Z"}, "deadline_passed"),
        ({"deadline": "2020-01-01T00:00:00.000Z", "amount": 0, "same": True}, "deadline_passed"),
        ({"amount": 0, "same": True}, "same_account"),
    ],
)
async def test_what_is_refused_has_the_earlier_of_its_codes(
    economy: Economy, change: dict[str, Any], code: str
) -> None:
    one, first = await economy.person(1)
    _, second = await economy.person(2)
    to = first if change.get("same") else second
    deadline = change.get("deadline", LATER)
    body = one.sign_transfer(first, to, 10, nonce=nonce(), deadline=deadline)
    if "amount" in change:
        body = signed_zero(one, first, to, deadline)
    answer = await economy.registry.ask("POST", "/transfers", body, by=one)
    assert (answer.status, answer.code) == (409, code), answer.text


def signed_zero(by: Any, sender: str, to: str, deadline: str) -> dict[str, object]:
    """Sign a transfer of nothing, which the key itself would refuse."""
    members = {"from": sender, "to": to, "amount": "0", "nonce": nonce(), "deadline": deadline}
    return {**members, "signature": by.sign(mandate_signed_bytes("transfer", members))}


async def test_a_frozen_account_neither_sends_nor_receives(economy: Economy) -> None:
    one, first = await economy.person(1)
    two, second = await economy.person(2)
    await economy.admin("POST", f"/accounts/{second}/freeze", {}, 200)
    for answer in (await economy.pay(one, first, second, 10), await economy.pay(two, second, first, 10)):
        assert (answer.status, answer.code) == (409, "account_frozen")
    await economy.admin("POST", f"/accounts/{second}/unfreeze", {}, 200)
    assert (await economy.pay(one, first, second, 10)).status == 201


async def test_each_of_a_batch_has_its_own_outcome_in_order_whoever_s_it_is(economy: Economy) -> None:
    one, first = await economy.person(1)
    two, second = await economy.person(2)
    three, third = await economy.person(3)
    good = one.sign_transfer(first, second, 10, nonce=nonce(), deadline=LATER)
    sent = [
        good,
        two.sign_transfer(second, third, GRANT, nonce=nonce(), deadline=LATER),
        two.sign_transfer(second, third, 7, nonce=nonce(), deadline=LATER),
        three.sign_transfer(first, third, 7, nonce=nonce(), deadline=LATER),
        {**good, "colour": "red"},
        good,
    ]
    answer = await economy.registry.ask("POST", "/transfers/batch", {"transfers": sent}, by=key(9))
    assert answer.status == 200, answer.text
    found = [(item["status"], item.get("problem", {}).get("code")) for item in answer.json["items"]]
    assert found == [
        (201, None),
        (409, "insufficient_funds"),
        (201, None),
        (403, "not_the_owner"),
        (400, "invalid_request"),
        (200, None),
    ]
    assert balance(economy, third) == GRANT + 7


async def test_the_same_transfer_twice_in_an_imagined_batch_is_its_first_outcome(economy: Economy) -> None:
    one, first = await economy.person(1)
    _, second = await economy.person(2)
    good = one.sign_transfer(first, second, 10, nonce=nonce(), deadline=LATER)
    poor = one.sign_transfer(first, second, 10 * GRANT, nonce=nonce(), deadline=LATER)
    body = {"transfers": [good, poor, good, poor]}
    answer = await economy.registry.ask("POST", "/transfers/batch?dry_run=true", body, by=one)
    assert [item["status"] for item in answer.json["items"]] == [201, 409, 200, 409]
    assert answer.json["items"][2]["transfer"] == answer.json["items"][0]["transfer"]


async def test_a_dry_run_moves_nothing(economy: Economy) -> None:
    one, first = await economy.person(1)
    _, second = await economy.person(2)
    before = economy.registry.appended()
    body = one.sign_transfer(first, second, 10, nonce=nonce(), deadline=LATER)
    answer = await economy.registry.ask("POST", "/transfers?dry_run=true", body, by=one)
    assert (answer.status, answer.json["result"]["status"]) == (200, "settled")
    assert economy.registry.appended() == before
    assert balance(economy, first) == GRANT
