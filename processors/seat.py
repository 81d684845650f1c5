"""A seat is one partition as its writer sees it: what is settled on the log, and what this writer has in flight.

It does no I/O but its store's, so that a test can put a crash, a loss or another writer between any two steps.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from domain.catalog import BY_CLASS
from domain.decider import Change, Circumstances, Refusal
from domain.ruling import UNDECODABLE, rule
from log import topic
from log.avro import UndecodableValue
from log.chain import Chain, chain_value
from log.fold import Overlay, changes_of
from log.message import Command, Decision, Happening, Message, Refused
from log.released import codec
from log.store import MemoryStore, Store

PROGRESS_KEY = "progress"
"""Holds the last decided command's offset and the log's time then."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """A decision that this writer has appended and not yet read back."""

    chain: bytes
    cause: int
    at: int
    changes: Sequence[Change]
    events: Sequence[str]


class Seat:
    """Decides the commands of one partition, and settles what it reads back from the log.

    ``settled`` counts the decisions that it has read back since it was taken, ``events`` the events in what it
    settled last, by type.
    """

    def __init__(self, context: str, partition: int, store: Store | MemoryStore) -> None:
        self.context, self.partition, self.store = context, partition, store
        self._events = topic.events(context)
        self._commands, self._decisions = codec(context, "command"), codec(context, "decision")
        self._chain = Chain(store.mark(self._events, partition))
        self._overlay = Overlay(store)
        self._flight: deque[InFlight] = deque()
        self.settled = 0
        self.events: Counter[str] = Counter()
        self._settled_cause, self._settled_at = store.get(PROGRESS_KEY) or (-1, 0)
        self._head, self._cause, self._at = self._chain.value, self._settled_cause, self._settled_at

    @property
    def next_event(self) -> int:
        """Say which offset of the events partition is read next."""
        return self._chain.mark.next

    @property
    def resume(self) -> int:
        """Say which offset of the commands partition is decided next."""
        return int(self._cause) + 1

    @property
    def in_flight(self) -> int:
        """Count the decisions that aren't read back yet."""
        return len(self._flight)

    @property
    def position(self) -> int:
        """Give the offset of the last settled decision, -1 before the first."""
        return self._chain.mark.last

    def decide(self, messages: Sequence[Message]) -> list[tuple[bytes | None, bytes]]:
        """Rule on commands in their order and give the decisions to append, chained on each other.

        A command below ``resume`` was decided before and is passed over.
        """
        records = []
        for message in messages:
            if message.offset <= self._cause:
                continue
            decision = self._decision(message)
            value = self._decisions.encode(decision)
            changes = changes_of(self._overlay, decision)
            self._head, self._cause, self._at = chain_value(value), message.offset, decision.at
            events = tuple(happening.type for happening in decision.events)
            self._flight.append(InFlight(self._head, message.offset, decision.at, changes, events))
            records.append((message.key, value))
        return records

    def _decision(self, message: Message) -> Decision:
        now = max(message.timestamp, self._at)
        try:
            command: Command = self._commands.decode(message.value or b"")
        except UndecodableValue as error:
            refused = Refused(UNDECODABLE, {"detail": str(error)})
            return Decision(self._head, "", message.offset, now, (), refused)
        around = Circumstances(command.actor, now, first=self._cause < 0, cause=message.offset)
        outcome = rule(self._overlay, command.id, command.payload, around)
        if isinstance(outcome, Refusal):
            refused = Refused(outcome.code, dict(outcome.details))
            return Decision(self._head, command.id, message.offset, now, (), refused)
        happenings = tuple(Happening((entry := BY_CLASS[type(event)]).name, entry.version, event) for event in outcome)
        return Decision(self._head, command.id, message.offset, now, happenings, None)

    def settle(self, messages: Sequence[Message]) -> bool:
        """Read back what lies on the log, write what counts to the store, and say whether this writer still leads.

        It doesn't when another writer's decision counted or one of its own did not: what it had in flight is dropped.
        """
        leads = True
        settled: list[Change] = []
        happened: list[str] = []
        for message in messages:
            if not self._chain.admit(message):
                if self._flight and any(flying.chain == chain_value(message.value or b"") for flying in self._flight):
                    self.abandon(settled)
                    leads = False
                continue
            self.settled += 1
            if self._flight and self._flight[0].chain == self._chain.value:
                flying = self._flight.popleft()
                settled.extend(flying.changes)
                happened.extend(flying.events)
                self._settled_cause, self._settled_at = flying.cause, flying.at
                continue
            if self._flight:
                self.abandon(settled)
                leads = False
            decision: Decision = self._decisions.decode(message.value)
            settled.extend(changes_of(self._overlay, decision))
            happened.extend(happening.type for happening in decision.events)
            self._settled_cause, self._settled_at = decision.cause, decision.at
            self._head, self._cause, self._at = self._chain.value, decision.cause, decision.at
        # Durable from here: the fold and the mark that it stands at. A crash before reads the same messages again.
        # Of a key that changed often, as a treasury's does, the last entry is all that there is to write.
        last = list(dict(settled).items())
        progress: Change = (PROGRESS_KEY, (self._settled_cause, self._settled_at))
        self.store.write([*last, progress], {(self._events, self.partition): self._chain.mark})
        self._overlay.settle(last)
        self.events = Counter(happened)
        return leads

    def abandon(self, settled: Sequence[Change] = ()) -> None:
        """Drop what is in flight: the log decides whether any of it counts."""
        self._flight.clear()
        self._overlay.drop()
        for change in settled:
            self._overlay.put(change)
        self._head, self._cause, self._at = self._chain.value, self._settled_cause, self._settled_at
