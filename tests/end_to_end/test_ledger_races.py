"""Many clients after one balance, and orders that wait: what is moved is what the balance and the deadline allow."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from muniment import Client, SigningKey
from muniment.client import DeadlinePassed, InsufficientFunds, Refused, Terms, Transfer
from tests.end_to_end.economy import AVT, Economy, Person, ahead, entered, fee_of, figures
from tests.end_to_end.registry import running

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(300)]

CLIENTS = 64
ALLOWED = 23
PRICE = 3 * AVT + 1
FEE_BPS = 50
DEADLINE_S = 1.5
STOPPED_S = 3.0
IN_THE_QUEUE_S = 0.3


@pytest.fixture
async def economy(tmp_path: Path) -> AsyncIterator[Economy]:
    with running(tmp_path / "data") as registry:
        async with entered(registry) as found:
            yield found


@contextlib.asynccontextmanager
async def stopped(economy: Economy, name: str) -> AsyncIterator[None]:
    """Stop one process until the block ends."""
    economy.registry.kill(name, signal.SIGSTOP)
    try:
        yield
    finally:
        economy.registry.kill(name, signal.SIGCONT)


async def test_what_races_for_a_balance_and_what_waits_for_a_process(economy: Economy) -> None:
    grant = ALLOWED * (PRICE + fee_of(PRICE, FEE_BPS)) + PRICE - 1
    await economy.shop("local", "shop", Terms(genesis_grant=grant))
    await economy.shop("local", "mall", Terms(genesis_grant=ALLOWED * PRICE + PRICE - 1))
    inside = await economy.person("shop", "Inside"), await economy.person("shop", "Seller")
    across = await economy.person("mall", "Across"), inside[1]
    await sixty_four_race_for_one_balance(economy, *inside, ending="settled")
    await sixty_four_race_for_one_balance(economy, *across, ending="committed")
    await a_deadline_passes_before_the_log_is_reached(economy, inside[1], inside[0])
    await a_deadline_is_held_against_the_logs_time_however_late_it_is_decided(economy, inside[1], inside[0])
    shown = {name: figures(each) for name, each in (await economy.supplies()).items()}
    counted = await asyncio.to_thread(economy.audit_supply)
    assert {name: figures(each) for name, each in counted.items()} == shown
    await asyncio.to_thread(economy.registry.cli, "audit")


async def sixty_four_race_for_one_balance(economy: Economy, payer: Person, payee: Person, *, ending: str) -> None:
    """Send from as many clients at once, each signed in as somebody of its own with an order that the payer signed."""
    runners = [await economy.client(SigningKey.generate()) for _ in range(CLIENTS)]
    await asyncio.gather(*(signed_in(each) for each in runners))
    orders = [payer.client.ledger.transfers.sign(payer.account, payee.account, PRICE) for _ in runners]
    together = asyncio.Barrier(CLIENTS)

    async def run(index: int) -> Transfer | Refused:
        await together.wait()
        try:
            return await runners[index].ledger.transfers.submit(orders[index], wait=True)
        except Refused as refusal:
            return refusal

    outcomes = await asyncio.gather(*(run(index) for index in range(CLIENTS)))
    paid = [each for each in outcomes if isinstance(each, Transfer)]
    refused = [each for each in outcomes if not isinstance(each, Transfer)]
    assert [each.status for each in paid] == [ending] * ALLOWED
    assert len({each.id for each in paid}) == ALLOWED
    assert {(type(each), each.status, each.code) for each in refused} == {
        (InsufficientFunds, 409, "insufficient_funds")
    }
    for each in paid:
        economy.enter(each)
    assert economy.book[payer.account] == PRICE - 1
    await economy.check_balances()


async def signed_in(client: Client) -> None:
    """Have a session before it matters."""
    assert [each async for each in client.ledger.stakes.list()] == []


async def a_deadline_passes_before_the_log_is_reached(economy: Economy, payer: Person, payee: Person) -> None:
    """The api is stopped with the order in its socket: nothing is moved."""
    async with stopped(economy, "api"):
        order = an_order(payer, payee)
        sending = asyncio.create_task(payer.client.ledger.transfers.submit(order))
        await asyncio.sleep(STOPPED_S)
    with pytest.raises(DeadlinePassed):
        await sending
    await economy.check_balances()


async def a_deadline_is_held_against_the_logs_time_however_late_it_is_decided(
    economy: Economy, payer: Person, payee: Person
) -> None:
    """With the decider stopped, of two orders one reaches its queue in time and one after the deadline.

    What counts is the log's time of the order, which any auditor can read, and not when a decider came to it.
    """
    async with stopped(economy, "decide"):
        early, late = an_order(payer, payee), an_order(payer, payee)
        in_time = asyncio.create_task(payer.client.ledger.transfers.submit(early))
        await asyncio.sleep(STOPPED_S)
        too_late = asyncio.create_task(payer.client.ledger.transfers.submit(late))
        await asyncio.sleep(IN_THE_QUEUE_S)
        assert not in_time.done()
        assert not too_late.done()
    with pytest.raises(DeadlinePassed):
        await too_late
    settled = await payer.client.ledger.transfers.get((await in_time).id)
    assert settled.json["at"] <= early["deadline"]
    economy.enter(settled)
    await economy.check_balances()
    for order in (early, late):
        # Sent again, the one moves nothing more and the other is still too late.
        with contextlib.suppress(DeadlinePassed):
            assert (await payer.client.ledger.transfers.submit(order)).id == settled.id
    await economy.check_balances()


def an_order(payer: Person, payee: Person) -> dict[str, object]:
    """Sign an order that holds for a moment."""
    key = payer.client.key
    assert key is not None
    return key.sign_transfer(payer.account, payee.account, AVT, deadline=ahead(seconds=DEADLINE_S))
