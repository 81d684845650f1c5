"""What a command of publishing must be by itself: signed by whom it says, and saying what follows from its bytes."""

import hashlib
from typing import Any, Final

from domain.catalog import BY_CLASS
from domain.publishing.anchoring import (
    FailBatch,
    NoteConfirmed,
    NoteReorged,
    NoteSeen,
    NoteSent,
    ReleaseBatch,
    ReserveBatch,
    SignBatch,
)
from domain.publishing.job import HoldJobs, QueueJob
from domain.publishing.output import FundPool
from domain.publishing.publisher import RegisterPublisher
from log.bitcoin import InvalidBitcoin, read_header
from log.canonical import NotCanonicalizable, canonical_json
from log.intents import algorithm, job_id, publisher, verify_intent
from log.message import Command, Signature
from log.public_keys import InvalidKey
from log.signatures import InvalidSignature
from log.statements import publisher_signed_bytes
from log.strict_json import MalformedJson, parse
from processors.audit_anchors import check_change, read
from processors.audit_names import REACTOR, Fault, check_id, require, signed_request
from processors.audit_statements import check_session, is_time

ROUTE: Final = "POST /v1/publish"
PRIORITIES: Final = ("batch", "now")
FAUCET: Final = "faucet"
"""The authority of what the devnet itself gives to the pool."""
OF_REACTORS: Final = (
    HoldJobs,
    ReleaseBatch,
    SignBatch,
    NoteSent,
    NoteSeen,
    NoteConfirmed,
    NoteReorged,
    FailBatch,
)
"""What our own processes ask for: no person signs it, so its rule alone must hold."""


def check(command: Command) -> int:
    """Check a command and give how many signatures were verified. Raises Fault."""
    payload = command.payload
    require(command.type == BY_CLASS[type(payload)].name, "type", "the command's type isn't that of its payload")
    if isinstance(payload, QueueJob):
        return _check_intent(command, payload)
    check_id(command, None, None)
    if is_reactors(payload):
        require(command.actor == REACTOR, "actor", "only a reactor may ask for this")
        require(command.signature is None, "signature", "a reactor signs nothing")
        if isinstance(payload, SignBatch):
            check_change(payload, read(payload))
        if isinstance(payload, NoteConfirmed):
            _check_block(payload)
        return 0
    check_session(command)
    return 1 + (_check_possession(command, payload) if isinstance(payload, RegisterPublisher) else 0)


def is_reactors(payload: Any) -> bool:
    """Tell whether a process of ours asks for this, and no person."""
    if isinstance(payload, FundPool):
        return payload.authority == FAUCET
    if isinstance(payload, ReserveBatch):
        return payload.authority is None
    return isinstance(payload, OF_REACTORS)


def _check_intent(command: Command, payload: QueueJob) -> int:
    """A public key signed just the record that is to be anchored. Raises Fault."""
    signed = payload.record.encode()
    require(command.actor == payload.pubkey, "actor", "the actor isn't the public key")
    carried = Signature(algorithm, payload.pubkey, None, signed, payload.signature)
    require(command.signature == carried, "signature", "the command carries another signature than its intent")
    _verify(payload.pubkey, signed, payload.signature, "signature")
    record = _record(signed)
    digest = hashlib.sha256(signed).hexdigest()
    require(payload.hash == digest, "hash", f"the record's hash is {digest}, and {payload.hash} is said")
    name = job_id(payload.pubkey, signed)
    require(payload.job_id == name, "job_id", f"the job is {name}, and {payload.job_id} is said")
    said = {"recordId": payload.record_id, "nonce": payload.nonce, "timestamp": payload.timestamp, "uri": payload.uri}
    for member, value in said.items():
        right = record.get(member)
        require(right == value, member, f"{member} was signed as {right!r}, and the command says {value!r}")
    require(is_time(payload.timestamp, payload.signed_at), "signed_at", "signed_at isn't the time that was signed")
    require(payload.priority in PRIORITIES, "priority", f"{payload.priority!r} is no priority")
    require(payload.per_minute > 0, "per_minute", "a public key may queue nothing in a minute")
    check_id(command, signed_request(ROUTE, {}, signed), payload.job_id)
    return 1


def _record(signed: bytes) -> dict[str, Any]:
    try:
        record: Any = parse(signed)
        canonical = canonical_json(record)
    except (MalformedJson, NotCanonicalizable):
        raise Fault("record", "the record is no JSON that has a canonical form") from None
    if not isinstance(record, dict) or canonical != signed:
        raise Fault("record", "the record isn't in its canonical form")
    return record


def _verify(pubkey: str, signed: bytes, signature: str, rule: str) -> None:
    try:
        verify_intent(publisher(pubkey), signed, signature)
    except (InvalidKey, InvalidSignature) as error:
        raise Fault(rule, str(error)) from None


def _check_possession(command: Command, payload: RegisterPublisher) -> int:
    """Who registers a public key without being an admin shows that it signs. Raises Fault."""
    if payload.possession is None:
        return 0
    told = {"pubkey": payload.pubkey, "label": payload.label, "registered_by": command.actor}
    _verify(payload.pubkey, publisher_signed_bytes(**told), payload.possession, "possession")
    return 1


def _check_block(payload: NoteConfirmed) -> None:
    """A block's header is its hash's, shows the work that it asks for, and lies at the Merkle path's height."""
    try:
        header = read_header(payload.header)
    except InvalidBitcoin as error:
        raise Fault("header", str(error)) from None
    require(header.hash == payload.block_hash, "header", f"the header is of {header.hash}, not {payload.block_hash}")
    require(header.has_work, "header", f"the header of {header.hash} lacks the work that it asks for")
    height = _height(payload.bump)
    require(height == payload.height, "height", f"the Merkle path is of height {height}, not {payload.height}")


def _height(bump: bytes) -> int | None:
    """Read the height that a Merkle path begins with, a CompactSize."""
    if not bump:
        return None
    size = {0xFD: 2, 0xFE: 4, 0xFF: 8}.get(bump[0], 0)
    return int.from_bytes(bump[1 : 1 + size], "little") if size else bump[0]
