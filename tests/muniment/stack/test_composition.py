"""Our processes run on the services, told by their environment where those are, and end with the stack."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.stack.embedded import Settings
from tests.muniment.stack.conftest import is_alive, wait_until

SCRIPT = """
import asyncio, json, sys
from pathlib import Path
from muniment.stack.embedded import Settings, run
from muniment.stack.errors import StackError
from muniment.stack.ports import http_answers
from muniment.stack.supervisor import Process

SERVER = '''
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({key: value for key, value in os.environ.items() if key.startswith("MUNIMENT_")}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
'''

def processes(stack):
    port = stack.url.rpartition(":")[2]
    return [
        Process("api", [sys.executable, "-c", SERVER, port], ready=http_answers(int(port))),
        Process("decide", [sys.executable, "-c", sys.argv[2]], env={"MUNIMENT_PARTITIONS": "4"}, ready_timeout_s=5),
    ]

try:
    settings = Settings.from_environment(Path(sys.argv[1]), 0)
    asyncio.run(run(settings, processes, lambda stack: print(stack.url, flush=True)))
except StackError as error:
    sys.exit(f"{error.code}: {error.message}")
"""
SLEEPER = "import time; time.sleep(600)"
EXTERNAL = {"MUNIMENT_KAFKA": "broker.example:9092", "MUNIMENT_POSTGRES": "postgresql://elsewhere.example/muniment"}


def start(data: Path, decide: str = SLEEPER) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, str(data), decide]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **EXTERNAL})


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with start(tmp_path / "data") as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        if process.poll() is None:
            process.terminate()
            process.wait(20)


def stack_file(tmp_path: Path) -> dict[str, Any]:
    stack: dict[str, Any] = json.loads((tmp_path / "data" / "stack.json").read_text())
    return stack


def environment(url: str) -> dict[str, str]:
    script = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
    told: dict[str, str] = json.loads(subprocess.check_output([sys.executable, "-c", script, url]))
    return told


def test_external_services_are_passed_on_and_none_is_started(
    tmp_path: Path, running: tuple[subprocess.Popen[str], str]
) -> None:
    _, url = running
    told = environment(url)
    assert {key: told[key] for key in EXTERNAL} == EXTERNAL
    assert told["MUNIMENT_DATA"] == str(tmp_path / "data")
    stack = stack_file(tmp_path)
    assert stack["url"] == url
    assert set(stack["pids"]) == {"supervisor", "api", "decide"}
    assert not (tmp_path / "data" / "kafka").exists()
    assert not (tmp_path / "data" / "postgres").exists()


def test_a_killed_process_of_ours_is_restarted_and_a_signal_ends_all(
    tmp_path: Path, running: tuple[subprocess.Popen[str], str]
) -> None:
    process, _ = running
    before = stack_file(tmp_path)["pids"]
    os.kill(before["decide"], signal.SIGKILL)
    wait_until(lambda: stack_file(tmp_path)["pids"].get("decide", before["decide"]) != before["decide"])
    after = stack_file(tmp_path)
    assert after["restarts"] == {"api": 0, "decide": 1}
    assert after["pids"]["api"] == before["api"]
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert not any(is_alive(pid) for pid in after["pids"].values())
    assert not (tmp_path / "data" / "stack.json").exists()


def test_the_stack_file_is_whole_whenever_it_is_read(
    tmp_path: Path, running: tuple[subprocess.Popen[str], str]
) -> None:
    for _ in range(3):
        pid = stack_file(tmp_path)["pids"].get("decide")
        if pid is not None:
            # It may be gone already, from the turn before, and not be started again yet.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for _ in range(200):
            assert stack_file(tmp_path)["kafka"] == EXTERNAL["MUNIMENT_KAFKA"]


def test_settings_do_not_show_the_password() -> None:
    settings = Settings.from_environment(
        Path("data"), env={"MUNIMENT_POSTGRES": "postgresql://muniment:secret@host/db"}
    )
    assert "secret" not in repr(settings)
