"""What a stack that was killed may have left running, found by what it had written down about its processes."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import psutil

from muniment.stack.data_directory import STACK_FILE

birth_tolerance_s: Final = 2.0
end_timeout_s: Final = 10.0


def births(pids: Mapping[str, int]) -> dict[str, float]:
    """Returns when each process began, in seconds of Unix time: with the pid, it names one process for ever."""
    found: dict[str, float] = {}
    for name, pid in pids.items():
        with contextlib.suppress(psutil.Error):
            found[name] = psutil.Process(pid).create_time()
    return found


def recorded(directory: Path) -> dict[str, Any]:
    """Reads what the stack file says, or nothing where it is absent or damaged."""
    try:
        stack = json.loads((directory / STACK_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return stack if isinstance(stack, dict) else {}


def still_running(stack: Mapping[str, Any]) -> dict[str, psutil.Process]:
    """Returns the recorded processes that run on: same pid, and begun at the recorded time."""
    pids, began = stack.get("pids"), stack.get("births")
    if not isinstance(pids, dict) or not isinstance(began, dict):
        return {}
    running: dict[str, psutil.Process] = {}
    for name, pid in pids.items():
        with contextlib.suppress(psutil.Error, TypeError, ValueError):
            found = psutil.Process(int(pid))
            if abs(found.create_time() - float(began[name])) <= birth_tolerance_s:
                running[name] = found
        # A name without a birth was never confirmed as ours; it is left alone.
    return running


def end_leftovers(directory: Path) -> list[str]:
    """Ends what a killed stack left running on this directory, whose lock the caller holds; returns their names."""
    stack = recorded(directory)
    running = {name: each for name, each in still_running(stack).items() if name != "supervisor"}
    families = [member for each in running.values() for member in [each, *_children(each)]]
    for member in families:
        with contextlib.suppress(psutil.Error):
            member.terminate()
    _, alive = psutil.wait_procs(families, timeout=end_timeout_s)
    for member in alive:
        with contextlib.suppress(psutil.Error):
            member.kill()
    psutil.wait_procs(alive, timeout=end_timeout_s)
    return sorted(running)


def program_of(pid: int) -> str | None:
    """Returns the name of the program that runs with this pid, or nothing where none does."""
    with contextlib.suppress(psutil.Error):
        return str(psutil.Process(pid).name())
    return None


def _children(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return list(process.children(recursive=True))
    return []


def running_stack(directory: Path) -> dict[str, Any] | None:
    """Returns what the stack file says if its supervisor runs, else nothing: a stale file counts as none."""
    stack = recorded(directory)
    return stack if "supervisor" in still_running(stack) else None
