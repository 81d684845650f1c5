"""Runs `python -m muniment.stack` the way a person does: in a process of its own, in the foreground."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

ready_timeout_s = 120.0
stop_timeout_s = 40.0


def wait_until(condition: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """Waits for a condition and returns what it gave; fails the test if it doesn't come in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if outcome := condition():
            return outcome
        time.sleep(0.05)
    pytest.fail(f"did not happen within {timeout_s} s: {condition}")


def is_alive(pid: int) -> bool:
    """Says whether a process runs; a zombie doesn't."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@dataclass
class Foreground:
    """A stack in the foreground of its own process."""

    process: subprocess.Popen[bytes]
    data: Path
    errors: Path

    def ready(self) -> dict[str, str]:
        """Waits for the line of JSON that says where the services are."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            pytest.fail(f"the stack ended: {self.errors.read_text()}")
        services: dict[str, str] = json.loads(line)
        return services

    def stack(self) -> dict[str, Any]:
        """Reads the stack file."""
        stack: dict[str, Any] = json.loads((self.data / "stack.json").read_text())
        return stack

    def family(self) -> set[int]:
        """Returns the pids of everything that the stack has started."""
        return {child.pid for child in psutil.Process(self.process.pid).children(recursive=True)}

    def end(self, number: int = signal.SIGTERM) -> int:
        """Signals the stack and returns its exit status."""
        self.process.send_signal(number)
        return self.process.wait(stop_timeout_s)


@pytest.fixture
def foreground(tmp_path: Path) -> Iterator[Callable[..., Foreground]]:
    """Starts stacks, and ends at the end of the test those that still run."""
    started: list[Foreground] = []

    def start(data: Path, *, command: list[str] | None = None, env: dict[str, str] | None = None) -> Foreground:
        errors = tmp_path / f"errors-{len(started)}.txt"
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                [*(command or [sys.executable]), "-m", "muniment.stack", str(data)],
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd="/",
                env={**os.environ, **(env or {})},
            )
        started.append(Foreground(process, data, errors))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.terminate()
            try:
                each.process.wait(stop_timeout_s)
            except subprocess.TimeoutExpired:
                each.process.kill()
                each.process.wait()
        if each.process.stdout is not None:
            each.process.stdout.close()
