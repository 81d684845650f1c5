"""A fact and a revocation as a client sends them: their shape, what was signed, and the command they become."""

import binascii
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from api.intent import Intent, signed_hash
from api.kind_schemas import check_body
from api.problems import ProblemError, invalid
from api.registered_keys import RegisteredKey, key_named
from api.shapes import Maybe, Shape, Text
from api.times import read_time
from domain.did import identity
from domain.facts.fact import IssueFact, RevokeFact, Subject
from domain.facts.kinds import ALGORITHMS, COMING_ALGORITHMS, KINDS
from log import statements
from log.canonical import NotCanonicalizable, canonical_json, sha256_base64
from log.checking import Signed, fault_of
from log.dids import InvalidDid, parse_did
from log.message import Signature
from log.scope import command_id
from projections.mirror import Mirror

SIGNATURE_MAX = 1024
REASON_MAX = 512
DID_MAX = 512
FACTS_ROUTE = "POST /facts"
REVOKE_ROUTE = "POST /facts/{id}/revoke"

Alg: TypeAlias = Annotated[str, Field(min_length=1, max_length=32)]
Did: TypeAlias = Annotated[str, Field(min_length=1, max_length=DID_MAX)]
SignatureText: TypeAlias = Annotated[str, Field(min_length=1, max_length=SIGNATURE_MAX)]


class SubjectRequest(Shape):
    """What a fact is about; ``digest`` is the base64 SHA-256 of one exact version."""

    origin: Text
    type: Text
    ref: Text
    digest: Maybe[Annotated[str, Field(min_length=44, max_length=44)]] = None


class FactRequest(Shape):
    """A fact: what is said of a subject, signed by its issuer."""

    kind: Annotated[str, Field(min_length=1, max_length=64)]
    subject: SubjectRequest
    issuer_did: Did
    body: dict[str, Any]
    alg: Alg
    key_id: Maybe[Text] = None
    signature: SignatureText


class RevocationRequest(Shape):
    """A revocation: its fact's issuer takes the fact back, signed."""

    issuer_did: Did
    reason: Maybe[Annotated[str, Field(max_length=REASON_MAX)]] = None
    alg: Alg
    key_id: Maybe[Text] = None
    signature: SignatureText


@dataclass(frozen=True, slots=True)
class Statement:
    """Something signed, before its signature is checked; ``key`` is that of a registered DID, once it was looked up."""

    issuer_did: str
    alg: str
    key_id: str | None
    signature: str
    signed_bytes: bytes
    payload: IssueFact | RevokeFact
    key: RegisteredKey | None = None

    @property
    def carried(self) -> Signature:
        """Give the signature as the command carries it."""
        if self.key is not None and self.key_id is not None:
            return self.key.signature(self.issuer_did, self.key_id, self.signed_bytes, self.signature)
        return Signature(self.alg, self.issuer_did, self.key_id, self.signed_bytes, self.signature)


@lru_cache(maxsize=16_384)
def did_problem(did: str) -> str | None:
    """Say why text is no DID; nothing for a DID."""
    try:
        parse_did(did)
    except InvalidDid as error:
        return error.detail
    return None


def check_did(did: str, pointer: str) -> None:
    """Refuse text that is no DID."""
    detail = did_problem(did)
    if detail is not None:
        raise invalid(pointer, detail)


def check_algorithm(alg: str) -> None:
    """Refuse an algorithm that isn't verified here. Raises ``unsupported_algorithm``."""
    if alg not in ALGORITHMS:
        coming = ": it is coming" if alg in COMING_ALGORITHMS else ""
        raise ProblemError("unsupported_algorithm", f"alg is one of {', '.join(ALGORITHMS)}{coming}")


