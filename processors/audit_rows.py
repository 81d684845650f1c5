"""What each row of a projection must be, folded by the auditor from decisions that hold, and the comparison with it."""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from domain.decider import Entry
from log.chain import Mark, chain_value
from log.message import Message
from log.store import Store
from processors.audit_verdict import Difference, Differs

Row: TypeAlias = tuple[str, Any]
"""A key that is unique in its projection, and JSON's values."""

Change: TypeAlias = tuple[str, Any | None]
Get: TypeAlias = Callable[[str], Any | None]

CHANGES_IN_MEMORY: Final = 5_000
KEYS_PER_WRITE: Final = 5_000
NO_POSITION: Final = "the log"


class RowRules:
    """How decisions become the rows of one projection; ``finish`` gives rows that follow from all others."""

    def change(self, get: Get, event: Any, place: tuple[int, int], at: int) -> Iterable[Change]:
        """Give the rows that an event changes; ``place`` is (partition, offset)."""
        raise NotImplementedError

    def finish(self, scan: Callable[[str], Iterator[tuple[str, Any]]]) -> Iterable[Change]:
        """Give the rows that are made of others, once every event was folded; nothing takes a row away."""
        del scan
        return ()

    def compared(self, key: str, row: Any) -> bool:
        """Tell whether a row that was found follows from this log."""
        del key, row
        return True

    def found(self, row: Any) -> Any:
        """Give a row that was found as these rules write theirs."""
        return row


@dataclass(slots=True)
class Dump:
    """A projection as it lies in its store: its rows, all of one moment, and the marks that it stands at then."""

    projection: str
    context: str
    rules: RowRules
    marks: Mapping[int, Mark]
    rows: AsyncIterator[Row]


class Expected:
    """The rows that a projection must have at its own marks, on disk."""

    def __init__(self, dump: Dump, folder: Path) -> None:
        self.dump = dump
        self._store = Store(folder)
        self._unwritten: dict[str, Entry | None] = {}

    def take(self, message: Message, events: Sequence[Any], at: int) -> None:
        """Fold one decision, unless the projection hasn't seen it yet. Raises Differs."""
        mark = self.dump.marks.get(message.partition)
        if mark is None or message.offset >= mark.next:
            return
        place = f"{self.dump.context}/{message.partition}/{message.offset}"
        if message.offset == mark.last and chain_value(message.value) != mark.chain:
            raise Differs(Difference(place, self.dump.projection, "the projection stands on another decision here"))
        for event in events:
            for key, row in self.dump.rules.change(self._get, event, (message.partition, message.offset), at):
                self._unwritten[key] = None if row is None else (place, row)
        if len(self._unwritten) >= CHANGES_IN_MEMORY:
            self._write()

    def _get(self, key: str) -> Any | None:
        entry = self._unwritten[key] if key in self._unwritten else self._store.get(key)
        return None if entry is None else entry[1]

    def _write(self) -> None:
        self._store.write(self._unwritten.items(), {})
        self._unwritten.clear()

    def _scan(self, prefix: str) -> Iterator[tuple[str, Any]]:
        return ((key, entry[1]) for key, entry in self._store.scan(prefix))

    def finish(self) -> None:
        """Make the rows that follow from others."""
        self._write()
        for key, row in self.dump.rules.finish(self._scan):
            self._unwritten[key] = None if row is None else (NO_POSITION, row)
            if len(self._unwritten) >= CHANGES_IN_MEMORY:
                self._write()
        self._write()

    def find(self, key: str) -> tuple[str, Any] | None:
        """Give the position and the row under a key."""
        entry = self._store.get(key)
        return None if entry is None else (entry[0], entry[1])

    def strike(self, keys: Iterable[str]) -> None:
        """Take off rows that were found equal; what is left in the end is missing."""
        self._store.write([(key, None) for key in keys], {})

    def left(self) -> tuple[str, str] | None:
        """Give the first row that was not found: its key and its position."""
        for key, entry in self._store.scan("", "\x01"):
            if not key.startswith(AUXILIARY):
                return key, str(entry[0])
        return None

    def close(self) -> None:
        """Remove what was on disk."""
        self._store.destroy()


AUXILIARY: Final = "\x02"
"""Rows whose key begins so are the rules' own notes."""


async def compare(expected: Expected) -> int:
    """Compare every row of a projection, and count them. Raises Differs with the first that isn't as the log says."""
    expected.finish()
    name, rules, count = expected.dump.projection, expected.dump.rules, 0
    equal: set[str] = set()
    async for key, row in expected.dump.rows:
        if not rules.compared(key, row):
            continue
        wanted = expected.find(key)
        if wanted is None or key in equal:
            raise Differs(Difference(f"{name}:{key}", "projection", "the row is there and the log has none for it"))
        position, right = wanted
        if (found := _plain(rules.found(row))) != right:
            detail = f"the row isn't what the log says: {_unequal(found, right)}"
            raise Differs(Difference(f"{name}:{key} @ {position}", "projection", detail))
        equal.add(key)
        count += 1
        if len(equal) >= KEYS_PER_WRITE:
            expected.strike(equal)
            equal.clear()
    expected.strike(equal)
    if (missing := expected.left()) is not None:
        raise Differs(Difference(f"{name}:{missing[0]} @ {missing[1]}", "projection", "the row is missing"))
    return count


def _plain(row: Any) -> Any:
    return json.loads(json.dumps(row))


def _unequal(found: Any, right: Any) -> str:
    """Name what differs; never a value that may be long or secret."""
    if isinstance(found, dict) and isinstance(right, dict):
        names = sorted(name for name in {*found, *right} if found.get(name) != right.get(name))
        return ", ".join(names)
    if isinstance(found, list) and isinstance(right, list) and len(found) == len(right):
        return "member " + ", ".join(
            str(i) for i, pair in enumerate(zip(found, right, strict=True)) if pair[0] != pair[1]
        )
    return "another value"
