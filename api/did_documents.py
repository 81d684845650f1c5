"""DID documents (W3C DID Core 1.0): which keys a DID has, and of what each may sign.

A document is that of the JSON representation; ``with_context`` makes that of JSON-LD. Keys are Multikeys (W3C
Controlled Identifiers), under their bare ids as fragments; an Ethereum address is an account that signs by recovery.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from domain.identity.key import ASSERTION, AUTHENTICATION, Key, KeyWindow
from domain.json_value import JsonObject, JsonValue
from log.dids import ParsedDid
from log.public_keys import PublicKey, ed25519, p256, parse_multibase, point, secp256k1

JSON: Final = "application/did+json"
JSON_LD: Final = "application/did+ld+json"
HANDLE_SCHEME: Final = "mun://"
"""A handle as a URI, which is what ``alsoKnownAs`` holds."""
RELATIONS: Final[Mapping[str, str]] = {AUTHENTICATION: "authentication", ASSERTION: "assertionMethod"}
"""By purpose of a key the verification relationship that it is."""
OF_DID_KEY: Final[Sequence[str]] = ("authentication", "assertionMethod", "capabilityInvocation", "capabilityDelegation")
"""What the one key of a did:key is for, by that method's specification."""
CONTEXT: Final = "https://www.w3.org/ns/did/v1"
CONTEXTS: Final[Mapping[str, JsonValue]] = {
    "Multikey": "https://w3id.org/security/multikey/v1",
    "JsonWebKey": "https://w3id.org/security/jwk/v1",
    "EcdsaSecp256k1RecoveryMethod2020": "https://w3id.org/security/suites/secp256k1recovery-2020/v2",
}
"""By type of a verification method the JSON-LD context that defines it."""
SIGNS: Final[Mapping[str, tuple[str, str, str]]] = {
    ed25519: ("OKP", "Ed25519", "EdDSA"),
    secp256k1: ("EC", "secp256k1", "ES256K"),
    p256: ("EC", "P-256", "ES256"),
}
"""By type of a key its ``kty``, ``crv`` and ``alg`` (RFC 8037, RFC 8812, RFC 7518)."""


class DidDocumentView(BaseModel):
    """A DID document (W3C DID Core); a DID of this registry has its handle in ``alsoKnownAs``, as ``mun://<handle>``."""

    model_config = ConfigDict(title="DidDocument")

    id: str
    also_known_as: list[str] = Field(default=[], alias="alsoKnownAs")
    controller: str | None = None
    verification_method: list[Any] = Field(alias="verificationMethod")
    authentication: list[str] = []
    assertion_method: list[str] = Field(default=[], alias="assertionMethod")


def did_document(did: str, keys: Iterable[Key | KeyWindow], handle: str | None = None) -> JsonObject:
    """Give the document of a DID that has these keys now and this handle."""
    there = list(keys)
    named: JsonObject = {} if handle is None else {"alsoKnownAs": [HANDLE_SCHEME + handle]}
    document: JsonObject = {"id": did, **named, "controller": did}
    document["verificationMethod"] = [_multikey(did, key.id, key.public_key_multibase) for key in there]
    for purpose, relation in RELATIONS.items():
        document[relation] = [f"{did}#{key.id}" for key in there if purpose in key.purposes]
    return document


def own_document(parsed: ParsedDid) -> JsonObject:
    """Give the document of a DID that says its key or its account itself: a did:key or a did:pkh."""
    did, relations = parsed.did, OF_DID_KEY[:2]
    if parsed.key is not None:
        method, relations = _multikey(did, parsed.key.multibase, parsed.key.multibase), OF_DID_KEY
    else:
        account = {"blockchainAccountId": f"eip155:{parsed.chain_id}:{parsed.address}"}
        name = f"{did}#blockchainAccountId"
        method = {"id": name, "type": "EcdsaSecp256k1RecoveryMethod2020", "controller": did, **account}
    return {"id": did, "verificationMethod": [method], **{relation: [method["id"]] for relation in relations}}


def web_document(did: str, keys: Iterable[JsonObject]) -> JsonObject:
    """Give the document of a did:web whose keys are these JWKs, each under its ``kid``: they assert, for its owner."""
    methods: list[JsonValue] = []
    for jwk in keys:
        shown = {name: value for name, value in jwk.items() if name not in {"use", "alg"}}
        name = f"{did}#{jwk['kid']}"
        methods.append({"id": name, "type": "JsonWebKey", "controller": did, "publicKeyJwk": shown})
    names: list[JsonValue] = [method["id"] for method in methods if isinstance(method, dict)]
    return {"id": did, "verificationMethod": methods, "assertionMethod": names}


def with_context(document: JsonObject) -> JsonObject:
    """Give a document in its JSON-LD representation."""
    methods = document["verificationMethod"]
    types = dict.fromkeys(str(each["type"]) for each in methods if isinstance(each, dict))  # type: ignore[union-attr]
    return {"@context": [CONTEXT, *(CONTEXTS[kind] for kind in types)], **document}


def jwk(name: str, key: PublicKey) -> JsonObject:
    """Give a public key as a JWK whose ``kid`` is its bare id."""
    kty, crv, alg = SIGNS[key.type]
    parts = {"x": key.content} if key.type == ed25519 else dict(zip("xy", point(key), strict=True))
    coordinates = {part: base64.urlsafe_b64encode(value).decode().rstrip("=") for part, value in parts.items()}
    return {"kty": kty, "crv": crv, **coordinates, "kid": name, "use": "sig", "alg": alg}


def jwk_of(key: Key | KeyWindow) -> JsonObject:
    """Give a key of a registered DID as a JWK."""
    return jwk(key.id, parse_multibase(key.public_key_multibase))


def _multikey(did: str, name: str, multibase: str) -> JsonObject:
    return {"id": f"{did}#{name}", "type": "Multikey", "controller": did, "publicKeyMultibase": multibase}
