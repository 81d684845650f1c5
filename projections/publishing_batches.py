"""Batches as they are read: one transaction each, from what it reserves to the block that has it."""

from typing import Any, Final

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
from projections.generations import Table
from projections.postgres import Transaction
from projections.rows import Place, Rows, blank

BATCHES: Final = Table(
    "batches",
    (
        "batch_id", "status", "part", "pos", "at", "pieces", "piece_satoshis", "expires_at", "txid", "raw", "fee",
        "signed_pos", "signed_at", "sent_at", "seen_at", "confirmed_at", "height", "block_hash", "header", "bump",
        "reason", "status_pos", "status_at",
    ),
    ("batch_id",),
    ("raw", "header", "bump"),
)  # fmt: skip
DEFINITION: Final = """
CREATE TABLE {schema}.batches (
  batch_id text COLLATE "C" PRIMARY KEY, status text COLLATE "C" NOT NULL, part integer NOT NULL, pos bigint NOT NULL,
  at bigint NOT NULL, pieces bigint NOT NULL, piece_satoshis bigint NOT NULL, expires_at bigint NOT NULL,
  txid text COLLATE "C", raw bytea, fee bigint, signed_pos bigint, signed_at bigint, sent_at bigint, seen_at bigint,
  confirmed_at bigint, height bigint, block_hash text COLLATE "C", header bytea, bump bytea, reason text,
  status_pos bigint NOT NULL, status_at bigint NOT NULL);
CREATE INDEX batches_txid ON {schema}.batches (txid);
"""
STATUSES: Final[dict[type, str]] = {
    BatchReserved: "reserved",
    BatchReleased: "released",
    BatchSigned: "signed",
    BatchSent: "sent",
    BatchSeen: "seen",
    BatchConfirmed: "confirmed",
    BatchReorged: "reorged",
    BatchFailed: "failed",
}
"""By event, what a batch is from there on."""


class Batches:
    """What a batch of events makes of batches of jobs; ``sent_at`` and ``seen_at`` are of the first time."""

    events: tuple[type, ...] = tuple(STATUSES)

    def __init__(self, schema: str) -> None:
        self._rows = Rows(schema, BATCHES)

    def want(self, event: Any) -> None:
        """Note a batch that was reserved before."""
        if not isinstance(event, BatchReserved):
            self._rows.want(event.batch_id)

    async def load(self, transaction: Transaction) -> None:
        """Read the batches."""
        await self._rows.load(transaction)

    def fold(self, event: Any, place: Place) -> None:
        """Fold one event of a batch."""
        if isinstance(event, BatchReserved):
            said = {name: getattr(event, name) for name in ("batch_id", "pieces", "piece_satoshis", "expires_at")}
            self._rows.put(blank(BATCHES, **said, part=place.part, pos=place.pos, at=place.at))
        row = self._rows.changed(event.batch_id)
        row |= {"status": STATUSES[type(event)], "status_pos": place.pos, "status_at": place.at}
        match event:
            case BatchSigned():
                row |= {name: getattr(event, name) for name in ("txid", "raw", "fee")}
                row |= {"signed_pos": place.pos, "signed_at": place.at}
            case BatchSent():
                row["sent_at"] = place.at if row["sent_at"] is None else row["sent_at"]
            case BatchSeen():
                row["seen_at"] = place.at if row["seen_at"] is None else row["seen_at"]
            case BatchConfirmed():
                row |= {name: getattr(event, name) for name in ("height", "block_hash", "header", "bump")}
                row["confirmed_at"] = place.at
            case BatchReorged():
                row |= dict.fromkeys(("confirmed_at", "height", "block_hash", "header", "bump"))
            case BatchReleased() | BatchFailed():
                row["reason"] = event.reason

    async def save(self, transaction: Transaction) -> None:
        """Write the batches that are new or changed."""
        await self._rows.save(transaction)
