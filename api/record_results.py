"""What the answers to the records' writes show of their events; a value is added by whoever sent it."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.place import Place, Shown
from api.times import rfc3339
from api.wiring import Api
from domain.json_value import JsonObject
from domain.records.erasure import OwnerErased
from domain.records.record import RecordCreated, RecordDeleted, RecordUpdated, uri_of
from domain.records.schema import SchemaPut, name_of
from log import strict_json


class RecordView(BaseModel):
    """A value of an owner; ``cid`` is ``sha256-`` and base64url(SHA-256(RFC 8785(value))).

    ``key_compromised`` says that the key which wrote it was in other hands then, by the word of the event
    ``key_compromised_by`` ("<event> <position>"), as is known now.
    """

    model_config = ConfigDict(title="Record")

    uri: str
    cid: str
    value: Any
    schema_version: int
    indexed_at: str
    updated_at: str | None = None
    key_compromised: Literal[True] | None = None
    key_compromised_by: str | None = None


class SchemaView(BaseModel):
    """A version of a collection's schema; versions of one ``name`` let each other's records stay valid."""

    model_config = ConfigDict(title="SchemaVersion")

    collection: str
    version: int
    name: str
    breaking: bool
    definition: Any = Field(alias="schema")
    put_by: str
    at: str


class ErasureView(BaseModel):
    """An owner, of whom nothing can be read any more."""

    model_config = ConfigDict(title="Erasure")

    did: str
    erased_at: str


def _created(_api: Api, event: RecordCreated, place: Place) -> Shown:
    view: JsonObject = {"uri": uri_of(event.did, event.collection, event.rkey), "cid": event.cid}
    return 201, view | {"schema_version": event.schema_version, "indexed_at": rfc3339(place.at)}


def _updated(_api: Api, event: RecordUpdated, place: Place) -> Shown:
    view: JsonObject = {"uri": uri_of(event.did, event.collection, event.rkey), "cid": event.cid}
    view |= {"schema_version": event.schema_version, "indexed_at": rfc3339(event.indexed_at)}
    return 200, view | {"updated_at": rfc3339(place.at)}


def _deleted(_api: Api, event: RecordDeleted, place: Place) -> Shown:
    view: JsonObject = {"uri": uri_of(event.did, event.collection, event.rkey), "cid": event.cid}
    return 204, view | {"deleted_at": rfc3339(place.at)}


def _schema(_api: Api, event: SchemaPut, place: Place) -> Shown:
    view: JsonObject = {"collection": event.collection, "version": event.version}
    view |= {"name": name_of(event.collection, event.major), "breaking": event.breaking}
    view |= {"schema": strict_json.parse_own(event.schema), "put_by": event.put_by}
    return 201, view | {"at": rfc3339(place.at)}


def _erased(_api: Api, event: OwnerErased, place: Place) -> Shown:
    return 200, {"did": event.did, "erased_at": rfc3339(place.at)}


RECORD_RESULTS: Final[Mapping[type, Callable[[Api, Any, Place], Shown]]] = {
    RecordCreated: _created,
    RecordUpdated: _updated,
    RecordDeleted: _deleted,
    SchemaPut: _schema,
    OwnerErased: _erased,
}
