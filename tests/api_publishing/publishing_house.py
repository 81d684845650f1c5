"""Publishers and an admin over HTTP, with a devnet, and reactors that ask when a test lets them."""

import asyncio
import base64
import contextlib
import hashlib
import itertools
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from api.anchorage import Anchorage
from api.times import rfc3339
from domain.publishing.output import POOL_ID
from log import topic
from log.ecdsa import ecdsa_public
from log.following import follow
from log.released import codec
from log.store import MemoryStore
from log.token import token_at
from log.topic import partition_of
from processors.batcher import Batcher, BatcherSettings
from processors.broadcaster import Broadcaster
from processors.chain import ChainUnavailable
from processors.devnet import Devnet
from processors.observer import Observer
from processors.pool_key import PoolKey
from processors.publishing_agenda import CONTEXT, PublishingAgenda
from processors.reactor_commands import Ask, ReactorCommands
from projections.dump import PROJECTIONS
from projections.postgres import Postgres
from projections.projector import Projector
from projections.reads import Reads
from tests.api.serving import PARTITIONS, Answer, Registry
from tests.api_publishing.described import Described
from tests.publishing.press import Weather
from tests.vectors import intents

COMMANDS, EVENTS = topic.commands(CONTEXT), topic.events(CONTEXT)
PARTITION = partition_of(POOL_ID, PARTITIONS)
FEE_PER_KB, PIECE = 100, 20_000
PATIENCE_MS = 10_000
"""The batcher's clock is so far ahead: no test waits until a batch is due."""
numbers = itertools.count(1)


def pubkey(name: str) -> str:
    """Give the public key (hex) of a publisher."""
    return ecdsa_public("secp256k1", intents.secret(name)).content.hex()


def nonce(size: int = 16) -> str:
    """Make a nonce that no other has."""
    return base64.b64encode(hashlib.sha512(str(next(numbers)).encode()).digest()[:size]).decode()


def signed(name: str, record: dict[str, Any], *, der: bool = True) -> dict[str, Any]:
    """Sign a record."""
    return intents.intent(name, record, der=der)


