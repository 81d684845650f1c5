"""Running one process of a registry until a signal ends it."""

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Final

import uvloop
from prometheus_client import start_http_server

from log import released
from log.kafka import KafkaLog
from log.kafka_address import InvalidAddress, KafkaAddress
from log.log import LogUnavailable
from muniment.journal import keep_journal
from muniment.roles import ROLES, Place
from muniment.settings import InvalidSetting, Settings, unknown_variables

journal = logging.getLogger("muniment.processes")

END_TIMEOUT_S: Final = 8.0
"""How long a process may take to end by itself; the supervisor ends it by force a little later."""
LOG_RETRY_S: Final = 0.5
ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def kafka_address(settings: Settings) -> KafkaAddress:
    """Read where the log is. Raises InvalidSetting."""
    if settings.kafka is None:
        raise InvalidSetting("MUNIMENT_KAFKA says where the log is, and is not set")
    try:
        return KafkaAddress.parse(settings.kafka)
    except InvalidAddress as error:
        raise InvalidSetting(f"MUNIMENT_KAFKA: {error}") from None


@contextlib.asynccontextmanager
async def opened_log(settings: Settings, name: str, instance: str = "") -> AsyncIterator[KafkaLog]:
    """Open the log under a process's name, with its topics and schemas there; an absent broker is waited for."""
    log = KafkaLog(kafka_address(settings), client_id=name, instance=instance or None)
    try:
        while True:
            try:
                await released.prepare(log, settings.partitions)
                break
            except LogUnavailable as error:
                journal.warning("log_unavailable", extra={"detail": str(error)})
                await asyncio.sleep(LOG_RETRY_S)
        yield log
    finally:
        await log.close()


def run_process(role: str, settings: Settings) -> int:
    """Run one process until SIGINT, SIGTERM or SIGHUP and give its exit status."""
    name = settings.process_name(role)
    keep_journal(name, settings.log_level)
    for variable, meant in unknown_variables().items():
        journal.warning("unknown_variable", extra={"variable": variable, "meant": meant})
    kafka_address(settings)
    (settings.data / "state").mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.state(role).mkdir(exist_ok=True, mode=0o700)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(role, name, settings))
    except Exception:  # noqa: BLE001 - told in the journal, with all of it, and by the exit status
        journal.exception("process_failed")
        return 1
    journal.info("process_ended")
    return 0


async def _run(role: str, name: str, settings: Settings) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in ENDING_SIGNALS:
        loop.add_signal_handler(number, ended.set)
    journal.info("process_started", extra={"role": role, "pid": os.getpid()})
    running = asyncio.create_task(_play(role, name, settings))
    asked = asyncio.create_task(ended.wait())
    await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not running.done():
        # Nothing that a slow goodbye could lose: what is acknowledged is on the log.
        forced = threading.Timer(END_TIMEOUT_S, _end_by_force)
        forced.daemon = True
        forced.start()
        running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def _end_by_force() -> None:
    journal.warning("ended_by_force", extra={"timeout_s": END_TIMEOUT_S})
    os._exit(1)


async def _play(role: str, name: str, settings: Settings) -> None:
    async with opened_log(settings, name, instance=name) as log:
        with metrics_served(settings):
            await ROLES[role](Place(settings, role, name, log, kafka_address(settings)))


@contextlib.contextmanager
def metrics_served(settings: Settings) -> Iterator[None]:
    """Serve this process's Prometheus metrics on their own port, where one is set."""
    if settings.metrics_port is None:
        yield
        return
    server, thread = start_http_server(settings.metrics_port, settings.host)
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
