"""What each process of a registry is composed of."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

import aiohttp
from prometheus_client import Gauge

from domain.catalog import CONTEXTS
from log.status import keep_publishing
from log.store import Store
from muniment.media import media_storage
from muniment.operator import sealing_key, vault_key
from muniment.places import Place, postgres_dsn
from muniment.press import opened_press
from muniment.service_key_rotation import service_key_task
from muniment.serving import serve
from processors import reacting
from processors.deciding import CommandProcessor
from processors.feed_backfill import RemoteFacts, backfill
from processors.together import together
from projections.dump import writing
from projections.postgres import Postgres
from projections.projector import Projector

PROJECTED: Final = Gauge(
    "muniment_projection_position", "Offset of the last decision in a projection's tables.", ["projection", "partition"]
)

Role = Callable[[Place], Awaitable[None]]
"""Runs until cancelled."""


async def decide(place: Place) -> None:
    """Decide the commands of every context."""
    folder = place.settings.state(place.role) / "decide"

    def processor(context: str) -> CommandProcessor:
        return CommandProcessor(place.log, context, lambda partition: Store(folder / context / str(partition)))

    processors = {context: processor(context) for context in CONTEXTS}

    def status() -> Mapping[str, Any]:
        return {context: each.status() for context, each in processors.items()}

    said = keep_publishing(place.log, place.name, "decider", status)
    with place.metrics_served():
        await together(said, *(each.run() for each in processors.values()))


async def project(place: Place) -> None:
    """Project decisions into Postgres."""
    projector = Projector(Postgres(postgres_dsn(place.settings)), writing(vault_key(place.settings)))

    def status() -> Mapping[str, Any]:
        for name, reached in projector.reached.items():
            for partition, offset in reached.items():
                PROJECTED.labels(name, str(partition)).set(offset)
        return {
            name: {str(partition): offset for partition, offset in reached.items()}
            for name, reached in projector.reached.items()
        }

    said = keep_publishing(place.log, place.name, "projector", status)
    with place.metrics_served():
        await together(said, *(projector.run(place.log, context) for context in projector.contexts))


async def react(place: Place) -> None:
    """Deliver webhooks, let facts expire, anchor records, sweep media, rotate keys, and heal a feed from afar."""
    settings = place.settings
    async with _healing(place) as heal, opened_press(settings) as (press, mining):
        with place.metrics_served():
            await reacting.run(
                place.log,
                place.address,
                settings.state(place.role) / "react",
                place.name,
                key=sealing_key(settings),
                targets=settings.webhook_targets,
                backfill=heal,
                audit_every_s=settings.audit_every,
                media=media_storage(settings),
                press=press,
                tasks=[service_key_task(settings), *mining],
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


ROLES: Final[Mapping[str, Role]] = {"api": serve, "decide": decide, "project": project, "react": react}
