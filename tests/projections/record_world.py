"""A small world of records: the memory log, real seats that decide on it, and owners whose values are sealed."""

import hashlib
import itertools
from dataclasses import dataclass, field
from typing import Any

from domain.records.erasure import EraseOwner
from domain.records.record import DeleteRecord, PutRecord, bound_to
from log import released, topic
from log.canonical import canonical_json
from log.following import follow
from log.memory import MemoryLog
from log.message import Command, Decision
from log.scope import command_id
from log.sealing import seal_bound
from log.store import MemoryStore
from log.topic import partition_of
from processors.seat import Seat
from projections.dump import writing
from projections.postgres import Postgres
from projections.projector import Projector
from projections.sealed_values import cid_of
from projections.vault_keys import OwnerIsErased, VaultKeys

VAULT_KEY = bytes(range(64, 96))
OWNERS = ("did:key:zAnn", "did:key:zBen", "did:pkh:eip155:1:0x" + "ab" * 20)
COLLECTIONS = ("org.example.note", "org.example.post")
RKEYS = ("a", "b", "c~1", "Z")
PARTITIONS = 2


@dataclass
class RecordWorld:
    """A log of records, and keys in Postgres."""

    postgres: Postgres
    log: MemoryLog = field(default_factory=MemoryLog)
    seats: list[Seat] = field(default_factory=lambda: [Seat("records", p, MemoryStore()) for p in range(PARTITIONS)])
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def start(self) -> "RecordWorld":
        """Make the topics."""
        await released.prepare(self.log, PARTITIONS)
        return self

    async def do(self, owner: str, payload: Any) -> tuple[int, int, Decision]:
        """Ask for something as an owner; give where the decision lies and what it is."""
        asked = hashlib.sha256(str(next(self.numbers)).encode()).digest()
        command = Command(command_id(owner, asked), type(payload).__name__, owner, None, asked, payload, None)
        partition = partition_of(owner, PARTITIONS)
        value = released.codec("records", "command").encode(command)
        at = await (await self.log.append(topic.commands("records"), partition, [(owner.encode(), value)]))
        seat, events = self.seats[partition], topic.events("records")
        records = seat.decide([self.log.messages(topic.commands("records"), partition)[at]])
        offset = await (await self.log.append(events, partition, records))
        message = self.log.messages(events, partition)[offset]
        assert seat.settle([message])
        return partition, offset, released.codec("records", "decision").decode(message.value)

    async def put(
        self, owner: str, collection: str, rkey: str | None, value: Any, key_id: str | None = None
    ) -> tuple[int, int, Decision]:
        """Keep a value, sealed with its owner's key; of an erased owner with any."""
        text = canonical_json(value)
        try:
            key = await VaultKeys(self.postgres, VAULT_KEY).make(owner)
        except OwnerIsErased:
            key = bytes(32)
        cid = cid_of(text)
        sealed = seal_bound(key, text, bound_to(owner, collection, cid))
        payload = PutRecord(
            owner,
            collection,
            rkey,
            cid,
            sealed,
            len(text),
            1,
            "records/0/0",
            must_be_new=False,
            if_match=(),
            if_none_match=False,
            max_records=1_000,
            max_bytes=1 << 20,
            key_id=key_id,
        )
        return await self.do(owner, payload)

    async def delete(self, owner: str, collection: str, rkey: str) -> tuple[int, int, Decision]:
        """Let go of a record."""
        return await self.do(owner, DeleteRecord(owner, collection, rkey, ()))

    async def erase(self, owner: str) -> tuple[int, int, Decision]:
        """Erase an owner, as the log has it; the key is the projector's to destroy."""
        return await self.do(owner, EraseOwner(owner))

    async def project(self) -> None:
        """Project all that the log holds."""
        name = topic.events("records")
        ends = {partition: len(self.log.messages(name, partition)) for partition in range(PARTITIONS)}
        await follow(self.log, "records", Projector(self.postgres, writing(VAULT_KEY)), until=ends)
