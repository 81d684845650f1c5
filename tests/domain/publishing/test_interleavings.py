"""Whatever is asked in whatever order: no output is spent twice, no job anchored twice, and no satoshi is lost."""

from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from domain.decider import Refusal
from domain.publishing.anchoring import (
    FailBatch,
    NoteConfirmed,
    NoteReorged,
    NoteSeen,
    NoteSent,
    ReleaseBatch,
    ReserveBatch,
    SignBatch,
)
from domain.publishing.batch import BatchReserved, BatchSigned, ChangeOutput, batch
from domain.publishing.job import job
from domain.publishing.output import FundPool, output, pool
from tests.domain.publishing.press import HERE, KEEP_MS, OPERATOR, POOL, REGISTERED, intent, job_id
from tests.domain.scenario import Scenario

JOBS = st.integers(0, 7)
BATCHES = st.integers(0, 4)


class Interleavings(RuleBasedStateMachine):
    """Several workers that know nothing of one another ask what they like."""

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scenario(actor=OPERATOR).given(REGISTERED)
        self.outpoints: list[str] = []
        self.spent: dict[str, str] = {}
        self.signed_jobs: dict[str, str] = {}
        self.funded = 0
        for number in range(4):
            self.queue(number)
            self.fund(1_000 * (number + 1))

    def ask(self, command: Any) -> Any:
        """Ask, and note what was spent and signed."""
        self.scene.when(command)
        if isinstance(self.scene.outcome, Refusal):
            return None
        (event,) = self.scene.outcome
        return event

    @rule(satoshis=st.integers(1, 5_000))
    def fund(self, satoshis: int) -> None:
        name = f"{len(self.outpoints):064x}:0"
        if self.ask(FundPool(POOL, name, satoshis, "76a9", HERE)):
            self.funded += satoshis
            self.outpoints.append(name)

    @rule(number=JOBS)
    def queue(self, number: int) -> None:
        self.ask(intent(number, at=self.scene.now))

    @rule(number=BATCHES, jobs=st.lists(JOBS, min_size=1, max_size=2, unique=True), data=st.data())
    def reserve(self, number: int, jobs: list[int], data: st.DataObject) -> None:
        if not self.outpoints:
            return
        taken = data.draw(st.lists(st.sampled_from(self.outpoints), min_size=1, max_size=2, unique=True))
        event = self.ask(
            ReserveBatch(POOL, f"bat_{number}", tuple(map(job_id, jobs)), tuple(taken), 0, 0, KEEP_MS, None)
        )
        if isinstance(event, BatchReserved):
            assert not any(name in self.signed_jobs for name in event.job_ids)

    @rule(number=BATCHES, fee=st.integers(0, 1_500), ways=st.integers(1, 3))
    def sign(self, number: int, fee: int, ways: int) -> None:
        known = batch(self.scene.state, f"bat_{number}")
        if known is None:
            return
        left = sum(each.satoshis for each in (output(self.scene.state, name) for name in known.outpoints) if each) - fee
        parts = [left // ways] * (ways - 1)
        parts.append(left - sum(parts))
        change = tuple(ChangeOutput(vout, each, "76a9") for vout, each in enumerate(parts) if left)
        txid = f"{number + 1:02x}" * 32
        event = self.ask(SignBatch(POOL, f"bat_{number}", txid, b"raw", fee, change))
        if isinstance(event, BatchSigned):
            for outpoint in known.outpoints:
                assert outpoint not in self.spent, "an output is spent twice"
                self.spent[outpoint] = txid
            for name in known.job_ids:
                assert name not in self.signed_jobs, "a job is anchored twice"
                self.signed_jobs[name] = txid
            self.outpoints += [f"{txid}:{each.vout}" for each in change]

    @rule(number=BATCHES, kind=st.sampled_from([NoteSent, NoteSeen]))
    def hear(self, number: int, kind: Any) -> None:
        self.ask(kind(POOL, f"bat_{number}"))

    @rule(number=BATCHES, block=st.sampled_from(["ab", "cd"]), gone=st.booleans())
    def mine(self, number: int, block: str, *, gone: bool) -> None:
        name = f"bat_{number}"
        self.ask(NoteReorged(POOL, name, block) if gone else NoteConfirmed(POOL, name, 7, block, b"h", b"b"))

    @rule(number=BATCHES, waited=st.sampled_from([0, KEEP_MS]))
    def release(self, number: int, waited: int) -> None:
        self.scene.now += waited
        self.ask(ReleaseBatch(POOL, f"bat_{number}", None))

    @rule(number=BATCHES)
    def fail(self, number: int) -> None:
        known = batch(self.scene.state, f"bat_{number}")
        if self.ask(FailBatch(POOL, f"bat_{number}", "never", ())) and known is not None:
            # The chain never had it: what it would have spent is there, and its jobs failed.
            for outpoint in known.outpoints:
                del self.spent[outpoint]
            self.outpoints = [each for each in self.outpoints if each not in known.change]

    @invariant()
    def nothing_is_lost(self) -> None:
        figures = pool(self.scene.state)
        assert figures.holds, figures
        assert figures.funded == self.funded
        outputs = {name: entry for name in {*self.outpoints} if (entry := output(self.scene.state, name))}
        assert figures.held == sum(each.satoshis for each in outputs.values() if each.status != "spent")
        assert figures.available == sum(each.status == "available" for each in outputs.values())

    @invariant()
    def whoever_holds_is_held(self) -> None:
        for name in (f"bat_{number}" for number in range(5)):
            known = batch(self.scene.state, name)
            if known is None or known.status != "reserved":
                continue
            for outpoint in known.outpoints:
                taken = output(self.scene.state, outpoint)
                assert taken is not None
                assert (taken.status, taken.held_by) == ("reserved", name)
            for each in known.job_ids:
                held = job(self.scene.state, each)
                assert held is not None
                assert held.batch_id == name


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
