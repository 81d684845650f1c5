"""How a reactor asks for something: commands whose ids come from their content, so that asking again is harmless."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from domain.catalog import BY_CLASS
from log import topic
from log.log import AppendUnknown, Log, LogUnavailable, Record
from log.message import Command
from log.released import codec
from log.scope import command_id

REACTOR: Final = "muniment:reactor"
"""The actor of a reactor's commands; all reactors are one, so that what one has asked another asks for in vain."""
RETRY_S: Final = 0.2


class Ask(NamedTuple):
    """A command to append: the key of its partition, what makes it the same command, and what it asks."""

    key: str
    content_id: str
    payload: Any
    partition: int | None = None


class ReactorCommands:
    """Appends commands, each to the context that decides it."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._partitions: dict[str, int] = {}
        self._gathering: list[Ask] = []
        self._appending = asyncio.Lock()

    def _record(self, ask: Ask) -> Record:
        request = hashlib.sha256(ask.content_id.encode()).digest()
        name = command_id(REACTOR, request, content_id=ask.content_id)
        kind = BY_CLASS[type(ask.payload)]
        command = Command(name, kind.name, REACTOR, None, request, ask.payload, None)
        return ask.key.encode(), codec(kind.context, "command").encode(command)

    async def append(self, asks: Sequence[Ask]) -> None:
        """Append commands, one batch a partition, and wait until they are durable.

        Raises LogUnavailable or AppendUnknown: some may lie there then, and all can be appended again.
        """
        batches: dict[tuple[str, int], list[Record]] = defaultdict(list)
        for ask in asks:
            context = BY_CLASS[type(ask.payload)].context
            if context not in self._partitions:
                self._partitions[context] = await self._log.partitions(topic.commands(context))
            of_key = topic.partition_of(ask.key, self._partitions[context])
            batches[context, of_key if ask.partition is None else ask.partition].append(self._record(ask))
        sent = [
            await self._log.append(topic.commands(context), partition, records)
            for (context, partition), records in batches.items()
        ]
        for durable in sent:
            await durable

    async def append_surely(self, ask: Ask) -> None:
        """Append a command, again and again while the log is away; those that come meanwhile go together."""
        while True:
            batch = self._gathering
            batch.append(ask)
            try:
                async with self._appending:
                    # The first of a batch appends all of it; the others find it done.
                    if batch is self._gathering:
                        self._gathering = []
                        await self.append(batch)
                        batch.clear()
                if not any(each is ask for each in batch):
                    return
            except (LogUnavailable, AppendUnknown):
                pass
            await asyncio.sleep(RETRY_S)
