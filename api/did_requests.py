"""A DID's operation as a client sends it: the form of each type, and the bytes that a rotation key signed.

What is not of its form is ``invalid_operation`` with the reason ``malformed`` and a pointer to each place; a member
that no operation of its type has is ``invalid_request``, as it is everywhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

from pydantic import Field

from api.fact_requests import SIGNATURE_MAX, SignatureText
from api.problems import ProblemError, invalid
from api.route import Asked
from api.shapes import NOT_KNOWN, Form, Maybe, Shape, fit
from api.times import is_time
from domain.did import identity
from domain.identity.key import MAX_HOLDING, MAX_KEYS, Key
from domain.identity.operation import Fault
from log import statements
from log.canonical import NotCanonicalizable
from log.dids import InvalidDid, max_did_characters, parse_did
from log.public_keys import InvalidKey
from log.signatures import usable_key

VERSION: Final = 1
DAY_S: Final = 86_400
MAX_ROTATION_KEYS: Final = 5
MAX_OVERLAP_S: Final = 7 * DAY_S
MAX_GUARDIANS: Final = 10
MAX_DELAY_S: Final = 30 * DAY_S
OPERATION: Final = "/operation"

KEY_ID: Final = Form(r"^[A-Za-z0-9_-]{1,64}$", "a key's id: 1 to 64 letters, digits, hyphens and underscores")
HANDLE: Final = Form(r"^[a-z0-9-]{3,32}$", "a handle: 3 to 32 lower-case letters, digits and hyphens")
HASH: Final = Form(r"^sha256-[A-Za-z0-9_-]{43}$", "an operation's hash: sha256- and base64url of 32 bytes, unpadded")
OWN_DID: Final = Form(r"^did:mun:[a-z2-7]{26}$", "a DID of this registry: did:mun: and 26 letters and digits 2 to 7")
TYPE: Final = Form(r"^(ed25519|secp256k1|p256)$", "ed25519, secp256k1 or p256")
PURPOSE: Final = Form(r"^(authentication|assertion)$", "authentication or assertion")
REASON: Final = Form(r"^(compromised|retired|lost)$", "compromised, retired or lost")

Version: TypeAlias = Annotated[int, Field(ge=VERSION, le=VERSION)]
Multibase: TypeAlias = Annotated[str, Field(max_length=64)]
KeyId: TypeAlias = Annotated[str, KEY_ID]
Hash: TypeAlias = Annotated[str, HASH]
RotationKeys: TypeAlias = Annotated[list[Multibase], Field(min_length=1, max_length=MAX_ROTATION_KEYS)]
DidText: TypeAlias = Annotated[str, Field(max_length=max_did_characters)]


class OperationRequest(Shape):
    """An operation with a rotation key's signature over its RFC 8785 bytes; guardians' recoveries may go without."""

    operation: dict[str, Any]
    signature: Maybe[Annotated[str, Field(max_length=SIGNATURE_MAX)]] = None


class NamedKey(Shape):
    """A public key under an id."""

    id: KeyId
    type: Annotated[str, TYPE]
    public_key_multibase: Multibase
    purposes: Annotated[list[Annotated[str, PURPOSE]], Field(min_length=1, max_length=2)]


Keys: TypeAlias = Annotated[list[NamedKey], Field(max_length=MAX_KEYS)]


class First(Shape):
    """A genesis: the DID is made of its hash."""

    type: str
    version: Version
    prev: None
    rotation_keys: RotationKeys
    keys: Keys
    handle: Maybe[Annotated[str, HANDLE]] = None


class Following(Shape):
    """What every other operation has: whose it is, and the hash of the one that it follows."""

    type: str
    version: Version
    did: Annotated[str, OWN_DID]
    prev: Hash


class Rotation(Following):
    """Keys that begin, and ids of keys that end after an overlap."""

    add: Keys = Field(default=[])
    end: Annotated[list[KeyId], Field(max_length=MAX_HOLDING)] = Field(default=[])
    overlap_s: Annotated[int, Field(ge=0, le=MAX_OVERLAP_S)] = DAY_S


class Revocation(Following):
    """A key that ends at once, and since when it is compromised."""

    key_id: KeyId
    reason: Annotated[str, REASON]
    since: Maybe[Annotated[str, Field(max_length=64)]] = None


class Anew(Following):
    """Keys that replace all others."""

    rotation_keys: RotationKeys
    keys: Keys


class Naming(Following):
    """A handle to take."""

    handle: Annotated[str, HANDLE]


class Guarding(Following):
    """Who may recover the DID together."""

    dids: Annotated[list[DidText], Field(min_length=1, max_length=MAX_GUARDIANS)]
    threshold: Annotated[int, Field(ge=1, le=MAX_GUARDIANS)]
    delay_s: Annotated[int, Field(ge=0, le=MAX_DELAY_S)] = DAY_S


class ApprovalRequest(Shape):
    """A guardian's signature over the recovery without its approvals; a registered DID names its key."""

    did: DidText
    key_id: Maybe[Annotated[str, Field(max_length=64)]] = None
    signature: SignatureText


class Rescue(Anew):
    """Keys that replace all others, as guardians approved."""

    approvals: Annotated[list[ApprovalRequest], Field(min_length=1, max_length=MAX_GUARDIANS)]


class Cancelling(Following):
    """The hash of the guardians' recovery that is cancelled."""

    operation: Hash


Said: TypeAlias = First | Rotation | Revocation | Anew | Naming | Guarding | Rescue | Cancelling
CREATE: Final = "create"
FORMS: Final[Mapping[str, type[First | Following]]] = {
    CREATE: First,
    "rotate": Rotation,
    "revoke": Revocation,
    "recover": Anew,
    "set_handle": Naming,
    "set_guardians": Guarding,
    "guardian_recover": Rescue,
    "cancel": Cancelling,
}


