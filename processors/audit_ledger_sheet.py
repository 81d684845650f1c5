"""The rows that one event of the ledger changes, before an auditor."""

from typing import Any, Final, NamedTuple, TypeAlias

from processors.audit_row_keys import row_key
from processors.audit_rows import Get

Columns: TypeAlias = dict[str, Any]
SUMS: Final = frozenset({
    "available", "staked", "held", "issued", "destroyed", "transit_net", "circulating", "departed", "returned",
    "landed", "velocity_bps", "earned", "electorate", "yes", "no", "abstain", "power",
})  # fmt: skip
"""Columns whose integers may pass 64 bits: an auditor keeps them as decimal text."""


class Where(NamedTuple):
    """Where an event lies: the partition, the offset of its decision, its index there, and the log's time in ms."""

    part: int
    pos: int
    idx: int
    at: int


def clean(value: Any) -> Any:
    """Give a value as Postgres can hold it, which has no character NUL."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value


class Sheet:
    """Rows by their key, as they are while one event is folded; ``changed`` holds those that it changes."""

    def __init__(self, get: Get) -> None:
        self._get = get
        self.changed: dict[str, Columns] = {}

    def find(self, key: str) -> Columns | None:
        """Give a row, where there is one."""
        return self.changed[key] if key in self.changed else self._get(key)

    def put(self, table: str, **columns: Any) -> None:
        """Add a row, or another in its place."""
        row = _written(columns)
        self.changed[row_key(table, row)] = row

    def update(self, key: str, **columns: Any) -> None:
        """Change columns of a row."""
        self.changed[key] = {**(self.find(key) or {}), **_written(columns)}

    def add(self, key: str, **amounts: int) -> None:
        """Add amounts to columns that hold sums."""
        known = self.find(key) or {}
        self.update(key, **{name: int(known.get(name, 0)) + amount for name, amount in amounts.items()})


def _written(columns: Columns) -> Columns:
    return {name: str(value) if name in SUMS and value is not None else clean(value) for name, value in columns.items()}
