"""What a command about facts must be by itself: signed by whom it says, and named after what it asks."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from domain.catalog import BY_CLASS
from domain.did import identity
from domain.facts.fact import ExpireFact, IssueFact, RevokeFact
from domain.facts.kinds import KINDS
from domain.facts.mark import ClearFactKey, MarkFactKey
from domain.facts.signer import GENESIS
from domain.facts.webhook import DisableWebhook, ReportAttempt, ScheduleDelivery
from log import statements
from log.canonical import canonical_json, sha256_base64
from log.message import Command, Signature
from log.public_keys import InvalidKey
from log.signatures import InvalidDid, InvalidSignature, UnsupportedAlgorithm, usable_key, verify
from log.strict_json import MalformedJson, parse
from processors.audit_base32 import names
from processors.audit_names import (
    FACTS_ROUTE,
    REACTOR,
    REVOKE_ROUTE,
    Fault,
    check_id,
    content_of_reactor,
    request,
    require,
    signed_request,
)

OF_REACTORS: Final = (ExpireFact, ScheduleDelivery, ReportAttempt, DisableWebhook, MarkFactKey, ClearFactKey)
"""What our own processes report: no person signs it, so its rule alone must hold."""
FACT_PREFIX: Final = "fct_"
FACT_LETTERS: Final = 52
REMEMBERED_SESSIONS: Final = 4_096
LEAP_SECOND: Final = ":60"


def check(command: Command) -> int:
    """Check a command and give how many signatures were verified. Raises Fault."""
    payload = command.payload
    require(command.type == BY_CLASS[type(payload)].name, "type", "the command's type isn't that of its payload")
    if isinstance(payload, OF_REACTORS):
        require(command.actor == REACTOR, "actor", "only a reactor may ask for this")
        require(command.signature is None, "signature", "a reactor signs nothing")
        content = content_of_reactor(payload)
        check_id(command, None if content is None else hashlib.sha256(content.encode()).digest(), content)
        return 0
    if isinstance(payload, IssueFact):
        signed = _fact_bytes(payload)
        _check_signed(command, signed, payload)
        check_id(command, signed_request(FACTS_ROUTE, {}, signed), payload.fact_id)
    elif isinstance(payload, RevokeFact):
        signed = statements.revocation_signed_bytes(
            fact_id=payload.fact_id, issuer_did=payload.issuer_did, reason=payload.reason
        )
        _check_signed(command, signed, payload)
        asked = signed_request(REVOKE_ROUTE, {"id": payload.fact_id}, signed)
        check_id(command, asked, statements.revocation_id(signed))
    else:
        check_session(command)
        check_id(command, request(payload), None)
    return 1


def _fact_bytes(payload: IssueFact) -> bytes:
    """Rebuild what the issuer signed from what the command says, and check all that follows from it."""
    try:
        body: Any = parse(payload.body.encode())
    except (MalformedJson, UnicodeEncodeError):
        raise Fault("body", "the fact's body is no JSON") from None
    require(
        isinstance(body, dict) and canonical_json(body) == payload.body.encode(), "body", "the body isn't canonical"
    )
    subject: dict[str, Any] = {
        "origin": payload.subject.origin,
        "type": payload.subject.type,
        "ref": payload.subject.ref,
    }
    if payload.subject.digest is not None:
        subject["digest"] = payload.subject.digest
    signed = statements.fact_signed_bytes(kind=payload.kind, subject=subject, issuer_did=payload.issuer_did, body=body)
    prefix, name = payload.fact_id[:4], payload.fact_id[4:]
    named = prefix == FACT_PREFIX and len(name) == FACT_LETTERS and names(name, hashlib.sha256(signed).digest())
    require(named, "fact_id", "the fact's id isn't that of its signed bytes")
    body_hash = sha256_base64(payload.body.encode())
    require(payload.body_hash == body_hash, "body_hash", "the body's hash is another")
    require(is_time(body.get("issued_at"), payload.issued_at), "issued_at", "issued_at isn't what was signed")
    require(is_time(body.get("expires_at"), payload.expires_at), "expires_at", "expires_at isn't what was signed")
    kind = KINDS.get(payload.kind)
    unique = payload.unique_by if kind is None else kind.unique_by(body, body_hash)
    require(payload.unique_by == unique, "unique_by", "what may be active only once isn't what the kind says")
    return signed


def is_time(text: Any, at_ms: int | None) -> bool:
    """Tell whether RFC 3339 text is this time, to the millisecond."""
    if text is None or at_ms is None:
        return text is None and at_ms is None
    if not isinstance(text, str):
        return False
    if LEAP_SECOND in text:  # whether it counts as the second before or after is the writer's choice
        text = text.replace(LEAP_SECOND, ":59")
        return abs(millis_of(text) - at_ms) <= 2_000
    return abs(millis_of(text) - at_ms) < 1


@lru_cache(maxsize=REMEMBERED_SESSIONS)
def millis_of(text: str) -> float:
    """Read an RFC 3339 time in ms since 1970 UTC. Raises Fault."""
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        raise Fault("time", "a time that was signed is no RFC 3339 time") from None
    require(moment.tzinfo is not None, "time", "a time that was signed has no offset from UTC")
    return moment.timestamp() * 1000


def _check_signed(command: Command, signed: bytes, payload: IssueFact | RevokeFact) -> None:
    issuer = payload.issuer_did
    held = command.signature
    if held is None:
        raise Fault("signature", "the command has no signature")
    require(held.signed_bytes == signed, "signature", "the signed bytes aren't those of what is asked")
    require(
        (held.alg, held.did, held.key_id, held.signature) == (payload.alg, issuer, payload.key_id, payload.signature),
        "signature",
        "the payload names another signature than the command",
    )
    require(same_did(command.actor, issuer), "actor", "the actor isn't the issuer")
    verify_signature(held)


def verify_signature(held: Signature) -> None:
    """Check a signature over its signed bytes; whether a registered key held then is for who has read identity.

    Raises Fault.
    """
    registered = held.did.startswith(statements.did_prefix)
    told = held.public_key is not None and held.key_id is not None and held.key_seen_at is not None
    untold = held.public_key is None and held.key_seen_at is None
    require(told if registered else untold, "signature", "a registered DID alone says its key, and where it was seen")
    try:
        key = None if held.public_key is None else usable_key(held.public_key)
        verify(held.alg, held.did, held.signed_bytes, held.signature, key)
    except (InvalidSignature, InvalidDid, InvalidKey, UnsupportedAlgorithm) as error:
        raise Fault("signature", str(error)) from None


def same_did(one: str, other: str) -> bool:
    """Tell whether two DIDs are one, however an Ethereum address is written."""
    return one == other or identity(one) == identity(other)


def check_session(command: Command) -> None:
    """A command without signed content is backed by the statement that opened its actor's session. Raises Fault."""
    held = command.signature
    if held is None:
        raise Fault("signature", "the command has no signature")
    require(same_did(held.did, command.actor), "actor", "the session that was signed isn't the actor's")
    lines = _session_lines(held)
    require(lines[2] == held.did, "signature", "the session that was signed is another DID's")
    if getattr(command.payload, "authority", None) == GENESIS:
        require(lines[1] == GENESIS, "signature", "the first signer isn't signed as such")
        require(lines[3] == command.request_hash.hex(), "signature", "the first signer is signed for another request")
        named = getattr(command.payload, "did", command.actor)
        require(named == command.actor, "genesis", "the first signer names another DID than its actor")


def _session_lines(held: Signature) -> Sequence[str]:
    # Where its key was seen to hold is another for each command of a session; what was signed is the same.
    parts = _verified_session(held if held.key_seen_at is None else replace(held, key_seen_at=""))
    if isinstance(parts, str):
        raise Fault("signature", parts)
    return parts


@lru_cache(maxsize=REMEMBERED_SESSIONS)
def _verified_session(held: Signature) -> Sequence[str] | str:
    """Give the four lines of a session's statement, or why it does not hold; one session backs many commands."""
    lines = held.signed_bytes.decode(errors="replace").split("\n")
    if len(lines) != 4 or lines[0] != statements.session_heading:
        return "what was signed opens no session"
    try:
        verify_signature(held)
    except Fault as fault:
        return fault.detail
    return lines
