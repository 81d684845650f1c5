"""A task is what the leading reactor does every so often; each run of it says what came of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

DONE: Final = "done"
DIFFERS: Final = "differs"
"""It ran to its end and found that something isn't as it must be."""
WAITS: Final = "waits"
"""It did nothing: this reactor leads, and has not caught up with the log yet."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a task came to, and what there is to say of it, as a JSON object."""

    outcome: str = DONE
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """What the leader does every so often; a run that fails is told, and the next one comes as it would have."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[Run]]


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """When a task last ran here (ms), how long that took, what came of it (``failed: ERROR`` too), and what it said."""

    last_run: int
    took_ms: int
    outcome: str
    said: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Tell whether the task ran to its end."""
        return self.outcome in {DONE, DIFFERS}

    def as_json(self) -> dict[str, Any]:
        """Give it as a JSON object."""
        return {**self.said, "last_run": self.last_run, "took_ms": self.took_ms, "outcome": self.outcome}
