"""What publishing has to be asked for: jobs that wait, batches under way, and which block each of them is in.

Beside the entries of the pool, its outputs, jobs and batches as the decider has them, it holds, by key:

- ``queue/<priority>/<offset>/<job>``: a job that no batch has, in the order of the log; ``said/<job>``: that key and
  what is anchored of it, until its batch is signed;
- ``free/<satoshis>/<outpoint>``: an output that is free; ``script/<outpoint>``: who can spend it;
- ``open/<status>/<batch>``: a batch that is in no block and not given up, with where and when (ms) it became that;
  ``raw/<batch>``: its transaction, in hex;
- ``pieces/<batch>``: into how many outputs of how many satoshis a batch splits what it reserved, until it is signed;
- ``block/<height>/<batch>``: a batch that is in a block, with its hash and where that was decided; ``height/<batch>``;
- ``counts``: how many jobs there are, and how many outputs.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from domain.decider import Change
from domain.publishing import batch as batches
from domain.publishing import job as jobs
from domain.publishing import output as outputs
from domain.publishing.batch import (
    Batch,
    BatchConfirmed,
    BatchEvent,
    BatchFailed,
    BatchReorged,
    BatchReserved,
    BatchSeen,
    BatchSent,
    BatchSigned,
)
from domain.publishing.job import Job, JobQueued, JobsWaiting
from domain.publishing.output import AVAILABLE, POOL, RESERVED, SPENT, Output, Pool, PoolFunded
from log.fold import Overlay
from log.store import MemoryStore, Store
from processors.agenda_entries import number
from processors.context_agenda import ContextAgenda

CONTEXT: Final = "publishing"
NOW, BATCH = PRIORITIES = ("now", "batch")
OPEN: Final = frozenset({"reserved", "signed", "sent", "seen", "reorged"})
COUNTS: Final = "counts"


class Said(NamedTuple):
    """What a job anchors, where it lies in the queue, and when it was queued (ms)."""

    queue_key: str
    at: int
    record_id: str
    hash: str
    uri: str | None
    timestamp: str


class Pieces(NamedTuple):
    """Into how many outputs of how many satoshis a batch splits what it reserved."""

    number: int
    satoshis: int


class Under(NamedTuple):
    """Where a batch became what it is (``context/partition/offset``), and when (ms)."""

    where: str
    at: int


class Confirmed(NamedTuple):
    """A batch that is in a block: its name, that block's hash, and where that was decided."""

    name: str
    block_hash: str
    where: str


class Counts(NamedTuple):
    """Jobs that were ever queued, that no batch has, that the chain took, that failed; outputs, and those held."""

    total: int = 0
    queued: int = 0
    sent: int = 0
    failed: int = 0
    outputs: int = 0
    reserved: int = 0

    def more(self, **by: int) -> "Counts":
        """Count further ones."""
        return self._replace(**{name: getattr(self, name) + count for name, count in by.items()})


def _count(overlay: Overlay, **by: int) -> Iterator[Change]:
    yield COUNTS, Counts(*overlay.get(COUNTS, ())).more(**by)


def _output_changes(overlay: Overlay, key: str, before: Any, after: Any) -> Iterator[Change]:
    outpoint, now = key.removeprefix("output/"), Output(*after)
    was = None if before is None else Output(*before)
    if was is not None and was.status == AVAILABLE:
        yield f"free/{number(was.satoshis)}/{outpoint}", None
    if now.status == AVAILABLE:
        yield f"free/{number(now.satoshis)}/{outpoint}", ()
    held = (was is not None and was.status != SPENT, now.status != SPENT)
    reserved = (was is not None and was.status == RESERVED, now.status == RESERVED)
    yield from _count(overlay, outputs=held[1] - held[0], reserved=reserved[1] - reserved[0])


def _job_changes(overlay: Overlay, key: str, before: Any, after: Any) -> Iterator[Change]:
    was = before is not None and Job(*before).batch_id is None
    waits = Job(*after).batch_id is None
    if was != waits:
        said = Said(*overlay[f"said/{key.removeprefix('job/')}"])
        yield said.queue_key, (() if waits else None)
        yield from _count(overlay, queued=waits - was)


def _batch_changes(key: str, before: Any, after: Any, where: str, at: int) -> Iterator[Change]:
    name, status = key.removeprefix("batch/"), Batch(*after).status
    if before is not None:
        yield f"open/{Batch(*before).status}/{name}", None
    if status in OPEN:
        yield f"open/{status}/{name}", Under(where, at)


def _folded(overlay: Overlay, event: Any, at: int, where: str) -> Iterator[Change]:
    """Fold as the decider does, and keep what lies in an order of its own with it."""
    evolve = batches.evolve
    if isinstance(event, JobQueued | JobsWaiting):
        evolve = jobs.evolve  # type: ignore[assignment]  # each folds its own events
    elif isinstance(event, PoolFunded):
        evolve = outputs.evolve  # type: ignore[assignment]  # as above
    for key, entry in evolve(overlay, event, at):
        before = overlay.get(key)
        kind = key.partition("/")[0]
        if kind in {"job", "output", "batch", POOL}:
            yield key, entry
        match kind:
            case "output":
                yield from _output_changes(overlay, key, before, entry)
            case "job":
                yield from _job_changes(overlay, key, before, entry)
            case "batch":
                yield from _batch_changes(key, before, entry, where, at)


