"""``as_of``: a page of facts as of a time or a token."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from api.freshness import read_position
from api.problems import invalid
from api.route import Asked
from api.times import InvalidTime, is_time, read_time
from api.wiring import CONTEXT
from log import topic
from log.following import Decided
from log.token import Positions
from projections.fact_queries import FOREVER, Cut
from projections.generations import Generation
from projections.reads import vector


@dataclass(frozen=True, slots=True)
class Moment:
    """What a page is as of: limits by partition, and what must be reached before it can be read.

    A partition that no offset is named for is limited by ``at``.
    """

    offsets: Mapping[int, int]
    at: int | None
    wanted: Positions

    def cut(self, generation: Generation) -> Cut:
        """Give it as limits of each partition: an offset where one is named, else the time."""
        there = vector(generation)
        offsets = [min(last, self.offsets.get(p, last)) for p, last in enumerate(there)]
        times = [FOREVER if self.at is None or p in self.offsets else self.at for p in range(len(there))]
        return Cut(offsets, times)


async def read_moment(asked: Asked, text: str, of: str = CONTEXT) -> Moment:
    """Read ``as_of``: a time that is not ahead of now, or a token.

    A token names the decisions up to it in its partitions; of the others it means what the log had decided by then.
    What the log had by a time is known once all that this process has seen of the log is in the tables.
    """
    seen = {where: offset for where, offset in asked.api.mirror.reached.items() if where[0] == of}
    if is_time(text):
        at = _past(text)
        return Moment({}, at, seen)
    offsets = {p: offset for (context, p), offset in read_position(text, "as_of").items() if context == of}
    named: Positions = {(of, partition): offset for partition, offset in offsets.items()}
    unnamed = {where: offset for where, offset in seen.items() if where[1] not in offsets}
    if not offsets or not unnamed:
        return Moment(offsets, None, named)
    times = [await time_at(asked, of, partition, offset) for partition, offset in offsets.items()]
    known = [at for at in times if at is not None]
    return Moment(offsets, max(known) if known else None, {**unnamed, **named})


def _past(text: str) -> int:
    try:
        at = read_time(text)
    except InvalidTime as error:
        raise invalid("/as_of", str(error)) from None
    if at > time.time_ns() // 1_000_000:
        raise invalid("/as_of", "this time is yet to come")
    return max(at, 0)


async def time_at(asked: Asked, context: str, partition: int, offset: int) -> int | None:
    """Give the log's time of a decision; nothing where none lies there yet."""
    if partition >= asked.api.partitions:
        return None
    message = await asked.api.log.read_at(topic.events(context), partition, offset)
    return None if message is None else Decided(context, message).decision.at
