"""Publishing on a running registry: intents accepted, jobs on their way to the chain, and many duplicates of one."""

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import Any

import aiohttp

from log import intents
from muniment import Client, SigningKey
from muniment.client.facts import now_text
from muniment.client.publishing_shapes import Job
from muniment.client.refusals import NotFound
from muniment.publisher_key import PublisherKey, new_nonce
from tests.end_to_end.registry import Registry

CLIENTS = 32
ACCEPTED = 500
STEADY_S = 20
A_SECOND = 165
DUPLICATES = 10_000
VERIFY_S = 1.0
SENT_TIMEOUT_S = 120.0
ON_THE_WAY = frozenset({"sent", "seen", "confirmed"})


@dataclass(frozen=True)
class Taken:
    """How long intents took to be accepted, and until the last of them was sent, in s; their transactions."""

    accepted_s: float
    sent_s: float
    transactions: int


def record() -> dict[str, Any]:
    """Make a record as a label would send it."""
    name = secrets.token_hex(8)
    return {
        "type": "music",
        "assetId": f"asset-{name}",
        "recordId": f"REC_{name}",
        "owners": [{"name": "Ada", "share": 60}, {"name": "Bob", "share": 40}],
        "distribution": {"territories": ["world"]},
        "terms": {"licence": "all rights reserved"},
        "timestamp": now_text(),
        "nonce": new_nonce(),
        "uri": f"https://example.org/records/{name}",
    }


def verifications_a_second() -> float:
    """Measure checks of an intent's signature on one core."""
    key, said = PublisherKey.generate(), record()
    signed: Any = key.sign_intent(said)
    pubkey, message, signature = (
        intents.publisher(key.pubkey),
        intents.intent_signed_bytes(said),
        signed["signature"]["sig"],
    )
    count, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < VERIFY_S:
        intents.verify_intent(pubkey, message, signature)
        count += 1
    return count / (time.perf_counter() - begun)


class Label:
    """Who publishes: a key that may, and a connection for each of its clients."""

    def __init__(self, registry: Registry, http: aiohttp.ClientSession, admin: Client, key: PublisherKey) -> None:
        self._url, self._http, self.admin, self._key = registry.url, http, admin, key
        self._turns = asyncio.Semaphore(CLIENTS)

    def intents(self, count: int) -> list[Any]:
        """Sign records, which takes the client's time."""
        return [self._key.sign_intent(record()) for _ in range(count)]

    async def publish(self, intent: Any, query: str = "") -> str:
        """Send an intent, and give its job."""
        async with self._turns, self._http.post(f"{self._url}/v1/publish{query}", json=intent) as answer:
            said = await answer.json()
            if answer.status != 202:
                raise RuntimeError(said)
            return str(said["jobId"])

    async def transactions(self, jobs: list[str]) -> int:
        """Wait until jobs are sent, and count the transactions that anchor them."""
        found = set[str | None]()
        begun = time.perf_counter()
        for job_id in jobs:
            while (job := await self._job(job_id)) is None or job.status not in ON_THE_WAY:
                if time.perf_counter() - begun > SENT_TIMEOUT_S:
                    raise TimeoutError(f"{job_id} is not sent")
                await asyncio.sleep(0.02)
            found.add(job.txid)
        return len(found)

    async def _job(self, job_id: str) -> Job | None:
        """Read a job; one that was just queued may not be shown yet."""
        try:
            return await self.admin.publishing.job(job_id)
        except NotFound:
            return None

    async def _pool_is_split(self) -> None:
        while (await self.admin.publishing.pool()).available < 2:
            await asyncio.sleep(0.1)


async def accepted(label: Label, count: int = ACCEPTED) -> Taken:
    """Let intents be accepted at once, and see them sent."""
    signed = label.intents(count)
    begun = time.perf_counter()
    jobs = await asyncio.gather(*map(label.publish, signed))
    taken = time.perf_counter() - begun
    # The last to be accepted is the last in the queue.
    await label.transactions(jobs[-1:])
    sent = time.perf_counter() - begun
    return Taken(taken, sent, await label.transactions(list(jobs)))


async def steadily(label: Label, a_second: int = A_SECOND, seconds: int = STEADY_S) -> Taken:
    """Offer intents at a rate, and see how long after the last of them all are sent."""
    signed = label.intents(a_second * seconds)
    begun, sending = time.perf_counter(), list[asyncio.Task[str]]()
    for number, intent in enumerate(signed):
        wait = begun + number / a_second - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        sending.append(asyncio.create_task(label.publish(intent)))
    jobs = await asyncio.gather(*sending)
    taken = time.perf_counter() - begun
    await label.transactions(jobs[-1:])
    sent = time.perf_counter() - begun
    return Taken(taken, sent, await label.transactions(list(jobs)))


async def duplicates(label: Label, count: int = DUPLICATES) -> Taken:
    """Send one intent many times at once."""
    (intent,) = label.intents(1)
    begun = time.perf_counter()
    jobs = await asyncio.gather(*(label.publish(intent, "?priority=now") for _ in range(count)))
    taken = time.perf_counter() - begun
    return Taken(taken, time.perf_counter() - begun, await label.transactions(list(set(jobs))))


async def measure(registry: Registry) -> dict[str, Taken]:
    """Measure all of it with one key that publishes."""
    key = PublisherKey.generate()
    async with (
        Client(registry.url, SigningKey.load(registry.data / "operator.json")) as admin,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CLIENTS)) as http,
    ):
        await admin.publishing.register(key.pubkey, "a label")
        label = Label(registry, http, admin, key)
        await label._pool_is_split()
        await accepted(label, 100)
        return {
            "accepted": min([await accepted(label) for _ in range(3)], key=lambda each: each.accepted_s),
            "steadily": await steadily(label),
            "duplicates": await duplicates(label),
        }
