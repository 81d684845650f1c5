"""Whatever is killed between an intent and its block: each job is anchored once, and nothing but time is lost."""

import asyncio
import contextlib
import itertools
import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
import pytest

from log.bitcoin import anchored, read_transaction
from log.intents import intent_signed_bytes, record_hash
from muniment import Client, Refused, SigningKey, Unreachable
from muniment.client.publishing_shapes import Job
from muniment.publisher_key import PublisherKey
from muniment.record_proof import proven, read_proof
from tests.bench.publishing import record
from tests.end_to_end.registry import Registry, running

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(300)]

KILLED = (("react",), ("decide",), ("api",), ("project",), ("react", "decide"))
QUEUED_BETWEEN = 12
DUPLICATES = 10_000
AT_ONCE = 64


@dataclass
class Label:
    """A key that publishes, what it signed, and the jobs that it was told of."""

    registry: Registry
    admin: Client
    key: PublisherKey = field(default_factory=PublisherKey.generate)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    unknown: list[dict[str, Any]] = field(default_factory=list)
    _ending: bool = False
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._publish())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending = True
        if self._task is not None:
            await self._task

    async def _publish(self) -> None:
        for number in itertools.count():
            if self._ending:
                return
            signed: Any = self.key.sign_intent(record())
            if not await self.submit(signed, now=bool(number % 3)):
                self.unknown.append(signed)
            await asyncio.sleep(0.02)

    async def submit(self, signed: dict[str, Any], *, now: bool = False) -> bool:
        """Send an intent; say whether it is known what came of it."""
        try:
            job = await self.admin.publishing.submit(signed, now=now)
        except Unreachable:
            return False
        except Refused as refusal:
            if not refusal.retryable:
                raise
            return False
        self.jobs[job.id] = signed
        return True

    async def until_queued(self, more: int) -> None:
        """Wait until this many more jobs were acknowledged."""
        goal = len(self.jobs) + more
        async with asyncio.timeout(60):
            while len(self.jobs) < goal:
                if self._task is not None and self._task.done():
                    self._task.result()
                await asyncio.sleep(0.02)

    async def confirmed(self) -> list[Job]:
        """Wait until all jobs are in blocks."""
        return [await self.admin.publishing.wait(job_id, "confirmed", 60) for job_id in self.jobs]

    def on_the_chain(self) -> Counter[str]:
        """Count by its hash how often each record is anchored, over every transaction that the chain has."""
        counted = Counter[str]()
        with contextlib.closing(
            sqlite3.connect(f"file:{self.registry.data / 'devnet' / 'chain'}?mode=ro", uri=True)
        ) as chain:
            for (raw,) in chain.execute("SELECT raw FROM transactions"):
                for output in read_transaction(raw).outputs:
                    content = anchored(output.script)
                    if content is not None and content.startswith(b"{"):
                        counted[json.loads(content)["hash"]] += 1
        return counted

    async def check(self) -> None:
        """Hold every job to its one output, the proof of one in ten to itself, and the log to its auditors."""
        jobs = await self.confirmed()
        hashes = [record_hash(intent_signed_bytes(signed["record"])) for signed in self.jobs.values()]
        assert self.on_the_chain() == Counter(dict.fromkeys(hashes, 1))
        for job in jobs[::10]:
            proof = await self.admin.publishing.proof(str(job.record_id))
            assert list(proven(read_proof(json.dumps(proof.json).encode())))
        pool = await self.admin.publishing.pool()
        assert pool.holds
        assert "no difference found" in self.registry.cli("audit")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running(tmp_path_factory.mktemp("publishing") / "data", env={"MUNIMENT_DEVNET_BLOCK_EVERY": "1"}) as found:
        yield found


@pytest.fixture
async def label(registry: Registry) -> AsyncIterator[Label]:
    async with Client(registry.url, SigningKey.load(registry.data / "operator.json")) as admin:
        found = Label(registry, admin)
        await admin.publishing.register(found.key.pubkey, "a label")
        yield found


async def test_each_process_is_killed_on_the_way_and_each_job_is_anchored_once(label: Label) -> None:
    async with label:
        await label.until_queued(QUEUED_BETWEEN)
        for names in KILLED:
            for name in names:
                label.registry.kill(name)
            await label.until_queued(QUEUED_BETWEEN)
    await asyncio.to_thread(label.registry.wait_until_serving)
    for signed in label.unknown:
        assert await label.submit(signed)
    await label.check()


async def test_ten_thousand_duplicates_at_once_are_one_job_and_one_output(label: Label) -> None:
    signed: Any = label.key.sign_intent(record())
    url = f"{label.registry.url}/v1/publish?priority=now"
    told = Counter[tuple[int, str]]()

    async def send(http: aiohttp.ClientSession) -> None:
        async with http.post(url, json=signed) as answer:
            told[answer.status, (await answer.json()).get("jobId")] += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as http:
        await asyncio.gather(*(send(http) for _ in range(DUPLICATES)))
    (((status, job_id), count),) = told.items()
    assert (status, count) == (202, DUPLICATES)
    before = label.on_the_chain()
    await label.admin.publishing.wait(job_id, "confirmed", 60)
    told_hash = record_hash(intent_signed_bytes(signed["record"]))
    assert label.on_the_chain()[told_hash] == 1
    assert before[told_hash] <= 1


async def test_a_reorganisation_is_told_and_the_record_is_confirmed_anew(label: Label) -> None:
    publishing = label.admin.publishing
    job = await publishing.publish(record(), label.key, now=True)
    await publishing.wait(job.id, "confirmed", 60)
    first = await publishing.proof(str((await publishing.job(job.id)).record_id))
    tip = await publishing.mine()
    # A block may be mined by itself in between.
    await publishing.reorganise(tip.height - first.height + 3)
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(Refused):  # not confirmed
                again = await publishing.proof(str((await publishing.job(job.id)).record_id))
                if again.block_header != first.block_header:
                    break
            await asyncio.sleep(0.1)
    assert again.txid == first.txid
    assert list(proven(read_proof(json.dumps(again.json).encode())))
    trail = [step.action async for step in publishing.trail(resource=job.id)]
    assert trail.count("reorged") == trail.count("confirmed") - 1 > 0
    assert trail.count("signed") == 1
