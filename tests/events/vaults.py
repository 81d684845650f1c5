"""Owners who write into their vaults: the memory log, real seats that decide on it, and what is to be told of it."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from domain.records.erasure import EraseOwner
from domain.records.media import FinalizeMedia, ReserveMedia
from domain.records.record import DeleteRecord, PutRecord
from log import released, topic
from log.chain import Chain, Mark
from log.memory import MemoryLog
from log.message import Command, Decision
from log.scope import command_id
from log.store import MemoryStore
from log.token import token_at
from log.topic import partition_of
from processors.seat import Seat

POST, FOLLOW = "org.example.post", "org.example.follow"
OWNERS = tuple(f"did:key:zOwner{number}" for number in range(8))
MANY = 1 << 40
PARTITIONS = 3


class Event(NamedTuple):
    """What is to be told of one event, as the log has it."""

    type: str
    about: str
    partition: int
    offset: int

    @property
    def position(self) -> str:
        return token_at("records", self.partition, self.offset)


class Vaults:
    """A log on which owners write; refused commands are on it too, and tell nothing."""

    def __init__(self, partitions: int = PARTITIONS) -> None:
        self.log, self.partitions = MemoryLog(), partitions
        self.seats = [Seat("records", partition, MemoryStore()) for partition in range(partitions)]
        self.asked = 0

    async def start(self) -> "Vaults":
        await released.prepare(self.log, self.partitions)
        return self

    async def do(self, owner: str, payload: Any) -> tuple[int, int, Decision]:
        """Ask for something, and give where the decision lies and what it is."""
        self.asked += 1
        request = hashlib.sha256(str(self.asked).encode()).digest()
        name = command_id(owner, request, idempotency_key=str(self.asked))
        command = Command(name, type(payload).__name__, owner, None, request, payload, None)
        partition = partition_of(owner, self.partitions)
        value = released.codec("records", "command").encode(command)
        at = await (await self.log.append(topic.commands("records"), partition, [(owner.encode(), value)]))
        made = self.seats[partition].decide([self.log.messages(topic.commands("records"), partition)[at]])
        events = topic.events("records")
        offset = await (await self.log.append(events, partition, made))
        message = self.log.messages(events, partition)[offset]
        assert self.seats[partition].settle([message])
        return partition, offset, released.codec("records", "decision").decode(message.value)

    async def put(self, owner: str, rkey: str, text: str = "hello", collection: str = POST) -> Decision:
        """Write a record; its "sealed" value is its text behind a mark, so that a test can open it."""
        value = f'{{"text":"{text}"}}'.encode()
        cid = "sha256-" + base64.urlsafe_b64encode(hashlib.sha256(value).digest()).decode().rstrip("=")
        payload = PutRecord(
            owner, collection, rkey, cid, b"sealed" + value, len(value), 1, "records/0/0",
            must_be_new=False, if_match=(), if_none_match=False, max_records=MANY, max_bytes=MANY,
        )  # fmt: skip
        return (await self.do(owner, payload))[2]

    async def delete(self, owner: str, rkey: str, collection: str = POST) -> Decision:
        return (await self.do(owner, DeleteRecord(owner, collection, rkey, ())))[2]

    async def finalize(self, owner: str, name: str) -> None:
        await self.do(owner, ReserveMedia(name, owner, "image/png", 3, "ab" * 32, 60_000, MANY, MANY))
        await self.do(owner, FinalizeMedia(name, owner, 3, "ab" * 32))

    async def erase(self, owner: str) -> None:
        await self.do(owner, EraseOwner(owner))

    async def nonsense(self, owner: str) -> None:
        """Put a message onto the log that is no decision that counts."""
        name = topic.events("records")
        await self.log.append(name, partition_of(owner, self.partitions), [(None, b"\xc3\x01" + bytes(60))])

    async def play(self, moves: Sequence[tuple[str, int, int]]) -> None:
        """Make moves, each a name and two numbers that choose what it is about."""
        for name, first, second in moves:
            owner, rkey = OWNERS[first % len(OWNERS)], f"r{second % 4}"
            match name:
                case "put":
                    await self.put(owner, rkey, str(second), (POST, FOLLOW)[second % 2])
                case "delete":
                    await self.delete(owner, rkey, (POST, FOLLOW)[second % 2])
                case "finalize":
                    await self.finalize(owner, f"m{first}_{second}")
                case "erase":
                    await self.erase(owner)
                case _:
                    await self.nonsense(owner)

    def told(self) -> list[list[Event]]:
        """Give by partition what is to be told: read from the log by its two rules, with nothing between."""
        name, found = topic.events("records"), []
        for partition in range(self.partitions):
            chain = Chain(Mark.start(name, partition))
            messages = chain.counted(self.log.messages(name, partition))
            found.append([event for message in messages for event in _told(partition, message)])
        return found


def _told(partition: int, message: Any) -> list[Event]:
    made: Decision = released.codec("records", "decision").decode(message.value)
    found = []
    for happening in made.events:
        about = happening.payload
        change = {"RecordCreated": "created", "RecordUpdated": "updated", "RecordDeleted": "deleted"}
        if happening.type in change:
            uri = f"mun://{about.did}/{about.collection}/{about.rkey}"
            name = f"cdv.records.{about.collection}.{change[happening.type]}"
            found.append(Event(name, uri, partition, message.offset))
        elif happening.type == "MediaFinalized":
            found.append(Event("cdv.media.finalized", about.media_id, partition, message.offset))
    return found
