"""An operation by itself, as an auditor reads it: its bytes, its hash, its form, and who signed it."""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

from log.canonical import NotCanonicalizable, canonical_json
from log.dids import InvalidDid
from log.public_keys import InvalidKey
from log.signatures import InvalidSignature, UnsupportedAlgorithm, usable_key, verify, verify_key
from log.strict_json import MalformedJson, parse
from processors.audit_base32 import names
from processors.audit_names import Fault, require

DID: Final = re.compile(
    r"did:(mun:[a-z2-7]{26}|key:z[1-9A-HJ-NP-Za-km-z]{47,48}|pkh:eip155:[1-9][0-9]*:0x[0-9a-fA-F]{40})"
)
OWN: Final = "did:mun:"
OWN_LETTERS: Final = 26
HASH: Final = re.compile(r"sha256-[A-Za-z0-9_-]{43}")
KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
HANDLE: Final = re.compile(r"[a-z0-9-]{3,32}")
PURPOSE: Final = re.compile("authentication|assertion")
REASON: Final = re.compile("compromised|retired|lost")
MAX_ROTATION_KEYS: Final = 5
MAX_GUARDIANS: Final = 10
MAX_OVERLAP_S: Final = 7 * 86_400
MAX_DELAY_S: Final = 30 * 86_400
DEFAULT_S: Final = 86_400
ALWAYS: Final = {"type", "version", "prev"}
REMEMBERED: Final = 4_096

Said: TypeAlias = Mapping[str, Any]
Holds: TypeAlias = Callable[[Any], bool]


def hash_of(content: bytes) -> str:
    """Give the hash by which operations name each other."""
    return "sha256-" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def read(did: str, held: Any) -> Said:
    """Check all that an operation is by itself, and give what it says; ``held`` carries it. Raises Fault."""
    return _read(did, held.hash, held.prev, held.signed_by, held.operation, held.signature)


@lru_cache(maxsize=REMEMBERED)
def _read(did: str, name: str, prev: str | None, by: str, text: str, signature: str) -> Said:  # noqa: PLR0917
    content = _bytes(text)
    said = _parsed(content)
    require(hash_of(content) == name, "operation_hash", f"{name} isn't the hash of the operation")
    kind = said.get("type")
    require(isinstance(kind, str) and kind in FORMS, "operation", f"{kind!r} is no type of operation")
    _check_form(str(kind), said)
    require(said["prev"] == prev, "operation", "the operation follows another than its event says")
    if kind == "create":
        digest = hashlib.sha256(content).digest()
        letters = did.removeprefix(OWN)
        named = did.startswith(OWN) and len(letters) == OWN_LETTERS and names(letters, digest)
        require(named, "did", f"{did} isn't made of its genesis")
        require(by in said["rotation_keys"], "operation", "the genesis isn't signed by a rotation key of its own")
    else:
        require(said["did"] == did, "operation", f"the operation is {said['did']}'s, and lies with {did}")
    if kind == "guardian_recover" and not by:
        require(not signature, "operation", "a signature is nobody's")
    else:
        _check_signature(by, content, signature)
    return said


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Fault("operation", "the operation is no text") from None


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        said: Any = parse(content)
        canonical = isinstance(said, dict) and canonical_json(said) == content
    except (MalformedJson, NotCanonicalizable):
        raise Fault("operation", "the operation is no JSON") from None
    require(canonical, "operation", "the operation isn't in its canonical form")
    found: dict[str, Any] = said
    return found


def _check_signature(multibase: str, content: bytes, signature: str) -> None:
    try:
        verify_key(usable_key(multibase), content, signature)
    except (InvalidKey, InvalidSignature) as error:
        raise Fault("signature", str(error)) from None


def plain(key: Any) -> dict[str, Any]:
    """Give a key of a message as an operation names it."""
    named = {"id": key.id, "type": key.type, "public_key_multibase": key.public_key_multibase}
    return {**named, "purposes": [*key.purposes]}


