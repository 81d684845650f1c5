"""A collection's schemas: each next version lets every record stay valid, or is declared to break with those before."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from domain.decider import Change, Circumstances, Decider, Refusal, State
from domain.records.compatibility import stricter_places
from domain.records.json_schema import Document, SchemaFault

PLACES_MAX: Final = 20
"""How many places a refusal names."""


@dataclass(frozen=True, slots=True)
class SchemaPut:
    """A collection's records are checked against this from now on.

    ``schema`` is RFC 8785 text; ``version`` counts 1, 2, 3 …, ``major`` what breaks with the versions before it.
    """

    collection: str
    version: int
    major: int
    schema: str
    breaking: bool
    put_by: str
    authority: str


class Collection(NamedTuple):
    """A collection's entry in the state: the newest version."""

    version: int
    major: int


class SchemaVersion(NamedTuple):
    """A version's entry in the state; ``at`` in ms."""

    schema: str
    major: int
    breaking: bool
    put_by: str
    at: int


def collection_key(collection: str) -> str:
    """Give the key of a collection's entry."""
    return f"collection/{collection}"


def schema_key(collection: str, version: int) -> str:
    """Give the key of a version's entry."""
    return f"schema/{collection}/{version}"


def name_of(collection: str, major: int) -> str:
    """Name the versions of a major: ``org.example.post@2``."""
    return f"{collection}@{major}"


def collection(state: State, name: str) -> Collection | None:
    """Find a collection."""
    entry = state.get(collection_key(name))
    return None if entry is None else Collection(*entry)


def schema_version(state: State, name: str, version: int) -> SchemaVersion | None:
    """Find a version of a collection's schema."""
    entry = state.get(schema_key(name, version))
    return None if entry is None else SchemaVersion(*entry)


def evolve(_state: State, event: SchemaPut, at: int) -> Iterable[Change]:
    """Fold a version."""
    known = SchemaVersion(event.schema, event.major, event.breaking, event.put_by, at)
    yield schema_key(event.collection, event.version), known
    yield collection_key(event.collection), Collection(event.version, event.major)


@dataclass(frozen=True, slots=True)
class PutSchema:
    """Check a collection's records against this; ``authority`` is where the actor was seen to be an admin."""

    collection: str
    schema: str
    breaking: bool
    authority: str


class SchemaRefusal(StrEnum):
    """Why a collection's schemas stay as they are, in order of precedence."""

    INVALID_REQUEST = "invalid_request"
    ALREADY_EXISTS = "already_exists"
    INCOMPATIBLE_SCHEMA = "incompatible_schema"


def decide(state: State, command: PutSchema, around: Circumstances) -> Sequence[SchemaPut] | Refusal:
    """Rule on a version."""
    name, text = command.collection, command.schema
    known = collection(state, name)
    try:
        newer = Document(json.loads(text))
    except (SchemaFault, ValueError) as fault:
        pointer, detail = (fault.pointer, fault.detail) if isinstance(fault, SchemaFault) else ("", "this is no JSON")
        return Refusal(SchemaRefusal.INVALID_REQUEST, {"pointer": "/schema" + pointer, "detail": detail})
    if known is None:
        return [SchemaPut(name, 1, 1, text, breaking=False, put_by=around.actor, authority=command.authority)]
    before = SchemaVersion(*state[schema_key(name, known.version)])
    if before.schema == text:
        return Refusal(SchemaRefusal.ALREADY_EXISTS, {"collection": name, "version": str(known.version)})
    if not command.breaking:
        places = stricter_places(Document(json.loads(before.schema)), newer)
        if places:
            told = json.dumps([["/schema" + place.pointer, place.detail] for place in places[:PLACES_MAX]])
            return Refusal(SchemaRefusal.INCOMPATIBLE_SCHEMA, {"version": str(known.version), "places": told})

    major = known.major + command.breaking
    put = (name, known.version + 1, major, text)
    return [SchemaPut(*put, breaking=command.breaking, put_by=around.actor, authority=command.authority)]


SCHEMA = Decider(initial={}, decide=decide, evolve=evolve)
