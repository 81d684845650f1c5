"""A collection's schemas: numbered, compatible or breaking, each a document of its own."""

import json
from typing import Any

import pytest

from domain.records.schema import (
    Collection,
    PutSchema,
    SchemaPut,
    SchemaVersion,
    collection,
    name_of,
    schema_version,
)
from tests.domain.scenario import NOON, Scenario

POST = "org.example.post"
ADMIN = "did:key:admin"
HERE = "facts/1/12"


def text(schema: Any) -> str:
    """Write a schema as a command has it."""
    return json.dumps(schema, sort_keys=True, separators=(",", ":"))


SHORT = text({"type": "object", "properties": {"text": {"type": "string", "maxLength": 10}}, "required": ["text"]})
LONG = text({"type": "object", "properties": {"text": {"type": "string", "maxLength": 20}}, "required": ["text"]})
OTHER = text({"type": "object", "properties": {"body": {"type": "string"}}, "required": ["body"]})


def put(schema: str, *, breaking: bool = False) -> PutSchema:
    """Write the command."""
    return PutSchema(POST, schema, breaking, HERE)


def happened(version: int, major: int, schema: str, *, breaking: bool = False) -> SchemaPut:
    """Write the event."""
    return SchemaPut(POST, version, major, schema, breaking, ADMIN, HERE)


def test_the_first_schema_of_a_collection_is_its_first_version() -> None:
    scene = Scenario()
    scene.when(put(SHORT, breaking=True)).then(happened(1, 1, SHORT))
    assert collection(scene.state, POST) == Collection(1, 1)
    assert schema_version(scene.state, POST, 1) == SchemaVersion(SHORT, 1, breaking=False, put_by=ADMIN, at=NOON)
    assert schema_version(scene.state, POST, 2) is None


def test_a_schema_that_lets_every_record_stay_valid_is_the_next_version() -> None:
    Scenario().given(happened(1, 1, SHORT)).when(put(LONG)).then(happened(2, 1, LONG))


def test_a_schema_that_does_not_is_refused_with_its_places() -> None:
    scene = Scenario().given(happened(1, 1, LONG))
    scene.when(put(SHORT)).then_refused("incompatible_schema", {"version": "1"})
    assert json.loads(scene.outcome.details["places"]) == [
        ["/schema/properties/text/maxLength", "this is narrower than it was, or new"]
    ]


def test_a_breaking_version_is_declared_and_named() -> None:
    scene = Scenario().given(happened(1, 1, SHORT), happened(2, 1, LONG))
    scene.when(put(OTHER)).then_refused("incompatible_schema", {"version": "2"})
    scene.when(put(OTHER, breaking=True)).then(happened(3, 2, OTHER, breaking=True))
    assert name_of(POST, 2) == "org.example.post@2"


def test_the_next_version_is_compared_with_the_newest_alone() -> None:
    scene = Scenario().given(happened(1, 1, SHORT), happened(2, 2, OTHER, breaking=True))
    scene.when(put(SHORT)).then_refused("incompatible_schema", {"version": "2"})


def test_the_same_schema_is_no_further_version() -> None:
    scene = Scenario().given(happened(1, 1, SHORT))
    scene.when(put(SHORT)).then_refused("already_exists", {"collection": POST, "version": "1"})
    scene.when(put(SHORT, breaking=True)).then_refused("already_exists", {"version": "1"})


def test_a_refusal_names_no_more_places_than_can_be_read() -> None:
    many = text({"properties": {f"m{index:02}": {"type": "string"} for index in range(50)}})
    scene = Scenario().given(happened(1, 1, "{}"))
    scene.when(put(many)).then_refused("incompatible_schema")
    assert len(json.loads(scene.outcome.details["places"])) == 20


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"$ref": "https://example.org/other"}, "/$ref"),
        ({"$ref": "other.json#/x"}, "/$ref"),
        ({"$ref": "#/$defs/none"}, "/$ref"),
        ({"$ref": "#none"}, "/$ref"),
        ({"properties": {"a/b": {"$ref": "file:///etc/passwd"}}}, "/properties/a~1b/$ref"),
        ({"$dynamicRef": "https://example.org/#x"}, "/$dynamicRef"),
        ({"$ref": "#/enum/0", "enum": [{}]}, "/$ref"),
        ({"$ref": "#"}, ""),
        ({"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"not": {"$ref": "#"}}}}, ""),
        ({"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"$ref": "#/$defs/a"}}}, "/$defs/a"),
        ({"$defs": {"a": {"$id": "https://example.org/a"}}}, "/$defs/a/$id"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema"),
        ({"$defs": {"a": {"$anchor": "x"}, "b": {"$anchor": "x"}}}, None),
        ({"properties": {"a": 5}}, "/properties/a"),
        (5, ""),
    ],
)
def test_a_schema_that_leaves_its_document_or_never_ends_is_refused(schema: Any, pointer: str | None) -> None:
    scene = Scenario().when(put(text(schema)))
    scene.then_refused("invalid_request", {} if pointer is None else {"pointer": "/schema" + pointer})


def test_text_that_is_no_json_is_refused() -> None:
    Scenario().when(put("{")).then_refused("invalid_request", {"pointer": "/schema"})


def test_a_row_of_references_has_a_bound() -> None:
    def row(length: int) -> str:
        return text({"$defs": {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(length)} | {f"d{length}": {}}})

    assert not hasattr(Scenario().when(put(row(64))).outcome, "code")
    Scenario().when(put(row(65))).then_refused("invalid_request")


@pytest.mark.parametrize(
    "schema",
    [
        {"$id": "https://example.org/tree", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}},
        {"$ref": "#/$defs/a~1b%25", "$defs": {"a/b%": {"type": "string"}}},
        {"$ref": "#word", "$defs": {"a": {"$anchor": "word"}}},
        {"$ref": "#/definitions/a", "definitions": {"a": {}}},
        {"$schema": "https://json-schema.org/draft/2020-12/schema"},
        {"const": {"$ref": "https://example.org/is/no/reference/here"}},
        True,
    ],
)
def test_references_stay_in_the_document_in_every_form(schema: Any) -> None:
    Scenario().when(put(text(schema))).then(happened(1, 1, text(schema)))
