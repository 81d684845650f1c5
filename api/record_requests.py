"""A record as a client sends it: its names, its conditions, and its value held against its collection's schema."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

from aiohttp import web
from pydantic import Field

from api.freshness import wait_until_ended
from api.json_schemas import DETAIL_MAX, first_errors, validator_of
from api.problems import ProblemError, invalid
from api.route import Asked
from api.shapes import Form, Maybe, Shape, pointer_of
from domain.did import identity
from domain.json_value import JsonObject
from domain.records.collection_name import COLLECTION_FORM, COLLECTION_MAX, is_collection
from domain.records.record import ANY
from domain.records.schema import SchemaVersion, collection, schema_version
from log.canonical import NotCanonicalizable, canonical_json
from log.dids import InvalidDid, parse_did
from projections.sealed_values import cid_of

RECORDS: Final = "records"
COLLECTION: Final = Form(COLLECTION_FORM, "a collection's reverse-domain name: org.example.post")
RKEY: Final = Form(r"^[A-Za-z0-9._~-]{1,64}$", "1 to 64 letters, digits, dots, underscores, tildes and hyphens")
NOT_RKEYS: Final = frozenset({".", ".."})
"""No URL reaches these: they are steps of a path."""
TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"|[A-Za-z0-9_-]+')
WRITES: Final = ("unauthenticated", "idempotency_conflict", "log_unavailable", "outcome_unknown")
VALUED: Final = (*WRITES, "forbidden", "erased", "unknown_collection", "schema_violation", "quota_exceeded")
WAITING: Final = ("not_caught_up", "read_model_unavailable")

Collection: TypeAlias = Annotated[str, Field(max_length=COLLECTION_MAX), COLLECTION]
Rkey: TypeAlias = Annotated[str, RKEY]


class NewRecord(Shape):
    """A value to keep under a key of a collection, or under one that is made."""

    collection: Collection
    rkey: Maybe[Rkey] = None
    value: Any


class RecordValue(Shape):
    """A value to keep."""

    value: Any


@dataclass(frozen=True, slots=True)
class RecordName:
    """Whose record, in which collection, under which key; ``did`` is the same for every spelling."""

    did: str
    collection: str
    rkey: str

    @property
    def path(self) -> dict[str, str]:
        """Give the parts of its path."""
        return {"did": self.did, "collection": self.collection, "rkey": self.rkey}


@dataclass(frozen=True, slots=True)
class Value:
    """A value by its RFC 8785 text."""

    text: bytes
    cid: str


@dataclass(frozen=True, slots=True)
class Conditions:
    """On what a record is written: it has one of these cids (``*``: any), or it isn't there."""

    if_match: tuple[str, ...] = ()
    if_none_match: bool = False

    def told(self) -> JsonObject:
        """Give them as a part of what is asked, without those that are not."""
        told: JsonObject = {"if_match": list(self.if_match)} if self.if_match else {}
        return told | {"if_none_match": True} if self.if_none_match else told


def named(asked: Asked) -> RecordName:
    """Read the path of a record; raises ``not_found`` for text that names none."""
    did, name, rkey = (asked.path(part) for part in ("did", "collection", "rkey"))
    if not is_did(did) or not is_collection(name) or not is_rkey(rkey):
        raise ProblemError("not_found", "there is no record of this name")
    return RecordName(identity(did), name, rkey)


def is_did(text: str) -> bool:
    """Tell whether text is a DID that can have a vault."""
    try:
        parse_did(text)
    except InvalidDid:
        return False
    return True


def is_rkey(text: str) -> bool:
    """Tell whether text can be a record's key."""
    return re.fullmatch(RKEY.pattern, text) is not None and "\n" not in text and text not in NOT_RKEYS


def value_of(sent: Any) -> Value:
    """Read a value; raises ``invalid_request`` where it has no canonical form."""
    try:
        text = canonical_json(sent)
    except NotCanonicalizable as error:
        raise invalid("/value", str(error)) from None
    return Value(text, cid_of(text))


def conditions(asked: Asked, *, may_be_new: bool) -> Conditions:
    """Read ``If-Match`` and ``If-None-Match``; raises ``invalid_request``."""
    tags = _tags(asked.request, "If-Match")
    absent = _tags(asked.request, "If-None-Match")
    if absent and (absent != (ANY,) or not may_be_new):
        detail = "If-None-Match is * here" if may_be_new else "If-None-Match has no meaning here"
        raise ProblemError("invalid_request", detail)
    return Conditions(tags, if_none_match=bool(absent))


def _tags(request: web.Request, header: str) -> tuple[str, ...]:
    """Read entity tags: quoted, or a cid as it is; a weak one stays marked, and so is no cid."""
    sent = [part.strip() for part in ",".join(request.headers.getall(header, [])).split(",") if part.strip()]
    if header in request.headers and (not sent or any(part != ANY and TAG.fullmatch(part) is None for part in sent)):
        raise ProblemError("invalid_request", f"{header} is * or a list of entity tags")
    return tuple(part[1:-1] if part.startswith('"') else part for part in sent)


@dataclass(frozen=True, slots=True)
class Checked:
    """The version that a value was checked against, and the position at which that was the newest."""

    version: int
    seen_at: str


async def check_value(asked: Asked, name: str, value: Any) -> Checked:
    """Hold a value against the newest schema of its collection.

    Raises ``unknown_collection``, ``schema_violation``, ``not_caught_up``, ``log_unavailable``.
    """
    newest, checked = await newest_schema(asked, name)
    errors = [
        (pointer_of(error.instance_path), error.message[:DETAIL_MAX])
        for error in first_errors(validator_of(newest.schema), value)
    ]
    if errors:
        detail = f"{errors[0][0] or 'the value'}: {errors[0][1]}"
        members: Mapping[str, Any] = {"collection": name, "schema_version": checked.version}
        raise ProblemError("schema_violation", detail, errors=errors, members=members)
    return checked


async def newest_schema(asked: Asked, name: str) -> tuple[SchemaVersion, Checked]:
    """Give the version that is in force: whatever was answered anywhere before this request counts."""
    api = asked.api
    partition = api.partition(name)
    await wait_until_ended(api.mirror, api.record_ends, partition)
    store: Any = api.mirror.store
    known = collection(store, name)
    newest = None if known is None else schema_version(store, name, known.version)
    if known is None or newest is None:
        raise ProblemError("unknown_collection", "there is no schema of this collection", members={"collection": name})
    seen_at = f"{RECORDS}/{partition}/{api.mirror.reached.get((RECORDS, partition), -1)}"
    return newest, Checked(known.version, seen_at)
