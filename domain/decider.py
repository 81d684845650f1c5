"""A decider is a value, and everything it needs arrives in the command or in its state."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Entry: TypeAlias = tuple[Any, ...]
"""A NamedTuple of ``str | int | bool | None | bytes`` and tuples of these, so that any store can hold it."""

State: TypeAlias = Mapping[str, Entry]
"""A fold, by key. A host may keep it on disk; a decider only reads it."""

Change: TypeAlias = tuple[str, Entry | None]
"""A key and what it holds from now on; ``None`` removes it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command changed nothing: a closed code and details, all of them text."""

    code: str
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a decision lies: the context, the partition and Kafka's offset in it."""

    context: str
    partition: int
    offset: int


Event: TypeAlias = Any
"""A dataclass that the catalog names as an event."""

Payload: TypeAlias = Any
"""A dataclass that the catalog names as a command."""

Decide: TypeAlias = Callable[[State, Payload, "Circumstances"], Sequence[Event] | Refusal]
"""The state, a command and what surrounds it give events, or the reason why there are none."""

Evolve: TypeAlias = Callable[[State, Event, int], Iterable[Change]]
"""The state, an event and the log's time of its decision in ms give what changes."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What surrounds a command: who asks, the log's time in ms since 1970 UTC, and where it lies in its partition.

    ``first`` says whether nothing was decided there before, ``cause`` is the command's offset, -1 if it has none.
    """

    actor: str
    now: int
    first: bool = False
    cause: int = -1


@dataclass(frozen=True, slots=True)
class Decider:
    """``initial`` is the state before anything happened; ``decide`` rules on a command; ``evolve`` folds an event."""

    initial: State
    decide: Decide
    evolve: Evolve
