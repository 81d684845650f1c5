"""What an audit comes to: the first difference and its place, or how much was found to hold."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from log.message import Message


class Source(Protocol):
    """Where an auditor reads commands and decisions from: the log itself, or an export of it."""

    async def partitions(self, context: str) -> int:
        """Count the partitions of a context."""

    async def ends(self, topic: str) -> Mapping[int, int]:
        """Give for each partition the offset behind its last message."""

    def messages(self, topic: str, partition: int, end: int, start: int = 0) -> AsyncIterator[Sequence[Message]]:
        """Give the messages of a partition from ``start`` up to ``end``, in order, in batches."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that isn't as it must be.

    ``place`` is ``context/partition/offset`` of a decision, ``topic/partition/offset`` of a message that is none, or
    ``projection:key @ position`` of a row; ``rule`` is stable.
    """

    place: str
    rule: str
    detail: str

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}: {self.detail}"


class Differs(Exception):
    """An audit stops at the first difference."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(str(difference))
        self.difference = difference


@dataclass(slots=True)
class Verdict:
    """What was checked so far; ``positions`` maps ``context/partition`` to the offset of the last decision.

    ``sealed`` counts the values of records: opened, erased, tampered with, or unopened where the keys aren't there.
    """

    scope: str = "log"
    decisions: int = 0
    commands: int = 0
    events: int = 0
    facts: int = 0
    signatures: int = 0
    refusals: int = 0
    undecodable: int = 0
    skipped: int = 0
    pending: int = 0
    genesis: str | None = None
    positions: dict[str, int] = field(default_factory=dict)
    projections: dict[str, int] = field(default_factory=dict)
    supplies: dict[str, dict[str, Any]] = field(default_factory=dict)
    sealed: dict[str, int] = field(default_factory=dict)
    duration_s: float = 0.0
    difference: Difference | None = None

    @property
    def holds(self) -> bool:
        """Say whether no difference was found."""
        return self.difference is None

    def as_json(self) -> dict[str, Any]:
        """Give the verdict as a JSON object."""
        return {"holds": self.holds} | asdict(self) | {"duration_s": round(self.duration_s, 3)}
