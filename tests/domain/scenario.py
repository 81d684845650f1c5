"""given / when / then for deciders. Every accepted command is sent twice: the second time it changes nothing."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from domain.decider import Circumstances, Entry, Refusal
from domain.ruling import REPEATED, fold, rule
from log.scope import command_id

NOON = 1_760_000_000_000
"""The log's time, in ms, unless a scenario says otherwise."""


@dataclass
class Scenario:
    """A fold of what was given, and what became of the last command."""

    actor: str = "did:key:admin"
    now: int = NOON
    state: dict[str, Entry] = field(default_factory=dict)
    outcome: Any = None
    sent: int = 0

    def given(self, *events: Any) -> Self:
        """Fold what happened before."""
        for event in events:
            self._fold(f"given {self.sent}", [event])
        return self

    def at(self, now: int) -> Self:
        """Let the log's time be this."""
        self.now = now
        return self

    def when(self, command: Any, *, first: bool = False) -> Self:
        """Rule on a command, twice."""
        self.sent += 1
        name = self._id(repr(command))
        around = Circumstances(self.actor, self.now, first=first, cause=self.sent)
        self.outcome = rule(self.state, name, command, around)
        self._fold(repr(command), self.outcome)
        before = dict(self.state)
        again = rule(self.state, name, command, around)
        assert isinstance(again, Refusal)
        assert again.code == REPEATED
        self._fold(repr(command), again)
        assert self.state == before
        return self

    def then(self, *events: Any) -> Self:
        """Expect exactly these events."""
        assert list(self.outcome) == list(events)
        return self

    def then_refused(self, code: str, details: Mapping[str, str] | None = None) -> Self:
        """Expect a refusal with this code, and these among its details."""
        assert isinstance(self.outcome, Refusal), f"expected {code}, got {self.outcome}"
        assert self.outcome.code == code
        assert dict(self.outcome.details) | dict(details or {}) == dict(self.outcome.details)
        return self

    def _id(self, text: str) -> str:
        return command_id(self.actor, hashlib.sha256(text.encode()).digest(), idempotency_key=f"{self.sent} {text}")

    def _fold(self, text: str, outcome: Any) -> None:
        self.sent += not isinstance(outcome, Refusal) and text.startswith("given")
        for key, entry in fold(self.state, self._id(text), self.sent, outcome, self.now):
            if entry is None:
                self.state.pop(key, None)
            else:
                self.state[key] = entry
