"""The auditor: an fsck of a context's log that replays commands and decisions and trusts nobody who wrote them."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Final, NamedTuple

from log import topic
from log.chain import Chain, Mark
from log.message import Message
from log.store import MemoryStore, Store
from processors.audit_examining import Examined, examine_all
from processors.audit_partition import Hearing, Pair
from processors.audit_roles import Roles
from processors.audit_signing_keys import SigningKeys
from processors.audit_verdict import Differs, Source, Verdict

COMMANDS_PER_BATCH: Final = 512
BATCHES_IN_FLIGHT: Final = 6
LOOK_AGAIN_S: Final = 0.25

OnDecision = Callable[[Message, Sequence[Any], int], None]
"""Told of every decision that holds, with its events' payloads and the log's time, in the order of its partition."""


class Ends(NamedTuple):
    """Where a context's events and commands end, by partition."""

    events: Mapping[int, int]
    commands: Mapping[int, int]


async def ends_of(source: Source, context: str) -> Ends:
    """Ask for the ends of the events first: then the command of every decision that is read lies below its own end."""
    return Ends(await source.ends(topic.events(context)), await source.ends(topic.commands(context)))


class Audit:
    """One run over one context: chain, causes, signatures, roles, uniqueness, and the rules decided again.

    ``roles`` are those of the context that this one cites, audited before; without them it is its own. ``keys`` notes
    which registered keys signed here, for who has read identity. ``ends`` are
    where this one ended before that audit began, so that all that is cited was heard.
    Partitions are heard one after the other, so the first difference is the first in that order. State lies in
    ``folder``, in what ``open_store`` opens there, and of the log no more than a few batches are in memory. Without an
    ``executor`` all runs here. Where a log that is being written ends in messages that don't count, ``patience_s`` is
    how long one that does is waited for.
    """

    def __init__(
        self,
        source: Source,
        context: str,
        folder: Path,
        *,
        roles: Roles | None = None,
        keys: SigningKeys | None = None,
        ends: Ends | None = None,
        executor: Executor | None = None,
        on_decision: OnDecision = lambda _message, _events, _at: None,
        on_progress: Callable[[int, int], None] = lambda _done, _all: None,
        patience_s: float = 0.0,
        open_store: Callable[[Path], Store | MemoryStore] = Store,
    ) -> None:
        self._source, self._context, self._folder, self._executor = source, context, folder, executor
        self._open_store = open_store
        self._patience_s, self._ends = patience_s, ends
        self.roles = roles
        self._keys = SigningKeys() if keys is None else keys
        self._on_decision, self._on_progress = on_decision, on_progress
        self.verdict = Verdict()

    async def run(self) -> Verdict:
        """Audit all that lies on the log when this begins; the verdict holds the first difference, if there is one."""
        begun = time.perf_counter()
        try:
            await self._run()
        except Differs as found:
            self.verdict.difference = found.difference
        self.verdict.duration_s = time.perf_counter() - begun
        return self.verdict

    async def _run(self) -> None:
        ends = self._ends or await ends_of(self._source, self._context)
        partitions = await self._source.partitions(self._context)
        roles = self.roles = self.roles or Roles(self._context, partitions)
        total = sum(ends.events.values())
        for partition in range(partitions):
            store = self._open_store(self._folder / f"{self._context}-{partition}")
            hearing = Hearing(
                self._context,
                partition,
                partitions,
                store=store,
                roles=roles,
                keys=self._keys,
                verdict=self.verdict,
            )
            try:
                await self._hear(
                    hearing, partition, ends.events.get(partition, 0), ends.commands.get(partition, 0), total
                )
            finally:
                store.destroy()
        if roles.context == self._context:
            roles.close()

    async def _hear(self, hearing: Hearing, partition: int, event_end: int, command_end: int, total: int) -> None:
        counted = _Counted(self._source, topic.events(self._context), partition, event_end, self._patience_s)
        async for messages, examined in self._examined(partition, command_end):
            for message, found in zip(messages, examined, strict=True):
                decision = await counted.next()
                if decision is None:
                    hearing.pending(message, found, counted.stranded)
                    continue
                pair = Pair(message, found, decision)
                self._on_decision(decision, hearing.hear(pair), hearing.at)
            hearing.settle()
            self._on_progress(self.verdict.decisions, total)
        surplus = await counted.next()
        self.verdict.skipped += counted.skipped
        if surplus is not None and not counted.waited:
            hearing.surplus(surplus)
        hearing.close()

    async def _examined(self, partition: int, end: int) -> AsyncIterator[tuple[Sequence[Message], Sequence[Examined]]]:
        """Give commands with what examining them found, in order, while the next batches are being examined."""
        loop = asyncio.get_running_loop()
        waiting: deque[tuple[Sequence[Message], asyncio.Future[list[Examined]]]] = deque()
        async for batch in self._source.messages(topic.commands(self._context), partition, end):
            for start in range(0, len(batch), COMMANDS_PER_BATCH):
                messages = batch[start : start + COMMANDS_PER_BATCH]
                values = [message.value or b"" for message in messages]
                if self._executor is None:
                    yield messages, examine_all(self._context, values)
                    continue
                waiting.append((messages, loop.run_in_executor(self._executor, examine_all, self._context, values)))
                while len(waiting) > BATCHES_IN_FLIGHT:
                    ready, future = waiting.popleft()
                    yield ready, await future
        while waiting:
            ready, future = waiting.popleft()
            yield ready, await future


class _Counted:
    """The decisions of a partition that count, one at a time.

    ``stranded`` is the first message behind the last that counted which was skipped: where nothing counts after it, the
    chain may have been broken there. ``waited`` says that messages behind the end were read.
    """

    def __init__(self, source: Source, name: str, partition: int, end: int, patience_s: float) -> None:
        self._source, self._name, self._partition, self._end = source, name, partition, end
        self._patience_s, self.waited = patience_s, False
        self._batches = source.messages(name, partition, end)
        self._chain = Chain(Mark.start(name, partition))
        self._ready: deque[Message] = deque()
        self.skipped = 0
        self.stranded: Message | None = None
        self._over = False

    async def next(self) -> Message | None:
        while not self._over:
            while self._ready:
                message = self._ready.popleft()
                if self._chain.admit(message):
                    self.stranded = None
                    return message
                self.skipped += 1
                self.stranded = self.stranded or message
            try:
                self._ready.extend(await anext(self._batches))
            except StopAsyncIteration:
                self._over = not (self.stranded is not None and await self._more())
        return None

    async def _more(self) -> bool:
        """Wait for messages behind the end; a writer that sees its own decision skipped decides again at once."""
        while self._patience_s > 0:
            end = (await self._source.ends(self._name)).get(self._partition, 0)
            if end > self._end:
                self._batches = self._source.messages(self._name, self._partition, end, self._end)
                self._end, self.waited = end, True
                return True
            self._patience_s -= LOOK_AGAIN_S
            await asyncio.sleep(LOOK_AGAIN_S)
        return False
