"""The supervisor restarts what dies, ends all it started, and leaves nothing behind even when it is killed."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from muniment.stack.errors import StackError, StackFault
from muniment.stack.supervisor import Process, Supervisor, log_rotates_at_bytes
from tests.muniment.stack.conftest import is_alive, wait_until

pytestmark = pytest.mark.slow

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(600)",
]


async def until(condition: object, timeout_s: float = 10.0) -> None:
    assert callable(condition)
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_process_that_dies_is_restarted_and_its_new_pid_is_told(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    told: list[dict[str, int]] = []
    supervisor.on_change = lambda: told.append(supervisor.pids)
    await supervisor.launch(Process("sleeper", SLEEPER))
    first = supervisor.pids["sleeper"]
    os.kill(first, signal.SIGKILL)
    await until(lambda: supervisor.restarts["sleeper"] == 1 and "sleeper" in supervisor.pids)
    second = supervisor.pids["sleeper"]
    await supervisor.stop()
    assert second != first
    assert told[0] == {"sleeper": first}
    assert told[-1] == {"sleeper": second}
    assert not is_alive(second)


async def test_a_process_that_dies_again_and_again_is_restarted_ever_more_slowly(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    await supervisor.launch(Process("brief", [sys.executable, "-c", ""]))
    await asyncio.sleep(2.0)
    restarts = supervisor.restarts["brief"]
    await supervisor.stop()
    assert 2 <= restarts <= 4  # after 0.2, 0.4, 0.8 s, not in a busy loop


async def test_a_process_that_ends_before_it_is_ready_fails_with_its_fault_and_the_end_of_its_log(
    tmp_path: Path,
) -> None:
    async def never() -> bool:
        return False

    supervisor = Supervisor(tmp_path)
    failing = [sys.executable, "-c", "raise SystemExit('no such luck')"]
    with pytest.raises(StackError, match="no such luck") as caught:
        await supervisor.launch(Process("broker", failing, ready=never, fault=StackFault.BROKER_FAILED))
    assert caught.value.code == StackFault.BROKER_FAILED
    assert supervisor.pids == {}


async def test_a_process_that_never_gets_ready_is_ended(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    supervisor = Supervisor(tmp_path)
    pids: list[int] = []
    supervisor.on_change = lambda: pids.extend(supervisor.pids.values())
    with pytest.raises(StackError, match="did not become ready"):
        await supervisor.launch(Process("idle", SLEEPER, ready=never, ready_timeout_s=0.3))
    assert not any(is_alive(pid) for pid in pids)


async def test_the_later_stages_end_before_the_earlier_ones(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    script = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        "    time.sleep(float(sys.argv[3]))\n"
        "    with open(sys.argv[1], 'a') as file: print(sys.argv[2], file=file)\n"
        "    sys.exit()\n"
        "signal.signal(15, end)\n"
        "pathlib.Path(sys.argv[1] + sys.argv[2]).touch()\n"
        "time.sleep(600)\n"
    )
    supervisor = Supervisor(tmp_path)
    for name, stage, delay in (("service", 0, "0"), ("ours", 1, "0.3")):
        await supervisor.launch(Process(name, [sys.executable, "-c", script, str(ended), name, delay], stage=stage))
    await until(lambda: all((tmp_path / f"ended{name}").exists() for name in ("service", "ours")))
    await supervisor.stop()
    assert ended.read_text().split() == ["ours", "service"]


async def test_a_process_that_ignores_the_signal_is_killed_after_its_time(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    await supervisor.launch(Process("stubborn", STUBBORN, stop_timeout_s=0.3))
    pid = supervisor.pids["stubborn"]
    await until((tmp_path / "stubborn.log").read_bytes)
    started = time.monotonic()
    await supervisor.stop()
    assert 0.3 <= time.monotonic() - started < 3
    assert not is_alive(pid)


async def test_what_a_process_started_ends_with_it(tmp_path: Path) -> None:
    parent = "import subprocess, sys, time; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); time.sleep(600)"
    supervisor = Supervisor(tmp_path)
    await supervisor.launch(Process("parent", [sys.executable, "-c", parent, *SLEEPER]))
    log = tmp_path / "parent.log"
    await until(log.read_text)
    os.kill(supervisor.pids["parent"], signal.SIGKILL)
    await until(lambda: len(log.read_text().split()) == 2)
    first, second = (int(pid) for pid in log.read_text().split())
    await until(lambda: not is_alive(first))
    await supervisor.stop()
    await until(lambda: not is_alive(second))


async def test_a_stop_during_a_restart_leaves_nothing(tmp_path: Path) -> None:
    for delay in (0.0, 0.19, 0.2, 0.21, 0.25):
        supervisor = Supervisor(tmp_path)
        pids: set[int] = set()
        supervisor.on_change = lambda seen=pids, own=supervisor: seen.update(own.pids.values())  # type: ignore[misc]
        await supervisor.launch(Process("brief", [sys.executable, "-c", ""]))
        await asyncio.sleep(delay)
        await supervisor.stop()
        assert not any(is_alive(pid) for pid in pids)


async def test_a_long_log_is_set_aside_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "sleeper.log").write_bytes(b"x" * (log_rotates_at_bytes + 1))
    supervisor = Supervisor(tmp_path)
    await supervisor.launch(Process("sleeper", SLEEPER))
    await supervisor.stop()
    assert (tmp_path / "sleeper.log.1").stat().st_size == log_rotates_at_bytes + 1
    assert (tmp_path / "sleeper.log").stat().st_size == 0


async def test_a_full_disk_for_the_stack_file_keeps_nothing_from_being_restarted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    supervisor = Supervisor(tmp_path)
    supervisor.on_change = full
    await supervisor.launch(Process("sleeper", SLEEPER))
    os.kill(supervisor.pids["sleeper"], signal.SIGKILL)
    await until(lambda: supervisor.restarts["sleeper"] == 1)
    await supervisor.stop()
    assert "No space left" in capsys.readouterr().err


@pytest.mark.skipif(
    sys.platform != "linux", reason="the parent-death signal is Linux's; elsewhere the next start ends orphans"
)
def test_a_supervisor_killed_at_once_leaves_no_orphan(tmp_path: Path) -> None:
    script = (
        "import asyncio, pathlib, sys\n"
        "from muniment.stack.supervisor import Process, Supervisor\n"
        "async def main():\n"
        "    supervisor = Supervisor(pathlib.Path(sys.argv[1]))\n"
        "    for name in ('one', 'two'):\n"
        "        await supervisor.launch(Process(name, [sys.executable, '-c', sys.argv[2]]))\n"
        "    print(*supervisor.pids.values(), flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    stubborn = STUBBORN[-1]
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), stubborn], stdout=subprocess.PIPE
    ) as supervisor:
        assert supervisor.stdout is not None
        pids = [int(pid) for pid in supervisor.stdout.readline().split()]
        assert len(pids) == 2
        wait_until(lambda: all((tmp_path / f"{name}.log").read_bytes() for name in ("one", "two")))
        supervisor.kill()
    wait_until(lambda: not any(is_alive(pid) for pid in pids), timeout_s=5)
