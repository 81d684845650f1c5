"""Whatever comes in between, each job is anchored once, no output is spent twice, and no satoshi is lost.

Two reactors that both believe to lead ask in any order; they die and others begin; decisions come late; the chain's
answers are lost, late or refusals; blocks come and are reorganised away.
"""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.publishing.batch import BatchSigned
from log.bitcoin import read_transaction
from processors.devnet_mining import InvalidDepth
from tests.publishing.press import Mind, Press

COIN = 3_000_000
PARTS = ("batcher", "broadcaster", "observer")
ENDING_ROUNDS = 12
ACTIONS = st.one_of(
    st.tuples(st.just("queue"), st.sampled_from(["now", "batch"])),
    st.tuples(st.just("ask"), st.integers(0, 1), st.sampled_from(PARTS), st.booleans()),
    st.tuples(st.just("ask"), st.integers(0, 1), st.sampled_from(PARTS), st.booleans()),
    st.tuples(st.just("die"), st.integers(0, 1)),
    st.tuples(st.just("wait"), st.sampled_from([500, 6_000, 61_000])),
    st.tuples(st.just("mine")),
    st.tuples(st.just("reorganise"), st.integers(1, 6)),
    st.tuples(st.just("weather"), st.sampled_from(["lost", "away", "refused"]), st.integers(1, 3)),
    st.tuples(st.just("fund"), st.integers(1, 600)),
)


class Walk:
    """A press, two reactors, and the jobs that were queued."""

    def __init__(self, press: Press) -> None:
        self.press, self.minds = press, [Mind(press), Mind(press)]
        self.jobs: list[str] = []

    async def do(self, name: str, *said: object) -> None:
        """Do one thing, and look whether the pool still adds up."""
        await getattr(self, name)(*said)
        assert self.press.pool.holds, self.press.pool

    async def queue(self, priority: str) -> None:
        self.jobs += self.press.queue(len(self.jobs), priority=priority)

    async def ask(self, which: int, part: str, settled: bool) -> None:  # noqa: FBT001 - drawn with the rest
        await self.minds[which].ask(part)
        if settled:
            self.press.settle()

    async def die(self, which: int) -> None:
        self.minds[which] = Mind(self.press)

    async def wait(self, ms: int) -> None:
        self.press.now += ms

    async def mine(self) -> None:
        await self.press.devnet.mine()

    async def reorganise(self, depth: int) -> None:
        try:
            await self.press.devnet.reorganise(depth)
        except InvalidDepth:
            await self.mine()

    async def weather(self, kind: str, times: int) -> None:
        setattr(self.press.chain, kind, times)

    async def fund(self, satoshis: int) -> None:
        await self.press.fund(satoshis)

    async def end(self) -> None:
        """Let the weather clear and everything come to its end."""
        for kind in ("lost", "away", "refused"):
            setattr(self.press.chain, kind, 0)
        for _ in range(ENDING_ROUNDS):
            self.press.settle()
            await self.minds[0].go()
            await self.press.devnet.mine()
            self.press.now += 31_000
        await self.minds[0].go()


async def walk(press: Press, actions: list[tuple[object, ...]], patched: pytest.MonkeyPatch) -> None:
    await press.begin(patched, satoshis=COIN)
    walking = Walk(press)
    for name, *said in actions:
        await walking.do(str(name), *said)
    await walking.end()
    ends = {job: press.status(job) for job in walking.jobs}
    assert set(ends.values()) <= {"confirmed", "failed"}, ends
    counted = await press.anchored(walking.jobs)
    for job, status in ends.items():
        assert counted[press.hash_of(job)] == (status == "confirmed"), (job, status)
    spent = [
        spends.outpoint
        for each in press.happened(BatchSigned)
        if press.batch(each.batch_id).status == "confirmed"
        for spends in read_transaction(each.raw).inputs
    ]
    assert len(spent) == len(set(spent))
    await press.devnet.check()
    assert press.pool.holds


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ACTIONS, min_size=5, max_size=60))
def test_each_job_is_anchored_once_whatever_comes_in_between(actions: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        press = Press(Path(folder))

        async def run() -> None:
            try:
                await walk(press, actions, patched)
            finally:
                await press.devnet.close()

        asyncio.run(run())