@dataclass(frozen=True, slots=True)
class Stated:
    """An operation of its form, before its signature is checked; ``signed_bytes`` are its RFC 8785 bytes."""

    did: str
    said: Any
    sent: Mapping[str, Any]
    signed_bytes: bytes
    hash: str
    signature: str

    @property
    def handle(self) -> str | None:
        """Give the handle that it takes."""
        return self.said.handle if isinstance(self.said, First | Naming) else None


def malformed(errors: Sequence[tuple[str, str]]) -> ProblemError:
    """Make the problem of an operation that is not of its form; errors are JSON Pointers into the body with details."""
    unknown = any(detail == NOT_KNOWN for _, detail in errors)
    code, members = ("invalid_request", {}) if unknown else ("invalid_operation", {"reason": Fault.MALFORMED.value})
    return ProblemError(code, f"{errors[0][0]}: {errors[0][1]}", errors=errors, members=members)


def keys_of(keys: Iterable[NamedKey]) -> tuple[Key, ...]:
    """Give keys as a command has them."""
    return tuple(Key(each.id, each.type, each.public_key_multibase, tuple(each.purposes)) for each in keys)


def read_genesis(asked: Asked) -> None:
    """Read a genesis. Raises ``invalid_request``, ``invalid_operation``."""
    asked.statement = _read(asked, None)


def read_following(asked: Asked) -> None:
    """Read an operation of the DID that the path names.

    Raises ``not_found``, ``invalid_request``, ``invalid_operation``.
    """
    try:
        parsed = parse_did(asked.path("did"))
    except InvalidDid as error:
        raise invalid("/did", error.detail) from None
    if parsed.method != "mun":
        raise ProblemError("not_found", "a DID that says its key itself has no operation log")
    asked.statement = _read(asked, parsed.did)


def _read(asked: Asked, did: str | None) -> Stated:
    request: OperationRequest = asked.body
    sent: Any = asked.json
    kind = request.operation.get("type")
    right = isinstance(kind, str) and kind in FORMS and (kind == CREATE) == (did is None)
    if not right:
        kinds = [each for each in FORMS if (each == CREATE) == (did is None)]
        raise malformed([(f"{OPERATION}/type", f"the type of an operation is {', '.join(kinds)} here")])
    try:
        said: Any = fit(FORMS[str(kind)], request.operation)
    except ProblemError as problem:
        raise malformed([(OPERATION + pointer, detail) for pointer, detail in problem.errors]) from None
    faults = [(OPERATION + pointer, detail) for pointer, detail in _faults(said, did)]
    if faults:
        raise malformed(faults)
    if not request.signature and not isinstance(said, Rescue):
        raise invalid("/signature", "a rotation key signs an operation")
    try:
        signed = statements.operation_signed_bytes(sent["operation"])
    except NotCanonicalizable as error:
        raise malformed([(OPERATION, str(error))]) from None
    owner = statements.did_of_genesis(signed) if did is None else did
    return Stated(owner, said, sent["operation"], signed, statements.operation_hash(signed), request.signature or "")


def _faults(said: Any, did: str | None) -> Iterable[tuple[str, str]]:
    """Find what no form of a member alone says."""
    if did is not None and said.did != did:
        yield "/did", "this is another DID than the path names"
    yield from _rotation_faults(getattr(said, "rotation_keys", ()))
    for member in ("keys", "add"):
        yield from _key_faults(getattr(said, member, ()), f"/{member}")
    if isinstance(said, Rotation):
        yield from _repeated(said.end, "/end")
    if isinstance(said, Revocation) and said.since is not None and not is_time(said.since):
        yield "/since", "a time is RFC 3339"
    if isinstance(said, Guarding):
        yield from _did_faults([(f"/dids/{number}", each) for number, each in enumerate(said.dids)])
        yield from _repeated([identity(each) for each in said.dids], "/dids")
        if said.threshold > len(said.dids):
            yield "/threshold", "more guardians must approve than there are"
    if isinstance(said, Rescue):
        yield from _did_faults([(f"/approvals/{number}/did", each.did) for number, each in enumerate(said.approvals)])
        yield from _repeated([(each.did, each.key_id, each.signature) for each in said.approvals], "/approvals")


def _rotation_faults(rotation_keys: Sequence[str]) -> Iterable[tuple[str, str]]:
    for number, multibase in enumerate(rotation_keys):
        try:
            usable_key(multibase)
        except InvalidKey as error:
            yield f"/rotation_keys/{number}", error.detail
    yield from _repeated(rotation_keys, "/rotation_keys")


def _key_faults(keys: Sequence[NamedKey], pointer: str) -> Iterable[tuple[str, str]]:
    for number, each in enumerate(keys):
        try:
            kind = usable_key(each.public_key_multibase).type
        except InvalidKey as error:
            yield f"{pointer}/{number}/public_key_multibase", error.detail
            continue
        if kind != each.type:
            yield f"{pointer}/{number}/type", f"the public key is of {kind}"
        yield from _repeated(each.purposes, f"{pointer}/{number}/purposes")
    yield from _repeated([each.id for each in keys], pointer)


def _did_faults(dids: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    for pointer, did in dids:
        try:
            parse_did(did)
        except InvalidDid as error:
            yield pointer, error.detail


def _repeated(values: Sequence[Any], pointer: str) -> Iterable[tuple[str, str]]:
    for number, value in enumerate(values):
        if value in values[:number]:
            yield f"{pointer}/{number}", "this is there twice"
