"""Whoever waits for the agenda misses no write that came while it looked."""

import asyncio
from typing import Any, cast

from log.store import MemoryStore
from processors.agenda import Agenda
from processors.webhook_dispatching import Dispatching


async def test_a_write_between_the_look_and_the_wait_wakes_the_dispatcher() -> None:
    agenda = Agenda(MemoryStore())
    nobody = cast("Any", None)  # nothing is sent here
    dispatching = Dispatching(agenda, nobody, nobody, bytes(32), lambda: True)
    written = agenda.next_write
    dispatching.start()
    agenda.write([("a key", ("an entry",))], {})
    async with asyncio.timeout(2):
        await dispatching._woken(written, 60.0)
