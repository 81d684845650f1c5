"""An api as it runs, with the real decider and the real mirror, on the memory log."""

import asyncio
import contextlib
import hashlib
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from api.application import FILES, application
from api.metrics import Metrics
from api.rate_limits import RateLimits
from api.replies import Replies
from api.service_keys import ServiceKeys, service_key
from api.session_tokens import Sessions, UsedNoncesInProcess
from api.wiring import Api, ApiSettings
from domain.catalog import CONTEXTS
from log import released, topic
from log.following import follow
from log.memory import MemoryLog
from log.status import StatusBoard, keep_publishing
from log.store import MemoryStore
from log.topic import partition_of
from muniment.operator import genesis_command
from muniment.signing_key import SigningKey
from processors.deciding import CommandProcessor
from processors.together import together
from projections.issued import write_issued
from projections.mirror import Mirror
from projections.record_events import write_record_events

ISSUER = "http://registry.test"
ISSUED_AT = "2025-10-13T03:00:00.000Z"
PARTITIONS = 4


def key(number: int, alg: Any = "ed25519") -> SigningKey:
    """Give the n-th test key."""
    return SigningKey(hashlib.sha256(f"api {number}".encode()).digest(), alg)


def subject(ref: str = "pl_1", **more: str) -> dict[str, str]:
    return {"origin": "feed.ff", "type": "playlist", "ref": ref, **more}


def star(by: SigningKey, ref: str = "pl_1", **body: Any) -> dict[str, Any]:
    """Sign a star."""
    return by.sign_fact("endorsement.star", subject(ref), {"issued_at": ISSUED_AT, **body})


@dataclass
class Answer:
    """What the api answered."""

    status: int
    headers: Mapping[str, str]
    json: Any
    text: str

    @property
    def code(self) -> str | None:
        return self.json.get("code") if isinstance(self.json, dict) else None


async def loops(api: Api) -> None:
    """Feed an api's parts until cancelled."""
    async with asyncio.TaskGroup() as group:
        for context in CONTEXTS:
            group.create_task(follow(api.log, context, api.mirror))
        group.create_task(api.status.follow(api.log))
        group.create_task(keep_publishing(api.log, "api-test", "api", lambda: {"awaiting": len(api.replies)}))


@dataclass
class Registry:
    """One api process and one decider."""

    settings: ApiSettings = field(default_factory=ApiSettings)
    rate_limits: RateLimits = field(default_factory=lambda: RateLimits(tiers={}))
    log: MemoryLog = field(default_factory=MemoryLog)
    operator: SigningKey = field(default_factory=lambda: key(0))
    keys: ServiceKeys = field(default_factory=lambda: ServiceKeys([service_key(bytes(32))]))
    decides: bool = True
    follows: bool = True
    decider: "asyncio.Task[None] | None" = None
    tokens: dict[str, str] = field(default_factory=dict)
    api: Api = field(init=False)
    client: TestClient[web.Request, web.Application] = field(init=False)
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    async def open(self) -> None:
        await released.prepare(self.log, PARTITIONS)
        replies = Replies()
        self.api = Api(
            log=self.log,
            mirror=Mirror(MemoryStore(), (write_issued, write_record_events), replies.on_decided),
            replies=replies,
            sessions=Sessions(self.keys, ISSUER, UsedNoncesInProcess()),
            rate_limits=self.rate_limits,
            metrics=Metrics(),
            sealing_key=bytes(range(32)),
            status=StatusBoard(),
            partitions=PARTITIONS,
            settings=self.settings,
        )
        if self.follows:
            self.tasks.append(asyncio.create_task(loops(self.api)))
        if self.decides:
            self.start_decider()
        value = released.codec("facts", "command").encode(genesis_command(self.operator))
        partition = partition_of(self.operator.did, PARTITIONS)
        await (await self.log.append(topic.commands("facts"), partition, [(self.operator.did.encode(), value)]))
        table = [route for name in FILES if find_spec(name) for route in import_module(name).ROUTES]
        self.client = TestClient(TestServer(application(self.api, table), auto_decompress=False))
        await self.client.start_server()
        if self.follows:
            await asyncio.wait_for(self._until_admin(), 5)

    async def _until_admin(self) -> None:
        while not self.api.roles(self.operator.did):
            await self.api.mirror.moved(0.1)

    def start_decider(self) -> None:
        self.api.settings = self.settings
        processors = [CommandProcessor(self.log, context, lambda _partition: MemoryStore()) for context in CONTEXTS]
        self.decider = asyncio.create_task(together(*(processor.run() for processor in processors)))

    async def stop_decider(self) -> None:
        # Nobody will decide: a write need not wait as long as it would.
        self.api.settings = replace(self.settings, decision_timeout_s=0.3)
        if self.decider is None:
            return
        self.decider.cancel()
        await asyncio.gather(self.decider, return_exceptions=True)

    async def close(self) -> None:
        await self.client.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.stop_decider()
        await self.api.checker.close()

    async def session(self, by: SigningKey) -> str:
        """Open a session, once for each key."""
        if by.did not in self.tokens:
            given = await self.ask("POST", "/auth/nonce", {"did": by.did})
            signed = by.sign_session(given.json["issuer"], by.did, given.json["nonce"])
            opened = await self.ask("POST", "/auth/session", signed)
            assert opened.status == 201, opened.text
            self.tokens[by.did] = opened.json["token"]
        return self.tokens[by.did]

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        by: SigningKey | None = None,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        """Ask the api, with the session of a key if one is given."""
        sent = dict(headers or {})
        if by is not None:
            sent["Authorization"] = f"Bearer {await self.session(by)}"
        content = raw if raw is not None else None if body is None else json.dumps(body).encode()
        data = None if content is None else io.BytesIO(content)
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        async with self.client.request(method, path, data=data, headers=sent) as response:
            text = await response.text()
            is_json = "json" in response.headers.get("Content-Type", "") and text
            return Answer(response.status, response.headers, json.loads(text) if is_json else None, text)

    async def signer(self, number: int, *roles: str, alg: Any = "ed25519") -> SigningKey:
        """Give a key whose DID has these roles."""
        made = key(number, alg)
        answer = await self.ask("POST", "/signers", {"did": made.did, "roles": list(roles)}, by=self.operator)
        assert answer.status == 201, answer.text
        return made

    async def until(self, ask: Callable[[], Awaitable[Answer]], statuses: set[int]) -> Answer:
        """Ask again until one of these is answered."""
        async with asyncio.timeout(5):
            while True:
                answer = await ask()
                if answer.status in statuses:
                    return answer
                await asyncio.sleep(0.05)

    async def ruled(self, location: str, by: SigningKey | None = None) -> Answer:
        """Ask what became of a command until it was ruled on."""
        async with asyncio.timeout(5):
            while True:
                answer = await self.ask("GET", location, by=by)
                if answer.json["status"] != "pending":
                    return answer
                await asyncio.sleep(0.02)

    def appended(self) -> int:
        """Count the commands on the log."""
        names = [topic.commands(context) for context in CONTEXTS]
        return sum(len(self.log.messages(name, partition)) for name in names for partition in range(PARTITIONS))


@contextlib.asynccontextmanager
async def running(**parts: Any) -> AsyncIterator[Registry]:
    """Run a registry."""
    registry = Registry(**parts)
    await registry.open()
    try:
        yield registry
    finally:
        await registry.close()
