"""`POST /transfers` at a steady rate, each latency counted from when its request was due."""

import asyncio
import json
import statistics
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from log.kafka import KafkaLog
from log.kafka_address import KafkaAddress
from log.log import Topic
from muniment import Client, SigningKey
from muniment.client.ledger import Terms
from tests.bench.append import request, sign_in
from tests.end_to_end.registry import Registry

FRAME = "local"
OWNERS = 16
CONNECTIONS = 32
WARM_UP_S = 3
GRANT = 1_000 * 1_000_000


@dataclass(frozen=True)
class Latency:
    """What was reached, and the time to the decision in ms."""

    rate: float
    p50_ms: float
    p99_ms: float


async def opened(registry: Registry) -> list[tuple[SigningKey, str, str]]:
    """Open a shop and give owners in it: their key, account and session."""
    shop = f"bench-{uuid.uuid4().hex[:8]}"
    found = []
    async with Client(registry.url, SigningKey.load(registry.data / "operator.json")) as admin:
        await admin.ledger.registries.create(FRAME, shop, Terms(genesis_grant=GRANT))
        for _ in range(OWNERS):
            key = SigningKey.generate()
            developer = await admin.ledger.developers.register(shop, "Ada", did=key.did)
            found.append((key, developer.account_id, await sign_in(registry, key)))
    return found


async def sent(registry: Registry, requests: Sequence[bytes], due: Sequence[float], taken_ms: list[float]) -> None:
    """Send each request when it is due, or as soon after as its connection is free."""
    host, port = registry.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for content, at in zip(requests, due, strict=True):
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        writer.write(content)
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
        taken_ms.append((time.perf_counter() - at) * 1000)
        assert int(head[9:12]) == 201, json.loads(body)
    writer.close()
    await writer.wait_closed()


async def steadily(registry: Registry, rate: int, seconds: int) -> Latency:
    """Send transfers inside one registry at a rate for some seconds, after a warm-up that doesn't count."""
    owners, count = await opened(registry), rate * (WARM_UP_S + seconds)
    prepared = []
    for number in range(count):
        key, account, token = owners[number % OWNERS]
        receiver = owners[(number * 7 + 1) % OWNERS][1]
        if receiver == account:
            receiver = owners[(number + 1) % OWNERS][1]
        prepared.append(request("POST", "/transfers", key.sign_transfer(account, receiver, 1_000), token))
    begin = time.perf_counter() + 0.2
    due = [begin + number / rate for number in range(count)]
    taken = [list[float]() for _ in range(CONNECTIONS)]
    await asyncio.gather(
        *(sent(registry, prepared[n::CONNECTIONS], due[n::CONNECTIONS], taken[n]) for n in range(CONNECTIONS))
    )
    took_s = time.perf_counter() - begin
    skipped = rate * WARM_UP_S // CONNECTIONS
    return latency(count / took_s, [each for some in taken for each in some[skipped:]])


async def acknowledged(registry: Registry, rate: int, seconds: int) -> Latency:
    """Append to the log itself at the same rate: the way to a decision holds two of these, one after the other."""
    log, scratch = KafkaLog(KafkaAddress.parse(registry.stack()["kafka"])), f"bench.{uuid.uuid4().hex}"
    await log.create([Topic(scratch, 1)])
    taken_ms: list[float] = []

    async def append(at: float) -> None:
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        await (await log.append(scratch, 0, [(b"key", b"x" * 900)]))
        taken_ms.append((time.perf_counter() - at) * 1000)

    begin, count = time.perf_counter() + 0.2, rate * (WARM_UP_S + seconds)
    await asyncio.gather(*(append(begin + number / rate) for number in range(count)))
    found = latency(count / (time.perf_counter() - begin), taken_ms[rate * WARM_UP_S :])
    await log.close()
    return found


def latency(rate: float, taken_ms: Sequence[float]) -> Latency:
    """Sum up what was measured."""
    ordered = sorted(taken_ms)
    return Latency(rate, statistics.median(ordered), ordered[int(len(ordered) * 0.99)])
