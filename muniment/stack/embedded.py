"""The embedded stack, composed: broker and PostgreSQL first, then our processes, until a signal ends them all."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from muniment.stack import broker, jars, leftovers, postgres
from muniment.stack.data_directory import DataDirectory, now
from muniment.stack.errors import StackError, StackFault
from muniment.stack.ports import LOOPBACK, free_ports, is_free
from muniment.stack.supervisor import Process, Supervisor, launched, note

port_attempts: Final = 5
_ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Services:
    """Says where the log and the database are: a Kafka bootstrap address and a PostgreSQL connection string."""

    kafka: str
    postgres: str = field(repr=False)

    def environment(self, data: Path) -> dict[str, str]:
        """Returns what tells our processes where everything is."""
        return {"MUNIMENT_KAFKA": self.kafka, "MUNIMENT_POSTGRES": self.postgres, "MUNIMENT_DATA": str(data)}


@dataclass
class Stack:
    """A running stack on a data directory that it holds."""

    directory: DataDirectory
    supervisor: Supervisor
    services: Services
    url: str | None = None
    started_at: str = field(default_factory=now)

    def publish(self) -> None:
        """Writes what runs now into the stack file."""
        pids = {"supervisor": os.getpid(), **self.supervisor.pids}
        self.directory.publish(
            {
                "url": self.url,
                "kafka": self.services.kafka,
                "postgres": self.services.postgres,
                "pids": pids,
                "births": leftovers.births(pids),
                "restarts": self.supervisor.restarts,
                "started_at": self.started_at,
            }
        )


@contextlib.asynccontextmanager
async def embedded_stack(
    data: Path, *, kafka: str | None = None, postgres_dsn: str | None = None, url: str | None = None
) -> AsyncIterator[Stack]:
    """Yields a stack whose broker and PostgreSQL are ready, and ends everything on leaving.

    A service that is given by its address is external: it is neither started nor watched. Raises StackError.
    """
    with DataDirectory(data) as directory:
        if ended := leftovers.end_leftovers(directory.path):
            note(f"ended what a killed stack had left running: {', '.join(ended)}")
        stack = Stack(directory, Supervisor(directory.logs), Services(kafka or "", postgres_dsn or ""), url)
        stack.supervisor.on_change = stack.publish
        try:
            try:
                await _start_services(stack)
            except OSError as error:
                message = f"{directory.path} cannot be used: {error.strerror or error}"
                raise StackError(StackFault.DATA_DIRECTORY_UNUSABLE, message) from error
            yield stack
        finally:
            await stack.supervisor.stop()
            directory.withdraw()


@contextlib.asynccontextmanager
async def embedded_services(data: Path) -> AsyncIterator[Services]:
    """Yields where a real broker and a real PostgreSQL are, both of them started on this data directory."""
    async with embedded_stack(data) as stack:
        yield stack.services


async def _start_services(stack: Stack) -> None:
    starts: list[Awaitable[None]] = []
    if not stack.services.kafka:
        starts.append(_start_broker(stack))
    if not stack.services.postgres:
        starts.append(_start_postgres(stack))
    await _all(starts)
    stack.publish()


async def _all(starts: Sequence[Awaitable[None]]) -> None:
    """Awaits all; the first failure cancels the others and is raised by itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for start in starts:
                group.create_task(_awaited(start))
    except BaseExceptionGroup as failures:
        raise next(
            (each for each in failures.exceptions if isinstance(each, StackError)), failures.exceptions[0]
        ) from None


async def _awaited(start: Awaitable[None]) -> None:
    await start


async def _start_broker(stack: Stack) -> None:
    await _fetch_jars()
    if not stack.directory.has(broker.SERVICE):
        note("forming the broker's log")
    await broker.form(stack.directory)

    def on(ports: Sequence[int]) -> Process:
        stack.services = replace(stack.services, kafka=f"{LOOPBACK}:{ports[0]}")
        return broker.process(stack.directory, *ports)

    await _on_free_ports(stack, 2, on)


