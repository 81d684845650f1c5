"""How a counted decision changes a fold; deciders, read models and auditors share it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from domain.decider import Change, Entry, Refusal
from domain.ruling import fold
from log.message import Decision


class Entries(Protocol):
    """Where a fold's entries are found."""

    def get(self, key: str) -> Entry | None:
        """Give an entry, or nothing."""


class Overlay(Mapping[str, Entry]):
    """A fold with changes on top that aren't settled yet; what is on top can be dropped as a whole.

    What was read from below is remembered until something is settled or dropped, since nobody else writes there.
    """

    __slots__ = ("_below", "_seen", "_top")

    def __init__(self, below: Entries) -> None:
        self._below = below
        self._top: dict[str, Entry | None] = {}
        self._seen: dict[str, Entry | None] = {}

    def get(self, key: str, default: Any = None) -> Any:
        """Give an entry as it is with the changes on top."""
        if key in self._top:
            found = self._top[key]
        elif key in self._seen:
            found = self._seen[key]
        else:
            found = self._seen[key] = self._below.get(key)
        return default if found is None else found

    def __getitem__(self, key: str) -> Entry:
        found: Entry | None = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[str]:
        raise TypeError("a fold on disk is asked by key")

    def __len__(self) -> int:
        raise TypeError("a fold on disk is asked by key")

    def put(self, change: Change) -> None:
        """Lay one change on top."""
        self._top[change[0]] = change[1]

    def settle(self, changes: Sequence[Change]) -> None:
        """Take off the changes that the store below shows by now, unless a later one lies on them."""
        self._seen.clear()
        top = self._top
        for key, entry in changes:
            if key in top and top[key] is entry:
                del top[key]

    def drop(self) -> None:
        """Forget every change on top."""
        self._top.clear()
        self._seen.clear()


def outcome_of(decision: Decision) -> Sequence[Any] | Refusal:
    """Give a decision's events, or its refusal."""
    if decision.refusal is not None:
        return Refusal(decision.refusal.code, decision.refusal.details)
    return [happening.payload for happening in decision.events]


def changes_of(state: Overlay, decision: Decision) -> list[Change]:
    """Fold one decision onto an overlay and give the changes that it made."""
    changes = []
    for change in fold(state, decision.command_id, decision.cause, outcome_of(decision), decision.at):
        state.put(change)
        changes.append(change)
    return changes
