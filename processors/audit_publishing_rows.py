"""The rows of publishing's projection as an auditor folds them from events, by code that shares none with it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from domain.publishing import batch, job, output, publisher
from processors.audit_publishing_trail import step
from processors.audit_row_keys import row_key
from processors.audit_rows import AUXILIARY, Change, Get, RowRules

COUNTED: Final = AUXILIARY + "counted"
"""How many events of the decision that was read last were folded."""
NOTE: Final = AUXILIARY + "batch/"
"""What a batch holds and makes: its jobs, its outpoints, its change and its fee."""
SPENT: Final = "spent"
FREE: Final = "available"


class At(NamedTuple):
    """Where an event lies: the partition, the offset of its decision, and the log's time in ms."""

    part: int
    pos: int
    at: int


class Changing:
    """Rows by their key while one event is folded; ``changed`` holds those that it changes."""

    def __init__(self, get: Get) -> None:
        self._get = get
        self.changed: dict[str, dict[str, Any]] = {}

    def find(self, key: str) -> dict[str, Any]:
        """Give what a key holds; what isn't there is empty."""
        return self.changed[key] if key in self.changed else (self._get(key) or {})

    def put(self, table: str, **columns: Any) -> None:
        """Write a row."""
        row = {name: _clean(value) for name, value in columns.items()}
        self.changed[row_key(table, row)] = row

    def update(self, key: str, **columns: Any) -> None:
        """Change columns of what a key holds."""
        self.changed[key] = {**self.find(key), **{name: _clean(value) for name, value in columns.items()}}

    def count(self, pool_id: str, **more: int) -> None:
        """Add to a pool's figures."""
        key = f"pool/{pool_id}"
        known = self.find(key) or {"pool_id": pool_id, "funded": 0, "held": 0, "fees": 0, "available": 0}
        self.changed[key] = {**known, **{name: known[name] + amount for name, amount in more.items()}}

    def become(self, pool_id: str, outpoint: str, status: str, held_by: str | None) -> int:
        """Give an output another status, and its satoshis."""
        key = f"outputs/{outpoint}"
        known = self.find(key)
        satoshis = int(known["satoshis"])
        gained = (satoshis if status != SPENT else 0) - (satoshis if known["status"] != SPENT else 0)
        self.count(pool_id, held=gained, available=int(status == FREE) - int(known["status"] == FREE))
        self.update(key, status=status, held_by=held_by)
        return satoshis


Fold: TypeAlias = Callable[[Changing, Any, At], None]


class PublishingRows(RowRules):
    """The publishing projection: every table of it."""

    def change(self, get: Get, event: Any, place: tuple[int, int], at: int) -> Iterable[Change]:
        """Give the rows that an event changes."""
        counted = get(COUNTED) or {}
        index = counted["next"] if counted.get("place") == [*place] else 0
        rows, where = Changing(get), At(*place, at)
        for fold in FOLDS[type(event)]:
            fold(rows, event, where)
        rows.put("publishing_trail", part=where.part, pos=where.pos, idx=index, at=at, **step(event))
        rows.changed[COUNTED] = {"place": [*place], "next": index + 1}
        return rows.changed.items()

    def found(self, row: Any) -> Any:
        """Give a row with its bytes in hex."""
        return {name: bytes(value).hex() if isinstance(value, bytes) else value for name, value in row.items()}


def _clean(value: Any) -> Any:
    """Give a value as Postgres can hold it, which has no character NUL; bytes in hex."""
    if isinstance(value, bytes):
        return value.hex()
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def _registered(rows: Changing, event: publisher.PublisherRegistered, where: At) -> None:
    rows.put(
        "publishers", pubkey=event.pubkey, label=event.label, registered_by=event.registered_by,
        authority=event.authority, **where._asdict(), removed_by=None, removed_pos=None, removed_at=None,
    )  # fmt: skip


def _removed(rows: Changing, event: publisher.PublisherRemoved, where: At) -> None:
    gone = {"removed_by": event.removed_by, "removed_pos": where.pos, "removed_at": where.at}
    rows.update(f"publishers/{event.pubkey}", **gone)


def _queued(rows: Changing, event: job.JobQueued, where: At) -> None:
    rows.put(
        "jobs", job_id=event.job_id, pubkey=event.pubkey, record_id=event.record_id, record=event.record,
        hash=event.hash, signature=event.signature, nonce=event.nonce, timestamp=event.timestamp, uri=event.uri,
        priority=event.priority, **where._asdict(), waiting=False, batch_id=None, vout=None,
    )  # fmt: skip


def _waiting(rows: Changing, event: job.JobsWaiting, _where: At) -> None:
    for name in event.job_ids:
        rows.update(f"jobs/{name}", waiting=True)


def _funded(rows: Changing, event: output.PoolFunded, where: At) -> None:
    rows.count(event.pool_id, funded=event.satoshis, held=event.satoshis, available=1)
    rows.put(
        "outputs", outpoint=event.outpoint, satoshis=event.satoshis, script=event.script, status=FREE, made_by=None,
        held_by=None, **where._asdict(),
    )  # fmt: skip


