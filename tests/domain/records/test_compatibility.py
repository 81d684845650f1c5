"""Compatibility: what may change in a schema, as a table, and the promise that no valid record ever stops being one."""

import json
import time
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, event, given, reject, settings

from domain.records.compatibility import stricter_places
from domain.records.json_schema import Document, SchemaFault
from tests.domain.records.schema_strategies import values, versions

STRING, NUMBER, NULL = {"type": "string"}, {"type": "number"}, {"type": "null"}
VALUES = values()
TREE = {"type": "object", "properties": {"value": NUMBER, "below": {"items": {"$ref": "#"}}}}
LINKED = {"$ref": "#/$defs/node", "$defs": {"node": {"anyOf": [NULL, {"items": {"$ref": "#/$defs/node"}}]}}}


def properties(**schemas: Any) -> dict[str, Any]:
    """Write an object with these members."""
    return {"type": "object", "properties": schemas}


def closed(**schemas: Any) -> dict[str, Any]:
    """Write an object with these members and no other."""
    return properties(**schemas) | {"additionalProperties": False}


def required(*names: str) -> dict[str, Any]:
    """Write what must be there."""
    return {"type": "object", "required": list(names)}


WIDER: list[tuple[Any, Any]] = [
    (STRING, True),
    (False, STRING),
    (STRING, {"type": ["string", "null"]}),
    ({"type": "integer"}, NUMBER),
    ({"const": 3}, {"type": "integer"}),
    ({"const": 3.0}, {"enum": [2, 3]}),
    ({"enum": ["a"]}, {"enum": ["a", "b"]}),
    ({"enum": ["a", "b"]}, STRING),
    ({"type": "boolean"}, {"enum": [True, False, "other"]}),
    ({"minimum": 5}, {"exclusiveMinimum": 4}),
    ({"exclusiveMinimum": 4}, {"minimum": 4}),
    ({"type": "string"}, {"minimum": 5}),
    ({"multipleOf": 6}, {"multipleOf": 3}),
    ({"maxLength": 10}, {"maxLength": 11}),
    ({"minLength": 1}, {"minLength": 0}),
    ({"pattern": "^a$", "maxLength": 1}, {"pattern": "^a$"}),
    (STRING | {"format": "uri"}, STRING),
    (STRING | {"title": "one"}, STRING | {"title": "another", "description": "…", "examples": ["x"]}),
    (closed(a=STRING), closed(a=STRING, b=STRING)),
    (closed(a=STRING), properties(a=STRING)),
    (closed(a=STRING), {"additionalProperties": STRING}),
    (closed(a=STRING), {"maxProperties": 1}),
    (properties(a={"maxLength": 3}), properties(a={"maxLength": 4}, b=True)),
    (required("a", "b"), required("b")),
    (required("a", "b"), {"minProperties": 2}),
    (required("a"), {"dependentRequired": {"b": ["a"]}}),
    ({"patternProperties": {"^x-": STRING}}, {"patternProperties": {"^x-": True}}),
    (closed(a=STRING) | {"patternProperties": {"^x-": STRING}}, {"patternProperties": {"^y": STRING}}),
    ({"propertyNames": {"maxLength": 3}}, {"propertyNames": {"maxLength": 4}}),
    ({"items": STRING}, {"prefixItems": [STRING], "items": {"type": ["string", "null"]}}),
    ({"prefixItems": [STRING], "items": False}, {"maxItems": 1, "uniqueItems": True}),
    ({"prefixItems": [STRING], "items": NUMBER}, {"items": {"type": ["string", "number"]}}),
    ({"contains": {"const": 1}, "minContains": 2}, {"contains": NUMBER}),
    ({"allOf": [required("a"), required("b")]}, required("a", "b")),
    (required("a", "b"), {"allOf": [required("a"), required("b")]}),
    ({"anyOf": [STRING, NULL]}, {"type": ["string", "null"]}),
    ({"type": ["string", "null"]}, {"anyOf": [NULL, STRING]}),
    ({"enum": [1, "a"]}, {"anyOf": [NUMBER, STRING]}),
    ({"oneOf": [STRING, NULL]}, {"oneOf": [NULL, STRING, NUMBER]}),
    (
        {"oneOf": [closed(kind={"const": "a"}) | {"required": ["kind"]}]},
        {"oneOf": [closed(kind={"const": k}) | {"required": ["kind"]} for k in "ab"]},
    ),
    ({"not": NUMBER}, {"not": {"type": "integer"}}),
    (STRING, {"not": NUMBER}),
    ({"if": required("a"), "then": required("b", "c")}, {"if": required("a"), "then": required("b")}),
    (required("b"), {"if": required("a"), "then": required("b")}),
    ({"dependentSchemas": {"a": required("b", "c")}}, {"dependentSchemas": {"a": required("b")}}),
    ({"$ref": "#/$defs/a", "$defs": {"a": STRING}}, {"$ref": "#/$defs/b", "$defs": {"b": STRING}}),
    (TREE, {"properties": {"below": {"items": {"$ref": "#/$defs/n"}}}, "$defs": {"n": TREE | {"type": "object"}}}),
    (TREE, TREE | {"properties": TREE["properties"] | {"value": {"type": ["number", "null"]}}}),  # type: ignore[operator]
    (LINKED, {"anyOf": [NULL, {"items": {"$ref": "#"}}, STRING]}),
    ({"unevaluatedProperties": False, "title": "a"}, {"unevaluatedProperties": False}),
]
"""Pairs of schemas: whatever is valid under the first is valid under the second."""

