"""What the parts of a schema say of a value: its types, its bounds, its members; a value satisfies all of them."""

import json
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from domain.json_value import JsonObject, JsonValue
from domain.records.json_schema import Schema

Parts: TypeAlias = tuple[JsonObject, ...]
"""Schemas that are objects, all of which a value satisfies; without any, it may be whatever it likes."""

STRING: Final = frozenset({"string"})
NUMBER: Final = frozenset({"integer", "fraction"})
ARRAY: Final = frozenset({"array"})
OBJECT: Final = frozenset({"object"})
ALL: Final = frozenset({"null", "boolean"}) | STRING | NUMBER | ARRAY | OBJECT
KINDS: Final[Mapping[str, JsonObject]] = {
    "null": {"type": "null"},
    "boolean": {"type": "boolean"},
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "fraction": {"type": "number"},
    "array": {"type": "array"},
    "object": {"type": "object"},
}


def text_of(value: JsonValue) -> str:
    """Write a value so that equal ones, and no others, are the same text; 1.0 equals 1."""
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: JsonValue) -> JsonValue:
    match value:
        case float():
            return int(value) if value.is_integer() else value
        case list():
            return [_plain(each) for each in value]
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case _:
            return value


def schemas(holder: JsonObject, keyword: str) -> list[Schema]:
    """Give the schemas of a list."""
    found = holder.get(keyword)
    return [each for each in found if isinstance(each, bool | dict)] if isinstance(found, list) else []


def named(holder: JsonObject, keyword: str) -> dict[str, Schema]:
    """Give the schemas of a map."""
    found = holder.get(keyword)
    return {n: each for n, each in found.items() if isinstance(each, bool | dict)} if isinstance(found, dict) else {}


def schema(holder: JsonObject, keyword: str) -> Schema:
    """Give the one schema of a keyword; one that is absent lets everything pass."""
    found = holder.get(keyword, True)
    return found if isinstance(found, bool | dict) else True


def words(value: JsonValue) -> set[str]:
    """Give the words of a list of words."""
    return {each for each in value if isinstance(each, str)} if isinstance(value, list) else set()


def number(value: JsonValue) -> float | None:
    """Give a number, exact as it was read; nothing for what is none."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def kind_of(value: JsonValue) -> str:
    """Name the type of a value; a number without a fraction is an integer, however it is written."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "fraction"
        case list():
            return "array"
        case _:
            return "object"


def kinds_named(value: JsonValue) -> frozenset[str]:
    """Give the types that a ``type`` lets pass."""
    found = {value} if isinstance(value, str) else words(value)
    return frozenset(found | NUMBER if "number" in found else found) & ALL


def enumerated(part: JsonObject) -> list[JsonValue] | None:
    """Give the values that a part lists, if it does."""
    if "const" in part:
        return [part["const"]]
    listed = part.get("enum")
    return listed if isinstance(listed, list) else None


def types(parts: Parts) -> frozenset[str]:
    """Give the types that a value of these parts can have."""
    found = ALL
    for part in parts:
        if "type" in part:
            found &= kinds_named(part["type"])
        listed = enumerated(part)
        if listed is not None:
            found &= frozenset(map(kind_of, listed))
    return found


def values(parts: Parts) -> set[str] | None:
    """Give the texts of all the values that there can be, where that is known."""
    found: set[str] | None = None
    for part in parts:
        listed = enumerated(part)
        if listed is not None:
            texts = {text_of(each) for each in listed}
            found = texts if found is None else found & texts
    kinds = types(parts)
    if found is None and kinds <= {"null", "boolean"}:
        found = {text for kind, texts in (("null", {"null"}), ("boolean", {"true", "false"})) if kind in kinds
                 for text in texts}  # fmt: skip
    return found


def numbers(parts: Parts, keyword: str) -> list[float]:
    """Give the numbers that the parts have for a keyword."""
    return [found for part in parts if (found := number(part.get(keyword))) is not None]


def required(parts: Parts) -> set[str]:
    """Give the members that are always there."""
    return set[str]().union(*(words(part.get("required")) for part in parts))


def of_member(parts: Parts, name: str) -> list[Schema]:
    """Give what the parts are sure to say of a member's value."""
    found: list[Schema] = []
    for part in parts:
        known = named(part, "properties")
        if name in known:
            found.append(known[name])
        elif not part.get("patternProperties"):
            found.append(schema(part, "additionalProperties"))
    return found


