"""A log of a million facts: how fast it is decided, followed and replayed, and in what memory."""

import asyncio
import json
import time
from dataclasses import dataclass

import psutil

from log import topic
from log.kafka import KafkaLog
from log.kafka_address import KafkaAddress
from log.topic import partition_of
from muniment import Client, SigningKey
from tests.bench.decisions import ISSUER, issue_command, produce
from tests.end_to_end.registry import Registry

OURS = ("api", "decide", "project", "react")
CHUNK = 50_000
WATCH_S = 0.25
PATIENCE_S = 1_200.0


@dataclass
class Growth:
    """Rates per second while a log grows and when it is replayed, and each process's largest resident set in MB."""

    followed: float
    replayed: float
    peak_mb: dict[str, float]


def peaks(registry: Registry) -> dict[str, float]:
    """Read the largest resident set that each process of ours has had (VmHWM), in MB."""
    found = {}
    for name in OURS:
        with psutil.Process(registry.stack()["pids"][name]).oneshot():
            status = open(f"/proc/{registry.stack()['pids'][name]}/status").read()  # noqa: SIM115, PTH123
        (line,) = [each for each in status.splitlines() if each.startswith("VmHWM")]
        found[name] = int(line.split()[1]) / 1024
    return found


async def reached(client: Client, partition: int) -> int:
    """Ask how far the projector is in the tables of facts; -1 where nothing is there yet."""
    detail = (await client.health()).json["processes"]["project"]["detail"]
    places = detail.get("facts", {})  # a projector that has just started says nothing yet
    return int(places.get(str(partition), -1))


async def grow(registry: Registry, facts: int) -> Growth:
    """Append facts of one issuer straight to the commands topic and wait until every process has them.

    Their signatures are not real: nothing but an audit would look.
    """
    operator = SigningKey.load(registry.data / "operator.json")
    log = KafkaLog(KafkaAddress.parse(registry.stack()["kafka"]))
    async with Client(registry.url, operator) as client:
        await client.signers.add(ISSUER, ["curator"])
        partition = partition_of(ISSUER, await log.partitions(topic.commands("facts")))
        before = await reached(client, partition)
        begun = time.perf_counter()
        for start in range(0, facts, CHUNK):
            values = [issue_command(number) for number in range(start, min(start + CHUNK, facts))]
            await produce(log, topic.commands("facts"), partition, values)
        while await reached(client, partition) < before + facts:
            await asyncio.sleep(WATCH_S)
            assert time.perf_counter() - begun < PATIENCE_S
        mirrored = f"facts/{partition}"
        while (await client.health()).json["position"][mirrored] < before + facts:
            await asyncio.sleep(WATCH_S)
        followed = facts / (time.perf_counter() - begun)
    await log.close()
    begun = time.perf_counter()
    told = await asyncio.to_thread(registry.cli, "rebuild", "facts", "--json")
    assert json.loads(told), told
    return Growth(followed, facts / (time.perf_counter() - begun), peaks(registry))
