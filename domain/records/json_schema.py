"""A JSON Schema 2020-12 as a document of its own: where its schemas lie, and what its references mean.

No reference leaves the document, and none leads back to itself without going down into a value, so that every judgement
of it ends.
"""

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias
from urllib.parse import unquote

from domain.json_value import JsonObject, JsonValue

Schema: TypeAlias = "bool | JsonObject"

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ONE: Final = frozenset({
    "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then",
    "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
MANY: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
NAMED: Final = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
IN_PLACE: Final = frozenset({"allOf", "anyOf", "dependentSchemas", "else", "if", "not", "oneOf", "then"})
"""Keywords whose schemas judge the same value that their holder judges."""
REFERENCES: Final = ("$ref", "$dynamicRef")
ANCHORS: Final = ("$anchor", "$dynamicAnchor")
CHAIN_MAX: Final = 64
"""How many schemas in a row may judge the same value."""


class SchemaFault(ValueError):
    """Why a schema can't be a collection's; ``pointer`` is a JSON Pointer into it, ``detail`` is fit to be shown."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer}: {detail}")
        self.pointer, self.detail = pointer, detail


def step(name: str) -> str:
    """Write one step of a JSON Pointer."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def children(schema: JsonObject, pointer: str) -> Iterator[tuple[str, str, JsonValue]]:
    """Give the schemas directly in a schema: the keyword, where, and what lies there."""
    for keyword, value in schema.items():
        here = pointer + step(keyword)
        if keyword in ONE:
            yield keyword, here, value
        elif keyword in MANY and isinstance(value, list):
            for index, entry in enumerate(value):
                yield keyword, f"{here}/{index}", entry
        elif keyword in NAMED and isinstance(value, dict):
            for name, entry in value.items():
                yield keyword, here + step(name), entry


class Document:
    """A schema with its places and references. Raises SchemaFault.

    ``places`` gives the JSON Pointer and ``targets`` what is referred to, each by the ``id`` of a schema that is an
    object; both hold as long as the document does.
    """

    def __init__(self, root: JsonValue) -> None:
        self.root = _schema(root, "")
        self.places: dict[int, str] = {}
        self.targets: dict[int, list[Schema]] = {}
        self._schemas: list[JsonObject] = []
        self._found: dict[str, Schema] = {}
        self._in_place: dict[int, list[int]] = {}
        self._walk(self.root, "")
        for schema in self._schemas:
            self._resolve(schema)
        self._check_chains()

    def _walk(self, root: Schema, top: str) -> None:
        waiting: list[tuple[Schema, str]] = [(root, top)]
        while waiting:
            schema, pointer = waiting.pop()
            self._found[pointer] = schema
            if isinstance(schema, bool):
                continue
            self.places[id(schema)] = pointer
            self._schemas.append(schema)
            self._check_names(schema, pointer)
            below = self._in_place.setdefault(id(schema), [])
            for keyword, where, value in children(schema, pointer):
                entry = _schema(value, where)
                waiting.append((entry, where))
                if keyword in IN_PLACE and not isinstance(entry, bool):
                    below.append(id(entry))

    def _check_names(self, schema: JsonObject, pointer: str) -> None:
        if schema.get("$schema", DIALECT) not in (DIALECT, DIALECT + "#"):
            raise SchemaFault(pointer + "/$schema", f"a collection's schema is of {DIALECT}")
        if pointer and "$id" in schema:
            raise SchemaFault(pointer + "/$id", "only the whole document may have an $id")
        for keyword in ANCHORS:
            name = schema.get(keyword)
            if isinstance(name, str) and self._found.setdefault(name, schema) is not schema:
                raise SchemaFault(f"{pointer}/{keyword}", "another schema of this document has this anchor")

    def _resolve(self, schema: JsonObject) -> None:
        pointer = self.places[id(schema)]
        for keyword in REFERENCES:
            reference = schema.get(keyword)
            if reference is None:
                continue
            if not isinstance(reference, str) or not reference.startswith("#"):
                raise SchemaFault(f"{pointer}/{keyword}", "a reference stays in the document: it begins with #")
            target = self._found.get(unquote(reference[1:]))
            if target is None:
                raise SchemaFault(f"{pointer}/{keyword}", "there is no schema where this reference leads")
            self.targets.setdefault(id(schema), []).append(target)
            if not isinstance(target, bool):
                self._in_place[id(schema)].append(id(target))

    def _check_chains(self) -> None:
        """Measure for every schema how many judge the same value in a row behind it; a circle never ends."""
        waiting = {name: len(below) for name, below in self._in_place.items()}
        above: dict[int, list[int]] = {}
        for name, below in self._in_place.items():
            for each in below:
                above.setdefault(each, []).append(name)
        lengths = dict.fromkeys(waiting, 0)
        ready = [name for name, count in waiting.items() if not count]
        while ready:
            done = ready.pop()
            if lengths[done] > CHAIN_MAX:
                raise SchemaFault(self.places[done], f"more than {CHAIN_MAX} schemas in a row judge the same value")
            for name in above.get(done, ()):
                lengths[name] = max(lengths[name], lengths[done] + 1)
                waiting[name] -= 1
                if not waiting[name]:
                    ready.append(name)
        circle = sorted(self.places[name] for name, count in waiting.items() if count)
        if circle:
            raise SchemaFault(circle[0], "these references lead back to themselves without going down into a value")


def _schema(value: JsonValue, pointer: str) -> Schema:
    if not isinstance(value, bool | dict):
        raise SchemaFault(pointer, "a schema is an object, true or false")
    return value


def merged(*documents: Document) -> tuple[Mapping[int, str], Mapping[int, list[Schema]]]:
    """Give the places and the targets of several documents together."""
    places: dict[int, str] = {}
    targets: dict[int, list[Schema]] = {}
    for document in documents:
        places |= document.places
        targets |= document.targets
    return places, targets