def check_approval(approval: Any, said: Said) -> None:
    """Check that a guardian signed a recovery, by the key that the approval carries. Raises Fault."""
    content = canonical_json({name: value for name, value in said.items() if name != "approvals"})
    key = approval.public_key_multibase
    if approval.did.startswith("did:pkh:"):
        try:
            verify("eip191", approval.did, content, approval.signature)
        except (InvalidDid, InvalidSignature, UnsupportedAlgorithm) as error:
            raise Fault("approval", str(error)) from None
        return
    if approval.did.startswith("did:key:"):
        require(approval.did == f"did:key:{key}", "approval", f"{approval.did} approves by another key than its own")
    try:
        verify_key(usable_key(key), content, approval.signature)
    except (InvalidKey, InvalidSignature) as error:
        raise Fault("approval", f"{approval.did}: {error}") from None


def _check_form(kind: str, said: Said) -> None:
    form, optional = FORMS[kind]
    wanted = ALWAYS | form.keys() | (set() if kind == "create" else {"did"})
    there = said.keys()
    require(wanted - optional <= there <= wanted, "operation", f"a {kind} has {', '.join(sorted(there))}")
    version, prev = said["version"], said["prev"]
    require(type(version) is int and version == 1, "operation", "the operation is of another version")
    first = kind == "create"
    linked = prev is None if first else isinstance(prev, str) and HASH.fullmatch(prev) is not None
    require(linked, "operation", f"a {kind} follows {prev!r}")
    for name, holds in form.items():
        require(name not in said or holds(said[name]), "operation", f"a {kind} has no {name} as it must be")


def _matches(pattern: re.Pattern[str]) -> Holds:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _within(least: int, most: int) -> Holds:
    return lambda value: type(value) is int and least <= value <= most


def _several(each: Holds, least: int, most: int) -> Holds:
    def holds(value: Any) -> bool:
        if not isinstance(value, list) or not least <= len(value) <= most or not all(map(each, value)):
            return False
        return len({canonical_json(item) for item in value}) == len(value)

    return holds


def _usable(value: Any) -> bool:
    try:
        return isinstance(value, str) and usable_key(value) is not None
    except InvalidKey:
        return False


def _key(value: Any) -> bool:
    if not isinstance(value, dict) or value.keys() != {"id", "type", "public_key_multibase", "purposes"}:
        return False
    if not _matches(KEY_ID)(value["id"]) or not _usable(value["public_key_multibase"]):
        return False
    purposes = value["purposes"]
    known = _several(_matches(PURPOSE), 1, 2)(purposes)
    return known and usable_key(value["public_key_multibase"]).type == value["type"]


def _keys(least: int, most: int) -> Holds:
    several = _several(_key, least, most)
    return lambda value: several(value) and len({each["id"] for each in value}) == len(value)


def _approval(value: Any) -> bool:
    if not isinstance(value, dict) or not {"did", "signature"} <= value.keys() <= {"did", "key_id", "signature"}:
        return False
    return _matches(DID)(value["did"]) and _text(value["signature"]) and _text(value.get("key_id", ""))


ROTATION_KEYS: Final = _several(_usable, 1, MAX_ROTATION_KEYS)
MAX_KEYS: Final = 20
FORMS: Final[Mapping[str, tuple[Mapping[str, Holds], set[str]]]] = {
    "create": (
        {"rotation_keys": ROTATION_KEYS, "keys": _keys(0, MAX_KEYS), "handle": _matches(HANDLE)},
        {"handle"},
    ),
    "rotate": (
        {
            "add": _keys(0, MAX_KEYS),
            "end": _several(_matches(KEY_ID), 0, 100),
            "overlap_s": _within(0, MAX_OVERLAP_S),
        },
        {"add", "end", "overlap_s"},
    ),
    "revoke": (
        {"key_id": _matches(KEY_ID), "reason": _matches(REASON), "since": _text},
        {"since"},
    ),
    "recover": ({"rotation_keys": ROTATION_KEYS, "keys": _keys(0, MAX_KEYS)}, set()),
    "set_handle": ({"handle": _matches(HANDLE)}, set()),
    "set_guardians": (
        {
            "dids": _several(_matches(DID), 1, MAX_GUARDIANS),
            "threshold": _within(1, MAX_GUARDIANS),
            "delay_s": _within(0, MAX_DELAY_S),
        },
        {"delay_s"},
    ),
    "guardian_recover": (
        {
            "rotation_keys": ROTATION_KEYS,
            "keys": _keys(0, MAX_KEYS),
            "approvals": _several(_approval, 1, MAX_GUARDIANS),
        },
        set(),
    ),
    "cancel": ({"operation": _matches(HASH)}, set()),
}
"""By type its members, each with what it must be, and the names of those that can be left out."""
