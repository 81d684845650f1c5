"""A publish intent as a client sends it: its shape, what was signed, and the command it becomes."""

import base64
import binascii
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field

from api.intent import Intent, signed_hash
from api.problems import ProblemError, invalid
from api.shapes import NO_CONTROL, Form, Maybe, Shape, Text
from api.times import InvalidTime, read_time
from domain.json_value import JsonObject
from domain.publishing.job import QueueJob
from domain.publishing.output import POOL_ID
from log import intents
from log.canonical import NotCanonicalizable
from log.message import Signature
from log.public_keys import InvalidKey, PublicKey
from log.scope import command_id
from log.signatures import InvalidSignature

ROUTE: Final = "POST /v1/publish"
CONTEXT: Final = "publishing"
OWNERS_MAX: Final = 1_000
RECORD_ID_MAX: Final = 256
URI_MAX: Final = 2_048
NONCE_BYTES: Final = (16, 64)
NONCE_TEXT_MAX: Final = 88
SIGNATURE_TEXT_MAX: Final = 100
RECORD_BYTES_MAX: Final = 1 << 20
"""Of a record in its canonical form, which its command has twice, and a message of the log has 8 MiB."""
BASE64: Final = Form(r"^[A-Za-z0-9+/]+={0,2}$", "standard base64")

PubkeyText: TypeAlias = Annotated[
    str,
    Field(min_length=66, max_length=66),
    Form(r"^0[23][0-9a-f]{64}$", "a compressed public key in hex, lower case"),
]
RecordId: TypeAlias = Annotated[str, Field(min_length=1, max_length=RECORD_ID_MAX), NO_CONTROL]


class RecordRequest(Shape):
    """A rights record; its owners, distribution and terms are free."""

    type: Text
    assetId: Text  # noqa: N815  # the protocol's own name
    recordId: RecordId  # noqa: N815  # as above
    owners: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=OWNERS_MAX)]
    distribution: dict[str, Any]
    terms: dict[str, Any]
    timestamp: Annotated[str, Field(min_length=1, max_length=64)]
    nonce: Annotated[str, Field(min_length=1, max_length=NONCE_TEXT_MAX), BASE64]
    uri: Maybe[Annotated[str, Field(min_length=1, max_length=URI_MAX), NO_CONTROL]] = None


class SignerRequest(Shape):
    """Whose key signed."""

    pubkey: PubkeyText


class SignatureRequest(Shape):
    """A signature: DER or 64 bytes r and s, s in the lower half of the order."""

    alg: Literal["bsv-ecdsa-secp256k1"]
    hash: Literal["sha256"]
    sig: Annotated[str, Field(min_length=1, max_length=SIGNATURE_TEXT_MAX), BASE64]


class PublishRequest(Shape):
    """A rights record, signed by who publishes it."""

    protocol: Literal["sl-drm"]
    version: Annotated[int, Field(ge=1, le=1)]
    record: RecordRequest
    signer: SignerRequest
    signature: SignatureRequest


class Signed(NamedTuple):
    """An intent whose form holds: its key, the bytes that were signed, and when the record says that it was."""

    request: PublishRequest
    key: PublicKey
    signed_bytes: bytes
    signed_at: int


def signed_of(request: PublishRequest, sent: JsonObject) -> Signed:
    """Read what was signed; raises ``invalid_request``, ``payload_too_large``."""
    record: Any = sent["record"]
    try:
        key = intents.publisher(request.signer.pubkey)
    except InvalidKey as error:
        raise invalid("/signer/pubkey", str(error)) from None
    try:
        signed_at = read_time(request.record.timestamp)
    except InvalidTime as error:
        raise invalid("/record/timestamp", str(error)) from None
    _check_nonce(request.record.nonce)
    if request.record.uri is not None:
        _check_uri(request.record.uri)
    try:
        signed = intents.intent_signed_bytes(record)
    except NotCanonicalizable as error:
        raise invalid("/record", str(error)) from None
    if len(signed) > RECORD_BYTES_MAX:
        raise ProblemError("payload_too_large", f"a record has at most {RECORD_BYTES_MAX} bytes in its canonical form")
    return Signed(request, key, signed, signed_at)


def _check_nonce(nonce: str) -> None:
    try:
        content = base64.b64decode(nonce, validate=True)
    except (binascii.Error, ValueError):
        content = b""
    least, most = NONCE_BYTES
    if base64.b64encode(content).decode() != nonce or not least <= len(content) <= most:
        raise invalid("/record/nonce", f"a nonce is the base64 of {least} to {most} bytes")


def _check_uri(uri: str) -> None:
    try:
        parts = urlsplit(uri)
        sound = parts.scheme == "https" and bool(parts.hostname) and " " not in uri
    except ValueError:
        sound = False
    if not sound or not uri.startswith("https://"):
        raise invalid("/record/uri", "a uri begins with https:// and names a host")


def check_signature(signed: Signed) -> None:
    """Check the signature; raises ``invalid_signature``."""
    try:
        intents.verify_intent(signed.key, signed.signed_bytes, signed.request.signature.sig)
    except InvalidSignature as error:
        raise ProblemError("invalid_signature", error.detail) from None


def intent_of(signed: Signed, priority: str, per_minute: int, given_key: str | None) -> Intent:
    """Make the command of an intent whose signature holds; its content is its key where none was given."""
    record, pubkey, content = signed.request.record, signed.request.signer.pubkey, signed.signed_bytes
    signature = signed.request.signature.sig
    job = intents.job_id(pubkey, content)
    payload = QueueJob(
        POOL_ID,
        job,
        pubkey,
        record.recordId,
        content.decode(),
        intents.record_hash(content),
        signature,
        record.nonce,
        record.timestamp,
        record.uri,
        priority,
        signed.signed_at,
        per_minute,
    )
    asked = signed_hash(ROUTE, {}, content)
    name = command_id(pubkey, asked, idempotency_key=given_key, content_id=job)
    carried = Signature(intents.algorithm, pubkey, None, content, signature)
    return Intent(name, POOL_ID, pubkey, payload, asked, given_key, carried)
