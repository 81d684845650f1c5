"""What each process of a registry is composed of."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from domain.catalog import CONTEXTS
from log.kafka_address import KafkaAddress
from log.log import Log
from log.status import keep_publishing
from log.store import Store
from muniment.operator import sealing_key
from muniment.settings import InvalidSetting, Settings
from processors import reacting
from processors.deciding import CommandProcessor
from processors.feed_backfill import RemoteFacts, backfill
from projections.dump import PROJECTIONS
from projections.postgres import Postgres
from projections.projector import Projector


@dataclass(frozen=True, slots=True)
class Place:
    """What a process stands on: its settings, its name, and the log."""

    settings: Settings
    role: str
    name: str
    log: Log
    address: KafkaAddress


Role = Callable[[Place], Awaitable[None]]
"""Runs until cancelled."""


def postgres_dsn(settings: Settings) -> str:
    """Read where the database is. Raises InvalidSetting."""
    if settings.postgres is None:
        raise InvalidSetting("MUNIMENT_POSTGRES says where the database is, and is not set")
    return settings.postgres


async def together(*loops: Awaitable[None]) -> None:
    """Run loops until one fails or all are cancelled; a failure is raised by itself."""
    tasks = [asyncio.ensure_future(loop) for loop in loops]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def decide(place: Place) -> None:
    """Decide the commands of every context."""
    folder = place.settings.state(place.role) / "decide"

    def processor(context: str) -> CommandProcessor:
        return CommandProcessor(place.log, context, lambda partition: Store(folder / context / str(partition)))

    processors = {context: processor(context) for context in CONTEXTS}

    def status() -> Mapping[str, Any]:
        return {context: each.status() for context, each in processors.items()}

    said = keep_publishing(place.log, place.name, "decider", status)
    await together(said, *(each.run() for each in processors.values()))


async def project(place: Place) -> None:
    """Project decisions into Postgres."""
    projector = Projector(Postgres(postgres_dsn(place.settings)), PROJECTIONS)

    def status() -> Mapping[str, Any]:
        return {
            name: {str(partition): offset for partition, offset in reached.items()}
            for name, reached in projector.reached.items()
        }

    said = keep_publishing(place.log, place.name, "projector", status)
    await together(said, *(projector.run(place.log, context) for context in CONTEXTS))


async def react(place: Place) -> None:
    """Deliver webhooks, let facts expire, and heal the feed of a registry that is elsewhere."""
    settings = place.settings
    async with _healing(place) as heal:
        await reacting.run(
            place.log,
            place.address,
            settings.state(place.role) / "react",
            place.name,
            key=sealing_key(settings),
            targets=settings.webhook_targets,
            backfill=heal,
        )


@contextlib.asynccontextmanager
async def _healing(place: Place) -> AsyncIterator[Callable[[], Awaitable[object]] | None]:
    """Give what heals the feed, nothing where the registry is this one: its feed reads the same log."""
    if place.settings.registry is None:
        yield None
        return
    async with aiohttp.ClientSession() as session:
        remote = RemoteFacts(session, place.settings.registry)
        yield lambda: backfill(place.log, remote)


ROLES: Final[Mapping[str, Role]] = {"decide": decide, "project": project, "react": react}
