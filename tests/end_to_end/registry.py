"""A registry as a user has it: `muniment up` in a process of its own, on a data directory of its own."""

import concurrent.futures
import contextlib
import io
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from muniment.cli import main

READY_S = 240.0
END_S = 60.0


def free_port() -> int:
    """Find a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Registry:
    """A running `muniment up`."""

    data: Path
    url: str
    process: subprocess.Popen[str]

    def stack(self) -> dict[str, Any]:
        """Read what runs now: addresses and process ids."""
        found: dict[str, Any] = json.loads((self.data / "stack.json").read_text())
        return found

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to one process by name, once it runs, and give its id."""
        deadline = time.monotonic() + 60
        while name not in (pids := self.stack()["pids"]):
            assert time.monotonic() < deadline, f"{name} did not come back"
            time.sleep(0.1)
        os.kill(pids[name], number)
        return int(pids[name])

    def cli(self, *arguments: str, expect: int | None = 0) -> str:
        """Run a verb against this registry, without the second that a process of its own takes to start.

        Gives what it printed. What a verb does as a process is for the tests of README and of the command line.
        """
        printed, failed = io.StringIO(), io.StringIO()
        with (
            concurrent.futures.ThreadPoolExecutor(1) as beside,
            mock.patch.dict(os.environ, environment() | {"MUNIMENT_DATA": str(self.data)}, clear=True),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(failed),
        ):
            status = beside.submit(main, arguments).result(timeout=600)
        assert expect is None or status == expect, f"{arguments}: {printed.getvalue()}\n{failed.getvalue()}"
        return printed.getvalue()

    def started(self, *arguments: str, input_text: str | None = None) -> str:
        """Run a verb in a process of its own, with something on standard input, and give what it printed."""
        done = subprocess.run(  # our own command
            [sys.executable, "-m", "muniment", *arguments],
            env=environment() | {"MUNIMENT_DATA": str(self.data)},
            capture_output=True,
            text=True,
            input=input_text,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """Read one URL and give its status and JSON."""
        request = urllib.request.Request(self.url + path, headers=headers)  # noqa: S310  # http, to ourselves
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def wait_until_serving(self, timeout_s: float = 60.0) -> None:
        """Wait until the api answers that all is well."""
        deadline, said = time.monotonic() + timeout_s, "nothing"
        while True:
            try:
                status, body = self.get("/health")
                if status == 200:
                    return
                said = f"{status} {body}"
            except (OSError, ValueError) as error:
                said = repr(error)
            assert time.monotonic() < deadline, f"the registry did not come back: {said}"
            time.sleep(0.2)


def environment() -> dict[str, str]:
    """Give this process's environment without settings of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MUNIMENT_")}


@contextlib.contextmanager
def running(
    data: Path, *, flags: Sequence[str] = ("--rate-limits", "off"), env: Mapping[str, str] | None = None
) -> Iterator[Registry]:
    """Run `muniment up` until the block ends, then end it as Ctrl-C would."""
    port = free_port()
    process = subprocess.Popen(  # our own command
        [sys.executable, "-m", "muniment", "up", "--data", str(data), "--port", str(port), *flags],
        env=environment() | {"MUNIMENT_WEBHOOK_TARGETS": "any"} | dict(env or {}),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = _first_line(process)
        assert line == f"muniment is ready on http://127.0.0.1:{port}\n", f"it printed {line!r} instead"
        yield Registry(data, f"http://127.0.0.1:{port}", process)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            if process.stdout is not None:
                process.stdout.close()


def _first_line(process: subprocess.Popen[str]) -> str:
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    threading.Thread(target=lambda: lines.put(process.stdout.readline()), daemon=True).start()  # type: ignore[union-attr]
    return lines.get(timeout=READY_S)
