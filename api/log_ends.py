"""How far a context's log is at this moment, so that what was decided anywhere before a request counts in it."""

import asyncio
from collections.abc import Mapping

from log import topic
from log.log import Log


class LogEnds:
    """Asks the log where its partitions end; all who come while it is asked share the question behind that one."""

    def __init__(self, log: Log, context: str, partitions: int) -> None:
        self.context = context
        self._log, self._topic, self._partitions = log, topic.events(context), range(partitions)
        self._asked: asyncio.Task[Mapping[int, int]] | None = None
        self._next: asyncio.Task[Mapping[int, int]] | None = None

    async def now(self) -> Mapping[int, int]:
        """Give the ends as they were once this was called, or later. Raises LogUnavailable."""
        if self._next is None:
            # Not the question that is under way: it may have been answered before whoever asks now had cause to.
            self._next = asyncio.create_task(self._ask_behind(self._asked))
        return await asyncio.shield(self._next)

    async def _ask_behind(self, before: asyncio.Task[Mapping[int, int]] | None) -> Mapping[int, int]:
        if before is not None:
            await asyncio.wait([before])
        self._asked, self._next = self._next, None
        return await self._log.ends(self._topic, self._partitions)
