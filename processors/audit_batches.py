"""An auditor's own fold of batches: which outputs and jobs each has, and that a job is anchored once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from domain.decider import Change
from domain.publishing import batch
from log.bitcoin import InvalidBitcoin, read_header
from log.fold import Entries
from log.merkle_path import InvalidMerklePath, height_and_root
from processors.audit_anchors import check_anchors
from processors.audit_names import Fault, require
from processors.audit_pool import FREE, PENDING, RESERVED, SPENT, Coin, coin, find, move

MOST_JOBS: Final = 500
FROM: Final[Mapping[type, Sequence[str]]] = {
    batch.BatchReleased: ("reserved",),
    batch.BatchSigned: ("reserved",),
    batch.BatchSent: ("signed", "reorged"),
    batch.BatchSeen: ("signed", "sent", "reorged"),
    batch.BatchConfirmed: ("signed", "sent", "seen", "reorged"),
    batch.BatchReorged: ("confirmed",),
    batch.BatchFailed: ("signed",),
}
"""By event the statuses that a batch may have before it: what the chain took once is never given up."""
INTO: Final[Mapping[type, str]] = {
    batch.BatchSent: "sent",
    batch.BatchSeen: "seen",
    batch.BatchConfirmed: "confirmed",
}


class Queued(NamedTuple):
    """A job: what of its record is anchored, the batch that has it, and the one that was signed with it."""

    pubkey: str
    record_id: str
    hash: str
    uri: str | None
    timestamp: str
    batch_id: str | None = None
    signed_by: str | None = None


class Held(NamedTuple):
    """A batch: its jobs, what it reserved until when (ms), its transaction, fee and change, and the block it is in."""

    status: str
    job_ids: tuple[str, ...]
    outpoints: tuple[str, ...]
    expires_at: int
    txid: str | None = None
    fee: int = 0
    change: tuple[str, ...] = ()
    block_hash: str | None = None


def job_key(job_id: str) -> str:
    """Give the key of a job's entry."""
    return f"own/job/{job_id}"


def record_key(pubkey: str, record_id: str) -> str:
    """Give the key of the entry of a record's id."""
    return f"own/record/{pubkey}/{record_id}"


def job(state: Entries, job_id: str) -> Queued:
    """Give a job that must be there. Raises Fault."""
    entry = state.get(job_key(job_id))
    if entry is None:
        raise Fault("job", f"{job_id} was never queued")
    return Queued(*entry)


def _key(event: Any) -> str:
    return f"own/batch/{event.batch_id}"


def changed(state: Entries, event: Any, command: Any, at: int) -> Iterator[Change]:
    """Check an event of a batch that was reserved, and give what it changes. Raises Fault."""
    entry = state.get(_key(event))
    if entry is None:
        raise Fault("batch", f"{event.batch_id} was never reserved")
    held = Held(*entry)
    before = FROM[type(event)]
    detail = f"{event.batch_id} is {held.status}, and {' or '.join(before)} comes before this"
    require(held.status in before, "status", detail)
    match event:
        case batch.BatchReleased():
            yield from _released(state, event, held, command, at)
        case batch.BatchSigned():
            yield from _signed(state, event, held)
        case batch.BatchReorged():
            named = event.block_hash == held.block_hash
            require(named, "block", f"{event.batch_id} is in {held.block_hash}, not {event.block_hash}")
            yield _key(event), held._replace(status="reorged", block_hash=None)
        case batch.BatchFailed():
            yield from _failed(state, event, held)
        case _:
            if isinstance(event, batch.BatchConfirmed):
                _check_block(event, held)
            block = getattr(event, "block_hash", None)
            yield _key(event), held._replace(status=INTO[type(event)], block_hash=block)
            made = {outpoint: coin(state, outpoint) for outpoint in held.change}
            free = {each: now._replace(status=FREE) for each, now in made.items() if now.status == PENDING}
            yield from move(state, free)


def reserved(state: Entries, event: batch.BatchReserved, command: Any, at: int) -> Iterator[Change]:
    """Outputs that are free are a batch's, with jobs that no other has. Raises Fault."""
    require(state.get(_key(event)) is None, "batch", f"{event.batch_id} was reserved before")
    jobs, outpoints = set(event.job_ids), set(event.outpoints)
    once = len(jobs) == len(event.job_ids) <= MOST_JOBS and len(outpoints) == len(event.outpoints) > 0
    splits = event.pieces > 0 and event.piece_satoshis > 0
    require(once and splits != bool(jobs), "batch", f"{event.batch_id} has neither jobs nor what to split, or too much")
    keep = getattr(command, "keep_ms", 0)
    require(event.expires_at == at + keep, "expiry", f"{event.batch_id} isn't reserved for the {keep} ms asked for")
    for name in event.job_ids:
        known = job(state, name)
        require(known.batch_id is None, "job", f"{name} is in {known.batch_id}, and {event.batch_id} takes it")
        yield job_key(name), known._replace(batch_id=event.batch_id)
    yield _key(event), Held("reserved", event.job_ids, event.outpoints, event.expires_at)
    coins = {outpoint: coin(state, outpoint) for outpoint in event.outpoints}
    for outpoint, each in coins.items():
        rule = "spent_twice" if each.status == SPENT else "output"
        require(each.status == FREE, rule, f"{outpoint} is {each.status}, and {event.batch_id} reserves it")
    yield from move(state, {name: Coin(each.satoshis, RESERVED, event.batch_id) for name, each in coins.items()})


