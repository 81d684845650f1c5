"""Owners who write records straight onto a running registry's log, as fast as it takes them."""

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from domain.records.record import PutRecord
from log import topic
from log.kafka import KafkaLog
from log.kafka_address import KafkaAddress
from log.log import Record
from log.message import Command
from log.released import codec
from log.scope import command_id
from log.topic import partition_of
from tests.end_to_end.registry import Registry

COLLECTION = "org.example.post"
OWNERS = tuple(f"did:key:zLoad{number}" for number in range(8))
LIMIT = 1 << 40


@dataclass
class RecordLoad:
    """Appends commands; each writes a new record, and is known again by its id."""

    log: KafkaLog
    partitions: int
    prefix: str = ""
    asked: int = 0

    def command(self, size: int = 200) -> tuple[str, int, Record]:
        """Make one command: its id, its partition, and what is appended."""
        self.asked += 1
        owner, rkey = OWNERS[self.asked % len(OWNERS)], f"{self.prefix}{self.asked}"
        request = hashlib.sha256(rkey.encode()).digest()
        name = command_id(owner, request, idempotency_key=rkey)
        payload = PutRecord(
            owner, COLLECTION, rkey, f"sha256-{rkey}", os.urandom(size), size, 1, "records/0/0",
            must_be_new=True, if_match=(), if_none_match=False, max_records=LIMIT, max_bytes=LIMIT,
        )  # fmt: skip
        value = codec("records", "command").encode(Command(name, "PutRecord", owner, rkey, request, payload, None))
        return name, partition_of(owner, self.partitions), (owner.encode(), value)

    async def write(self, records: int, size: int = 200) -> Sequence[str]:
        """Append commands, in one batch for each partition, and give their ids once they are durable."""
        made = [self.command(size) for _ in range(records)]
        sent = []
        for partition in range(self.partitions):
            mine = [record for _, where, record in made if where == partition]
            if mine:
                sent.append(await self.log.append(topic.commands("records"), partition, mine))
        for outcome in await asyncio.gather(*sent, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        return [name for name, _, _ in made]


@contextlib.asynccontextmanager
async def record_load(registry: Registry, prefix: str = "") -> AsyncIterator[RecordLoad]:
    """Write onto the log of a running registry."""
    log = KafkaLog(KafkaAddress.parse(registry.stack()["kafka"]), client_id="record-load")
    try:
        yield RecordLoad(log, await log.partitions(topic.commands("records")), prefix)
    finally:
        await log.close()
