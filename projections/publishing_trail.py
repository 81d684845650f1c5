"""The trail of publishing as it is read: one row an event, whose key did it, what it is about and what it says.

Satoshis are decimal strings and times RFC 3339, as everywhere over HTTP. Bytes are in the batches that they are of.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from domain.publishing.batch import (
    BatchConfirmed,
    BatchFailed,
    BatchReleased,
    BatchReorged,
    BatchReserved,
    BatchSeen,
    BatchSent,
    BatchSigned,
)
from domain.publishing.job import JobQueued, JobsWaiting
from domain.publishing.output import PoolFunded
from domain.publishing.publisher import PublisherRegistered, PublisherRemoved
from log.strict_json import dump
from projections.generations import Table
from projections.lines import line
from projections.postgres import Transaction
from projections.rows import Place, appending
from projections.times import written_time

TRAIL: Final = Table(
    "publishing_trail",
    (
        "part", "pos", "idx", "at", "event_type", "actor_pubkey", "resource_type", "resource_id", "action", "details",
    ),
    ("part", "pos", "idx"),
)  # fmt: skip
DEFINITION: Final = """
CREATE TABLE {schema}.publishing_trail (
  part integer NOT NULL, pos bigint NOT NULL, idx integer NOT NULL, at bigint NOT NULL,
  event_type text COLLATE "C" NOT NULL, actor_pubkey text COLLATE "C", resource_type text COLLATE "C" NOT NULL,
  resource_id text COLLATE "C" NOT NULL, action text COLLATE "C" NOT NULL, details jsonb NOT NULL,
  PRIMARY KEY (part, pos, idx));
CREATE INDEX publishing_trail_at ON {schema}.publishing_trail (at, part, pos, idx);
CREATE INDEX publishing_trail_resource ON {schema}.publishing_trail (resource_id, at, part, pos, idx);
CREATE INDEX publishing_trail_actor ON {schema}.publishing_trail (actor_pubkey, at, part, pos, idx);
CREATE INDEX publishing_trail_waiting ON {schema}.publishing_trail USING gin ((details->'jobIds'))
  WHERE event_type = 'JobsWaiting';
CREATE INDEX publishing_trail_outpoints ON {schema}.publishing_trail USING gin ((details->'outpoints'))
  WHERE event_type = 'BatchReserved';
"""
PUBLISHER: Final = "publisher"
JOB: Final = "job"
BATCH: Final = "batch"
OUTPUT: Final = "output"
POOL: Final = "pool"


class Told(NamedTuple):
    """How an event is told: what it is about, the member that names that, what happened, and what it says."""

    resource: str
    named: str
    action: str
    details: Callable[[Any], Mapping[str, Any]]


def _nothing(_event: Any) -> Mapping[str, Any]:
    return {}


def _queued(event: JobQueued) -> Mapping[str, Any]:
    return {
        "recordId": event.record_id,
        "hash": event.hash,
        "nonce": event.nonce,
        "timestamp": event.timestamp,
        "uri": event.uri,
        "priority": event.priority,
    }


def _funded(event: PoolFunded) -> Mapping[str, Any]:
    told = {"satoshis": str(event.satoshis), "script": event.script}
    return {**told, "fundedBy": event.funded_by, "authority": event.authority}


def _reserved(event: BatchReserved) -> Mapping[str, Any]:
    splits = {"pieces": event.pieces, "pieceSatoshis": str(event.piece_satoshis)} if event.pieces else {}
    held = {"jobIds": event.job_ids, "outpoints": event.outpoints}
    return {**held, **splits, "expiresAt": written_time(event.expires_at)}


def _signed(event: BatchSigned) -> Mapping[str, Any]:
    change = tuple({"vout": each.vout, "satoshis": str(each.satoshis), "script": each.script} for each in event.change)
    return {"txid": event.txid, "fee": str(event.fee), "change": change}


TOLD: Final[Mapping[type, Told]] = {
    PublisherRegistered: Told(
        PUBLISHER,
        "pubkey",
        "registered",
        lambda event: {"label": event.label, "registeredBy": event.registered_by, "authority": event.authority},
    ),
    PublisherRemoved: Told(
        PUBLISHER, "pubkey", "removed", lambda event: {"removedBy": event.removed_by, "authority": event.authority}
    ),
    JobQueued: Told(JOB, "job_id", "queued", _queued),
    JobsWaiting: Told(POOL, "pool_id", "waiting", lambda event: {"jobIds": event.job_ids}),
    PoolFunded: Told(OUTPUT, "outpoint", "funded", _funded),
    BatchReserved: Told(BATCH, "batch_id", "reserved", _reserved),
    BatchReleased: Told(BATCH, "batch_id", "released", lambda event: {"reason": event.reason}),
    BatchSigned: Told(BATCH, "batch_id", "signed", _signed),
    BatchSent: Told(BATCH, "batch_id", "sent", _nothing),
    BatchSeen: Told(BATCH, "batch_id", "seen", _nothing),
    BatchConfirmed: Told(
        BATCH, "batch_id", "confirmed", lambda event: {"height": event.height, "blockHash": event.block_hash}
    ),
    BatchReorged: Told(BATCH, "batch_id", "reorged", lambda event: {"blockHash": event.block_hash}),
    BatchFailed: Told(BATCH, "batch_id", "failed", lambda event: {"reason": event.reason, "lost": event.lost}),
}
"""Every event of publishing."""


def actor_of(event: Any) -> str | None:
    """Give the public key by which an event was asked for: of an intent, or of who showed that it signs."""
    shown = isinstance(event, PublisherRegistered) and event.authority is None
    return str(event.pubkey) if shown or isinstance(event, JobQueued) else None


def written(details: Mapping[str, Any]) -> str:
    """Write what an event says, without members that are None, as Postgres can hold it, which has no character NUL."""
    return dump({name: _clean(value) for name, value in details.items() if value is not None}).decode()


def _clean(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_clean(each) for each in value]
    if isinstance(value, dict):
        return {name: _clean(member) for name, member in value.items()}
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


class Trail:
    """What a batch makes of the trail: an event more, for ever."""

    events: tuple[type, ...] = tuple(TOLD)

    def __init__(self, schema: str) -> None:
        self._new = appending(schema, TRAIL)

    def want(self, event: Any) -> None:
        """Need nothing that was before."""

    async def load(self, transaction: Transaction) -> None:
        """Read nothing."""

    def fold(self, event: Any, place: Place) -> None:
        """Tell one event."""
        told = TOLD[type(event)]
        where = [str(number) for number in place]
        self._new.add(
            line([
                *where, type(event).__name__, actor_of(event), told.resource, getattr(event, told.named), told.action,
                written(told.details(event)),
            ])
        )  # fmt: skip

    async def save(self, transaction: Transaction) -> None:
        """Write what was told."""
        await self._new.end(transaction)
