"""What a reactor does for identity: it follows its decisions, drives handles, and has tasks for what ends by time."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from log import topic
from log.following import follow
from log.log import Log
from log.store import MemoryStore, Store
from processors.handles import Handles
from processors.identity_agenda import CONTEXT, IdentityAgenda
from processors.reactor_commands import ReactorCommands
from processors.task import WAITS, Run, Task

CLAIMS_EVERY_S: Final = 1.0
RECOVERIES_EVERY_S: Final = 1.0
LINGER_S: Final = 0.005


class IdentityDuties:
    """The part of a reactor that is identity's; ``leads`` tells whether the reactor acts."""

    def __init__(self, log: Log, commands: ReactorCommands, leads: Callable[[], bool]) -> None:
        self._log, self._commands, self._leads = log, commands, leads
        self._agenda: IdentityAgenda | None = None
        self._handles: Handles | None = None

    def tasks(self) -> Sequence[Task]:
        """Give the periodic tasks: claims whose time is over, and guardians' recoveries whose delay is."""
        return (
            Task("claims", CLAIMS_EVERY_S, self._when_leading(Handles.lapse)),
            Task("recoveries", RECOVERIES_EVERY_S, self._when_leading(Handles.complete)),
        )

    def loops(self, store: Store | MemoryStore) -> Sequence[Awaitable[None]]:
        """Give what runs until it is cancelled, on a store of its own."""
        self._agenda = IdentityAgenda(store)
        self._handles = Handles(self._agenda, self._commands, self._leads)
        return follow(self._log, CONTEXT, self._agenda, linger_s=LINGER_S), self._handles.run()

    async def caught_up(self, timeout_s: float) -> bool:
        """Wait until all is folded that the log holds now, but not longer than this; say whether it is.

        Raises LogUnavailable.
        """
        name = topic.events(CONTEXT)
        ends: Mapping[int, int] = await self._log.ends(name, range(await self._log.partitions(name)))
        return self._agenda is not None and await self._agenda.reaches(CONTEXT, ends, timeout_s)

    def _when_leading(self, task: Callable[[Handles], Awaitable[Run]]) -> Callable[[], Awaitable[Run]]:
        async def run() -> Run:
            return await task(self._handles) if self._handles is not None and self._leads() else Run(WAITS)

        return run
