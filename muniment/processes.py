"""Running one process of a registry until a signal ends it."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from typing import Final, NoReturn

import uvloop

from log import released
from log.kafka import KafkaLog
from log.log import LogUnavailable
from muniment.journal import keep_journal
from muniment.places import Place, kafka_address
from muniment.roles import ROLES
from muniment.settings import Settings, unknown_variables

journal = logging.getLogger("muniment.processes")

END_TIMEOUT_S: Final = 8.0
"""How long a process may take to end by itself; the supervisor ends it by force a little later."""
LOG_RETRY_S: Final = 0.5
GIVING_WAY: Final = frozenset({"project", "react"})
NICENESS: Final = 5
"""On a machine that they share, what a client waits for (api, decide) goes before what follows the log."""
GARBAGE_AFTER: Final = 20_000
"""Values made and not yet let go before Python looks for cycles among them."""
ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.asynccontextmanager
async def opened_log(settings: Settings, name: str, instance: str = "") -> AsyncIterator[KafkaLog]:
    """Open the log under a process's name, with its topics and schemas there; an absent broker is waited for."""
    log = KafkaLog(kafka_address(settings), client_id=name, instance=instance or None, replication=settings.replication)
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


def run_process(role: str, settings: Settings) -> NoReturn:
    """Run one process until SIGINT, SIGTERM or SIGHUP, and end this interpreter with its exit status."""
    status = _run_to_its_end(role, settings)
    logging.shutdown()
    sys.stdout.flush()
    # Faust keeps a thread that would hold the interpreter back; all that is ours is closed by now.
    os._exit(status)


def collect_seldom() -> None:
    """Let Python look for cycles seldom: our processes make many short-lived values and few cycles."""
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER, 20, 50)


def _run_to_its_end(role: str, settings: Settings) -> int:
    name = settings.process_name(role)
    keep_journal(name, settings.log_level)
    for variable, meant in unknown_variables().items():
        journal.warning("unknown_variable", extra={"variable": variable, "meant": meant})
    kafka_address(settings)
    if role in GIVING_WAY:
        os.nice(NICENESS)
    collect_seldom()
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
        await ROLES[role](Place(settings, role, name, log, kafka_address(settings)))
