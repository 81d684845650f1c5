"""An api process put together: the parts that its handlers share, the loops that feed them, and its server."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from api.application import application
from api.metrics import Metrics
from api.rate_limits import RateLimits
from api.replies import Replies
from api.route import Route
from api.service_keys import ServiceKeys
from api.session_tokens import Sessions, UsedNonces, UsedNoncesInProcess
from api.wiring import CONTEXT, Api, ApiSettings
from log import topic
from log.following import follow
from log.log import Log, LogUnavailable
from log.status import StatusBoard, keep_publishing
from log.store import MemoryStore, Store
from projections.issued import write_issued
from projections.mirror import Mirror, Writer, caught_up

KEEPALIVE_S = 75.0
SHUTDOWN_S = 5.0
BACKLOG = 1024
CATCHING_UP_POLL_S = 0.1


def _is_ours(record: logging.LogRecord) -> bool:
    """Pass over bytes that are no HTTP: whoever sends them must not fill the log with stack traces."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


PROTOCOL = logging.getLogger("muniment.api.protocol")
PROTOCOL.addFilter(_is_ours)


async def assemble(
    log: Log,
    store: Store | MemoryStore,
    *,
    keys: ServiceKeys,
    issuer: str,
    sealing_key: bytes,
    rate_limits: RateLimits,
    settings: ApiSettings | None = None,
    writers: Sequence[Writer] = (),
    used_nonces: UsedNonces | None = None,
    health: Mapping[str, Any] | None = None,
) -> Api:
    """Put the parts together. ``writers`` fold more into the mirror, the feed for one. Raises LogUnavailable.

    The owner sets ``reads`` and ``feed``, and runs ``loops`` as long as the application serves.
    """
    replies = Replies()
    return Api(
        log=log,
        mirror=Mirror(store, (*writers, write_issued), replies.on_decided),
        replies=replies,
        sessions=Sessions(keys, issuer, used_nonces or UsedNoncesInProcess()),
        rate_limits=rate_limits,
        metrics=Metrics(),
        sealing_key=sealing_key,
        status=StatusBoard(),
        partitions=await log.partitions(topic.commands(CONTEXT)),
        settings=settings or ApiSettings(),
        health=dict(health or {}),
    )


async def loops(api: Api, name: str) -> None:
    """Feed the parts until cancelled: decisions into the mirror, what processes say, and what this one says."""

    def said() -> Mapping[str, Any]:
        reached = {f"{context}/{part}": offset for (context, part), offset in api.mirror.reached.items()}
        return {"position": reached, "awaiting": len(api.replies)}

    async with asyncio.TaskGroup() as group:
        group.create_task(follow(api.log, CONTEXT, api.mirror))
        group.create_task(api.status.follow(api.log))
        group.create_task(keep_publishing(api.log, name, "api", said))


async def _catch_up(api: Api) -> None:
    """Let sessions count once the mirror, which is fed elsewhere, holds what the log holds."""
    api.caught_up = False
    while not api.caught_up:
        try:
            known = len(api.mirror.positions)
            api.caught_up = known >= api.partitions and await caught_up(api.log, CONTEXT, api.mirror)
        except LogUnavailable:
            pass
        await asyncio.sleep(CATCHING_UP_POLL_S)


@asynccontextmanager
async def serving(api: Api, host: str, port: int, table: Sequence[Route] | None = None) -> AsyncIterator[int]:
    """Serve a route table, the registry's where none is given, until left, and give the port.

    Requests under way are let end.

    Bodies aren't decompressed: what a body becomes must be bounded by what was sent.
    """
    catching_up = asyncio.create_task(_catch_up(api)) if table is None else None
    runner = web.AppRunner(
        application(api, table),
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=KEEPALIVE_S,
        handle_signals=False,
        logger=PROTOCOL,
        shutdown_timeout=SHUTDOWN_S,
    )
    try:
        await runner.setup()
        site = web.TCPSite(runner, host, port, backlog=BACKLOG)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        if catching_up is not None:
            catching_up.cancel()
        await runner.cleanup()
