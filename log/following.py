"""The one loop that follows a context's decisions: live, catch-up, backfill and recovery are the same."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from log import topic
from log.chain import Chain, Mark
from log.log import Log, LogUnavailable
from log.message import Decision, Message
from log.released import codec

POLL_S = 0.5
RETRY_S = 0.2
MESSAGES_PER_POLL = 5_000
LARGE_BATCH = 500
"""A batch that needs no rest behind it: there is more to read than time."""


class Decided:
    """A decision that counted, with where it lies; decoded when it is first asked for."""

    __slots__ = ("_decision", "context", "message", "offset", "partition")

    def __init__(self, context: str, message: Message) -> None:
        self.context, self.message = context, message
        self.partition, self.offset = message.partition, message.offset
        self._decision: Decision | None = None

    @property
    def decision(self) -> Decision:
        """Give the decision. Raises UndecodableValue when its schema is not known here."""
        found = self._decision
        if found is None:
            found = self._decision = codec(self.context, "decision").decode(self.message.value)
        return found

    @property
    def payloads(self) -> Sequence[Any]:
        """Give the payloads of its events; none when it is a refusal."""
        return [happening.payload for happening in self.decision.events]


class Follower(Protocol):
    """What stands behind the loop: it keeps its marks together with what it makes of the decisions."""

    async def marks(self, context: str, partitions: int) -> Mapping[int, Mark]:
        """Say for each partition how far it is."""

    async def apply(self, context: str, decided: Sequence[Decided], marks: Mapping[int, Mark]) -> None:
        """Take decisions, in the order of each partition, and the marks behind them, all or nothing."""


async def follow(
    log: Log,
    context: str,
    follower: Follower,
    *,
    until: Mapping[int, int] | None = None,
    linger_s: float = 0.0,
    step: Callable[[str], None] = lambda _name: None,
) -> None:
    """Feed a follower from its marks on, until cancelled or until the offsets in ``until`` are reached.

    ``linger_s`` is how long it rests after a small batch, so that under load the next one is larger and cheaper.
    The log being away is waited out. What ``apply`` raises ends the loop: the next one starts at the marks.
    """
    name = topic.events(context)
    while True:
        try:
            marks = await follower.marks(context, await log.partitions(name))
            chains = {partition: Chain(mark) for partition, mark in marks.items()}
            reader = await log.reader(name, {partition: mark.next for partition, mark in marks.items()})
        except LogUnavailable:
            await asyncio.sleep(RETRY_S)
            continue
        try:
            while until is None or any(chains[p].mark.next < end for p, end in until.items()):
                batches = await reader.poll(POLL_S, MESSAGES_PER_POLL)
                decided = [
                    Decided(context, message)
                    for partition, messages in batches.items()
                    for message in chains[partition].counted(messages)
                ]
                if batches:
                    step("apply")
                    # Durable inside: what was made of these decisions, and the marks, in one write.
                    await follower.apply(context, decided, {p: chains[p].mark for p in batches})
                    step("applied")
                    if linger_s and len(decided) < LARGE_BATCH:
                        await asyncio.sleep(linger_s)
        except LogUnavailable:
            await asyncio.sleep(RETRY_S)
        else:
            return
        finally:
            await reader.close()