def _check_digest(digest: str) -> None:
    try:
        raw = binascii.a2b_base64(digest, strict_mode=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32 or binascii.b2a_base64(raw, newline=False).decode() != digest:
        raise invalid("/subject/digest", "a digest is the base64 of a SHA-256")


def fact_statement(request: FactRequest, subject_types: tuple[str, ...]) -> Statement:
    """Make of a fact's request what was signed, and the command.

    Raises ``invalid_request``, ``unsupported_algorithm``.
    """
    kind = KINDS.get(request.kind)
    if kind is None:
        raise invalid("/kind", f"a kind is one of {', '.join(KINDS)}")
    sent = request.subject
    if sent.type not in subject_types:
        raise invalid("/subject/type", f"a subject's type is one of {', '.join(subject_types)}")
    if sent.digest is not None:
        _check_digest(sent.digest)
    check_did(request.issuer_did, "/issuer_did")
    body = request.body
    check_body(request.kind, body)
    check_algorithm(request.alg)
    subject = {"origin": sent.origin, "type": sent.type, "ref": sent.ref}
    if sent.digest is not None:
        subject["digest"] = sent.digest
    try:
        canonical = canonical_json(body)
        signed = statements.fact_signed_bytes(
            kind=request.kind, subject=subject, issuer_did=request.issuer_did, body=body
        )
    except NotCanonicalizable as error:
        raise invalid("/body", str(error)) from None
    body_hash = sha256_base64(canonical)
    payload = IssueFact(
        statements.fact_id(signed),
        request.kind,
        Subject(sent.origin, sent.type, sent.ref, sent.digest),
        request.issuer_did,
        canonical.decode(),
        body_hash,
        request.alg,
        request.key_id,
        request.signature,
        read_time(body["issued_at"]),
        read_time(body["expires_at"]) if "expires_at" in body else None,
        kind.unique_by(body, body_hash),
    )
    return Statement(request.issuer_did, request.alg, request.key_id, request.signature, signed, payload)


def revocation_statement(fact_id: str, request: RevocationRequest) -> Statement:
    """Make of a revocation's request what was signed and the command."""
    check_did(request.issuer_did, "/issuer_did")
    check_algorithm(request.alg)
    signed = statements.revocation_signed_bytes(fact_id=fact_id, issuer_did=request.issuer_did, reason=request.reason)
    payload = RevokeFact(fact_id, request.issuer_did, request.reason, request.alg, request.key_id, request.signature)
    return Statement(request.issuer_did, request.alg, request.key_id, request.signature, signed, payload)


def check_issuer(statement: Statement, session: str) -> None:
    """Refuse what a session's DID sends for another issuer. Raises ``forbidden``."""
    if identity(statement.issuer_did) != session:
        raise ProblemError("forbidden", "the session is not the issuer's")


def keyed(statement: Statement, mirror: Mirror) -> Statement:
    """Look up the key by which a registered DID says that it signed.

    Raises ``invalid_request``, ``invalid_signature``.
    """
    return replace(statement, key=key_named(mirror, statement.issuer_did, statement.key_id))


def signed_by(statement: Statement) -> Signed:
    """Give what a statement's signature is checked against."""
    public_key = None if statement.key is None else statement.key.multibase
    text = statement.signed_bytes.decode()
    return Signed(statement.alg, statement.issuer_did, text, statement.signature, public_key)


def check_signature(statement: Statement) -> None:
    """Check the signature. Raises ``invalid_signature``."""
    fault = fault_of(signed_by(statement))
    if fault is not None:
        raise ProblemError("invalid_signature", fault)


def intent_of(statement: Statement, given_key: str | None) -> Intent:
    """Make the intent of a statement whose signature holds; its content is its key where none was given."""
    payload = statement.payload
    actor = identity(statement.issuer_did)
    if isinstance(payload, IssueFact):
        asked, content = signed_hash(FACTS_ROUTE, {}, statement.signed_bytes), payload.fact_id
    else:
        asked = signed_hash(REVOKE_ROUTE, {"id": payload.fact_id}, statement.signed_bytes)
        content = statements.revocation_id(statement.signed_bytes)
    return Intent(
        command_id(actor, asked, idempotency_key=given_key, content_id=content),
        actor,
        actor,
        payload,
        asked,
        given_key,
        statement.carried,
        payload.fact_id if isinstance(payload, IssueFact) else None,
    )
