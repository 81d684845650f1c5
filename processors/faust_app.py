"""Faust's only door: who leads the reactors, and the periodic tasks that only the leader runs.

Faust elects the leader by a topic of one partition, which its consumer group gives to one worker at a time. A worker
that is gone is noticed after ``SESSION_TIMEOUT_S``; one that lost its broker may believe for as long that it leads.
So leading only makes double work rare: every effect of a task is safe to repeat.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import faust
from faust.types.auth import CredentialsT

from log.kafka_address import KafkaAddress
from processors.task import Run, Task, TaskStatus

APP_ID: Final = "muniment.react"
SESSION_TIMEOUT_S: Final = 10.0
HEARTBEAT_S: Final = 1.0
REQUEST_TIMEOUT_S: Final = 15.0
METADATA_AGE_MS: Final = 3_000
"""On a slow broker a new log's leader topic may not be seen by who joins: nobody leads until it is looked for again."""
STOP_TIMEOUT_S: Final = 5.0
QUIET: Final = ("faust", "mode", "aiokafka")

journal = logging.getLogger("muniment.reactors")


def credentials(address: KafkaAddress) -> CredentialsT | None:
    """Give Faust what TLS and SASL need."""
    options = address.options()
    context: ssl.SSLContext | None = options.get("ssl_context")
    if address.protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=address.user, password=address.password, mechanism=address.mechanism, ssl_context=context
        )
    return None if context is None else faust.SSLCredentials(context)


class Worker:
    """One Faust worker inside this process's event loop."""

    def __init__(
        self,
        address: KafkaAddress,
        name: str,
        folder: Path,
        tasks: Sequence[Task],
        on_run: Callable[[str, TaskStatus], None] = lambda _task, _status: None,
    ) -> None:
        self._tasks, self._on_run = tasks, on_run
        self.status: dict[str, TaskStatus] = {}
        self._started = False
        self._app = faust.App(
            APP_ID,
            broker=[f"kafka://{server}" for server in address.servers.split(",")],
            broker_credentials=credentials(address),
            broker_client_id=name,
            broker_session_timeout=SESSION_TIMEOUT_S,
            broker_heartbeat_interval=HEARTBEAT_S,
            broker_request_timeout=REQUEST_TIMEOUT_S,
            consumer_group_instance_id=None,
            consumer_metadata_max_age_ms=METADATA_AGE_MS,
            datadir=str(folder),
            store="memory://",
            topic_partitions=1,
            topic_replication_factor=1,
            web_enabled=False,
            stream_wait_empty=False,
            logging_config={"version": 1, "incremental": True},
            loghandlers=[],
        )
        self._runners = {task.name: self._runner(task) for task in tasks}
        for task in tasks:
            self._app.timer(task.every_s, on_leader=True, name=task.name, traced=False)(self._runners[task.name])

    async def run_task(self, name: str) -> None:
        """Run a task now, beside its times."""
        await self._runners[name]()

    def _runner(self, task: Task) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            began = time.monotonic()
            try:
                came_to = await task.run()
            except Exception as error:  # noqa: BLE001  # one failed run is told and the next comes
                came_to = Run(f"failed: {type(error).__name__}")
                journal.warning("task_failed", extra={"task": task.name, "error": type(error).__name__})
            took_ms = int((time.monotonic() - began) * 1000)
            last_run = time.time_ns() // 1_000_000
            self.status[task.name] = TaskStatus(last_run, took_ms, came_to.outcome, came_to.said)
            self._on_run(task.name, self.status[task.name])

        return run

    def leads(self) -> bool:
        """Tell whether this worker is the leader, as far as it knows."""
        return self._started and not self._app.should_stop and bool(self._app.is_leader())

    async def run(self) -> None:
        """Work until cancelled, or raise what broke the worker."""
        for name in QUIET:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            await self._app.start()
            self._started = True
            await self._app.wait_until_stopped()
            raise self._app.crash_reason or RuntimeError("the worker stopped by itself")
        finally:
            self._started = False
            await self._stop()

    async def _stop(self) -> None:
        """Leave the group, so that another leads at once; a worker that can't is left to its session's timeout."""
        stopping = asyncio.ensure_future(self._app.stop())
        done, _ = await asyncio.wait({stopping}, timeout=STOP_TIMEOUT_S)
        if not done:
            stopping.cancel()
            journal.warning("worker_stop_timed_out", extra={"timeout_s": STOP_TIMEOUT_S})
        elif stopping.exception() is not None:
            journal.warning("worker_stop_failed", extra={"error": type(stopping.exception()).__name__})

    def task_report(self) -> Mapping[str, Mapping[str, Any]]:
        """Say of each task when it last ran here and what came of it."""
        ran = {name: status.as_json() for name, status in self.status.items()}
        return {task.name: {"every_s": task.every_s, **ran.get(task.name, {})} for task in self._tasks}
