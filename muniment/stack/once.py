"""Runs a command to its end, tied to the supervisor's life like everything else it starts."""

import asyncio
import os
import signal
from contextlib import suppress

from muniment.stack.errors import StackError
from muniment.stack.supervisor import Process, launched, log_tail_bytes


async def run_once(process: Process, *, timeout_s: float, given: bytes = b"", secret: bool = False) -> None:
    """Runs a process with `given` as its input; raises StackError with its fault unless it ends with status 0.

    With `secret` its output is kept out of the error.
    """
    child = await asyncio.create_subprocess_exec(
        *launched(process),
        env={**os.environ, **process.env},
        cwd=process.cwd,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await child.communicate(given)
    except TimeoutError:
        raise StackError(process.fault, f"{process.name} was not done after {timeout_s:.0f} s") from None
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
    if child.returncode != 0:
        shown = "" if secret else ":\n" + output[-log_tail_bytes:].decode("utf-8", "replace").strip()
        raise StackError(process.fault, f"{process.name} could not be prepared (status {child.returncode}){shown}")
