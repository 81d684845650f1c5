"""Writers of one partition: whatever they lose, repeat, race or crash at, what counts is as if there was one."""

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from log.chain import Chain, Mark
from log.following import Decided
from log.memory import MemoryMessage
from log.store import MemoryStore
from log.topic import events
from processors.seat import Seat
from tests.bench.decisions import issue_command, signer_command

TOPIC = events("facts")
COMMANDS = [
    MemoryMessage("commands", 0, 2 * number, 1_760_000_000_000 + number, b"key", value)
    for number, value in enumerate([signer_command(), *(issue_command(number) for number in range(40))])
]
"""Offsets have gaps, as Kafka's may."""


@dataclass
class Writer:
    """One decider process: its store outlives it, what it has in flight does not."""

    store: MemoryStore = field(default_factory=MemoryStore)
    seat: Seat = field(init=False)
    unsent: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.seat = Seat("facts", 0, self.store)
        self.unsent = []


def counted(log: list[MemoryMessage]) -> list[Decided]:
    return [Decided("facts", message) for message in Chain(Mark.start(TOPIC, 0)).counted(log)]


class Writers(RuleBasedStateMachine):
    """Three writers and one events partition."""

    @initialize()
    def begin(self) -> None:
        self.log: list[MemoryMessage] = []
        self.writers = [Writer(), Writer(), Writer()]

    @rule(index=st.integers(0, 2), count=st.integers(1, 6))
    def decide(self, index: int, count: int) -> None:
        writer = self.writers[index]
        due = [command for command in COMMANDS if command.offset >= writer.seat.resume][:count]
        writer.unsent += [value for _, value in writer.seat.decide(due)]

    @rule(index=st.integers(0, 2), count=st.integers(1, 6))
    def land(self, index: int, count: int) -> None:
        """What was sent reaches the log, in order, at some time."""
        writer = self.writers[index]
        for value in writer.unsent[:count]:
            self.log.append(MemoryMessage(TOPIC, 0, len(self.log), 1, b"key", value))
        del writer.unsent[:count]

    @rule(index=st.integers(0, 2))
    def lose(self, index: int) -> None:
        """One message in the middle of a flight is lost."""
        if self.writers[index].unsent:
            del self.writers[index].unsent[0]

    @rule(index=st.integers(0, 2))
    def fail(self, index: int) -> None:
        """An append failed: what was in flight is dropped, though it may still land."""
        self.writers[index].seat.abandon()

    @rule(index=st.integers(0, 2), count=st.integers(1, 12))
    def read_back(self, index: int, count: int) -> None:
        seat = self.writers[index].seat
        seat.settle(self.log[seat.next_event : seat.next_event + count])

    @rule(index=st.integers(0, 2), survivors=st.integers(0, 3))
    def crash(self, index: int, survivors: int) -> None:
        """The process dies; some of what it sent lands, the rest never does."""
        writer = self.writers[index]
        for value in writer.unsent[:survivors]:
            self.log.append(MemoryMessage(TOPIC, 0, len(self.log), 1, b"key", value))
        writer.start()

    @invariant()
    def no_command_is_decided_twice_and_none_is_passed_over(self) -> None:
        causes = [entry.decision.cause for entry in counted(self.log)]
        assert causes == [command.offset for command in COMMANDS[: len(causes)]]

    def teardown(self) -> None:
        """A writer that comes last finishes the work, and every writer that reads on has the same fold."""
        last = Writer()
        last.seat.settle(self.log)
        for value in [value for _, value in last.seat.decide(COMMANDS)]:
            self.log.append(MemoryMessage(TOPIC, 0, len(self.log), 1, b"key", value))
        assert len(counted(self.log)) == len(COMMANDS)
        fresh = Writer()
        fresh.seat.settle(self.log)
        for writer in [last, *self.writers]:
            writer.seat.settle(self.log[writer.seat.next_event :])
            assert dict(writer.store.scan("")) == dict(fresh.store.scan(""))
            assert writer.seat.resume == COMMANDS[-1].offset + 1


Writers.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestWriters = Writers.TestCase


def test_a_message_that_is_no_command_gets_a_decision_and_stops_nothing() -> None:
    writer = Writer()
    garbage = [MemoryMessage("commands", 0, number, 5, None, value) for number, value in enumerate([b"", b"\xc3\x01x"])]
    log = [
        MemoryMessage(TOPIC, 0, number, 1, None, value)
        for number, (_, value) in enumerate(writer.seat.decide([*garbage, *COMMANDS[2:3]]))
    ]
    assert writer.seat.settle(log)
    refusals = [entry.decision.refusal for entry in counted(log)]
    assert [refusal and refusal.code for refusal in refusals] == ["undecodable_command"] * 2 + ["signer_not_authorized"]


def test_time_never_goes_back() -> None:
    writer = Writer()
    late, early = COMMANDS[0], MemoryMessage("commands", 0, 50, 5, b"key", COMMANDS[1].value)
    log = [MemoryMessage(TOPIC, 0, n, 1, None, value) for n, (_, value) in enumerate(writer.seat.decide([late, early]))]
    assert [entry.decision.at for entry in counted(log)] == [late.timestamp, late.timestamp]


@pytest.mark.parametrize("flipped", [12, 60, 100])
def test_a_byte_flipped_later_breaks_the_chain_behind_it(flipped: int) -> None:
    writer = Writer()
    values = [value for _, value in writer.seat.decide(COMMANDS[:5])]
    values[2] = values[2][:flipped] + bytes([values[2][flipped] ^ 1]) + values[2][flipped + 1 :]
    log = [MemoryMessage(TOPIC, 0, number, 1, None, value) for number, value in enumerate(values)]
    assert len(counted(log)) == (2 if flipped == 12 else 3)


def test_a_seat_counts_the_events_that_it_settles_by_type_its_own_and_another_writers() -> None:
    one, two = Writer(), Writer()
    values = [value for _, value in one.seat.decide(COMMANDS[:3])]
    log = [MemoryMessage(TOPIC, 0, offset, 0, b"key", value) for offset, value in enumerate(values)]
    for writer in (one, two):
        assert writer.seat.settle(log[:2])
        assert writer.seat.events == {"SignerAdded": 1, "FactIssued": 1}
        assert writer.seat.settle(log[2:])
        assert writer.seat.events == {"FactIssued": 1}
        assert writer.seat.settle([])
        assert not writer.seat.events
