"""Handles under any race: who claims, takes, goes back and comes late, and reactors that read and ask in any order.

A model of its own knows who is called what by the operations alone. At no time are two called the same, what was
confirmed and left is nobody else's for 90 days, and in the end every handle's stream says what its DID's does.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.catalog import decide, evolve
from domain.decider import Circumstances, Entry, Refusal
from domain.identity.creation import CreateDid
from domain.identity.handle import CLAIM_MS, HELD_MS, Claim, ClaimHandle, HandleConfirmed, handle_of
from domain.identity.identifier import identifier
from domain.identity.naming import SetHandle
from domain.identity.operation import SignedOperation, operation
from domain.identity.recovery import RecoverDid
from log.fold import Overlay
from log.store import MemoryStore
from processors.handles import Handles
from processors.identity_agenda import IdentityAgenda, changes
from processors.reactor_commands import Ask
from tests.domain.identity.registrar import HIGH, HOUR, LOW

pytestmark = pytest.mark.slow

DIDS = tuple("did:mun:" + letter * 26 for letter in "ab")
HANDLES = ("one", "two")
DAY_MS = 24 * HOUR
MINDS = 2


class Asked:
    """Takes what a reactor asks."""

    def __init__(self) -> None:
        self.asks: list[Ask] = []

    async def append(self, asks: Sequence[Ask]) -> None:
        """Keep it."""
        self.asks += asks


class Mind:
    """A reactor, which has read each stream up to somewhere."""

    def __init__(self, races: "HandleRaces") -> None:
        self.store, self.read = MemoryStore(), dict.fromkeys((*DIDS, *HANDLES), 0)
        self.asked = Asked()
        commands: Any = self.asked
        self.handles = Handles(IdentityAgenda(self.store), commands, lambda: True, lambda: races.now)

    def fold(self, stream: str, events: Sequence[tuple[Any, int, str]]) -> None:
        """Read one more decision of a stream, if there is one."""
        for event, at, where in events[self.read[stream] : self.read[stream] + 1]:
            overlay = Overlay(self.store)
            for change in changes(overlay, event, at, where):
                overlay.put(change)
                self.store.write([change], {})
            self.read[stream] += 1

    def ask(self) -> list[Ask]:
        """Give what it asks for by what it knows."""

        async def ask() -> None:
            self.handles._lately.forget()
            await self.handles.ask()
            await self.handles.lapse()

        asyncio.run(ask())
        found, self.asked.asks = self.asked.asks, []
        return found


class HandleRaces(RuleBasedStateMachine):
    """Two DIDs want two handles, and two reactors see to it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_700_000_000_000
        self.state: dict[str, Entry] = {}
        self.streams: dict[str, list[tuple[Any, int, str]]] = {each: [] for each in (*DIDS, *HANDLES)}
        self.claims: list[tuple[str, str, Claim]] = []
        self.in_flight: list[Ask] = []
        self.ruled: set[str] = set()
        self.minds = [Mind(self) for _ in range(MINDS)]
        self.said = 0
        self.called: dict[str, str] = {}
        self.confirmed: set[tuple[str, str]] = set()
        self.left: dict[str, tuple[str, int]] = {}

    def ask(self, stream: str, payload: Any) -> Sequence[Any] | Refusal:
        """Let a stream's decider rule."""
        self.now += 1
        outcome = decide(self.state, payload, Circumstances("somebody", self.now))
        if isinstance(outcome, Refusal):
            return outcome
        for event in outcome:
            for key, entry in evolve(self.state, event, self.now):
                if entry is None:
                    self.state.pop(key, None)
                else:
                    self.state[key] = entry
            where = f"identity/{list(self.streams).index(stream)}/{len(self.streams[stream])}"
            self.streams[stream].append((event, self.now, where))
            self.heard(event)
        return outcome

    def heard(self, event: Any) -> None:
        """Keep the model: who is called what, and who left what when."""
        if isinstance(event, HandleConfirmed):
            self.confirmed.add((event.handle, event.did))
        if not hasattr(event, "signed"):
            return
        before, after = self.called.pop(event.did, None), getattr(event, "handle", None)
        if after is not None:
            owner, since = self.left.get(after, (event.did, 0))
            assert owner == event.did or self.now >= since + HELD_MS, f"{after} is taken while it is held"
            self.called[event.did] = after
        if before is not None and before != after and (before, event.did) in self.confirmed:
            self.left[before] = (event.did, self.now)

    def signed(self, by: str, prev: str | None) -> SignedOperation:
        self.said += 1
        return SignedOperation(f"hash {self.said}", prev, by, "{}", "")

    @rule(did=st.sampled_from(DIDS), handle=st.sampled_from(HANDLES))
    def claim(self, did: str, handle: str) -> None:
        outcome = self.ask(handle, ClaimHandle(handle, did))
        if not isinstance(outcome, Refusal):
            where = self.streams[handle][-1][2]
            self.claims.append((did, handle, Claim(outcome[0].until, where)))

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        self.take_by(*data.draw(st.sampled_from(self.claims)))

    def take_by(self, did: str, handle: str, claim: Claim) -> None:
        known = identifier(self.state, did)
        if known is None:
            self.ask(did, CreateDid(did, self.signed(LOW, None), (HIGH, LOW), (), handle, claim))
        else:
            self.ask(did, SetHandle(did, self.signed(LOW, known.head), handle, claim))

    @initialize()
    def begin(self) -> None:
        """Let one DID have had a handle for so long that it may take another, and one have none."""
        self.ask(DIDS[1], CreateDid(DIDS[1], self.signed(LOW, None), (HIGH, LOW), (), None, None))
        self.name(DIDS[0], HANDLES[0])
        self.wait_long(31)

    @rule(did=st.sampled_from(DIDS), handle=st.sampled_from(HANDLES))
    def name(self, did: str, handle: str) -> None:
        before = len(self.claims)
        self.claim(did, handle)
        if len(self.claims) > before:
            self.take_by(*self.claims[-1])

    @rule(did=st.sampled_from(DIDS))
    def go_back(self, did: str) -> None:
        known = identifier(self.state, did)
        last = None if known is None else operation(self.state, did, known.head)
        if last is not None and last.prev is not None:
            self.ask(did, RecoverDid(did, self.signed(HIGH, last.prev), (HIGH, LOW), ()))

    @rule(ms=st.sampled_from([1_000, CLAIM_MS // 2, CLAIM_MS, HOUR]))
    def wait(self, ms: int) -> None:
        self.now += ms

    @rule(days=st.sampled_from([31, 60]))
    def wait_long(self, days: int) -> None:
        # Reactors may be away for hours; not for the weeks in which nobody could undo what one did wrong.
        self.come_to_rest()
        self.now += days * DAY_MS

    @rule(mind=st.integers(0, MINDS - 1), stream=st.sampled_from((*DIDS, *HANDLES)))
    def fold(self, mind: int, stream: str) -> None:
        self.minds[mind].fold(stream, self.streams[stream])

    @rule(mind=st.integers(0, MINDS - 1))
    def tend(self, mind: int) -> None:
        self.read_all(self.minds[mind])
        for ask in self.minds[mind].ask():
            self.deliver(ask)

    def read_all(self, mind: Mind) -> None:
        for stream, events in self.streams.items():
            for _ in range(len(events) - mind.read[stream]):
                mind.fold(stream, events)

    @rule(mind=st.integers(0, MINDS - 1))
    def react(self, mind: int) -> None:
        self.in_flight += self.minds[mind].ask()

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), twice=st.booleans())
    def arrive(self, data: st.DataObject, *, twice: bool) -> None:
        number = data.draw(st.integers(0, len(self.in_flight) - 1))
        self.deliver(self.in_flight[number] if twice else self.in_flight.pop(number))

    def deliver(self, ask: Ask) -> None:
        if ask.content_id not in self.ruled:
            self.ruled.add(ask.content_id)
            self.ask(ask.key, ask.payload)

    @rule(mind=st.integers(0, MINDS - 1))
    def crash(self, mind: int) -> None:
        self.minds[mind] = Mind(self)

    @invariant()
    def nobody_is_called_as_another(self) -> None:
        assert len(set(self.called.values())) == len(self.called)
        for did in DIDS:
            known = identifier(self.state, did)
            assert (None if known is None else known.handle) == self.called.get(did)

    def come_to_rest(self) -> None:
        """Let everything arrive, and reactors do what is left."""
        for _ in range(40):
            for ask in self.in_flight:
                self.deliver(ask)
            self.in_flight.clear()
            for mind in self.minds:
                self.read_all(mind)
                self.in_flight += mind.ask()
            self.now += CLAIM_MS
            claimed = any((known := handle_of(self.state, each)) and known.status == "claimed" for each in HANDLES)
            if not self.in_flight and not claimed:
                return
        raise AssertionError(f"reactors never come to rest: {self.in_flight}")

    def teardown(self) -> None:
        self.come_to_rest()
        for handle in HANDLES:
            known = handle_of(self.state, handle)
            owner = next((did for did, called in self.called.items() if called == handle), None)
            if owner is not None:
                assert (known and (known.did, known.status)) == (owner, "confirmed"), handle
            else:
                assert known is None or known.status == "held", handle


TestHandleRaces = HandleRaces.TestCase
TestHandleRaces.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