def _released(state: Entries, event: batch.BatchReleased, held: Held, command: Any, at: int) -> Iterator[Change]:
    early = getattr(command, "reason", None) is None and at < held.expires_at
    require(not early, "expiry", f"{event.batch_id} is released before its time, and nobody says why")
    for name in held.job_ids:
        yield job_key(name), job(state, name)._replace(batch_id=None)
    yield _key(event), held._replace(status="released")
    coins = {outpoint: coin(state, outpoint) for outpoint in held.outpoints}
    yield from move(state, {name: Coin(each.satoshis, FREE, None) for name, each in coins.items()})


def _signed(state: Entries, event: batch.BatchSigned, held: Held) -> Iterator[Change]:
    """A transaction spends just what was reserved, anchors each job once, and gives back the rest less the fee."""
    coins = {outpoint: coin(state, outpoint) for outpoint in held.outpoints}
    for outpoint, each in coins.items():
        own = (each.status, each.batch_id) == (RESERVED, event.batch_id)
        require(own, "spent_twice", f"{outpoint} is {each.status} by {each.batch_id}, and {event.batch_id} spends it")
    jobs = {name: job(state, name) for name in held.job_ids}
    for name, known in jobs.items():
        own = known.batch_id == event.batch_id and known.signed_by is None
        require(own, "anchored_once", f"{name} is anchored by {known.signed_by or known.batch_id} already")
    check_anchors(event, [*jobs.values()], held.outpoints, sum(each.satoshis for each in coins.values()))
    change = tuple(f"{event.txid}:{each.vout}" for each in event.change)
    for outpoint, made in zip(change, event.change, strict=True):
        require(find(state, outpoint) is None, "output", f"{outpoint} was the pool's before")
        require(made.satoshis > 0, "output", f"{outpoint} gives nothing back")
    for name, known in jobs.items():
        yield job_key(name), known._replace(signed_by=event.batch_id)
    yield _key(event), held._replace(status="signed", txid=event.txid, fee=event.fee, change=change)
    moved = {name: Coin(each.satoshis, SPENT, event.batch_id) for name, each in coins.items()}
    moved |= {name: Coin(made.satoshis, PENDING, None) for name, made in zip(change, event.change, strict=True)}
    yield from move(state, moved, fees=event.fee)


def _check_block(event: batch.BatchConfirmed, held: Held) -> None:
    """The Merkle path leads from a batch's transaction to the root of the block's header. Raises Fault."""
    try:
        header = read_header(event.header)
        height, root = height_and_root(event.bump, held.txid or "")
    except (InvalidBitcoin, InvalidMerklePath) as error:
        raise Fault("bump", f"{event.batch_id}: {error}") from None
    require(root == header.merkle_root, "bump", f"the Merkle path of {held.txid} leads to {root}, not to the header's")
    require(height == event.height, "bump", f"the Merkle path of {held.txid} is of height {height}")
    require(header.hash == event.block_hash, "block", f"the header is of {header.hash}, not of {event.block_hash}")


def _failed(state: Entries, event: batch.BatchFailed, held: Held) -> Iterator[Change]:
    """What a transaction would have spent is free again, but for what somebody else spent; its jobs failed."""
    require(set(event.lost) <= {*held.outpoints}, "output", f"{event.batch_id} lost what it hadn't reserved")
    coins = {outpoint: coin(state, outpoint) for outpoint in held.outpoints}
    back = {name: Coin(each.satoshis, FREE, None) for name, each in coins.items() if name not in event.lost}
    for outpoint in held.change:
        made = coin(state, outpoint)
        require(made.status == PENDING, "output", f"{outpoint} is {made.status}, and was never on the chain")
        back[outpoint] = made._replace(status=SPENT)
    for name in held.job_ids:
        known = job(state, name)
        yield job_key(name), known._replace(signed_by=None)
        yield record_key(known.pubkey, known.record_id), None
    yield _key(event), held._replace(status="failed")
    lost = sum(each.satoshis for name, each in coins.items() if name in event.lost)
    yield from move(state, back, funded=-lost, fees=-held.fee)
