"""Rows of one table that a batch touches: read once, folded in memory in the log's order, and written once."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from projections.generations import Table
from projections.lines import Copying, line
from projections.postgres import Transaction


class Place(NamedTuple):
    """Where an event lies: the partition, the offset of its decision, its index in it, and the log's time in ms."""

    part: int
    pos: int
    idx: int
    at: int


class Noun(Protocol):
    """What a batch makes of one noun's events; everything that it folds on was asked for before."""

    events: tuple[type, ...]

    def want(self, event: Any) -> None:
        """Note which rows an event is about."""

    async def load(self, transaction: Transaction) -> None:
        """Read the rows that were asked for, as they were before the batch."""

    def fold(self, event: Any, place: Place) -> None:
        """Fold one event."""

    async def save(self, transaction: Transaction) -> None:
        """Write what changed."""


def text(value: Any) -> str | None:
    """Write a member of a line."""
    if value is None or isinstance(value, str):
        return value
    if value is True or value is False:
        return "t" if value else "f"
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return str(value)


def appending(schema: str, table: Table) -> Copying:
    """Open a table for rows that are new for certain."""
    return Copying(f"{schema}.{table.name} ({', '.join(table.columns)})")


class Rows:
    """Rows by their key, whose columns are all text; each is a mutable mapping of its columns.

    ``varying`` names the only columns that ever change, with their types, where rows change so often that it pays to
    leave the rest of them, and their indexes, as they lie; without it a row that changed is written anew.
    """

    def __init__(self, schema: str, table: Table, varying: Mapping[str, str] | None = None) -> None:
        self._varying = varying or {}
        self._name, self._table = f"{schema}.{table.name}", table
        self._schema = schema
        self._wanted: set[tuple[str, ...]] = set()
        self._rows: dict[tuple[str, ...], dict[str, Any]] = {}
        self._stored: set[tuple[str, ...]] = set()
        self._changed: dict[tuple[str, ...], None] = {}

    def want(self, *key: str) -> None:
        """Ask for a row."""
        self._wanted.add(key)

    async def load(self, transaction: Transaction) -> None:
        """Read all that was asked for in one query."""
        if not self._wanted:
            return
        table, keys = self._table, zip(*sorted(self._wanted), strict=True)
        same = " AND ".join(f"t.{name} = k.{name}" for name in table.key)
        rows = await transaction.rows(
            f"SELECT {', '.join(f't.{name}' for name in table.columns)} FROM {self._name} t"
            f" JOIN unnest({', '.join(['%s::text[]'] * len(table.key))}) AS k ({', '.join(table.key)}) ON {same}",
            *map(list, keys),
        )
        for values in rows:
            row = dict(zip(table.columns, values, strict=True))
            key = tuple(row[name] for name in table.key)
            self._rows[key] = row
            self._stored.add(key)

    def find(self, *key: str) -> dict[str, Any] | None:
        """Give a row to look at, where there is one."""
        return self._rows.get(key)

    def changed(self, *key: str) -> dict[str, Any]:
        """Give a row to change it. Raises LookupError where there is none."""
        row = self._rows.get(key)
        if row is None:
            raise LookupError(f"{self._table.name} has no row {'/'.join(key)} that an event is about")
        self._changed[key] = None
        return row

    def put(self, row: dict[str, Any]) -> dict[str, Any]:
        """Add a row, or another in its place."""
        key = tuple(row[name] for name in self._table.key)
        self._rows[key] = row
        self._changed[key] = None
        return row

    async def save(self, transaction: Transaction) -> None:
        """Write each row that changed, as it is in the end."""
        if not self._changed:
            return
        outdated = sorted(key for key in self._changed if key in self._stored)
        if outdated:
            await self._replace(transaction, outdated)
        copying = appending(self._schema, self._table)
        for key in self._changed:
            if not self._varying or key not in self._stored:
                row = self._rows[key]
                copying.add(line([text(row[name]) for name in self._table.columns]))
        await copying.end(transaction)

    async def _replace(self, transaction: Transaction, outdated: Sequence[tuple[str, ...]]) -> None:
        """Write into rows that are stored what varies, or delete them to be written anew."""
        keys, varying = self._table.key, self._varying
        same = " AND ".join(f"t.{name} = k.{name}" for name in keys)
        given = ", ".join([*(["%s::text[]"] * len(keys)), *(f"%s::{kind}[]" for kind in varying.values())])
        found = f"unnest({given}) AS k ({', '.join([*keys, *varying])}) WHERE {same}"
        set_to = ", ".join(f"{name} = k.{name}" for name in varying)
        await transaction.run(
            f"UPDATE {self._name} t SET {set_to} FROM {found}"
            if varying
            else f"DELETE FROM {self._name} t USING {found}",
            *map(list, zip(*outdated, strict=True)),
            *([self._rows[key][name] for key in outdated] for name in varying),
        )


def blank(table: Table, **members: Any) -> dict[str, Any]:
    """Give a row whose other columns are null."""
    return dict.fromkeys(table.columns) | members