def changes(overlay: Overlay, event: Any, at: int, where: str) -> Iterator[Change]:
    """Give what an event changes of what is to be asked for."""
    match event:
        case JobQueued():
            queue_key = f"queue/{event.priority}/{number(int(where.rpartition('/')[2]))}/{event.job_id}"
            said = Said(queue_key, at, event.record_id, event.hash, event.uri, event.timestamp)
            yield f"said/{event.job_id}", said
            yield from _count(overlay, total=1)
        case BatchReserved() if event.pieces:
            yield f"pieces/{event.batch_id}", Pieces(event.pieces, event.piece_satoshis)
        case PoolFunded():
            yield f"script/{event.outpoint}", (event.script,)
        case BatchSigned() | BatchSent() | BatchSeen() | BatchConfirmed() | BatchReorged() | BatchFailed():
            yield from _milestone(overlay, event, where)
    if isinstance(event, JobQueued | JobsWaiting | PoolFunded | BatchEvent):
        yield from _folded(overlay, event, at, where)


def _milestone(overlay: Overlay, event: Any, where: str) -> Iterator[Change]:
    """Give what changes when a batch gets further, before the batch itself is folded."""
    name = event.batch_id
    before = Batch(*overlay[f"batch/{name}"])
    if before.status == batches.SIGNED and isinstance(event, BatchSent | BatchSeen | BatchConfirmed):
        yield from _count(overlay, sent=len(before.job_ids))
    match event:
        case BatchSigned():
            yield f"raw/{name}", (event.raw.hex(),)
            for each in event.change:
                yield f"script/{event.txid}:{each.vout}", (each.script,)
            for job_id in before.job_ids:
                yield f"said/{job_id}", None
            yield f"pieces/{name}", None
        case BatchConfirmed():
            yield f"block/{number(event.height)}/{name}", (event.block_hash, where)
            yield f"height/{name}", (event.height,)
        case BatchReorged():
            (height,) = overlay[f"height/{name}"]
            yield f"block/{number(height)}/{name}", None
            yield f"height/{name}", None
        case BatchFailed():
            yield from _count(overlay, failed=len(before.job_ids))
            yield f"raw/{name}", None


class PublishingAgenda(ContextAgenda):
    """Follows publishing into a store of its own."""

    def __init__(self, store: Store | MemoryStore) -> None:
        super().__init__(store, changes)

    @property
    def counts(self) -> Counts:
        """Count jobs and outputs."""
        return Counts(*(self.store.get(COUNTS) or ()))

    @property
    def pool(self) -> Pool:
        """Give the pool's figures."""
        return Pool(*(self.store.get(POOL) or ()))

    def queued(self, priority: str, most: int) -> list[tuple[str, Said]]:
        """Give the jobs that wait longest, with what they anchor."""
        found = []
        for key, _ in islice(self.store.scan(f"queue/{priority}/"), most):
            job_id = key.rpartition("/")[2]
            entry = self.store.get(f"said/{job_id}")
            if entry is not None:
                found.append((job_id, Said(*entry)))
        return found

    def oldest(self, priority: str) -> Said | None:
        """Give what the job that waits longest anchors."""
        for _, said in self.queued(priority, 1):
            return said
        return None

    def open(self, *statuses: str) -> list[tuple[str, Batch, Under]]:
        """Give the batches under way of these statuses, with where and when they became that."""
        return [
            (name, Batch(*entry), Under(*under))
            for status in statuses
            for key, under in self.store.scan(f"open/{status}/")
            if (entry := self.store.get(f"batch/{(name := key.rpartition('/')[2])}")) is not None
        ]

    def free(self, least: int) -> Iterator[tuple[str, int]]:
        """Give the free outputs of at least so many satoshis, the smallest first."""
        for key, _ in self.store.scan("free/", f"free/{number(least)}"):
            _, satoshis, outpoint = key.split("/", 2)
            yield outpoint, int(satoshis)

    def script(self, outpoint: str) -> str:
        """Give who can spend an output of the pool, in hex."""
        (script,) = self.store.get(f"script/{outpoint}") or ("",)
        return str(script)

    def pieces(self, batch_id: str) -> Pieces:
        """Say into what a batch splits what it reserved."""
        return Pieces(*(self.store.get(f"pieces/{batch_id}") or (0, 0)))

    def raw(self, batch_id: str) -> bytes:
        """Give a batch's transaction."""
        (raw,) = self.store.get(f"raw/{batch_id}") or ("",)
        return bytes.fromhex(raw)

    def confirmed_at(self, height: int) -> list[Confirmed]:
        """Give what the block of a height has of the pool's."""
        return [_confirmed(key, entry) for key, entry in self.store.scan(f"block/{number(height)}/")]

    def confirmed_above(self, height: int) -> list[Confirmed]:
        """Give what is in blocks above a height."""
        found = self.store.scan("block/", f"block/{number(height + 1)}")
        return [_confirmed(key, entry) for key, entry in found]


def _confirmed(key: str, entry: Any) -> Confirmed:
    return Confirmed(key.rpartition("/")[2], *entry)
