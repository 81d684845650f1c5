"""A ledger without HTTP or Faust: the memory log at a time that a test sets, its deciders, and reactors."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from domain.ledger.account import account_id
from domain.ledger.frame import MintTokens, OpenFrame
from domain.ledger.payment import PaymentHeld
from domain.ledger.proposal import OpenProposal, ProposalOpened
from domain.ledger.registry import OpenRegistry, Terms
from domain.ledger.transit import TransferPrepared
from log.following import follow
from log.store import MemoryStore
from processors.audit_source import LogSource
from processors.ledger_agenda import LedgerAgenda
from processors.ledger_audits import LedgerAudits
from processors.ledger_tasks import LedgerTasks
from processors.reactor_commands import ReactorCommands
from processors.transits import Transits
from tests.audit.economy import AWAY, COMMANDS, DAY_MS, EVENTS, HOME, Economy, first
from tests.audit.registry import key

STAKES = 3
TERMS = Terms()


class Town(Economy):
    """An economy whose reactors' commands are decided when a test says so."""

    def set_clock(self, monkeypatch: pytest.MonkeyPatch) -> "Town":
        """Let the broker stamp messages with this economy's time."""
        clock = SimpleNamespace(time_ns=lambda: self.now * 1_000_000, monotonic=time.monotonic)
        monkeypatch.setattr("log.memory.time", clock)
        return self

    def asked(self) -> int:
        """Count the commands that lie on the log."""
        return sum(len(self.log.messages(COMMANDS, partition)) for partition in range(self.partitions))

    def settle(self) -> None:
        """Decide every command that lies there undecided."""
        for partition in range(self.partitions):
            seat = self._seats.get(("ledger", partition))
            if seat is not None:
                records = seat.decide(self.log.messages(COMMANDS, partition)[seat.resume :])
                seat.settle([self._append(EVENTS, partition, name, value) for name, value in records])

    def happened(self, kind: type) -> list[Any]:
        """Give the events of a kind."""
        return [
            happening.payload
            for partition in range(self.partitions)
            for decision in self.decisions(partition)
            for happening in decision.events
            if isinstance(happening.payload, kind)
        ]

    def treasury(self, registry_id: str = "north") -> str:
        """Name a registry's treasury."""
        return account_id(HOME, registry_id, self.operator.did, "treasury")

    async def with_all_to_do(self) -> "Town":
        """Let a payment, a vote and a transfer be over their time, and a day that three stakes lay for be over."""
        await self.begin()
        admin, here = self.by_admin, self.authority
        for frame, shop in ((HOME, "north"), (AWAY, "east")):
            first(admin(OpenFrame(frame, "sovereign", "enabled", here)))
            first(admin(OpenRegistry(frame, shop, TERMS, here)))
        people = [key(11 + number) for number in range(STAKES)]
        accounts = [self.developer(each, HOME, "north") for each in people]
        far = self.developer(key(20), AWAY, "east")
        first(admin(MintTokens(HOME, self.treasury(), 1_000_000, here)))
        for owner, account in zip(people, accounts, strict=True):
            first(self.stake(owner, account, 73_000_000, 0))
        self.now += 2 * DAY_MS
        held: PaymentHeld = first(self.hold(people[0], accounts[0], accounts[1], people[1].did, 5_000))
        sent: TransferPrepared = first(self.transfer(people[0], accounts[0], far, 40_000, to=AWAY))
        asked = ("prp_1", HOME, "north", "text", "Shall we?", None, None, None, self.now + 30_000)
        opened: ProposalOpened = first(self.by_session(people[0], OpenProposal(*asked)))
        self.now = max(held.expires_at, sent.timeout_at, opened.ends_at)
        return self


class Mind:
    """A reactor's part of the ledger: its fold, its tasks, its auditors; ``leads`` is for a test to say."""

    def __init__(self, town: Town) -> None:
        def clock() -> int:
            return town.now

        self.town, self.leads = town, True
        self.agenda = LedgerAgenda(MemoryStore())
        self.commands = ReactorCommands(town.log)
        self.tasks = LedgerTasks(self.agenda, self.commands, clock)
        self.transits = Transits(self.agenda, self.commands, lambda: self.leads, clock)
        self.audits = LedgerAudits(LogSource(town.log), clock)

    async def catch_up(self) -> "Mind":
        """Fold all that lies on the log."""
        ends = {p: len(self.town.log.messages(EVENTS, p)) for p in range(self.town.partitions)}
        await follow(self.town.log, "ledger", self.agenda, until=ends)
        return self

    def runs(self) -> dict[str, Callable[[], Any]]:
        """Give every task of the ledger by its name."""
        return {
            "expire_payments": self.tasks.expire_payments,
            "tally": self.tasks.tally,
            "velocity": self.tasks.measure_velocity,
            "rewards": self.tasks.reward,
            "transits": self.transits.time_out,
            "supply": self.audits.supply,
            "settlement": self.audits.settlement,
            "invariants": self.audits.invariants,
        }
