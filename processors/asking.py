"""How a process manager goes on: it asks for what there is to ask, and waits for more when there is nothing."""

from collections.abc import Awaitable, Callable
from typing import Final

from log.log import AppendUnknown, LogUnavailable
from processors.context_agenda import ContextAgenda
from processors.lately import Lately

IDLE_S: Final = 0.5


async def keep_asking(
    agenda: ContextAgenda, lately: Lately, leads: Callable[[], bool], ask: Callable[[], Awaitable[int]]
) -> None:
    """Ask until cancelled, while this reactor leads; the log being away is waited out.

    ``ask`` gives how much it asked for, and ``lately`` is what it remembers of that.
    """
    while True:
        try:
            asked = await ask() if leads() else 0
        except (LogUnavailable, AppendUnknown):
            lately.forget()
            asked = 0
        if not asked:
            await agenda.moved(IDLE_S)
