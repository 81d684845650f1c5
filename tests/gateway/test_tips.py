"""Tips: a transfer by another name, that says which record it is for."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api.serving import Answer, running
from tests.api_ledger.economy import GRANT, LATER, Economy, nonce

URI = "mun://did:mun:aaaaaaaaaaaaaaaaaaaaaaaaaa/org.muniment.post/0b1c"


@pytest.fixture
async def economy() -> AsyncIterator[Economy]:
    """Run an api with its deciders, with a frame and two registries."""
    async with running() as registry:
        found = Economy(registry)
        await found.open()
        yield found


async def sent(economy: Economy, by: Any, body: Any, path: str = "/payments/tip") -> Answer:
    """Send an order."""
    return await economy.registry.ask("POST", path, body, by=by)


async def test_a_tip_is_a_transfer_whose_memo_is_the_records_uri(economy: Economy) -> None:
    (one, first), (_, second) = await economy.person(1), await economy.person(2)
    body = one.sign_transfer(first, second, 1_000, URI, nonce=nonce(), deadline=LATER)
    answer = await sent(economy, one, body)
    assert answer.status == 201, answer.text
    assert (answer.json["status"], answer.json["memo"], answer.json["amount"]) == ("settled", URI, "1000")
    assert "Muniment-Position" in answer.headers
    for path in ("/payments/tip", "/transfers"):
        again = await sent(economy, one, body, path)
        assert (again.status, again.headers["Idempotency-Hit"], again.json) == (200, "true", answer.json)


async def test_a_tip_is_refused_as_a_transfer_is_and_without_a_records_uri(economy: Economy) -> None:
    (one, first), (two, second) = await economy.person(1), await economy.person(2)

    def order(amount: int = 1, to: str = second, memo: str | None = URI) -> dict[str, Any]:
        return one.sign_transfer(first, to, amount, memo, nonce=nonce(), deadline=LATER)

    for body, by, code in (
        (order(GRANT + 1), one, "insufficient_funds"),
        (order(to=first), one, "same_account"),
        (order(to="acc_" + "a" * 26), one, "unknown_account"),
        (order() | {"amount": "2"}, one, "invalid_signature"),
        (order() | {"memo": URI + "x"}, one, "invalid_signature"),
        (order() | {"memo": URI + "x"}, two, "not_the_owner"),
        (order(), None, "unauthenticated"),
        *((order(memo=memo), one, "invalid_request") for memo in (None, "thanks", "mun://x", URI + "/a", " " + URI)),
    ):
        assert (await sent(economy, by, body)).code == code
