"""The server of an api process: bounded, quiet about bytes that are no HTTP, and open once the log was read."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from api.application import application
from api.connection import Runner
from api.route import Route
from api.wiring import Api
from domain.catalog import CONTEXTS
from log.log import LogUnavailable
from projections.mirror import caught_up

KEEPALIVE_S = 75.0
SHUTDOWN_S = 5.0
BACKLOG = 1024
CATCHING_UP_POLL_S = 0.1
CATCHING_UP_S = 5.0
"""How long one end of the log is waited for before the log is asked again where it ends."""


def _is_ours(record: logging.LogRecord) -> bool:
    """Pass over bytes that are no HTTP: whoever sends them must not fill the log with stack traces."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


PROTOCOL = logging.getLogger("muniment.api.protocol")
PROTOCOL.addFilter(_is_ours)


async def _catch_up(api: Api) -> None:
    """Let sessions count once the mirror, which is fed elsewhere, holds what the log holds."""
    api.caught_up = False
    while not api.caught_up:
        try:
            known = len(api.mirror.positions) >= api.partitions * len(CONTEXTS)

            caught = [await caught_up(api.log, context, api.mirror, CATCHING_UP_S) for context in CONTEXTS if known]
            api.caught_up = known and all(caught)
        except LogUnavailable:
            pass
        except Exception:  # noqa: BLE001  # told, and tried again: without it this process would wait for ever unheard
            PROTOCOL.exception("catching_up_failed")
        await asyncio.sleep(CATCHING_UP_POLL_S)


@asynccontextmanager
async def serving(api: Api, host: str, port: int, table: Sequence[Route] | None = None) -> AsyncIterator[int]:
    """Serve a route table, the registry's where none is given, until left, and give the port.

    Requests under way are let end.

    Bodies aren't decompressed: what a body becomes must be bounded by what was sent.
    """
    catching_up = asyncio.create_task(_catch_up(api)) if table is None else None
    runner = Runner(
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
        await api.checker.close()
