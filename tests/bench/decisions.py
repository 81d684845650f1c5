"""Decisions per second of one decider from a full commands topic, beside the raw idempotent produce rate."""

import asyncio
import base64
import hashlib
import tempfile
import time
import uuid
from pathlib import Path
from typing import NamedTuple

from domain.facts.fact import IssueFact, Subject
from domain.facts.signer import AddSigner
from log import released, topic
from log.kafka import KafkaLog
from log.kafka_address import KafkaAddress
from log.log import Topic
from log.message import Command, Signature
from log.scope import command_id
from log.store import Store
from log.topic import partition_of
from muniment.processes import collect_seldom
from processors.deciding import CommandProcessor

ISSUER = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
BATCH = 500
SINGLES = 30_000


class Rates(NamedTuple):
    """Decisions by the second, and by the second that a processor worked for them: others may share the machine."""

    wall: float
    busy: float


def issue_command(number: int) -> bytes:
    """Write a command as the api would, about 900 bytes."""
    fact_id = "fct_" + base64.b32encode(hashlib.sha256(str(number).encode()).digest()).decode().lower().rstrip("=")
    payload = IssueFact(
        fact_id,
        "endorsement.star",
        Subject("feed.ff", "playlist", f"pl_{number}", None),
        ISSUER,
        '{"issued_at":"2025-10-13T03:00:00.000Z","reason":"a good one"}',
        "h" * 44,
        "ed25519",
        None,
        "s" * 88,
        1_760_000_000_000,
        None,
        "",
    )
    request = hashlib.sha256(fact_id.encode()).digest()
    name = command_id(ISSUER, request, content_id=fact_id)
    signature = Signature("ed25519", ISSUER, None, b"x" * 300, "s" * 88)
    return released.codec("facts", "command").encode(
        Command(name, "IssueFact", ISSUER, None, request, payload, signature)
    )


def signer_command() -> bytes:
    """Write the command that makes the issuer a curator."""
    request = hashlib.sha256(b"signer").digest()
    name = command_id(ISSUER, request, content_id="signer")
    payload = AddSigner(ISSUER, ("curator",), "genesis")
    return released.codec("facts", "command").encode(Command(name, "AddSigner", ISSUER, None, request, payload, None))


async def produce(log: KafkaLog, name: str, partition: int, values: list[bytes]) -> float:
    """Append values in batches, many in flight, and give the seconds that it took."""
    begun = time.perf_counter()
    waiting = [
        await log.append(name, partition, [(b"key", value) for value in values[start : start + BATCH]])
        for start in range(0, len(values), BATCH)
    ]
    await asyncio.gather(*waiting)
    return time.perf_counter() - begun


async def produce_singly(log: KafkaLog, name: str, partition: int, values: list[bytes]) -> float:
    """Append values one by one, as many in flight as the producer takes, and give the seconds that it took."""
    begun = time.perf_counter()
    waiting = [asyncio.ensure_future(await log.append(name, partition, [(b"key", value)])) for value in values]
    await asyncio.gather(*waiting)
    return time.perf_counter() - begun


async def decided_a_second(log: KafkaLog, context: str, partition: int, opening: int, end: int) -> Rates:
    """Let one decider rule on a full topic, from the command behind ``opening`` to ``end``; nothing else runs here."""
    with tempfile.TemporaryDirectory() as folder:
        processor = CommandProcessor(log, context, lambda number: Store(Path(folder) / str(number)))
        running = asyncio.create_task(processor.run())
        while not (seat := processor.seats.get(partition)) or seat.resume <= opening:
            await asyncio.sleep(0.001)
            if running.done():
                running.result()
        first, begun, busy = seat.resume, time.perf_counter(), time.process_time()
        while not (seat := processor.seats.get(partition)) or seat.position < end - 1:
            await asyncio.sleep(0.02)
            if running.done():
                running.result()
        took_s, busy_s = time.perf_counter() - begun, time.process_time() - busy
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return Rates((end - first) / took_s, (end - first) / busy_s)


async def measure(kafka: str, count: int = 100_000) -> dict[str, float]:
    """Measure on a broker whose facts topics are empty; gives rates per second."""
    collect_seldom()
    log = KafkaLog(KafkaAddress.parse(kafka))
    await released.prepare(log, 4)
    partition = partition_of(ISSUER, 4)
    values = [signer_command(), *(issue_command(number) for number in range(count))]
    scratch = f"bench.{uuid.uuid4().hex}"
    await log.create([Topic(scratch, 4)])
    decision_sized = [value[:480] for value in values]
    single = min(len(values), SINGLES) / await produce_singly(log, scratch, 1, decision_sized[:SINGLES])
    raw = len(values) / await produce(log, scratch, 0, decision_sized)
    commands = len(values) / await produce(log, topic.commands("facts"), partition, values)
    decided = (await decided_a_second(log, "facts", partition, 0, len(values))).wall
    await log.close()
    return {"single_produces": single, "raw_produces": raw, "command_produces": commands, "decisions": decided}
