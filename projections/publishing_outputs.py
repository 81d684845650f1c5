"""The pool as it is read: its outputs, which batch made and which holds each, and its figures in satoshis."""

from collections.abc import Iterable
from typing import Any, Final

from domain.publishing.batch import (
    BatchConfirmed,
    BatchFailed,
    BatchReleased,
    BatchReserved,
    BatchSeen,
    BatchSent,
    BatchSigned,
)
from domain.publishing.output import AVAILABLE, PENDING, RESERVED, SPENT, PoolFunded
from projections.generations import Table
from projections.postgres import Transaction
from projections.rows import Place, Rows

OUTPUTS: Final = Table(
    "outputs",
    ("outpoint", "satoshis", "script", "status", "made_by", "held_by", "part", "pos", "at"),
    ("outpoint",),
)
POOL: Final = Table("pool", ("pool_id", "funded", "held", "fees", "available"), ("pool_id",))
DEFINITION: Final = """
CREATE TABLE {schema}.outputs (
  outpoint text COLLATE "C" PRIMARY KEY, satoshis bigint NOT NULL, script text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL, made_by text COLLATE "C", held_by text COLLATE "C", part integer NOT NULL,
  pos bigint NOT NULL, at bigint NOT NULL);
CREATE INDEX outputs_available ON {schema}.outputs (satoshis, outpoint) WHERE status = 'available';
CREATE INDEX outputs_unspent ON {schema}.outputs (status) WHERE status <> 'spent';
CREATE INDEX outputs_made_by ON {schema}.outputs (made_by);
CREATE INDEX outputs_held_by ON {schema}.outputs (held_by);
CREATE TABLE {schema}.pool (
  pool_id text COLLATE "C" PRIMARY KEY, funded bigint NOT NULL, held bigint NOT NULL, fees bigint NOT NULL,
  available bigint NOT NULL);
"""


class Outputs:
    """What a batch of events makes of outputs and of the pool's figures: after each, held and fees are what came in."""

    events: tuple[type, ...] = (
        PoolFunded,
        BatchReserved,
        BatchReleased,
        BatchSigned,
        BatchSent,
        BatchSeen,
        BatchConfirmed,
        BatchFailed,
    )

    def __init__(self, schema: str) -> None:
        self._name = f"{schema}.{OUTPUTS.name}"
        self._rows = Rows(schema, OUTPUTS, {"status": "text", "held_by": "text"})
        self._pools = Rows(schema, POOL)
        self._batches: set[str] = set()
        self._held: dict[str, list[str]] = {}
        self._made: dict[str, list[str]] = {}

    def want(self, event: Any) -> None:
        """Note the pool, and the outputs or the batch that says which they are."""
        self._pools.want(event.pool_id)
        if isinstance(event, BatchReserved):
            for outpoint in event.outpoints:
                self._rows.want(outpoint)
        elif not isinstance(event, PoolFunded):
            self._batches.add(event.batch_id)

    async def load(self, transaction: Transaction) -> None:
        """Read the pool and the outputs, those too that batches hold or made."""
        await self._pools.load(transaction)
        if self._batches:
            found = await transaction.rows(
                f"SELECT outpoint, held_by, made_by FROM {self._name}"
                " WHERE held_by = ANY(%(batches)s) OR made_by = ANY(%(batches)s)",
                {"batches": sorted(self._batches)},
            )
            for outpoint, held_by, made_by in found:
                self._rows.want(outpoint)
                for batches, batch_id in ((self._held, held_by), (self._made, made_by)):
                    if batch_id in self._batches:
                        batches.setdefault(batch_id, []).append(outpoint)
        await self._rows.load(transaction)

    def fold(self, event: Any, place: Place) -> None:
        """Fold one event of outputs."""
        match event:
            case PoolFunded():
                if self._pools.find(event.pool_id) is None:
                    self._pools.put({"pool_id": event.pool_id, "funded": 0, "held": 0, "fees": 0, "available": 0})
                self._count(event.pool_id, funded=event.satoshis)
                self._new(event.pool_id, event.outpoint, (event.satoshis, event.script, AVAILABLE, None), place)
            case BatchReserved():
                self._held[event.batch_id] = [*event.outpoints]
                self._set(event.pool_id, event.outpoints, RESERVED, event.batch_id)
            case BatchReleased():
                self._set(event.pool_id, self._held[event.batch_id], AVAILABLE, None)
            case BatchSigned():
                self._sign(event, place)
            case BatchSent() | BatchSeen() | BatchConfirmed():
                made = ((each, self._rows.find(each)) for each in self._made.get(event.batch_id, ()))
                pending = [outpoint for outpoint, row in made if row is not None and row["status"] == PENDING]
                self._set(event.pool_id, pending, AVAILABLE, None)
            case BatchFailed():
                self._fail(event)

    def _sign(self, event: BatchSigned, place: Place) -> None:
        self._set(event.pool_id, self._held[event.batch_id], SPENT, event.batch_id)
        self._made[event.batch_id] = [f"{event.txid}:{each.vout}" for each in event.change]
        for outpoint, each in zip(self._made[event.batch_id], event.change, strict=True):
            self._new(event.pool_id, outpoint, (each.satoshis, each.script, PENDING, event.batch_id), place)
        self._count(event.pool_id, fees=event.fee)

    def _fail(self, event: BatchFailed) -> None:
        """Take a transaction back; its fee is what it took less what it would have given."""
        made, held = self._made.get(event.batch_id, []), self._held[event.batch_id]
        lost = [outpoint for outpoint in held if outpoint in event.lost]
        fee = self._sum(held) - self._sum(made)
        self._set(event.pool_id, made, SPENT, None)
        self._set(event.pool_id, [outpoint for outpoint in held if outpoint not in lost], AVAILABLE, None)
        self._count(event.pool_id, fees=-fee, funded=-self._sum(lost))

    def _sum(self, outpoints: Iterable[str]) -> int:
        return sum(self._rows.changed(outpoint)["satoshis"] for outpoint in outpoints)

    def _new(self, pool_id: str, outpoint: str, said: tuple[int, str, str, str | None], place: Place) -> None:
        satoshis, script, status, made_by = said
        self._rows.put({
            "outpoint": outpoint, "satoshis": satoshis, "script": script, "status": status, "made_by": made_by,
            "held_by": None, "part": place.part, "pos": place.pos, "at": place.at,
        })  # fmt: skip
        self._count(pool_id, held=satoshis, available=status == AVAILABLE)

    def _set(self, pool_id: str, outpoints: Iterable[str], status: str, held_by: str | None) -> None:
        """Change outputs that are there, and the pool's figures with them; what is spent isn't held."""
        for outpoint in outpoints:
            row = self._rows.changed(outpoint)
            was, satoshis = row["status"], row["satoshis"]
            held = ((status != SPENT) - (was != SPENT)) * satoshis
            self._count(pool_id, held=held, available=(status == AVAILABLE) - (was == AVAILABLE))
            row |= {"status": status, "held_by": held_by}

    def _count(self, pool_id: str, **more: int) -> None:
        pool = self._pools.changed(pool_id)
        pool |= {name: pool[name] + amount for name, amount in more.items()}

    async def save(self, transaction: Transaction) -> None:
        """Write the outputs and the figures that changed."""
        await self._rows.save(transaction)
        await self._pools.save(transaction)
