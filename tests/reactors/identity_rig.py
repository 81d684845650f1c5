"""Identity without HTTP or Faust: the memory log at a time that a test sets, its deciders, and reactors."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from domain.identity.handle import Handle, handle_of
from domain.identity.naming import SetHandle
from log.following import follow
from log.message import Decision
from log.store import MemoryStore
from log.topic import partition_of
from processors.handles import Handles
from processors.identity_agenda import IdentityAgenda
from processors.reactor_commands import ReactorCommands
from tests.audit.chancery import COMMANDS, EVENTS, Chancery, Pen, pen
from tests.audit.economy import DAY_MS, first

CLAIM_MS = 60_000
HIGH, LOW = pen(1), pen(2)


def key_of(name: str) -> Pen:
    """Give the key that somebody signs with."""
    return pen(100 + sum(name.encode()))


class Office(Chancery):
    """A chancery that leaves to reactors what is theirs; their commands are decided when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.dids: dict[str, str] = {}

    def set_clock(self, monkeypatch: pytest.MonkeyPatch) -> "Office":
        """Let the broker stamp messages with this office's time."""
        clock = SimpleNamespace(time_ns=lambda: self.now * 1_000_000, monotonic=time.monotonic)
        monkeypatch.setattr("log.memory.time", clock)
        return self

    def confirm(self, handle: str, did: str) -> None:
        """Leave it to a reactor."""

    def person(self, name: str, handle: str | None = None) -> str:
        """Create a DID with a high and a low rotation key."""
        found = self.create((HIGH, LOW), (key_of(name).key(name),), handle)
        self.dids[name] = found
        return found

    def renamed(self, did: str, handle: str) -> Decision:
        """Take another handle, by the low key."""
        claim = self.claim(handle, did)
        return self.operation(SetHandle(did, self._signed("set_handle", did, LOW, None, handle=handle), handle, claim))

    def settle(self) -> None:
        """Decide every command that lies there undecided."""
        for partition in range(self.partitions):
            seat = self._seats.get(("identity", partition))
            if seat is not None:
                records = seat.decide(self.log.messages(COMMANDS, partition)[seat.resume :])
                seat.settle([self._append(EVENTS, partition, name, value) for name, value in records])

    def happened(self, kind: type) -> list[Any]:
        """Give the events of a kind."""
        return [
            event.payload for _, _, each in self.events() for event in each.events if isinstance(event.payload, kind)
        ]

    def handle(self, handle: str) -> Handle | None:
        """Give how a handle stands by its own stream's decider."""
        seat = self._seats.get(("identity", partition_of(handle, self.partitions)))
        return None if seat is None else handle_of(seat.store, handle)  # type: ignore[arg-type]  # only asked by key

    async def with_all_to_do(self) -> "Office":
        """Leave something to do for every part of the process manager."""
        await self.begin()
        carol, eve = self.person("carol", "carol"), self.person("eve", "eve")
        for name in ("carol", "eve"):
            super().confirm(name, self.dids[name])
        self.now += 31 * DAY_MS
        self.person("ada", "ada")
        bob, dave = self.person("bob"), self.person("dave")
        assert self.claim("bob", bob) is not None
        first(self.renamed(carol, "caroline"))
        before = self.head(eve)
        first(self.renamed(eve, "evelyn"))
        first(self.recover(eve, HIGH, (HIGH,), (), before))
        first(self.set_guardians(dave, HIGH, [bob], 1, 60))
        first(self.rescue(dave, {bob: ("bob", key_of("bob"))}, (pen(8),), [pen(9).key("rescue")]))
        return self


class Clerk:
    """A reactor's part of identity: its fold and its process manager."""

    def __init__(self, office: Office, store: MemoryStore | None = None) -> None:
        self.office = office
        self.agenda = IdentityAgenda(store or MemoryStore())
        self.commands = ReactorCommands(office.log)
        self.handles = Handles(self.agenda, self.commands, lambda: True, lambda: office.now)

    async def catch_up(self) -> "Clerk":
        """Fold all that lies on the log."""
        ends = {p: len(self.office.log.messages(EVENTS, p)) for p in range(self.office.partitions)}
        await follow(self.office.log, "identity", self.agenda, until=ends)
        return self

    async def turn(self) -> int:
        """Do all that there is to do by now, once; give how much was asked for."""
        await self.catch_up()
        asked = await self.handles.ask()
        for run in (await self.handles.lapse(), await self.handles.complete()):
            asked += run.said["asked"]
        return asked

    async def work(self) -> None:
        """Do what there is until nothing is left; commands are decided as they come."""
        while await self.turn():
            self.office.settle()
            self.office.now += 2_000
