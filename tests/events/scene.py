"""The event stream of an api process on the memory log: over real connections, or without any."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from api import events, operations
from api.assembly import serving
from api.event_bounds import EventBounds
from api.event_tail import EventTail
from api.event_view import EventViews, SealedValue
from api.metrics import Metrics
from api.rate_limits import RateLimits
from api.replies import Replies
from api.service_keys import ServiceKeys, service_key
from api.session_tokens import Sessions, UsedNoncesInProcess
from api.wiring import Api, ApiSettings
from log import topic
from log.following import follow
from log.status import StatusBoard
from log.store import MemoryStore
from muniment import Client
from projections.mirror import Mirror
from projections.record_events import write_record_events
from tests.events.vaults import Vaults

QUICK = EventBounds(slow_after_s=0.5, linger_s=0.3, heartbeat_s=0.2)
ISSUER = "http://registry.test"


async def opened(values: Sequence[SealedValue]) -> list[bytes | None]:
    """Open the values that `Vaults` sealed."""
    return [each.sealed.removeprefix(b"sealed") for each in values]


@dataclass
class Scene:
    """One api process; a test may end it and start the next on the same log and port."""

    vaults: Vaults
    bounds: EventBounds = QUICK
    rate_limits: RateLimits = field(default_factory=lambda: RateLimits(tiers={}))
    port: int = 0
    api: Api = field(init=False)
    following: asyncio.Task[None] | None = None
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def tail(self) -> EventTail:
        return self.api.events.tail  # type: ignore[no-any-return]

    async def start(self, *, follows: bool = True) -> None:
        log = self.vaults.log
        self.api = Api(
            log=log,
            mirror=Mirror(MemoryStore(), (write_record_events,)),
            replies=Replies(),
            sessions=Sessions(ServiceKeys([service_key(bytes(32))]), ISSUER, UsedNoncesInProcess()),
            rate_limits=self.rate_limits,
            metrics=Metrics(),
            sealing_key=bytes(32),
            status=StatusBoard(),
            partitions=self.vaults.partitions,
            settings=ApiSettings(event_bounds=self.bounds),
            open_values=opened,
        )
        if follows:
            self.follow()
            await self.caught_up()
        table = [*events.ROUTES, *operations.ROUTES]
        self.port = await self._stack.enter_async_context(serving(self.api, "127.0.0.1", self.port, table))

    def follow(self) -> None:
        self.following = asyncio.create_task(follow(self.vaults.log, "records", self.api.mirror))

    async def caught_up(self) -> None:
        """Wait until the process has what is on the log."""
        while len(self.api.mirror.positions) < self.vaults.partitions:
            await asyncio.sleep(0)
        ends = [len(self.vaults.log.messages(topic.events("records"), p)) for p in range(self.vaults.partitions)]
        assert await self.api.mirror.wait_for({("records", p): end - 1 for p, end in enumerate(ends)}, 10)

    async def stop(self) -> None:
        if self.following is not None:
            self.following.cancel()
            await asyncio.gather(self.following, return_exceptions=True)
        await self._stack.aclose()

    async def ask(self, path: str, **query: str) -> tuple[int, Any]:
        """Ask for JSON."""
        async with aiohttp.ClientSession() as session, session.get(self.url + path, params=query) as answer:
            return answer.status, json.loads(await answer.read())

    async def metric(self, name: str) -> float:
        """Read one metric, with its labels as Prometheus writes them."""
        async with aiohttp.ClientSession() as session, session.get(self.url + "/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return float(next((line.rsplit(" ", 1)[1] for line in lines if line.startswith(name + " ")), "0"))


@contextlib.asynccontextmanager
async def running(vaults: Vaults | None = None, **bounds: Any) -> AsyncIterator[Scene]:
    """Run an api process on the log of some vaults."""
    scene = Scene(vaults or await Vaults().start(), replace(QUICK, **bounds))
    await scene.start()
    try:
        yield scene
    finally:
        await scene.stop()


@contextlib.asynccontextmanager
async def client(scene: Scene, timeout_s: float = 10.0) -> AsyncIterator[Client]:
    """Give a client of a scene."""
    async with Client(scene.url, timeout_s=timeout_s) as found:
        yield found


@contextlib.asynccontextmanager
async def tailing(vaults: Vaults, bounds: EventBounds = QUICK) -> AsyncIterator[EventTail]:
    """Run a tail with its mirror and no connection at all."""
    mirror = Mirror(MemoryStore(), (write_record_events,))
    tail = EventTail(mirror, EventViews(mirror, lambda: opened).show, Metrics(), bounds)

    def is_known() -> bool:
        return len(mirror.positions) == vaults.partitions

    tasks = [asyncio.create_task(follow(vaults.log, "records", mirror)), asyncio.create_task(tail.run(is_known))]
    try:
        while not tail.following:
            await tail.moved()
        yield tail
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