def of_item(parts: Parts, index: int) -> list[Schema]:
    """Give what the parts say of an item."""
    found: list[Schema] = []
    for part in parts:
        prefix = schemas(part, "prefixItems")
        found.append(prefix[index] if index < len(prefix) else schema(part, "items"))
    return found


def most_items(parts: Parts) -> float:
    """Give how many items there are at most."""
    closed = [len(schemas(part, "prefixItems")) for part in parts if part.get("items") is False]
    return min([*numbers(parts, "maxItems"), *closed], default=float("inf"))


def most_members(parts: Parts) -> float:
    """Give how many members there are at most."""
    closed = [
        len(named(part, "properties"))
        for part in parts
        if part.get("additionalProperties") is False and not part.get("patternProperties")
    ]
    return min([*numbers(parts, "maxProperties"), *closed], default=float("inf"))


def _listed(parts: Parts, wanted: list[JsonValue]) -> bool:
    found = values(parts)
    return found is not None and found <= set(map(text_of, wanted))


def _least(*stronger: tuple[str, bool]) -> Callable[[Parts, JsonValue], bool]:
    """Make what shows a lower bound by keywords; of a strict one an equal bound shows no less."""

    def follows(parts: Parts, value: JsonValue) -> bool:
        least = number(value)
        return least is not None and any(
            bound > least or (bound == least and equal)
            for keyword, equal in stronger
            for bound in numbers(parts, keyword)
        )

    return follows


def _most(*stronger: tuple[str, bool]) -> Callable[[Parts, JsonValue], bool]:
    def follows(parts: Parts, value: JsonValue) -> bool:
        most = number(value)
        return most is not None and any(
            bound < most or (bound == most and equal)
            for keyword, equal in stronger
            for bound in numbers(parts, keyword)
        )

    return follows


def _multiple(parts: Parts, value: JsonValue) -> bool:
    return any(
        known == value or (isinstance(known, int) and isinstance(value, int) and value != 0 and known % value == 0)
        for known in numbers(parts, "multipleOf")
    )


def _stays(keyword: str) -> Callable[[Parts, JsonValue], bool]:
    return lambda parts, value: any(keyword in part and text_of(part[keyword]) == text_of(value) for part in parts)


def _count(value: JsonValue) -> float:
    found = number(value)
    return float("-inf") if found is None else found


FOLLOWS: Final[Mapping[str, tuple[frozenset[str], Callable[[Parts, JsonValue], bool]]]] = {
    "type": (ALL, lambda parts, value: types(parts) <= kinds_named(value)),
    "const": (ALL, lambda parts, value: _listed(parts, [value])),
    "enum": (ALL, lambda parts, value: isinstance(value, list) and _listed(parts, value)),
    "minimum": (NUMBER, _least(("minimum", True), ("exclusiveMinimum", True))),
    "exclusiveMinimum": (NUMBER, _least(("minimum", False), ("exclusiveMinimum", True))),
    "maximum": (NUMBER, _most(("maximum", True), ("exclusiveMaximum", True))),
    "exclusiveMaximum": (NUMBER, _most(("maximum", False), ("exclusiveMaximum", True))),
    "multipleOf": (NUMBER, _multiple),
    "minLength": (STRING, lambda parts, value: value == 0 or _least(("minLength", True))(parts, value)),
    "maxLength": (STRING, _most(("maxLength", True))),
    "pattern": (STRING, _stays("pattern")),
    "format": (STRING, _stays("format")),
    "contentEncoding": (STRING, _stays("contentEncoding")),
    "contentMediaType": (STRING, _stays("contentMediaType")),
    "minItems": (ARRAY, lambda parts, value: value == 0 or _least(("minItems", True))(parts, value)),
    "maxItems": (ARRAY, lambda parts, value: most_items(parts) <= _count(value)),
    "uniqueItems": (
        ARRAY,
        lambda parts, value: (
            value is False or most_items(parts) <= 1 or any(part.get("uniqueItems") is True for part in parts)
        ),
    ),
    "required": (OBJECT, lambda parts, value: words(value) <= required(parts)),
    "minProperties": (
        OBJECT,
        lambda parts, value: max([len(required(parts)), *numbers(parts, "minProperties")]) >= _count(value),
    ),
    "maxProperties": (OBJECT, lambda parts, value: most_members(parts) <= _count(value)),
}
"""By keyword, of which types it judges values, and whether it follows from the parts."""
