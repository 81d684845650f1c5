"""The story of a published record: what the trail tells of it, event by event, with all checked that can be.

Nothing that a registry says is believed where signature, hash or Merkle path can say it: each is checked where it is
told, and a check that fails is part of the story.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from log import intents
from log.canonical import NotCanonicalizable
from log.public_keys import InvalidKey
from log.signatures import InvalidSignature
from log.strict_json import dump
from muniment.client.publishing_shapes import Block, Proof, PublishedRecord, TrailStep
from muniment.record_proof import NotProven, Step, proven, read_proof

STEPS: Final = ("record", "hash", "signature", "transaction", "anchor", "payment", "inclusion", "work")
"""What is checked of a proof, in its order; the first three are checked of the intent, too."""
OF_TRANSACTION: Final = frozenset({"transaction", "anchor", "payment"})
STATUSES: Final[Mapping[str, str]] = {
    "JobQueued": "queued",
    "JobsWaiting": "waiting_for_utxo",
    "BatchReserved": "reserved",
    "BatchReleased": "queued",
    "BatchSigned": "signed",
    "BatchSent": "sent",
    "BatchSeen": "seen",
    "BatchConfirmed": "confirmed",
    "BatchReorged": "reorged",
    "BatchFailed": "failed",
}
"""How far a job is by the last event of its trail."""
TOLD: Final[Mapping[str, str]] = {
    "PublisherRegistered": "{registeredBy} registered the key {resource} as {label}, {vouched}.",
    "PublisherRemoved": "{removedBy} removed the key {resource}.",
    "JobQueued": "Record {recordId}, of {timestamp} as it says, came signed by {actor}, and was queued as {resource}.",
    "JobsWaiting": "The pool had no output to pay with, so the job waited.",
    "BatchReserved": "{resource} took the job{others}, and reserved {spends} of the pool to pay.",
    "BatchReleased": "The batch was given up before it was signed: {reason}.",
    "BatchSigned": "Its transaction {txid} was signed, for a fee of {fee} satoshis, and kept before it was sent.",
    "BatchSent": "The chain took the transaction.",
    "BatchSeen": "The chain was seen to have the transaction, in no block yet.",
    "BatchConfirmed": "The transaction was found in block {blockHash}, at height {height}.",
    "BatchReorged": "Block {blockHash}, which had it, was no block of the chain any more.",
    "BatchFailed": "The batch failed: {reason}.",
}
"""How each event is told."""
SO_FAR: Final[Mapping[str, str]] = {
    "queued": "So far it is queued, and in no transaction.",
    "waiting_for_utxo": "So far it waits until the pool has an output to pay with.",
    "reserved": "So far it is in a batch whose transaction isn't signed.",
    "signed": "So far its transaction is signed, and not sent.",
    "sent": "So far its transaction is sent, and in no block.",
    "seen": "So far the chain has its transaction, in no block.",
    "confirmed": "The record is anchored.",
    "reorged": "So far its transaction is in no block again, and is sent again.",
    "failed": "The record is not anchored, and may be published again.",
}


class Check(NamedTuple):
    """Something that holds, or doesn't; none where nobody could tell."""

    said: str
    holds: bool | None


class Chapter(NamedTuple):
    """What happened at a time (RFC 3339, the log's), in plain words, and what was checked of it."""

    at: str
    said: str
    checks: tuple[Check, ...] = ()


class Evidence(NamedTuple):
    """What a registry says of a record.

    ``trail`` is of its job, ``vouching`` of its key. ``proof`` is there once it is confirmed, and ``block`` where the
    chain could be asked which block it has at that height: ``chain_asked``.
    """

    record: PublishedRecord
    trail: Sequence[TrailStep]
    vouching: Sequence[TrailStep]
    proof: Proof | None = None
    block: Block | None = None
    chain_asked: bool = False


class Story(NamedTuple):
    """A record's story; ``status`` is its job's by the trail, ``end`` how far it is in plain words."""

    record_id: str
    job_id: str
    pubkey: str
    status: str
    chapters: tuple[Chapter, ...]
    end: str

    @property
    def holds(self) -> bool:
        """Tell whether no check failed."""
        return all(check.holds is not False for chapter in self.chapters for check in chapter.checks)

    def to_json(self) -> dict[str, Any]:
        """Give the story as JSON has it."""
        told = [
            {"at": each.at, "said": each.said, "checks": [check._asdict() for check in each.checks]}
            for each in self.chapters
        ]
        named = {"recordId": self.record_id, "jobId": self.job_id, "pubkey": self.pubkey, "status": self.status}
        return {**named, "holds": self.holds, "end": self.end, "story": told}


def status_of(trail: Sequence[TrailStep]) -> str:
    """Say how far a job is by its trail."""
    return next((STATUSES[each.event_type] for each in reversed(trail) if each.event_type in STATUSES), "queued")


def story(evidence: Evidence) -> Story:
    """Tell the story of a record, and check it."""
    record, status = evidence.record, status_of(evidence.trail)
    record_id = str(record.record.get("recordId"))
    chapters = tuple(_chapters(evidence))
    return Story(record_id, record.job.id, record.pubkey, status, chapters, SO_FAR[status])


