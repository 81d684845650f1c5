"""A registry without HTTP: the memory log, a real command processor, and a reactor's parts, with a receiver to call."""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from domain.catalog import BY_CLASS
from domain.facts.fact import IssueFact, RevokeFact, Subject
from domain.facts.signer import AddSigner
from domain.facts.webhook import DeleteWebhook, RegisterWebhook, ReplayWebhook, RotateWebhookSecret
from log import released, topic
from log.chain import Mark
from log.following import Decided, follow
from log.log import Log
from log.memory import MemoryLog
from log.message import Command
from log.scope import command_id
from log.sealing import seal
from log.store import MemoryStore, Store
from processors.agenda import Agenda
from processors.deciding import CommandProcessor
from processors.expiring import Expiring
from processors.reactor_commands import ReactorCommands
from processors.targets import Targets
from processors.webhook_catching_up import CatchingUp
from processors.webhook_dispatching import Dispatching
from processors.webhook_scheduling import Scheduling
from processors.webhook_sending import Sender

PARTITIONS = 4
CURATOR = "did:key:z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMsw"
ADMIN = CURATOR
SECRET = "whsec_" + base64.b64encode(b"first secret of an endpoint 0123").decode()
KEY = hashlib.sha256(b"a deployment's key").digest()


@dataclass
class Heard:
    """One request that a receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    request: web.Request

    @property
    def json(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.body)
        return said


@dataclass
class Receiver:
    """A real HTTP server; ``answers`` says by path how it answers, 204 by default."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    answers: dict[str, Callable[[Heard], Awaitable[web.StreamResponse]]] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        heard = Heard(request.path, headers, await request.read(), asyncio.get_running_loop().time(), request)
        self.heard.append(heard)
        answer = self.answers.get(request.path)
        return web.Response(status=204) if answer is None else await answer(heard)

    def of(self, path: str) -> list[Heard]:
        return [heard for heard in self.heard if heard.path == path]


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Run a receiver on a free port of this host."""
    receiver = Receiver()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


class Registry:
    """A log, the memory log by default, with its decider, and the commands that an api would append."""

    def __init__(self, log: Log | None = None) -> None:
        self.log: Log = log if log is not None else MemoryLog()
        self.decided: list[Decided] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._facts, self._run = 0, os.urandom(4).hex()

    async def __aenter__(self) -> "Registry":
        await released.prepare(self.log, PARTITIONS)
        processor = CommandProcessor(self.log, "facts", lambda _partition: MemoryStore())
        self._tasks = [
            asyncio.create_task(processor.run()),
            asyncio.create_task(follow(self.log, "facts", Listener(self.decided))),
        ]
        await self.ask(CURATOR, AddSigner(CURATOR, ("curator", "admin"), "genesis"))
        return self

    async def __aexit__(self, *_failure: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def ask(self, key: str, payload: Any, *, wait: bool = True) -> Decided | None:
        """Append a command and give its decision."""
        request = os.urandom(32)
        name = command_id(ADMIN, request)
        command = Command(name, BY_CLASS[type(payload)].name, ADMIN, None, request, payload, None)
        value = released.codec("facts", "command").encode(command)
        partition = topic.partition_of(key, PARTITIONS)
        await (await self.log.append(topic.commands("facts"), partition, [(key.encode(), value)]))
        if not wait:
            return None
        return await until(lambda: next((d for d in self.decided if d.decision.command_id == name), None))

    async def issue(self, ref: str | None = None, *, expires_at: int | None = None, wait: bool = True) -> str:
        """Issue a star, and give its id."""
        self._facts += 1
        ref = ref or f"playlist-{self._run}-{self._facts}"
        fact_id = "fct_" + hashlib.sha256(f"{ref}{self._run}{self._facts}".encode()).hexdigest()[:52]
        subject = Subject("feed.ff", "playlist", ref, None)
        payload = IssueFact(
            fact_id,
            "endorsement.star",
            subject,
            CURATOR,
            "{}",
            "",
            "ed25519",
            None,
            "",
            1_760_000_000_123,
            expires_at,
            "",
        )
        await self.ask(CURATOR, payload, wait=wait)
        return fact_id

    async def revoke(self, fact_id: str) -> None:
        """Revoke a fact."""
        await self.ask(CURATOR, RevokeFact(fact_id, CURATOR, None, "ed25519", None, ""))

    async def register(self, name: str, url: str, kinds: tuple[str, ...] = (), secret: str = SECRET) -> None:
        """Register an endpoint."""
        await self.ask(name, RegisterWebhook(name, url, kinds, seal(KEY, secret), "facts/0/0"))

    async def rotate(self, name: str, secret: str, overlap_ms: int) -> None:
        """Give an endpoint another secret."""
        await self.ask(name, RotateWebhookSecret(name, seal(KEY, secret), overlap_ms, "facts/0/0"))

    async def replay(self, name: str, replay: str, since: str) -> None:
        """Ask for a replay."""
        await self.ask(name, ReplayWebhook(name, replay, since, "facts/0/0"))

    async def delete(self, name: str) -> None:
        """Delete an endpoint."""
        await self.ask(name, DeleteWebhook(name, "facts/0/0"))

    def events(self, kind: type) -> list[Any]:
        """Give the events of a type, in the order that they were read."""
        return [event for entry in self.decided for event in entry.payloads if isinstance(event, kind)]


class Listener:
    """Keeps each decision that counts."""

    def __init__(self, decided: list[Decided]) -> None:
        self._decided = decided

    async def marks(self, context: str, partitions: int) -> Mapping[int, Mark]:
        """Begin at the start."""
        return {partition: Mark.start(topic.events(context), partition) for partition in range(partitions)}

    async def apply(self, _context: str, decided: Any, _marks: Any) -> None:
        """Take decisions."""
        self._decided.extend(decided)


class Reacting:
    """A reactor's parts with no Faust: it leads from the start, or when it is told."""

    def __init__(
        self,
        registry: Registry,
        store: Store | MemoryStore | None = None,
        *,
        targets: Targets = "any",
        timeout_s: float = 2.0,
        step: Callable[[str], None] = lambda _name: None,
        leads: bool = True,
    ) -> None:
        self.registry, self.leads = registry, leads
        self.agenda = Agenda(store if store is not None else MemoryStore())
        self.commands = ReactorCommands(registry.log)
        self.expiring = Expiring(self.agenda, self.commands)
        self.sender = Sender(targets, timeout_s=timeout_s)
        self.scheduling = Scheduling(self.agenda, self.commands, lambda: self.leads)
        self.dispatching = Dispatching(self.agenda, self.commands, self.sender, KEY, lambda: self.leads, step=step)
        self.tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Reacting":
        await self.sender.__aenter__()
        loops = (
            follow(self.registry.log, "facts", self.agenda),
            CatchingUp(self.registry.log, self.agenda).run(),
            self.scheduling.run(),
            self.dispatching.run(),
        )
        self.tasks = [asyncio.create_task(loop) for loop in loops]
        return self

    async def __aexit__(self, *_failure: object) -> None:
        # A loop can lose a cancellation that meets what it waits for, so those that are left are cancelled again.
        while left := [task for task in self.tasks if not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=1.0)
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.sender.__aexit__()

    def check(self) -> None:
        """Raise what ended a loop."""
        for task in self.tasks:
            if task.done() and not task.cancelled():
                task.result()


async def until(condition: Callable[[], Any], timeout_s: float = 10.0) -> Any:
    """Wait until a condition gives something."""
    async with asyncio.timeout(timeout_s):
        while not (found := condition()):  # conditions are over many parts
            await asyncio.sleep(0.005)
        return found