@dataclass
class Clock:
    """The log's time (ms), which stands still where it is set, and never goes back."""

    stands_at: int | None = None

    def forward(self, ms: int) -> None:
        """Let time pass."""
        self.stands_at = self.now() + ms

    def now(self) -> int:
        """Give the time."""
        return time.time_ns() // 1_000_000 if self.stands_at is None else self.stands_at

    @contextlib.contextmanager
    def told(self) -> Any:
        """Have the log's messages stamped by this clock, and what would be decided imagined at its time."""
        clock = SimpleNamespace(
            time_ns=lambda: self.now() * 1_000_000, time=lambda: self.now() / 1000, monotonic=time.monotonic
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("log.memory.time", clock)
            patch.setattr("api.appending.time", clock)
            yield


@dataclass
class PublishingHouse:
    """What a test of publishing asks."""

    registry: Registry
    devnet: Devnet
    clock: Clock = field(default_factory=Clock)
    key: PoolKey = field(default_factory=lambda: PoolKey(hashlib.sha256(b"a pool's key").digest(), "bsv"))

    def __post_init__(self) -> None:
        """Give the api its chain, and make the reactors."""
        self.chain = Weather(self.devnet)
        self.registry.api.anchorage = Anchorage(self.chain, self.key.script, FEE_PER_KB, self.devnet)
        self.commands = ReactorCommands(self.registry.log)
        self.agenda = PublishingAgenda(MemoryStore())
        settings = BatcherSettings(FEE_PER_KB, PIECE)
        self.parts: Mapping[str, Any] = {
            "batcher": Batcher(
                self.agenda,
                self.commands,
                self.key,
                lambda: True,
                settings=settings,
                clock=lambda: self.clock.now() + PATIENCE_MS,
            ),
            "broadcaster": Broadcaster(self.agenda, self.commands, self.chain, lambda: True),
            "observer": Observer(self.agenda, self.commands, self.chain, lambda: True),
        }

    def record(self, **changes: Any) -> dict[str, Any]:
        """Make a record of now that no other is like; members that are None are left out."""
        number = next(numbers)
        made = {**intents.RECORD, "terms": {"€": "euro"}, "assetId": f"asset-{number}", "recordId": f"REC_{number}"}
        made |= {"timestamp": rfc3339(self.clock.now()), "nonce": nonce(), **changes}
        return {name: value for name, value in made.items() if value is not None}

    async def register(self, *names: str) -> None:
        """Let keys publish."""
        for name in names:
            body = {"pubkey": pubkey(name), "label": name}
            answer = await self.registry.ask("POST", "/v1/keys", body, by=self.registry.operator)
            assert answer.status == 201, answer.text

    async def publish(self, intent: Any, query: str = "", **headers: str) -> Answer:
        """Send an intent; ``idempotency_key="…"`` is a header."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.registry.ask("POST", f"/v1/publish{query}", intent, headers=given)

    async def queue(self, name: str, **changes: Any) -> Answer:
        """Have a record of a publisher's queued."""
        answer = await self.publish(signed(name, self.record(**changes)))
        assert answer.status == 202, answer.text
        return answer

    async def admin(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Ask as the operator."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.registry.ask(method, path, body, by=self.registry.operator, headers=given)

    async def read(self, path: str, by: Any = None, **query: Any) -> Answer:
        """Read, once all that was decided is to be seen."""
        query.setdefault("min_position", self.position())
        given = urlencode({name: value for name, value in query.items() if value is not None}, quote_via=quote)
        return await self.registry.ask("GET", f"{path}?{given}", by=by)

    def position(self) -> str | None:
        """Give the token of the last decision, where there is one."""
        decided = len(self.registry.log.messages(EVENTS, PARTITION))
        return token_at(CONTEXT, PARTITION, decided - 1) if decided else None

    async def job(self, queued: Answer) -> Any:
        """Read a job."""
        answer = await self.read(f"/v1/job/{queued.json['jobId']}")
        assert answer.status == 200, answer.text
        return answer.json

    async def fund(self, satoshis: int) -> str:
        """Give the pool an output of the chain."""
        outpoint = await self.devnet.faucet(self.key.script, satoshis)
        answer = await self.admin("POST", "/v1/pool/fund", {"outpoint": outpoint})
        assert answer.status == 201, answer.text
        return outpoint

    async def decide(self, *payloads: Any) -> None:
        """Ask for what a reactor would."""
        await self.commands.append([Ask(POOL_ID, f"asked {next(numbers)}", payload) for payload in payloads])
        await self.settle()

    async def settle(self) -> None:
        """Wait until every command of publishing is decided."""
        messages = self.registry.log.messages
        async with asyncio.timeout(10):
            while len(messages(EVENTS, PARTITION)) < len(messages(COMMANDS, PARTITION)):
                await self.registry.api.mirror.moved(0.01)

    async def let(self, *parts: str) -> None:
        """Let reactors ask, one after the other, each answered by the decider."""
        for part in parts:
            await self.settle()
            ends = {p: len(self.registry.log.messages(EVENTS, p)) for p in range(PARTITIONS)}
            await follow(self.registry.log, CONTEXT, self.agenda, until=ends)
            with contextlib.suppress(ChainUnavailable):
                await self.parts[part].ask()
            self.parts[part]._lately.forget()  # the next time is later
        await self.settle()

    async def anchor(self) -> None:
        """Have all that is queued confirmed."""
        await self.let("batcher", "batcher", "broadcaster")
        await self.devnet.mine()
        await self.let("observer")

    def happened(self, *kinds: type) -> Iterable[Any]:
        """Give the events of some kinds."""
        read = codec(CONTEXT, "decision").decode
        decisions = (read(message.value) for message in self.registry.log.messages(EVENTS, PARTITION))
        events = (event.payload for decision in decisions for event in decision.events)
        return [event for event in events if isinstance(event, kinds)]


@contextlib.asynccontextmanager
async def opened(registry: Registry, folder: Path, clock: Clock | None = None) -> AsyncIterator[PublishingHouse]:
    """Open a house on a registry, with a devnet in a folder."""
    devnet = Devnet(folder / "chain")
    registry.ask = Described(registry).ask  # type: ignore[method-assign]  # the same, and looked at
    try:
        yield PublishingHouse(registry, devnet, clock or Clock())
    finally:
        await devnet.close()


@contextlib.asynccontextmanager
async def read_from(postgres: Postgres, house: PublishingHouse) -> AsyncIterator[None]:
    """Give a house its reads, kept up by a projector."""
    projecting = asyncio.create_task(Projector(postgres, PROJECTIONS).run(house.registry.log, CONTEXT))
    house.registry.api.reads = Reads(postgres)
    try:
        async with asyncio.timeout(10):
            while (await house.registry.ask("GET", "/v1/audit?wait_ms=0")).status != 200:
                await asyncio.sleep(0.02)
        yield
    finally:
        projecting.cancel()
        await asyncio.gather(projecting, return_exceptions=True)


def respelled(intent: Mapping[str, Any]) -> bytes:
    """Write an intent with its members in another order and other spaces."""

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: turned(value[name]) for name in reversed([*value])}
        return [turned(each) for each in value] if isinstance(value, list) else value

    return json.dumps(turned(dict(intent)), indent=3).encode()
