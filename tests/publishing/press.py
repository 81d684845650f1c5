"""A press without HTTP or Faust: the memory log at a time that a test sets, the decider, a devnet, and reactors.

Nothing goes on by itself: a test has a reactor's part ask, the decider decide, and the chain mine.
"""

import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from domain.catalog import NAMES
from domain.publishing.batch import Batch, BatchSigned
from domain.publishing.job import Job, JobQueued, QueueJob
from domain.publishing.output import POOL_ID, FundPool, Pool
from domain.publishing.publisher import RegisterPublisher
from log import intents, released, topic
from log.bitcoin import anchored, read_transaction
from log.canonical import canonical_json
from log.following import follow
from log.log import AppendUnknown
from log.memory import MemoryLog, MemoryMessage
from log.message import Command, Decision
from log.released import codec
from log.scope import command_id
from log.store import MemoryStore
from log.topic import partition_of
from processors.batcher import Batcher, BatcherSettings
from processors.broadcaster import Broadcaster
from processors.chain import Block, Chain, ChainUnavailable, Refused, Seen
from processors.devnet import Devnet
from processors.observer import Observer
from processors.pool_key import PoolKey
from processors.publishing_agenda import CONTEXT, PublishingAgenda
from processors.reactor_commands import REACTOR, ReactorCommands
from processors.seat import Seat

COMMANDS, EVENTS = topic.commands(CONTEXT), topic.events(CONTEXT)
NOON = 1_767_268_800_000
PARTITIONS = 2
OPERATOR, HERE = "did:key:operator", "facts/0/1"
PUBKEY = "02" + "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
PIECE = 20_000


class Weather:
    """A chain between which and us answers are lost, come late, or are refusals that don't last."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.lost = 0
        """How many of the next broadcasts are taken without our hearing of it."""
        self.away = 0
        """How many of the next questions are not even asked."""
        self.refused = 0
        """How many of the next broadcasts are refused."""

    def _ask(self) -> None:
        if self.away:
            self.away -= 1
            raise ChainUnavailable("the chain is away")

    async def broadcast(self, raw: bytes) -> None:
        """Give a transaction to the chain, as the weather lets it."""
        self._ask()
        if self.refused:
            self.refused -= 1
            raise Refused("not today")
        await self._chain.broadcast(raw)
        if self.lost:
            self.lost -= 1
            raise ChainUnavailable("the answer was lost")

    async def transaction(self, txid: str) -> Seen | None:
        """Find a transaction."""
        self._ask()
        return await self._chain.transaction(txid)

    async def tip(self) -> Block:
        """Give the newest block."""
        self._ask()
        return await self._chain.tip()

    async def block(self, height: int) -> Block | None:
        """Give a block."""
        self._ask()
        return await self._chain.block(height)


class Mind:
    """A reactor's part of publishing: its fold and its three who ask."""

    def __init__(self, press: "Press") -> None:
        self._press = press
        self.agenda = PublishingAgenda(MemoryStore())
        commands, clock = ReactorCommands(press.log), press.monotonic
        self.batcher = Batcher(
            self.agenda, commands, press.key, lambda: True, settings=press.settings, clock=lambda: press.now
        )
        self.broadcaster = Broadcaster(self.agenda, commands, press.chain, lambda: True, clock)
        self.observer = Observer(self.agenda, commands, press.chain, lambda: True, clock)

    async def catch_up(self) -> "Mind":
        """Fold all that lies on the log."""
        ends = {p: len(self._press.log.messages(EVENTS, p)) for p in range(PARTITIONS)}
        await follow(self._press.log, CONTEXT, self.agenda, until=ends)
        return self

    async def ask(self, part: str) -> int:
        """Let one part ask once for what it finds, and forget at once that it asked: the next time is later."""
        await self.catch_up()
        found = getattr(self, part)
        try:
            asked: int = await found.ask()
        except (ChainUnavailable, AppendUnknown):
            asked = 0
        found._lately.forget()
        return asked

    async def go(self, rounds: int = 1) -> "Mind":
        """Let all parts ask, each answered by the decider."""
        for _ in range(rounds):
            for part in ("batcher", "batcher", "broadcaster", "observer"):
                await self.ask(part)
                self._press.settle()
        return await self.catch_up()


