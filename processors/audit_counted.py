"""A context's decisions as an auditor reads them by itself: by the reading rule, on from where it stood."""

from collections.abc import Callable, Mapping

from log import topic
from log.avro import UndecodableValue
from log.chain import Chain, Mark
from log.message import Message
from log.released import codec
from processors.audit_verdict import Difference, Source


class CountedReading:
    """Gives every decision that counts, once, and remembers what lies at the end and doesn't."""

    def __init__(self, source: Source, context: str) -> None:
        self._source, self._context = source, context
        self._chains: dict[int, Chain] = {}
        self._stranded: dict[int, Message] = {}
        self._causes: dict[int, int] = {}
        self.partitions = 1

    async def read_on(self, take: Callable[[Message], None], begin: Callable[[int], None] = lambda _: None) -> None:
        """Give each message that counts to ``take``, up to where the log ends now. Raises LogUnavailable.

        ``begin`` is told of each partition before its messages. While a message is taken, all before it were read.
        """
        name = topic.events(self._context)
        ends = await self._source.ends(name)
        self.partitions = len(ends)
        for partition, end in sorted(ends.items()):
            chain = self._chains.setdefault(partition, Chain(Mark.start(name, partition)))
            begin(partition)
            async for batch in self._source.messages(name, partition, end, chain.mark.next):
                for message in batch:
                    if chain.admit(message):
                        self._stranded.pop(partition, None)
                        take(message)
                    else:
                        self._stranded.setdefault(partition, message)

    def decided(self, partition: int, cause: int) -> None:
        """Note which command a decision that counts is of."""
        self._causes[partition] = cause

    def last(self, partition: int) -> int:
        """Give the offset of the last decision that counted in a partition, -1 before the first."""
        return self._chains[partition].mark.last

    def standing(self) -> Mapping[int, int]:
        """Say for each partition which offset was read last."""
        return {partition: chain.mark.next - 1 for partition, chain in self._chains.items()}

    def broken(self) -> Difference | None:
        """Find where commands were decided by messages at the end that don't count; a writer may yet mend that."""
        decisions = codec(self._context, "decision")
        for partition, message in sorted(self._stranded.items()):
            try:
                cause = decisions.decode(message.value).cause
            except (UndecodableValue, TypeError):
                continue
            if cause > self._causes.get(partition, -1):
                place = f"{self._context}/{partition}/{message.offset}"
                return Difference(place, "chain", "commands were decided from here on, and nothing counts")
        return None
