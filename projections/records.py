"""The records projection: values in clear, opened with their owners' keys, until an owner is erased."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from domain.did import identity
from domain.records.erasure import OwnerErased
from domain.records.record import RecordCreated, RecordDeleted, RecordUpdated
from log.following import Decided
from projections import media, vault_keys
from projections.generations import Batch, Table
from projections.lines import Copying, line
from projections.postgres import Transaction
from projections.record_rows import DEFINITION, ERASED, RECORDS, VERSION
from projections.record_words import about
from projections.sealed_values import opened

logger = logging.getLogger(__name__)

Name: TypeAlias = tuple[str, str, str]
"""Owner, collection and rkey."""


@dataclass(slots=True)
class Version:
    """A version that a batch makes."""

    event: RecordCreated | RecordUpdated
    part: int
    pos: int
    at: int
    until_pos: int | None = None
    until_at: int | None = None

    @property
    def indexed_at(self) -> int:
        """Give when its record was first written."""
        return self.event.indexed_at if isinstance(self.event, RecordUpdated) else self.at

    def members(self, value: str | None) -> Sequence[str | None]:
        """Give its row's members as text."""
        event = self.event
        return [
            None if each is None else str(each)
            for each in (
                identity(event.did), event.collection, event.rkey, self.part, self.pos, self.at, self.indexed_at,
                event.cid, value, event.schema_version, event.size, self.until_pos, self.until_at, event.key_id,
                *about(value),
            )
        ]  # fmt: skip


class RecordsBatch:
    """What a batch makes of records; the last version of each that it met may end in it too."""

    def __init__(self, schema: str, key: bytes | None) -> None:
        self._schema, self._key = schema, key
        self._versions: list[Version] = []
        self._last: dict[Name, Version | None] = {}
        self._ended: dict[Name, tuple[int, int]] = {}
        self._erased: dict[str, tuple[int, int, int]] = {}
        self._media = media.MediaFold(schema)

    def take(self, event: Any, decided: Decided, at: int) -> None:
        """Fold one event."""
        part, pos = decided.partition, decided.offset
        self._media.take(event, decided, at)
        if isinstance(event, media.EVENTS):
            return
        if isinstance(event, OwnerErased):
            self._erased[identity(event.did)] = part, pos, at
            return
        name = identity(event.did), event.collection, event.rkey
        if not isinstance(event, RecordCreated):
            last = self._last.get(name)
            if last is None:
                # Its last version was written by a batch before this one.
                self._ended[name] = pos, at
            else:
                last.until_pos, last.until_at = pos, at
        self._last[name] = None
        if not isinstance(event, RecordDeleted):
            version = self._last[name] = Version(event, part, pos, at)
            self._versions.append(version)

    async def drain(self, transaction: Transaction) -> None:
        """Send nothing: a version may yet end in this batch, or its owner be erased."""

    async def write(self, transaction: Transaction) -> None:
        """End what ended, write what is new, and let go of what was erased."""
        kept = [version for version in self._versions if identity(version.event.did) not in self._erased]
        if self._ended:
            names = list(self._ended)
            await transaction.run(
                f"UPDATE {self._schema}.records r SET until_pos = e.pos, until_at = e.at FROM"
                " unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])"
                " AS e (did, collection, rkey, pos, at) WHERE r.did = e.did AND r.collection = e.collection"
                " AND r.rkey = e.rkey AND r.until_pos IS NULL",
                *([name[index] for name in names] for index in range(3)),
                *([self._ended[name][index] for name in names] for index in range(2)),
            )
        if kept:
            keys = await self._keys(transaction, kept)
            copying = Copying(f"{self._schema}.records ({', '.join(VERSION)})")
            for version in kept:
                text = opened(keys.get(identity(version.event.did)), version.event)
                if text is None:
                    where = {"partition": version.part, "offset": version.pos}
                    logger.warning("value_does_not_open", extra={"context": "records", **where})
                copying.add(line(version.members(None if text is None else text.decode())))
            await copying.end(transaction)
        await self._media.write(transaction)
        if self._erased:
            await self._erase(transaction)

    async def _keys(self, transaction: Transaction, versions: Sequence[Version]) -> Mapping[str, bytes]:
        if self._key is None:
            raise LookupError("the records projection was given no key of the vault")
        return await vault_keys.find(transaction, self._key, [version.event.did for version in versions])

    async def _erase(self, transaction: Transaction) -> None:
        owners = sorted(self._erased)
        await transaction.run(f"DELETE FROM {self._schema}.records WHERE did = ANY(%s)", owners)
        await transaction.run(
            f"INSERT INTO {self._schema}.erased_owners SELECT * FROM"
            " unnest(%s::text[], %s::integer[], %s::bigint[], %s::bigint[])",
            owners,
            *([self._erased[owner][index] for owner in owners] for index in range(3)),
        )
        # Whoever asked for the erasure destroyed the key already, unless it crashed or Postgres was away: the log has
        # the last word, and a table restored from a copy loses the key again here.
        await vault_keys.destroy(transaction, owners)


class RecordsProjection:
    """Records as they are read; ``key`` is the deployment's, without which no value can be written."""

    name = "records"
    context = "records"
    events: tuple[type, ...] = (RecordCreated, RecordUpdated, RecordDeleted, *media.EVENTS, OwnerErased)
    tables: Sequence[Table] = (RECORDS, ERASED, media.MEDIA)

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key

    def definition(self, schema: str) -> str:
        """Write the statements that make its tables."""
        return vault_keys.DEFINITION + DEFINITION.format(schema=schema) + media.DEFINITION.format(schema=schema)

    def batch(self, schema: str) -> Batch:
        """Begin a batch."""
        return RecordsBatch(schema, self._key)