def _reserved(rows: Changing, event: batch.BatchReserved, where: At) -> None:
    unsigned: Sequence[str] = (
        "txid", "raw", "fee", "signed_pos", "signed_at", "sent_at", "seen_at", "confirmed_at", "height", "block_hash",
        "header", "bump", "reason",
    )  # fmt: skip
    rows.put(
        "batches", batch_id=event.batch_id, **where._asdict(), pieces=event.pieces,
        piece_satoshis=event.piece_satoshis, expires_at=event.expires_at, **dict.fromkeys(unsigned),
    )  # fmt: skip
    held = {"jobs": [*event.job_ids], "outpoints": [*event.outpoints], "change": [], "fee": 0}
    rows.changed[NOTE + event.batch_id] = held
    for vout, name in enumerate(event.job_ids):
        rows.put("batch_jobs", batch_id=event.batch_id, job_id=name, vout=vout)
        rows.update(f"jobs/{name}", waiting=False, batch_id=event.batch_id, vout=vout)
    for outpoint in event.outpoints:
        rows.become(event.pool_id, outpoint, "reserved", event.batch_id)


def _released(rows: Changing, event: batch.BatchReleased, _where: At) -> None:
    held = rows.find(NOTE + event.batch_id)
    for name in held["jobs"]:
        rows.update(f"jobs/{name}", waiting=False, batch_id=None, vout=None)
    for outpoint in held["outpoints"]:
        rows.become(event.pool_id, outpoint, FREE, None)
    rows.update(f"batches/{event.batch_id}", reason=event.reason)


def _signed(rows: Changing, event: batch.BatchSigned, where: At) -> None:
    for outpoint in rows.find(NOTE + event.batch_id)["outpoints"]:
        rows.become(event.pool_id, outpoint, SPENT, event.batch_id)
    names = [f"{event.txid}:{each.vout}" for each in event.change]
    for outpoint, each in zip(names, event.change, strict=True):
        rows.count(event.pool_id, held=each.satoshis)
        rows.put(
            "outputs", outpoint=outpoint, satoshis=each.satoshis, script=each.script, status="pending",
            made_by=event.batch_id, held_by=None, **where._asdict(),
        )  # fmt: skip
    rows.count(event.pool_id, fees=event.fee)
    rows.update(NOTE + event.batch_id, change=names, fee=event.fee)
    signed = {"txid": event.txid, "raw": event.raw, "fee": event.fee}
    rows.update(f"batches/{event.batch_id}", **signed, signed_pos=where.pos, signed_at=where.at)


def _taken(rows: Changing, event: Any, where: At) -> None:
    """The chain has a batch's transaction, so what it gives back can be spent."""
    for outpoint in rows.find(NOTE + event.batch_id)["change"]:
        if rows.find(f"outputs/{outpoint}")["status"] == "pending":
            rows.become(event.pool_id, outpoint, FREE, None)
    first = {batch.BatchSent: "sent_at", batch.BatchSeen: "seen_at"}.get(type(event))
    if first is not None and rows.find(f"batches/{event.batch_id}").get(first) is None:
        rows.update(f"batches/{event.batch_id}", **{first: where.at})


def _confirmed(rows: Changing, event: batch.BatchConfirmed, where: At) -> None:
    block = {"height": event.height, "block_hash": event.block_hash, "header": event.header, "bump": event.bump}
    rows.update(f"batches/{event.batch_id}", **block, confirmed_at=where.at)


def _reorged(rows: Changing, event: batch.BatchReorged, _where: At) -> None:
    none = dict.fromkeys(("height", "block_hash", "header", "bump", "confirmed_at"))
    rows.update(f"batches/{event.batch_id}", **none)


def _failed(rows: Changing, event: batch.BatchFailed, _where: At) -> None:
    held = rows.find(NOTE + event.batch_id)
    for outpoint in held["change"]:
        rows.become(event.pool_id, outpoint, SPENT, None)
    for outpoint in held["outpoints"]:
        if outpoint in event.lost:
            rows.count(event.pool_id, funded=-int(rows.find(f"outputs/{outpoint}")["satoshis"]))
        else:
            rows.become(event.pool_id, outpoint, FREE, None)
    rows.count(event.pool_id, fees=-int(held["fee"]))
    rows.update(f"batches/{event.batch_id}", reason=event.reason)


def _stands(status: str) -> Fold:
    def fold(rows: Changing, event: Any, where: At) -> None:
        rows.update(f"batches/{event.batch_id}", status=status, status_pos=where.pos, status_at=where.at)

    return fold


FOLDS: Final[Mapping[type, Sequence[Fold]]] = {
    publisher.PublisherRegistered: (_registered,),
    publisher.PublisherRemoved: (_removed,),
    job.JobQueued: (_queued,),
    job.JobsWaiting: (_waiting,),
    output.PoolFunded: (_funded,),
    batch.BatchReserved: (_reserved, _stands("reserved")),
    batch.BatchReleased: (_released, _stands("released")),
    batch.BatchSigned: (_signed, _stands("signed")),
    batch.BatchSent: (_taken, _stands("sent")),
    batch.BatchSeen: (_taken, _stands("seen")),
    batch.BatchConfirmed: (_taken, _confirmed, _stands("confirmed")),
    batch.BatchReorged: (_reorged, _stands("reorged")),
    batch.BatchFailed: (_failed, _stands("failed")),
}
"""By event, what it does to rows beside the trail."""