class Press:
    """The log, its decider, the chain, and the time in ms."""

    def __init__(self, folder: Path, settings: BatcherSettings | None = None) -> None:
        self.log, self.now = MemoryLog(), NOON
        self.devnet = Devnet(folder / "chain", clock=lambda: self.now)
        self.chain = Weather(self.devnet)
        self.key = PoolKey(hashlib.sha256(b"a pool's key").digest(), "bsv")
        self.settings = settings or BatcherSettings(piece_satoshis=PIECE)
        self._partition = partition_of(POOL_ID, PARTITIONS)
        self._seat = Seat(CONTEXT, self._partition, MemoryStore())
        self._asked = 0

    def monotonic(self) -> float:
        """Give the time in s."""
        return self.now / 1000

    async def begin(self, monkeypatch: pytest.MonkeyPatch, *, satoshis: int = 0) -> "Press":
        """Create the topics, stamp messages with this press's time, let a key publish, and fund the pool."""
        clock = SimpleNamespace(time_ns=lambda: self.now * 1_000_000, monotonic=time.monotonic)
        monkeypatch.setattr("log.memory.time", clock)
        await released.prepare(self.log, PARTITIONS)
        self.decide(RegisterPublisher(POOL_ID, PUBKEY, "a label", HERE, None))
        if satoshis:
            await self.fund(satoshis)
        return self

    async def fund(self, satoshis: int) -> str:
        """Give the pool an output that the chain has."""
        outpoint = await self.devnet.faucet(self.key.script, satoshis)
        self.decide(FundPool(POOL_ID, outpoint, satoshis, self.key.script.hex(), HERE))
        return outpoint

    def decide(self, payload: Any, actor: str = OPERATOR) -> Decision:
        """Append a command, decide all that lies there, and give its decision."""
        self._asked += 1
        request = hashlib.sha256(f"request {self._asked}".encode()).digest()
        name = command_id(actor, request)
        value = codec(CONTEXT, "command").encode(
            Command(name, NAMES[type(payload)], actor, None, request, payload, None)
        )
        self._append(COMMANDS, POOL_ID.encode(), value)
        self.settle()
        return next(each for each in reversed(self.decisions()) if each.command_id == name)

    def settle(self) -> None:
        """Decide every command that lies there undecided."""
        records = self._seat.decide(self.log.messages(COMMANDS, self._partition)[self._seat.resume :])
        self._seat.settle([self._append(EVENTS, name, value) for name, value in records])

    def _append(self, name: str, route: bytes | None, value: bytes) -> MemoryMessage:
        held = self.log.messages(name, self._partition)
        held.append(MemoryMessage(name, self._partition, len(held), self.now, route, value))
        return held[-1]

    def decisions(self) -> list[Decision]:
        """Give all decisions."""
        read = codec(CONTEXT, "decision").decode
        return [read(message.value) for message in self.log.messages(EVENTS, self._partition)]

    def happened(self, *kinds: type) -> list[Any]:
        """Give the events of some kinds, in the order of the log."""
        payloads = (each.payload for decision in self.decisions() for each in decision.events)
        return [payload for payload in payloads if not kinds or isinstance(payload, kinds)]

    def queue(self, *numbers: int, priority: str = "batch") -> list[str]:
        """Queue the n-th intents of the key, and give their jobs."""
        return [self.decide(intent(number, self.now, priority), PUBKEY).events[0].payload.job_id for number in numbers]

    @property
    def pool(self) -> Pool:
        """Give the pool's figures as the decider has them."""
        return Pool(*(self._seat.store.get("pool") or ()))

    def job(self, job_id: str) -> Job:
        """Give a job as the decider has it."""
        return Job(*(self._seat.store.get(f"job/{job_id}") or ()))

    def batch(self, batch_id: str | None) -> Batch:
        """Give a batch as the decider has it."""
        return Batch(*(self._seat.store.get(f"batch/{batch_id}") or ()))

    def status(self, job_id: str) -> str:
        """Say what became of a job."""
        job = self.job(job_id)
        return self.batch(job.batch_id).status if job.batch_id else "waiting_for_utxo" if job.waiting else "queued"

    async def anchored(self, jobs: Iterable[str]) -> dict[str, int]:
        """Count for each job's hash the outputs on the chain, in blocks or waiting, that anchor it."""
        counted = dict.fromkeys((self.hash_of(job_id) for job_id in jobs), 0)
        for each in self.happened(BatchSigned):
            seen = await self.devnet.transaction(each.txid)
            for output in () if seen is None or seen.raw is None else read_transaction(seen.raw).outputs:
                content = anchored(output.script)
                if content is not None and (found := json.loads(content)["hash"]) in counted:
                    counted[found] += 1
        return counted

    def hash_of(self, job_id: str) -> str:
        """Give the hash that a job anchors."""
        return next(str(each.hash) for each in self.happened(JobQueued) if each.job_id == job_id)


def intent(number: int, at: int, priority: str = "batch", pubkey: str = PUBKEY) -> QueueJob:
    """Give the n-th intent of a key; whether it is signed is for others to look at."""
    record = {"recordId": f"REC_{number}", "nonce": f"nonce-{number}"}
    text = canonical_json(record)
    said = (f"REC_{number}", text.decode(), intents.record_hash(text), "c2ln", f"nonce-{number}")
    uri = None if number % 2 else f"https://example.org/{number}"
    return QueueJob(
        POOL_ID, intents.job_id(pubkey, text), pubkey, *said, "2026-01-01T12:00:00Z", uri, priority, at, 10**9
    )


__all__ = ["REACTOR", "Mind", "Press", "intent"]