NARROWER: list[tuple[Any, Any, str]] = [
    (True, STRING, "/type"),
    (STRING, False, ""),
    (NUMBER, {"type": "integer"}, "/type"),
    ({"enum": ["a", "b"]}, {"enum": ["a"]}, "/enum"),
    (STRING, {"const": "a"}, "/const"),
    ({"minimum": 5}, {"exclusiveMinimum": 5}, "/exclusiveMinimum"),
    ({"multipleOf": 3}, {"multipleOf": 6}, "/multipleOf"),
    ({"maxLength": 10}, {"maxLength": 9}, "/maxLength"),
    (STRING, STRING | {"pattern": "a"}, "/pattern"),
    (STRING, STRING | {"format": "uri"}, "/format"),
    (properties(a=STRING), properties(a=STRING, b=STRING), "/properties/b/type"),
    (properties(a=STRING), closed(a=STRING), "/additionalProperties"),
    (closed(a=STRING, b=STRING), closed(a=STRING), "/additionalProperties"),
    (closed(a=STRING), required("a"), "/required"),
    (required("a"), {"dependentRequired": {"a/b": ["c"]}}, "/dependentRequired/a~1b"),
    ({"patternProperties": {"^x": True}}, {"patternProperties": {"^x": STRING}}, "/patternProperties/^x"),
    ({"items": True}, {"items": STRING}, "/items/type"),
    ({"prefixItems": [STRING]}, {"prefixItems": [NUMBER]}, "/prefixItems/0/type"),
    ({"contains": NUMBER}, {"contains": {"const": 1}}, "/contains"),
    ({"contains": NUMBER}, {"contains": NUMBER, "maxContains": 3}, "/contains"),
    ({"type": "array"}, {"uniqueItems": True}, "/uniqueItems"),
    ({"type": ["string", "null", "number"]}, {"anyOf": [NULL, STRING]}, "/anyOf"),
    ({"oneOf": [STRING]}, {"oneOf": [STRING, {"maxLength": 3}]}, "/oneOf"),
    (NUMBER, {"not": {"type": "integer"}}, "/not"),
    (required("a"), {"if": required("a"), "then": required("b")}, "/then/required"),
    (required("a"), {"$ref": "#/$defs/x", "$defs": {"x": required("b")}}, "/$defs/x/required"),
    (TREE, TREE | {"required": ["value"]}, "/required"),
    (TREE, {"properties": {"below": {"items": {"allOf": [{"$ref": "#"}]}}}, "required": ["value"]}, "/required"),
    (True, {"unevaluatedProperties": False}, "/unevaluatedProperties"),
    ({"properties": {"a": True}}, {"dependencies": {"a": ["b"]}}, "/dependencies"),
]
"""Pairs of schemas, and a place in the second where what is valid under the first may fail."""


def judged(older: Any, newer: Any) -> list[str]:
    """Give the places where a valid value may fail."""
    again = json.loads(json.dumps([older, newer]))
    return [place.pointer for place in stricter_places(Document(again[0]), Document(again[1]))]


@pytest.mark.parametrize(("older", "newer"), WIDER)
def test_a_schema_that_asks_no_more_is_compatible(older: Any, newer: Any) -> None:
    assert judged(older, newer) == []


@pytest.mark.parametrize(("older", "newer", "pointer"), NARROWER)
def test_a_schema_that_asks_more_is_not_and_the_place_is_named(older: Any, newer: Any, pointer: str) -> None:
    assert pointer in judged(older, newer)


@pytest.mark.parametrize("schema", [pair[0] for pair in [*WIDER, *NARROWER]])
def test_a_schema_is_compatible_with_itself(schema: Any) -> None:
    assert judged(schema, schema) == []


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(versions())
def test_no_value_that_was_valid_is_refused_by_what_is_judged_compatible(pair: tuple[Any, Any]) -> None:
    older, newer = pair
    try:
        places = stricter_places(Document(older), Document(newer))
        was, will_be = jsonschema_rs.Draft202012Validator(older), jsonschema_rs.Draft202012Validator(newer)
    except (SchemaFault, jsonschema_rs.ValidationError):
        reject()
    event("stricter" if places else "the same" if older == newer else "compatible")
    if places:
        return
    for value in VALUES:
        assert will_be.is_valid(value) or not was.is_valid(value), value


def test_a_judgement_ends_soon_however_involved_the_schemas_are() -> None:
    branches = [{"anyOf": [{"properties": {f"p{n}{m}": {"$ref": "#"}}} for m in range(8)]} for n in range(8)]
    older = {"anyOf": branches, "allOf": branches}
    newer = {"anyOf": [each | {"required": ["x"]} for each in branches], "allOf": branches}
    started = time.process_time()
    assert judged(older, newer)
    assert time.process_time() - started < 2