def _chapters(evidence: Evidence) -> Iterator[Chapter]:
    record, checked = evidence.record, _checked(evidence)
    last = {each.event_type: at for at, each in enumerate(evidence.trail)}
    steps = [(each.created_at, None, each) for each in evidence.vouching]
    told = sorted([*steps, *((each.created_at, at, each) for at, each in enumerate(evidence.trail))], key=_when)
    for created_at, at, step in told:
        # What was tried before, the last batch of a kind is not: only of that one is there a proof.
        checks = checked.pop(step.event_type, ()) if at == last.get(step.event_type) else ()
        yield Chapter(created_at, _said(step), checks)
    for event_type, checks in checked.items():
        missing = Check(f"the trail tells of {event_type}", holds=False)
        yield Chapter(str(record.job.timestamps.get("createdAt", "")), "The trail is not whole.", (missing, *checks))


def _when(told: tuple[str, int | None, TrailStep]) -> str:
    return told[0]


def _checked(evidence: Evidence) -> dict[str, tuple[Check, ...]]:
    """Check all that can be checked, by the event with which it is told."""
    found = {"JobQueued": tuple(_intent_checks(evidence))}
    if evidence.proof is not None:
        checks = dict(_proof_checks(evidence, evidence.proof))
        of_transaction = [check for name, check in checks.items() if name in OF_TRANSACTION | {"reserved", "same"}]
        of_block = [check for name, check in checks.items() if name not in OF_TRANSACTION | {"reserved", "same"}]
        found |= {"BatchSigned": tuple(of_transaction), "BatchConfirmed": tuple(of_block)}
    return found


def _intent_checks(evidence: Evidence) -> Iterator[Check]:
    record = evidence.record
    try:
        signed = intents.intent_signed_bytes(record.record)
    except NotCanonicalizable as error:
        yield Check(f"the record can be written as RFC 8785 writes it: {error}", holds=False)
        return
    queued = next((each.details for each in evidence.trail if each.event_type == "JobQueued"), {})
    digest = intents.record_hash(signed)
    yield Check(f"the record's SHA-256 is {digest}, as the log has it", digest == record.hash == queued.get("hash"))
    try:
        intents.verify_intent(intents.publisher(record.pubkey), signed, record.signature)
        yield Check("the signature over these very bytes is the key's", holds=True)
    except (InvalidSignature, InvalidKey) as error:
        yield Check(f"the signature over these very bytes is the key's: {error}", holds=False)
    follows = intents.job_id(record.pubkey, signed) == record.job.id
    yield Check("the job's id follows from the key and the record", follows)
    named = ("recordId", "nonce", "timestamp", "uri")
    same = all(queued.get(name) == record.record.get(name) for name in named)
    yield Check("the log's id, nonce, timestamp and uri are the record's", same)


def _proof_checks(evidence: Evidence, given: Proof) -> Iterator[tuple[str, Check]]:
    record, steps = evidence.record, list[Step]()
    same = (given.hash, given.pubkey, given.signature) == (record.hash, record.pubkey, record.signature)
    yield "same", Check("the proof is of this record's hash, key and signature", same)
    yield from _trail_checks(evidence, given)
    try:
        proof = read_proof(dump(dict(given.json)))
        for step in proven(proof):
            steps.append(step)
            if step.name not in STEPS[:3]:
                yield step.name, Check(step.said, holds=True)
    except NotProven as error:
        yield STEPS[len(steps)] if steps else "inclusion", Check(f"{error.detail} ({error.code})", holds=False)
        return
    confirmed = _last(evidence.trail, "BatchConfirmed")
    there = (confirmed.get("blockHash"), confirmed.get("height")) == (proof.header.hash, proof.height)
    yield "block", Check("the log names this block, at this height", there)
    said = f"the chain, as the registry sees it, has this block at height {proof.height}"
    known = None if not evidence.chain_asked else _header(evidence.block) == given.block_header
    yield "chain", Check(said, known)


def _trail_checks(evidence: Evidence, given: Proof) -> Iterator[tuple[str, Check]]:
    """Check that the batch that the log tells of is the proof's: its transaction, and the job's place in it."""
    jobs, signed = _list(_last(evidence.trail, "BatchReserved"), "jobIds"), _last(evidence.trail, "BatchSigned")
    placed = given.vout < len(jobs) and jobs[given.vout] == evidence.record.job.id
    right = placed and signed.get("txid") == given.txid
    yield "reserved", Check(f"the proof's transaction is the batch's, and output {given.vout} the job's place", right)


def _header(block: Block | None) -> str | None:
    return None if block is None else block.header


def _last(trail: Sequence[TrailStep], event_type: str) -> Mapping[str, Any]:
    return next((each.details for each in reversed(trail) if each.event_type == event_type), {})


def _list(details: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = details.get(name)
    return found if isinstance(found, list) else ()


def _said(step: TrailStep) -> str:
    """Tell an event in plain words; one that isn't known here by its names."""
    told = TOLD.get(step.event_type, "{resource}: {action}.")
    return told.format_map(_Words(step))


class _Words(dict[str, object]):
    """What an event's sentence is made of: its details, and what follows from them."""

    def __init__(self, step: TrailStep) -> None:
        details = step.details
        super().__init__(details)
        jobs, outpoints = _list(details, "jobIds"), _list(details, "outpoints")
        self["resource"], self["action"], self["actor"] = step.resource_id, step.action, step.actor_pubkey
        self["vouched"] = "as an admin" if "authority" in details else "with a signature by it"
        self["others"] = f" and {len(jobs) - 1} others" if len(jobs) > 1 else ""
        self["spends"] = ", ".join(str(each) for each in outpoints)

    def __missing__(self, name: str) -> str:
        return f"(no {name})"
