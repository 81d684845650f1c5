"""Loops that run together, and end together."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final

CANCEL_AGAIN_S: Final = 6.0
"""Longer than a Faust worker takes to leave its group, which another cancellation would cut short."""


async def together(*loops: Awaitable[None]) -> None:
    """Run loops until one fails or all are cancelled; a failure is raised by itself."""
    tasks = [asyncio.ensure_future(loop) for loop in loops]
    try:
        # Not gather: that would cancel the loops once more, in the middle of their goodbyes.
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        await _ended(tasks)


async def _ended(tasks: Sequence[asyncio.Future[None]]) -> None:
    """Cancel loops until all have ended: one may lose a cancellation that meets what it waits for."""
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
    for task in tasks:
        if not task.cancelled():
            task.exception()
