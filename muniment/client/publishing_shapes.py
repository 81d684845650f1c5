"""What a registry answers of publishing, as values: jobs, records, proofs, the trail, publishers, the pool, blocks.

Hashes and public keys are hex in lower case, bytes too; hashes of the chain are as people read them. Satoshis are
integers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from muniment.client.refusals import Refused, UnexpectedAnswer
from muniment.client.shapes import Json, Readers, Result


@dataclass(frozen=True, kw_only=True)
class Job(Result):
    """A record on its way to the chain.

    ``status`` is queued, waiting_for_utxo, reserved, signed, sent, seen, confirmed, reorged or failed; ``vout`` is the
    record's output in the transaction ``txid``, ``confirmations`` up to six, ``error`` why it failed. ``timestamps``
    are createdAt, sentAt and confirmedAt. A job that was just taken has an id and a status only.
    """

    id: str
    status: str
    record_id: str | None = None
    txid: str | None = None
    vout: int | None = None
    confirmations: int | None = None
    timestamps: Json = field(default_factory=dict)
    error: str | None = None

    named: ClassVar[Mapping[str, str]] = {"id": "jobId", "record_id": "recordId"}


@dataclass(frozen=True, slots=True)
class PublishItem:
    """What became of one intent of many: the ``job`` that took it, or ``refused``; ``status`` is HTTP's."""

    status: int
    job: Job | None
    refused: Refused | None


def _job(found: Any) -> Job:
    try:
        return Job(
            id=found["jobId"],
            status=found["status"],
            record_id=found.get("recordId"),
            txid=found.get("txid"),
            vout=found.get("vout"),
            confirmations=found.get("confirmations"),
            timestamps=found.get("timestamps") or {},
            error=found.get("error"),
            json=found,
        )
    except (KeyError, TypeError, AttributeError):
        raise UnexpectedAnswer("a record's job lacks a member") from None


def _object(found: Any) -> Json:
    if not isinstance(found, dict):
        raise UnexpectedAnswer("what should be an object is none")
    return found


def _pubkey(found: Any) -> str:
    pubkey = found.get("pubkey") if isinstance(found, dict) else None
    if not isinstance(pubkey, str):
        raise UnexpectedAnswer("a signer has no public key")
    return pubkey


@dataclass(frozen=True, kw_only=True)
class PublishedRecord(Result):
    """A rights record as ``pubkey`` signed it: ``hash`` is the SHA-256 of its RFC 8785 text, ``signature`` base64."""

    record: Json
    hash: str
    pubkey: str
    signature: str
    job: Job

    named: ClassVar[Mapping[str, str]] = {"pubkey": "signer"}
    nested: ClassVar[Readers] = {"record": _object, "pubkey": _pubkey, "job": _job}


@dataclass(frozen=True, kw_only=True)
class Proof(Result):
    """All that is needed to check without the registry that a record was signed and anchored.

    ``json`` is what ``muniment verify-record`` reads; ``bump`` is the Merkle path (BRC-74).
    """

    canonical: str
    hash: str
    pubkey: str
    signature: str
    txid: str
    vout: int
    raw_tx: str
    spent: Sequence[Json]
    bump: str
    block_header: str
    height: int

    named: ClassVar[Mapping[str, str]] = {"pubkey": "signer", "raw_tx": "rawTx", "block_header": "blockHeader"}
    nested: ClassVar[Readers] = {"pubkey": _pubkey}


@dataclass(frozen=True, kw_only=True)
class TrailStep(Result):
    """One event of publishing's trail, of a public key's doing where ``actor_pubkey`` is there."""

    event_type: str
    resource_type: str
    resource_id: str
    action: str
    details: Json
    created_at: str
    actor_pubkey: str | None = None

    nested: ClassVar[Readers] = {"details": _object}


@dataclass(frozen=True, kw_only=True)
class Publisher(Result):
    """A public key whose intents are taken; were taken, where ``removed_at`` is there."""

    pubkey: str
    label: str | None = None
    registered_by: str | None = None
    registered_at: str | None = None
    removed_by: str | None = None
    removed_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class Pool(Result):
    """What the pool was funded with, holds and paid in fees, in satoshis; how many outputs and jobs wait.

    ``holds`` says that nothing was lost; ``largest`` are its largest free outputs.
    """

    funded: int
    held: int
    fees: int
    holds: bool
    available: int
    reserved: int
    pending: int
    queued: int
    waiting_for_utxo: int
    largest: Sequence[Json] = ()


@dataclass(frozen=True, kw_only=True)
class PoolOutput(Result):
    """An output of the pool, ``txid:vout``."""

    outpoint: str
    satoshis: int
    status: str


@dataclass(frozen=True, kw_only=True)
class Split(Result):
    """A batch that makes ``count`` outputs of ``satoshis`` each from outputs of the pool."""

    batch_id: str
    status: str
    outpoints: Sequence[str]
    count: int
    satoshis: int

    named: ClassVar[Mapping[str, str]] = {"batch_id": "batchId"}


@dataclass(frozen=True, kw_only=True)
class Block(Result):
    """A block of the chain as the registry sees it; ``header`` is its 80 bytes."""

    height: int
    hash: str
    previous: str
    merkle_root: str
    time: str
    header: str

    named: ClassVar[Mapping[str, str]] = {"merkle_root": "merkleRoot"}
