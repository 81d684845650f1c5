"""The supervisor: starts processes, restarts what dies, and leaves none behind."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from muniment.stack import launch
from muniment.stack.errors import StackError, StackFault
from muniment.stack.ports import Probe

probe_interval_s: Final = 0.05
first_backoff_s: Final = 0.2
longest_backoff_s: Final = 5.0
backoff_resets_after_s: Final = 10.0
log_rotates_at_bytes: Final = 8 * 1024 * 1024
log_tail_bytes: Final = 2_000


async def at_once() -> bool:
    """Probes nothing: ready as soon as it runs."""
    return True


@dataclass(frozen=True)
class Process:
    """Describes one process that the supervisor keeps alive.

    `ready` is asked until it says yes; `stage` orders stopping: the highest stage first. `user` is `(uid, gid)` to
    become, and `traverse` lets that user pass through directories that are closed to it, and nothing else.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)  # holds the database's password
    ready: Probe = at_once
    stage: int = 1
    cwd: Path | None = None
    user: tuple[int, int] | None = None
    traverse: bool = False
    stop_signal: int = signal.SIGTERM
    orphan_signal: int = signal.SIGKILL
    stop_timeout_s: float = 10.0
    ready_timeout_s: float = 60.0
    fault: StackFault = StackFault.PROCESS_FAILED


def launched(process: Process) -> list[str]:
    """Returns the command that becomes the process, tied to this one's life."""
    user = "-" if process.user is None else f"{process.user[0]}:{process.user[1]}"
    traverse = "traverse" if process.traverse else "-"
    tie = [str(os.getpid()), str(int(process.orphan_signal)), user, traverse]
    return [sys.executable, "-I", "-S", str(Path(launch.__file__)), *tie, *process.argv]


class Supervisor:
    """Keeps processes alive until told to stop; `on_change` is called whenever a pid changed."""

    def __init__(self, logs: Path) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self._logs = logs
        self._kept: dict[str, _Kept] = {}

    @property
    def pids(self) -> dict[str, int]:
        """The pids of what runs now, by name."""
        return {name: kept.pid for name, kept in self._kept.items() if kept.pid is not None}

    @property
    def restarts(self) -> dict[str, int]:
        """How many times each process was started again, by name."""
        return {name: kept.restarts for name, kept in self._kept.items()}

    async def launch(self, process: Process) -> None:
        """Starts a process and returns when it is ready; raises StackError with its fault if it ends before.

        From then on it is restarted whenever it ends, until `stop`.
        """
        kept = _Kept(process, self._logs / f"{process.name}.log", self._changed)
        self._kept[process.name] = kept
        try:
            await kept.first_start()
        except BaseException:
            await kept.stop()
            del self._kept[process.name]
            raise

    def _changed(self) -> None:
        try:
            self.on_change()
        except OSError as error:  # a full disk must not keep a dead process from being restarted
            note(f"the stack file could not be written: {error.strerror}")

    async def stop(self) -> None:
        """Ends every process, the highest stage first, and returns when none is left."""
        for stage in sorted({kept.process.stage for kept in self._kept.values()}, reverse=True):
            await asyncio.gather(*(kept.stop() for kept in self._kept.values() if kept.process.stage == stage))
        self._kept.clear()


class _Kept:
    """Keeps one process alive."""

    def __init__(self, process: Process, log: Path, on_change: Callable[[], None]) -> None:
        self.process = process
        self.restarts = 0
        self._log = log
        self._on_change = on_change
        self._child: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        running = self._child is not None and self._child.returncode is None
        return self._child.pid if self._child is not None and running else None

    async def first_start(self) -> None:
        await self._spawn()
        if not await self._becomes_ready():
            state = f"ended with status {self._returncode()}" if self.pid is None else "did not become ready"
            message = f"{self.process.name} {state}; the end of {self._log}:\n{log_tail(self._log)}"
            raise StackError(self.process.fault, message)
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.process.name}")

    def _returncode(self) -> int | None:
        return self._child.returncode if self._child is not None else None

    async def _spawn(self) -> None:
        process = self.process
        with _opened_log(self._log) as log:
            self._child = await asyncio.create_subprocess_exec(
                *launched(process),
                env={**os.environ, **process.env},
                cwd=process.cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A session of its own: the terminal's Ctrl-C reaches the supervisor alone, which ends all in order.
                start_new_session=True,
            )
        self._on_change()

    async def _becomes_ready(self) -> bool:
        deadline = time.monotonic() + self.process.ready_timeout_s
        while self.pid is not None and time.monotonic() < deadline:
            if await self.process.ready():
                return True
            await asyncio.sleep(probe_interval_s)
        return False

    async def _keep(self) -> None:
        backoff_s = first_backoff_s
        while self._child is not None:
            started = time.monotonic()
            await self._child.wait()
            self._end_group()
            if time.monotonic() - started >= backoff_resets_after_s:
                backoff_s = first_backoff_s
            note(f"{self.process.name} ended with status {self._returncode()}, restarting")
            self._on_change()
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, longest_backoff_s)
            self.restarts += 1
            try:
                await self._spawn()
            except OSError as error:
                # The dead child stays in place, so the next round waits out its backoff and tries again.
                note(f"{self.process.name} could not be started: {error.strerror}")

    def signal(self, number: int) -> None:
        """Signals the process; SIGKILL goes to its whole group, so that nothing it started survives it."""
        if (pid := self.pid) is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if number == signal.SIGKILL:
                os.killpg(pid, number)
            else:
                os.kill(pid, number)

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._child is None or self.pid is None:
            return
        self.signal(self.process.stop_signal)
        try:
            async with asyncio.timeout(self.process.stop_timeout_s):
                await self._child.wait()
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await self._child.wait()
        self._end_group()

    def _end_group(self) -> None:
        """Ends what a process that is gone had started and left."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)


@contextlib.contextmanager
def _opened_log(path: Path) -> Iterator[int]:
    """Opens a log for appending, after setting an overlong one aside."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > log_rotates_at_bytes:
            path.replace(path.with_suffix(".log.1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def note(text: str) -> None:
    """Tells people at the terminal; without one that reads, says nothing."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def log_tail(path: Path) -> str:
    """Returns the end of a log, for an error message."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - log_tail_bytes))
        return file.read().decode("utf-8", "replace").strip()
    return ""
