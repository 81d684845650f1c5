"""The auditor's own fold of publishing: what each event may do to what is, from the specification alone.

Its entries lie under keys of its own, and it shares nothing with the deciders but the dataclasses of the messages.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, TypeAlias

from domain.decider import Change
from domain.did import identity
from domain.publishing import anchoring, batch, job, output, publisher
from log.fold import Entries
from processors import audit_batches, audit_pool
from processors.audit_batches import Queued, job_key, record_key
from processors.audit_names import Fault, require
from processors.audit_publishing_commands import is_reactors

Hears: TypeAlias = Callable[[Entries, Any, Any, int], Iterator[Change]]
POOL: Final = "own/pool_id"
LARGEST_SKEW_MS: Final = 600_000
ADMINS: Final = ("admin",)
ACTED: Final = ("registered_by", "removed_by", "funded_by")
"""Members by which an event says who asked for it."""
ASKED: Final[Mapping[type, type]] = {
    publisher.PublisherRegistered: publisher.RegisterPublisher,
    publisher.PublisherRemoved: publisher.RemovePublisher,
    job.JobQueued: job.QueueJob,
    job.JobsWaiting: job.HoldJobs,
    output.PoolFunded: output.FundPool,
    batch.BatchReserved: anchoring.ReserveBatch,
    batch.BatchReleased: anchoring.ReleaseBatch,
    batch.BatchSigned: anchoring.SignBatch,
    batch.BatchSent: anchoring.NoteSent,
    batch.BatchSeen: anchoring.NoteSeen,
    batch.BatchConfirmed: anchoring.NoteConfirmed,
    batch.BatchReorged: anchoring.NoteReorged,
    batch.BatchFailed: anchoring.FailBatch,
}
"""By event what is asked for by it."""


def changes(state: Entries, event: Any, command: Any, actor: str, at: int) -> Iterator[Change]:
    """Check an event against what is and what was asked, and give what it changes. Raises Fault."""
    kind = type(event)
    require(type(command) is ASKED[kind], "command", f"a {kind.__name__} was not asked for")
    for each in fields(event):
        if hasattr(command, each.name) and not _is_left_open(event, command, each.name):
            said, asked = getattr(event, each.name), getattr(command, each.name)
            require(said == asked, "command", f"{each.name} is {said!r}, and {asked!r} was asked for")
        if each.name in ACTED:
            by = getattr(event, each.name)
            require(identity(by) == identity(actor), "actor", f"{each.name} is {by}, and {actor} asked")
    pool = state.get(POOL)
    require(pool is None or pool[0] == event.pool_id, "pool", f"{event.pool_id} lies beside another pool")
    yield POOL, (event.pool_id,)
    yield from HEARS[kind](state, event, command, at)


def _is_left_open(event: Any, command: Any, name: str) -> bool:
    """Tell whether a decision finds a member out for itself: which jobs wait by now, and that a time is over."""
    waits = isinstance(event, job.JobsWaiting) and name == "job_ids"
    return waits or (isinstance(event, batch.BatchReleased) and name == "reason" and command.reason is None)


def roles_needed(command: Any) -> Sequence[str]:
    """Name the roles of which the actor of a command must have had one, where it cites that."""
    return ADMINS if getattr(command, "authority", None) is not None and not is_reactors(command) else ()


def _publisher(state: Entries, pubkey: str) -> str | None:
    """Give who registered a public key that may publish."""
    entry = state.get(f"own/publisher/{pubkey}")
    return None if entry is None else str(entry[0])


def _registered(state: Entries, event: publisher.PublisherRegistered, command: Any, _at: int) -> Iterator[Change]:
    shown = event.authority is not None or command.possession is not None
    require(shown, "publisher", f"{event.pubkey} is registered by nobody who may, and didn't sign for it")
    require(_publisher(state, event.pubkey) is None, "publisher", f"{event.pubkey} was registered before")
    yield f"own/publisher/{event.pubkey}", (event.registered_by,)


def _removed(state: Entries, event: publisher.PublisherRemoved, _command: Any, _at: int) -> Iterator[Change]:
    by = _publisher(state, event.pubkey)
    if by is None:
        raise Fault("publisher", f"{event.pubkey} is not registered")
    own = event.authority is not None or identity(by) == identity(event.removed_by)
    require(own, "publisher", f"{event.pubkey} is {by}'s, and {event.removed_by} removes it")
    yield f"own/publisher/{event.pubkey}", None


def _queued(state: Entries, event: job.JobQueued, command: Any, at: int) -> Iterator[Change]:
    """A job is queued once: by a key that publishes, in time, under a nonce and a record's id that weren't used."""
    require(_publisher(state, event.pubkey) is not None, "publisher", f"{event.pubkey} is not registered")
    timely = abs(command.signed_at - at) <= LARGEST_SKEW_MS
    require(timely, "timestamp", f"{event.job_id} was signed at {event.timestamp}, too far from the log's time")
    require(state.get(job_key(event.job_id)) is None, "job", f"{event.job_id} was queued before")
    nonce, record = f"own/nonce/{event.pubkey}/{event.nonce}", record_key(event.pubkey, event.record_id)
    require(state.get(nonce) is None, "nonce", f"{event.nonce} was used before by {event.pubkey}")
    require(state.get(record) is None, "record_id", f"{event.record_id} was published before by {event.pubkey}")
    yield nonce, (event.job_id,)
    yield record, (event.job_id,)
    yield job_key(event.job_id), Queued(event.pubkey, event.record_id, event.hash, event.uri, event.timestamp)


def _waiting(state: Entries, event: job.JobsWaiting, command: Any, _at: int) -> Iterator[Change]:
    require(set(event.job_ids) <= {*command.job_ids}, "command", "a job waits that wasn't asked about")
    for name in event.job_ids:
        known = audit_batches.job(state, name)
        require(known.batch_id is None, "job", f"{name} waits, and is in {known.batch_id}")
    yield from ()


HEARS: Final[Mapping[type, Hears]] = {
    publisher.PublisherRegistered: _registered,
    publisher.PublisherRemoved: _removed,
    job.JobQueued: _queued,
    job.JobsWaiting: _waiting,
    output.PoolFunded: audit_pool.funded,
    batch.BatchReserved: audit_batches.reserved,
    **dict.fromkeys(audit_batches.FROM, audit_batches.changed),
}
"""Every event of publishing."""
