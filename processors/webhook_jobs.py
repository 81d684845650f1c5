"""A job is a look behind the fold that is still to be taken: for a late registration or for a replay."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Self

from log import topic
from log.chain import Mark
from log.store import MemoryStore, Store
from log.token import InvalidToken, read_token
from processors.agenda_entries import checkpoint_prefix

CONTEXT = "facts"
FROM_THE_START = "0"

Clocks = Mapping[int, tuple[int, int]]
"""For each partition the offset and the log's time (ms) of the last decision that was folded."""


class Part(NamedTuple):
    """What is left of a job in one partition: changes after ``after`` and below ``until``, read from the mark on."""

    partition: int
    next: int
    chain: str
    last: int
    after: int
    until: int

    @property
    def mark(self) -> Mark:
        """Say where reading goes on."""
        return Mark(self.next, bytes.fromhex(self.chain), self.last)


class Job(NamedTuple):
    """Changes decided from ``not_before`` on and before ``before`` (ms), due under a replay's name or, empty, live."""

    replay: str
    not_before: int
    before: int | None
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, entry: Sequence[Any]) -> Self:
        """Read an entry as a store gives it."""
        replay, not_before, before, parts = entry
        return cls(replay, not_before, before, tuple(Part(*part) for part in parts))

    @property
    def entry(self) -> tuple[Any, ...]:
        """Give the entry that a store holds."""
        return (self.replay, self.not_before, self.before, tuple(tuple(part) for part in self.parts))


def late_registration(store: Store | MemoryStore, clocks: Clocks, registered_at: int) -> Job:
    """Look for changes that were folded before their endpoint though they were decided at or after its registration."""
    parts = tuple(
        _part(store, partition, lambda _offset, at: at < registered_at, -1, offset + 1)
        for partition, (offset, at) in clocks.items()
        if at >= registered_at
    )
    return Job("", registered_at, None, parts)


def replay(store: Store | MemoryStore, clocks: Clocks, since: str, name: str, asked_at: int) -> Job:
    """Look again for all changes after a cursor that were decided before the replay was asked for.

    The cursor is a position token, or ``0`` for the start; one that can't be read any more means the start too.
    """
    try:
        positions = {} if since == FROM_THE_START else read_token(since)
    except InvalidToken:
        positions = {}
    parts = []
    for partition, (offset, _) in clocks.items():
        after = positions.get((CONTEXT, partition), -1)
        if after < offset:
            parts.append(_part(store, partition, partial(_is_up_to, after), after, offset + 1))
    return Job(name, 0, asked_at, tuple(parts))


def _is_up_to(after: int, offset: int, _at: int) -> bool:
    return offset <= after


def _part(
    store: Store | MemoryStore, partition: int, is_before: Callable[[int, int], bool], after: int, until: int
) -> Part:
    """Begin at the last checkpoint that lies before all that is wanted."""
    mark = Mark.start(topic.events(CONTEXT), partition)
    for _, (offset, at, chain) in store.scan(checkpoint_prefix(partition)):
        if not is_before(offset, at):
            break
        mark = Mark(offset + 1, bytes.fromhex(chain), offset)
    return Part(partition, mark.next, mark.chain.hex(), mark.last, after, until)
