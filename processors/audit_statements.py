"""What one command must be by itself: signed by whom it says, named after what it asks; many are examined at once."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, Final, NamedTuple, get_type_hints

from domain.catalog import BY_CLASS, BY_NAME
from domain.did import identity
from domain.facts.fact import ExpireFact, IssueFact, RevokeFact
from domain.facts.kinds import KINDS
from domain.facts.signer import GENESIS
from domain.facts.webhook import DisableWebhook, ReportAttempt, ScheduleDelivery
from log import statements
from log.avro import UndecodableValue
from log.canonical import canonical_json, sha256_base64
from log.message import Command, Signature
from log.released import codec
from log.signatures import InvalidDid, InvalidSignature, UnsupportedAlgorithm, verify
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

OF_REACTORS: Final = (ExpireFact, ScheduleDelivery, ReportAttempt, DisableWebhook)
"""What our own processes report: no person signs it, so its rule alone must hold."""
FACT_PREFIX: Final = "fct_"
FACT_LETTERS: Final = 52
REMEMBERED_SESSIONS: Final = 4_096
LEAP_SECOND: Final = ":60"


class Examined(NamedTuple):
    """A command as plain values, so that it crosses between processes cheaply.

    ``undecodable`` says why a message is no command; ``type`` is its payload's; ``fault`` is (rule, detail) of what
    does not hold.
    """

    undecodable: str | None = None
    fault: tuple[str, str] | None = None
    id: str = ""
    type: str = ""
    actor: str = ""
    members: tuple[Any, ...] = ()
    signatures: int = 0


def examine_all(context: str, values: Sequence[bytes]) -> list[Examined]:
    """Examine commands, in their order."""
    return [examine(context, value) for value in values]


def examine(context: str, value: bytes) -> Examined:
    """Decode one command and check all that needs no state."""
    try:
        command: Command = codec(context, "command").decode(value)
    except UndecodableValue as error:
        return Examined(undecodable=str(error))
    fault, signatures = None, 0
    try:
        signatures = _check(command)
    except Fault as found:
        fault = (found.rule, found.detail)
    kind = BY_CLASS[type(command.payload)].name
    return Examined(None, fault, command.id, kind, command.actor, _flat(command.payload), signatures)


def payload_of(examined: Examined) -> Any:
    """Give the command's payload again."""
    cls: Any = BY_NAME[examined.type].cls
    members = list(examined.members)
    for index, kind in _nested(cls):
        members[index] = kind(*members[index])
    return cls(*members)


@cache
def _nested(cls: Any) -> Sequence[tuple[int, type]]:
    hints = get_type_hints(cls)
    return [(index, hints[f.name]) for index, f in enumerate(fields(cls)) if is_dataclass(hints[f.name])]


@cache
def _members(cls: Any) -> Callable[[Any], tuple[Any, ...]]:
    names = [f.name for f in fields(cls)]
    if len(names) == 1:
        return lambda value: (getattr(value, names[0]),)
    return attrgetter(*names)


def _flat(payload: Any) -> tuple[Any, ...]:
    cls: Any = type(payload)
    members: tuple[Any, ...] = _members(cls)(payload)
    nested = _nested(cls)
    if nested:
        plain = list(members)
        for index, kind in nested:
            plain[index] = _members(kind)(plain[index])
        members = tuple(plain)
    return members


def _check(command: Command) -> int:
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
        _check_session(command)
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
    require(_is_time(body.get("issued_at"), payload.issued_at), "issued_at", "issued_at isn't what was signed")
    require(_is_time(body.get("expires_at"), payload.expires_at), "expires_at", "expires_at isn't what was signed")
    kind = KINDS.get(payload.kind)
    unique = payload.unique_by if kind is None else kind.unique_by(body, body_hash)
    require(payload.unique_by == unique, "unique_by", "what may be active only once isn't what the kind says")
    return signed


def _is_time(text: Any, at_ms: int | None) -> bool:
    """Tell whether RFC 3339 text is this time, to the millisecond."""
    if text is None or at_ms is None:
        return text is None and at_ms is None
    if not isinstance(text, str):
        return False
    if LEAP_SECOND in text:  # whether it counts as the second before or after is the writer's choice
        text = text.replace(LEAP_SECOND, ":59")
        return abs(_millis(text) - at_ms) <= 2_000
    return abs(_millis(text) - at_ms) < 1


@lru_cache(maxsize=REMEMBERED_SESSIONS)
def _millis(text: str) -> float:
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
    _verify(held)


def _verify(held: Signature) -> None:
    try:
        verify(held.alg, held.did, held.signed_bytes, held.signature)
    except (InvalidSignature, InvalidDid, UnsupportedAlgorithm) as error:
        raise Fault("signature", str(error)) from None


def same_did(one: str, other: str) -> bool:
    """Tell whether two DIDs are one, however an Ethereum address is written."""
    return one == other or identity(one) == identity(other)


def _check_session(command: Command) -> None:
    """A command without signed content is backed by the statement that opened its actor's session."""
    held = command.signature
    if held is None:
        raise Fault("signature", "the command has no signature")
    require(same_did(held.did, command.actor), "actor", "the session that was signed isn't the actor's")
    lines = _session_lines(held)
    require(lines[2] == held.did, "signature", "the session that was signed is another DID's")
    if getattr(command.payload, "authority", None) == GENESIS:
        require(lines[1] == GENESIS, "signature", "the first signer isn't signed as such")
        require(lines[3] == command.request_hash.hex(), "signature", "the first signer is signed for another request")
        require(command.payload.did == command.actor, "genesis", "the first signer names another DID than its actor")


def _session_lines(held: Signature) -> Sequence[str]:
    parts = _verified_session(held.alg, held.did, held.signed_bytes, held.signature)
    if isinstance(parts, str):
        raise Fault("signature", parts)
    return parts


@lru_cache(maxsize=REMEMBERED_SESSIONS)
def _verified_session(alg: str, did: str, signed: bytes, signature: str) -> Sequence[str] | str:
    """Give the four lines of a session's statement, or why it does not hold; one session backs many commands."""
    lines = signed.decode(errors="replace").split("\n")
    if len(lines) != 4 or lines[0] != statements.session_heading:
        return "what was signed opens no session"
    try:
        _verify(Signature(alg, did, None, signed, signature))
    except Fault as fault:
        return fault.detail
    return lines
