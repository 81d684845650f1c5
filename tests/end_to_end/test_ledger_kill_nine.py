"""Whatever is killed while money crosses registries: every transfer ends, and each account has what receipts say."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from muniment import Refused, Unreachable
from muniment.client import Terms, Transfer
from tests.end_to_end.economy import AVT, Economy, Person, entered, figures
from tests.end_to_end.registry import running

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(300)]

KILLED = (("api",), ("decide",), ("project",), ("react",), ("decide", "react"))
SENT_BETWEEN = 60
TO_THE_FROZEN = 7
"""One transfer in so many goes to an account that takes none."""


@dataclass
class Stream:
    """People who send across registries without a pause, and what each signed order came to."""

    people: list[Person]
    frozen: Person
    receipts: list[Transfer] = field(default_factory=list)
    unknown: list[tuple[Person, dict[str, object]]] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._send(each)) for each in self.people]
        self._ending = False
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending = True
        await asyncio.gather(*self._tasks)

    async def _send(self, person: Person) -> None:
        others = itertools.cycle(each for each in self.people if each.registry_id != person.registry_id)
        for number, other in enumerate(others):
            if self._ending:
                return
            freezing = number % TO_THE_FROZEN == 0 and self.frozen.registry_id != person.registry_id
            to = self.frozen if freezing else other
            signed = person.client.ledger.transfers.sign(person.account, to.account, AVT // 10 + number)
            if not await self._submit(person, signed):
                self.unknown.append((person, signed))

    async def _submit(self, person: Person, signed: dict[str, object]) -> bool:
        try:
            self.receipts.append(await person.client.ledger.transfers.submit(signed))
        except Unreachable:
            return False
        except Refused as refusal:
            if not refusal.retryable:
                raise  # everyone has enough
            return False
        return True

    async def until_sent(self, more: int) -> None:
        """Wait until this many more transfers were acknowledged."""
        goal = len(self.receipts) + more
        async with asyncio.timeout(60):
            while len(self.receipts) < goal:
                for task in self._tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.02)

    async def ask_again(self) -> None:
        """Send again what has no receipt; by its content it moves money once, whether it was decided before or not."""
        for person, signed in self.unknown:
            assert await self._submit(person, signed)

    async def ended(self) -> list[Transfer]:
        """Wait for the end of each."""
        by_owner = {each.account: each for each in self.people}
        owned = itertools.groupby(sorted(self.receipts, key=lambda each: each.sender), lambda each: each.sender)

        async def follow(person: Person, transfers: list[Transfer]) -> list[Transfer]:
            return [await person.client.ledger.transfers.ended(each) for each in transfers]

        found = await asyncio.gather(*(follow(by_owner[sender], list(sent)) for sender, sent in owned))
        return list(itertools.chain.from_iterable(found))


@pytest.fixture
async def economy(tmp_path: Path) -> AsyncIterator[Economy]:
    with running(tmp_path / "data") as registry:
        async with entered(registry) as found:
            yield found


async def opened(economy: Economy) -> Stream:
    """Open two frames with three registries, two people in each, and one account that is frozen."""
    await economy.frame("east")
    await economy.frame("west", "federated")
    for frame, name in (("east", "bazaar"), ("east", "arcade"), ("west", "market")):
        await economy.shop(frame, name, Terms(genesis_grant=100_000 * AVT))
    people = [
        await economy.person(name, f"{name} {number}") for name in ("bazaar", "arcade", "market") for number in (1, 2)
    ]
    cold = await economy.person("market", "Cold")
    await economy.admin.ledger.accounts.freeze(cold.account)
    return Stream(people, cold)


async def test_each_process_is_killed_while_transfers_cross_and_no_token_is_lost_or_made(economy: Economy) -> None:
    stream = await opened(economy)
    async with stream:
        await stream.until_sent(SENT_BETWEEN)
        for names in KILLED:
            for name in names:
                economy.registry.kill(name)
            await stream.until_sent(SENT_BETWEEN)
    await asyncio.to_thread(economy.registry.wait_until_serving)
    await stream.ask_again()
    transfers = await stream.ended()
    assert len({each.id for each in transfers}) == len(transfers)
    statuses = Counter(each.status for each in transfers)
    assert set(statuses) == {"committed", "aborted"}, statuses
    assert {each.receiver for each in transfers if each.status == "aborted"} == {stream.frozen.account}
    for each in transfers:
        economy.enter(each)
    await economy.check_balances()
    shown = {name: figures(each) for name, each in (await economy.supplies()).items()}
    counted = await asyncio.to_thread(economy.audit_supply)
    assert {name: figures(each) for name, each in counted.items()} == shown
