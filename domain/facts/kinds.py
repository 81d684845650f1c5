"""The table of kinds: a new kind of fact is a new entry here and nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from domain.did import identity

DATE_TIME = {"type": "string", "format": "date-time", "maxLength": 64}
DID = {
    "type": "string",
    "pattern": "^did:[a-z0-9]+:.+$",
    "maxLength": 512,
    "description": "a DID, such as did:web:example.org",
}
"""A pattern's description says what is expected: it is what people are told who send something else."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of fact is.

    ``unique_by`` gives, of (body, body_hash), what may be active only once per issuer, subject and kind.
    ``feed_writer`` names the rule by which the feed's key-value store follows this kind, if it does.
    """

    name: str
    body_schema: Mapping[str, Any]
    roles: tuple[str, ...]
    unique_by: Callable[[Mapping[str, Any], str], str]
    feed_writer: Literal["star"] | None = None


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="endorsement.star",
            body_schema={
                "type": "object",
                "properties": {"issued_at": DATE_TIME, "reason": {"type": "string", "maxLength": 512}},
                "required": ["issued_at"],
                "additionalProperties": False,
            },
            roles=("curator",),
            unique_by=lambda _body, _body_hash: "",
            feed_writer="star",
        ),
        Kind(
            name="rights.grant",
            body_schema={
                "type": "object",
                "properties": {
                    "issued_at": DATE_TIME,
                    "rights": {
                        "type": "array",
                        "items": {"type": "string", "minLength": 1, "maxLength": 64},
                        "minItems": 1,
                        "maxItems": 32,
                    },
                    "grantee_did": DID,
                    "expires_at": DATE_TIME,
                    "territory": {
                        "type": "array",
                        "items": {"type": "string", "format": "iso-3166-1-alpha-2"},
                        "minItems": 1,
                        "maxItems": 249,
                    },
                    "terms_uri": {"type": "string", "format": "uri", "maxLength": 2048},
                },
                "required": ["issued_at", "rights", "grantee_did"],
                "additionalProperties": False,
            },
            roles=("institution",),
            unique_by=lambda _body, body_hash: body_hash,
        ),
        Kind(
            name="identity.link",
            body_schema={
                "type": "object",
                "properties": {
                    "issued_at": DATE_TIME,
                    "linked_did": DID,
                    "proof_uri": {"type": "string", "format": "uri", "maxLength": 2048},
                },
                "required": ["issued_at", "linked_did"],
                "additionalProperties": False,
            },
            roles=("curator", "institution"),
            unique_by=lambda body, _body_hash: identity(str(body["linked_did"])),
        ),
    )
}

ALGORITHMS = ("ed25519", "eip191", "secp256k1", "p256")
COMING_ALGORITHMS = ("bbs+",)
"""Named so that a client sees that they are coming; refused as ``unsupported_algorithm`` until they are there."""

SUBJECT_TYPES = ("playlist", "asset", "device", "user")
