"""Frames, registries and people in a running registry, and a book of what each should have by its receipts."""

import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from log.token import later, read_token, write_token
from muniment import Client, SigningKey
from muniment.client import Supply, Terms, Transfer
from tests.end_to_end.registry import Registry

AVT = 1_000_000
CROSS_FEE_BPS = 50


def ahead(**given: float) -> str:
    """Write a time that far ahead."""
    return (datetime.now(UTC) + timedelta(**given)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fee_of(amount: int, bps: int) -> int:
    """Compute a fee, rounded up, without the product's own code."""
    return -(-amount * bps // 10_000)


@dataclass
class Person:
    """A developer: its client and its account."""

    client: Client
    account: str
    registry_id: str


@dataclass
class Economy:
    """What was opened, and by the receipts how much is available in each account."""

    registry: Registry
    admin: Client
    exits: contextlib.AsyncExitStack
    book: Counter[str] = field(default_factory=Counter)
    treasuries: dict[str, str] = field(default_factory=dict)
    frames: list[str] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)

    async def frame(self, frame_id: str, mode: str = "sovereign") -> None:
        """Open a frame."""
        await self.admin.ledger.frames.create(frame_id, mode)
        self.frames.append(frame_id)

    async def shop(self, frame_id: str, registry_id: str, terms: Terms | None = None) -> None:
        """Open a registry in a frame."""
        opened = await self.admin.ledger.registries.create(frame_id, registry_id, terms)
        assert opened.treasury is not None
        self.treasuries[registry_id] = opened.treasury

    async def client(self, key: SigningKey) -> Client:
        """Make a client that ends with this economy."""
        self.clients.append(await self.exits.enter_async_context(Client(self.registry.url, key)))
        return self.clients[-1]

    def written(self) -> str:
        """Give the token of all that any client wrote, so that a read sees it."""
        written = [each.position for each in (self.admin, *self.clients)]
        return write_token(later([read_token(each) for each in written if each is not None]))

    async def person(self, registry_id: str, name: str) -> Person:
        """Register a developer, by itself."""
        client = await self.client(SigningKey.generate())
        made = await client.ledger.developers.register(registry_id, name)
        self.book[made.account_id] += made.grant
        return Person(client, made.account_id, registry_id)

    def enter(self, transfer: Transfer) -> None:
        """Book what a receipt says; one that is still under way is an error."""
        assert transfer.ended, f"{transfer.id} is {transfer.status}"
        amount, fee, to = transfer.amount, transfer.fee, transfer.to_registry_id
        if transfer.status == "settled":
            assert fee is not None
            assert transfer.from_registry_id == to
            self._book(transfer, amount + fee, amount, fee)
        elif transfer.status == "committed":
            assert fee == fee_of(amount, CROSS_FEE_BPS)
            self._book(transfer, amount, amount - fee, fee)

    def _book(self, transfer: Transfer, paid: int, received: int, fee: int) -> None:
        self.book[transfer.sender] -= paid
        self.book[transfer.receiver] += received
        self.book[self.treasuries[str(transfer.to_registry_id)]] += fee

    async def check_balances(self) -> None:
        """Compare every account with the book."""
        written = self.written()
        for account, expected in self.book.items():
            found = await self.admin.ledger.accounts.get(account, min_position=written)
            assert found.available == expected, f"{found} should have {expected} by the receipts"

    async def supplies(self) -> dict[str, Supply]:
        """Give each frame's supply, which has to hold, and nothing may be under way."""
        found = {each.frame_id: await self.supply(each.frame_id) async for each in self.admin.ledger.frames.list()}
        assert set(found) >= set(self.frames)
        assert sum(each.transit_net + each.in_flight for each in found.values()) == 0
        assert {each.in_flight for each in found.values()} == {0}
        return found

    async def supply(self, frame_id: str) -> Supply:
        """Give a frame's supply, which has to hold."""
        found = await self.admin.ledger.supply(frame_id, min_position=self.written())
        assert found.holds
        counted = found.tokens_issued - found.tokens_destroyed + found.transit_net
        assert counted == found.tokens_circulating
        return found

    def audit_supply(self) -> dict[str, Any]:
        """Have the supply counted again from the log by the command line, and give each frame's figures."""
        verdict = json.loads(self.registry.cli("audit", "supply", "--json"))
        assert verdict["holds"], verdict["difference"]
        return {each["frame_id"]: each for each in verdict["frames"]}


@contextlib.asynccontextmanager
async def entered(registry: Registry) -> AsyncIterator[Economy]:
    """Enter a running registry as its operator."""
    async with contextlib.AsyncExitStack() as exits:
        operator = SigningKey.load(registry.data / "operator.json")
        admin = await exits.enter_async_context(Client(registry.url, operator))
        yield Economy(registry, admin, exits)


def figures(found: Supply | dict[str, Any]) -> dict[str, Any]:
    """Give the figures of a supply as the registry writes them."""
    given = found.json if isinstance(found, Supply) else found
    names = ("frame_id", "tokens_issued", "tokens_destroyed", "transit_net", "tokens_circulating", "in_flight", "holds")
    return {name: given[name] for name in names}