async def _start_postgres(stack: Stack) -> None:
    if not stack.directory.has(postgres.SERVICE):
        note("forming the database")
    await postgres.form(stack.directory)

    def on(ports: Sequence[int]) -> Process:
        stack.services = replace(stack.services, postgres=postgres.dsn(stack.directory, ports[0]))
        return postgres.process(stack.directory, ports[0])

    await _on_free_ports(stack, 1, on)


async def _on_free_ports(stack: Stack, count: int, on: Callable[[Sequence[int]], Process]) -> None:
    """Launches a service on free ports; where another program took one first, on others."""
    for attempt in range(1, port_attempts + 1):
        ports = free_ports(count)
        try:
            await stack.supervisor.launch(on(ports))
        except StackError:
            if attempt == port_attempts or all(is_free(port) for port in ports):
                raise
        else:
            return


async def _fetch_jars() -> None:
    """Fetches the broker's jars in a process of its own, which a signal can end at any moment."""
    if not jars.missing_jars():
        return
    note("the first start fetches Apache Kafka (44 MB); the next ones don't")
    command = Process("fetch", [sys.executable, "-m", "muniment.stack.jars"])
    fetcher = await asyncio.create_subprocess_exec(
        *launched(command), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        if await fetcher.wait() != 0:
            raise StackError(StackFault.FETCH_FAILED, "Apache Kafka could not be fetched; the lines above say why")
    finally:
        if fetcher.returncode is None:
            fetcher.kill()
            await fetcher.wait()


@dataclass(frozen=True)
class Settings:
    """Says what a run consists of: the data directory, the HTTP port if any (0: a free one), external services."""

    data: Path
    port: int | None = None
    kafka: str | None = None
    postgres: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, data: Path, port: int | None = None, env: Mapping[str, str] = os.environ) -> "Settings":
        """Takes external services from `MUNIMENT_KAFKA` and `MUNIMENT_POSTGRES`."""
        return cls(data, port, env.get("MUNIMENT_KAFKA") or None, env.get("MUNIMENT_POSTGRES") or None)


Processes = Callable[[Stack], Sequence[Process]]
OnReady = Callable[[Stack], Awaitable[None] | None]


def no_processes(_stack: Stack) -> Sequence[Process]:
    """Adds no process of ours: broker and PostgreSQL alone."""
    return ()


async def run(settings: Settings, processes: Processes = no_processes, on_ready: OnReady | None = None) -> None:
    """Starts everything, calls `on_ready`, and ends everything on SIGINT, SIGTERM or SIGHUP; raises StackError.

    `processes` is asked for our processes once the services are ready; they get the services' addresses by their
    environment, start together, and end before the services do.
    """
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    endings = [each for each in _ENDING_SIGNALS if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]
    for number in endings:
        loop.add_signal_handler(number, ending.set)
    running = asyncio.create_task(_run(settings, processes, on_ready))
    asked = asyncio.create_task(ending.wait())
    try:
        await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
        running.cancel()  # a signal ends a start that is under way just as it ends a running stack
        with contextlib.suppress(asyncio.CancelledError):
            await running
    finally:
        asked.cancel()
        for number in endings:
            loop.remove_signal_handler(number)


async def _run(settings: Settings, processes: Processes, on_ready: OnReady | None) -> None:
    port = free_ports(1)[0] if settings.port == 0 else settings.port
    if port is not None and not is_free(port):
        raise StackError(StackFault.PORT_IN_USE, f"port {port} on {LOOPBACK} is in use by another program")
    url = None if port is None else f"http://{LOOPBACK}:{port}"
    async with embedded_stack(settings.data, kafka=settings.kafka, postgres_dsn=settings.postgres, url=url) as stack:
        where = stack.services.environment(stack.directory.path)
        await _all([stack.supervisor.launch(replace(each, env={**where, **each.env})) for each in processes(stack)])
        stack.publish()
        if on_ready is not None and (waiting := on_ready(stack)) is not None:
            await waiting
        await asyncio.get_running_loop().create_future()  # until cancelled


def describe(stack: Stack) -> dict[str, Any]:
    """Returns where the services are, as one JSON object."""
    return {"kafka": stack.services.kafka, "postgres": stack.services.postgres}


def print_services(stack: Stack) -> None:
    """Prints where the services are, as one line of JSON."""
    print(json.dumps(describe(stack)), flush=True)
