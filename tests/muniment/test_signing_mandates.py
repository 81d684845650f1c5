"""What an account's owner signs, byte by byte: the bytes below are written by hand from the contract."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from log.signatures import InvalidSignature, verify
from muniment.amounts import InvalidAmount
from muniment.signing_key import SigningKey

NONCE, DEADLINE = "0123456789abcdef", "2026-01-02T03:04:05.678Z"
Order = Callable[..., dict[str, Any]]

VECTORS: dict[str, tuple[Callable[[SigningKey], Order], tuple[Any, ...], str]] = {
    "a transfer": (
        lambda key: key.sign_transfer,
        ("acc_a", "acc_b", 1_500_000),
        (
            '{"amount":"1500000","deadline":"2026-01-02T03:04:05.678Z","from":"acc_a",'
            '"nonce":"0123456789abcdef","to":"acc_b","type":"muniment.transfer.v1"}'
        ),
    ),
    "a transfer with a memo": (
        lambda key: key.sign_transfer,
        ("acc_a", "acc_b", 9_223_372_036_854_775_807, 'für "dich"\n€'),
        (
            '{"amount":"9223372036854775807","deadline":"2026-01-02T03:04:05.678Z","from":"acc_a",'
            '"memo":"für \\"dich\\"\\n€","nonce":"0123456789abcdef","to":"acc_b","type":"muniment.transfer.v1"}'
        ),
    ),
    "a transfer with an empty memo": (
        lambda key: key.sign_transfer,
        ("acc_a", "acc_b", 0, ""),
        (
            '{"amount":"0","deadline":"2026-01-02T03:04:05.678Z","from":"acc_a","memo":"",'
            '"nonce":"0123456789abcdef","to":"acc_b","type":"muniment.transfer.v1"}'
        ),
    ),
    "a payment": (
        lambda key: key.sign_payment,
        ("acc_a", "acc_b", 1),
        (
            '{"amount":"1","deadline":"2026-01-02T03:04:05.678Z","from":"acc_a",'
            '"nonce":"0123456789abcdef","to":"acc_b","type":"muniment.payment.v1"}'
        ),
    ),
    "a payment that says when it ends": (
        lambda key: key.sign_payment,
        ("acc_a", "acc_b", 1, "2026-01-02T03:05:00.000Z"),
        (
            '{"amount":"1","deadline":"2026-01-02T03:04:05.678Z","expires_at":"2026-01-02T03:05:00.000Z",'
            '"from":"acc_a","nonce":"0123456789abcdef","to":"acc_b","type":"muniment.payment.v1"}'
        ),
    ),
    "a stake": (
        lambda key: key.sign_stake,
        ("acc_a", 2_000_000, 90),
        (
            '{"account":"acc_a","amount":"2000000","deadline":"2026-01-02T03:04:05.678Z","lock_days":90,'
            '"nonce":"0123456789abcdef","type":"muniment.stake.v1"}'
        ),
    ),
    "a stake without a lock": (
        lambda key: key.sign_stake,
        ("acc_a", 2_000_000, 0),
        (
            '{"account":"acc_a","amount":"2000000","deadline":"2026-01-02T03:04:05.678Z","lock_days":0,'
            '"nonce":"0123456789abcdef","type":"muniment.stake.v1"}'
        ),
    ),
    "an unstake": (
        lambda key: key.sign_unstake,
        ("stk_a",),
        (
            '{"deadline":"2026-01-02T03:04:05.678Z","nonce":"0123456789abcdef","stake_id":"stk_a",'
            '"type":"muniment.unstake.v1"}'
        ),
    ),
    "a vote": (
        lambda key: key.sign_vote,
        ("prp_a", "abstain"),
        (
            '{"choice":"abstain","deadline":"2026-01-02T03:04:05.678Z","nonce":"0123456789abcdef",'
            '"proposal_id":"prp_a","type":"muniment.vote.v1"}'
        ),
    ),
}
vectors = pytest.mark.parametrize(("order", "given", "signed"), VECTORS.values(), ids=VECTORS)
both = pytest.mark.parametrize("alg", ["ed25519", "eip191"])


@both
@vectors
def test_exactly_these_bytes_are_signed(
    order: Callable[[SigningKey], Order], given: tuple[Any, ...], signed: str, alg: Any
) -> None:
    key = SigningKey(bytes(range(32)), alg)
    body = order(key)(*given, nonce=NONCE, deadline=DEADLINE)
    verify(alg, key.did, signed.encode(), body["signature"])
    with pytest.raises(InvalidSignature):
        verify(alg, key.did, signed.encode() + b" ", body["signature"])


@vectors
def test_the_body_is_what_was_signed_without_its_type(
    order: Callable[[SigningKey], Order], given: tuple[Any, ...], signed: str
) -> None:
    import json

    body = order(SigningKey(bytes(range(32))))(*given, nonce=NONCE, deadline=DEADLINE)
    said = json.loads(signed)
    del said["type"]
    assert {name: value for name, value in body.items() if name != "signature"} == said


def test_a_signature_is_standard_base64_of_64_bytes() -> None:
    body = SigningKey(bytes(range(32))).sign_transfer("acc_a", "acc_b", 1_500_000, nonce=NONCE, deadline=DEADLINE)
    assert re.fullmatch(r"[A-Za-z0-9+/]{86}==", str(body["signature"]))


def test_a_nonce_is_new_each_time_and_as_the_contract_has_it() -> None:
    key = SigningKey.generate()
    nonces = [str(key.sign_unstake("stk_a")["nonce"]) for _ in range(100)]
    assert len(set(nonces)) == 100
    assert all(re.fullmatch(r"[\x21-\x7e]{16,64}", nonce) for nonce in nonces)


def test_a_deadline_that_is_not_named_is_five_minutes_ahead() -> None:
    deadline = str(SigningKey.generate().sign_unstake("stk_a")["deadline"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", deadline)
    ahead = datetime.fromisoformat(deadline) - datetime.now(UTC)
    assert timedelta(seconds=290) < ahead <= timedelta(seconds=300)


@pytest.mark.parametrize("amount", [-1, 2**63, 1.5, "1", True])
def test_what_is_no_amount_is_not_signed(amount: Any) -> None:
    key = SigningKey.generate()
    for order in (
        lambda: key.sign_transfer("acc_a", "acc_b", amount),
        lambda: key.sign_payment("acc_a", "acc_b", amount),
        lambda: key.sign_stake("acc_a", amount, 30),
    ):
        with pytest.raises(InvalidAmount):
            order()
