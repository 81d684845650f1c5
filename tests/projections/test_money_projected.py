"""Every row of the tables of money against Postgres: balances behind each line, statements, and each frame's supply."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping

import pytest

from log import topic
from log.following import follow
from projections import ledger_account_queries, ledger_queries
from projections.fact_queries import Cut
from projections.generations import Generation
from projections.ledger import LedgerProjection
from projections.ledger_account_queries import StoredPosting
from projections.postgres import Postgres, Transaction
from projections.projector import Projector
from projections.reads import Reads
from tests.conftest import Services
from tests.domain.ledger.money import ROWS, Row
from tests.domain.ledger.playing import Played, Sheet, same
from tests.domain.ledger.town import COUNTERS, PARTS, place_of
from tests.processors.given_times import GivenTimes
from tests.processors.money_on_a_log import PARTITIONS, Deciding, play_all
from tests.projections.conftest import emptied

pytestmark = pytest.mark.stack

Faults = Mapping[str, Exception]
"""What is wrong with each row, by its name."""


class Asked:
    """What one snapshot of the tables says of a row that was played."""

    def __init__(self, played: Played, transaction: Transaction, generation: Generation) -> None:
        self._played, self._town, self._at = played, played.town, (transaction, generation)

    async def check(self) -> None:
        """Hold every answer against the row. Raises AssertionError."""
        for name, account_id in self._town.accounts.items():
            await self.check_balances(name, account_id)
            await self.check_statement(name, account_id)
        for prefix, frame_id in self._town.frames.items():
            await self.check_supply(prefix, frame_id)

    def places(self, name: str, sheet: Sheet) -> tuple[int, ...]:
        """Give the three parts of an account in a sheet."""
        return tuple(sheet.get(place_of(name, part), 0) for part in PARTS)

    async def check_balances(self, name: str, account_id: str) -> None:
        """Ask for an account as of each step that moved it, and now."""
        account = ledger_account_queries.account
        last: dict[int, int] = {}
        for step in self._played.steps:
            last[step.answer.partition] = step.answer.offset
            if any(self.places(name, step.moved)):
                found = await account(*self._at, account_id, Cut([last.get(part, -1) for part in range(PARTITIONS)]))
                assert found is not None
                balances = (found.available, found.staked, found.held)
                same(f"{name} as of {last} has", balances, self.places(name, step.sheet))
        now = await account(*self._at, account_id)
        assert now is not None
        same(f"{name} has", (now.available, now.staked, now.held), self.places(name, self._played.steps[-1].sheet))

    async def check_statement(self, name: str, account_id: str) -> None:
        """Ask for an account's statement: what each step moved, and what it had then."""
        lines = await ledger_account_queries.statement(*self._at, account_id, limit=1_000)
        by_place: defaultdict[tuple[int, int], list[StoredPosting]] = defaultdict(list)
        for line in reversed(lines):
            by_place[line.part, line.pos].append(line)
        for step in self._played.steps:
            where = (step.answer.partition, step.answer.offset)
            found = by_place.pop(where, [])
            moved = tuple(sum(line.amount for line in found if line.account_part == part) for part in PARTS)
            same(f"the statement of {name} at {where} moves", moved, self.places(name, step.moved))
            if found:
                behind = (found[-1].available, found[-1].staked, found[-1].held)
                same(f"the statement of {name} at {where} leaves", behind, self.places(name, step.sheet))
        same(f"the statement of {name} has besides", dict(by_place), {})

    async def check_supply(self, prefix: str, frame_id: str) -> None:
        """Ask for a frame's supply."""
        sheet, found = self._played.steps[-1].sheet, await ledger_queries.supply(*self._at, frame_id)
        assert found is not None
        issued, destroyed, transit = (sheet.get(prefix + counter, 0) for counter in COUNTERS)
        same(f"{frame_id} has issued", found.tokens_issued, issued)
        same(f"{frame_id} has destroyed", found.tokens_destroyed, destroyed)
        same(f"{frame_id} has in transit", found.transit_net, transit)
        same(f"{frame_id} has circulating", found.tokens_circulating, issued - destroyed + transit)
        same(f"{frame_id} has in flight", found.in_flight, self.flying(frame_id))
        same(f"the supply of {frame_id}", found.holds, right=True)

    def flying(self, frame_id: str) -> int:
        """Count what left a frame and neither arrived nor came back, by what the events of the row say."""
        sent: dict[str, int] = {}
        for event in (event for step in self._played.steps for event in step.answer.events):
            match type(event).__name__:
                case "TransferPrepared" if event.frame_id == frame_id:
                    sent[event.transfer_id] = event.amount
                case "TransferAccepted" | "TransferAborted":
                    sent.pop(event.transfer_id, None)
        return sum(sent.values())


async def projected(services: Services) -> Faults:
    """Play every row on one log, project it, and hold what the tables then say against each row."""
    log, postgres, faults = GivenTimes(), Postgres(services.postgres), dict[str, Exception]()
    async with Deciding(log).run() as deciding:
        outcomes = await play_all(ROWS, deciding)
    try:
        await emptied(postgres)
        until = {part: len(log.messages(topic.events("ledger"), part)) for part in range(PARTITIONS)}
        await follow(log, "ledger", Projector(postgres, [LedgerProjection()]), until=until)

        async def check(transaction: Transaction, generation: Generation) -> None:
            for name, played in outcomes.items():
                if not isinstance(played, Played):
                    faults[name] = played
                    continue
                try:
                    await Asked(played, transaction, generation).check()
                except AssertionError as error:
                    faults[name] = error

        await Reads(postgres).read("ledger", check)
    finally:
        await postgres.close()
    return faults


@pytest.fixture(scope="module")
def faults(services: Services) -> Faults:
    """Play and project all rows at once."""
    return asyncio.run(projected(services))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_holds_in_postgres(row: Row, faults: Faults) -> None:
    fault = faults.get(row.name)
    if fault is not None:
        raise fault
