"""Schemas of every keyword, changes of them, and values to try them on, for Hypothesis to choose from."""

import copy
import itertools
from collections.abc import Sequence
from typing import Any, Protocol

from hypothesis import strategies as st

NAMES = ("a", "b", "c")
REFERENCES = ("#", "#/$defs/x", "#/$defs/y", "#/properties/a")
TYPES = ("null", "boolean", "string", "integer", "number", "array", "object")
SCALARS = (None, True, False, 0, 1, 2, 3, 1.5, -1, "", "a", "ab", "abc", "b")
COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains")
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
INSIDE = (
    "additionalProperties", "propertyNames", "items", "contains", "not", "if", "then", "else", "unevaluatedProperties",
    "unevaluatedItems",
)  # fmt: skip
BY_NAME = ("properties", "dependentSchemas")
OTHERS = (
    "type", "enum", "const", "$ref", "pattern", "multipleOf", "uniqueItems", "required", "patternProperties",
    "dependentRequired", "dependencies", "maxContains",
)  # fmt: skip
KEYWORDS = (*OTHERS, *COUNTS, *BOUNDS, *LISTS, *INSIDE, *BY_NAME, "type", "properties", "properties")


def values() -> list[Any]:
    """Give values of every type, one in another."""
    small: list[Any] = [*SCALARS, [], {}, ["a"], [1, "a"], {"a": 1}, {"a": "ab", "b": None}]
    found = [*small, *([each] for each in small), *({"a": each} for each in small), *({"c": each} for each in small)]
    found += [{"a": one, "b": other} for one, other in itertools.product(small[:13:3], repeat=2)]
    found += [list(pair) for pair in itertools.product(small[:13:3], repeat=2)]
    found += [[1, 1, "a"], [1, 2, 3, 4], {"a": {"a": {"a": 1}}}, {"d": 1}, {"ab": 1, "a": 2}, {"a": 1, "b": 1, "c": 1}]
    return found


class Draw(Protocol):
    """Lets Hypothesis choose."""

    def __call__(self, strategy: st.SearchStrategy[Any]) -> Any:
        """Choose."""


class Maker:
    """Makes schemas out of choices."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw

    def one(self, among: Sequence[Any]) -> Any:
        """Choose one."""
        return among[self._draw(st.integers(0, len(among) - 1))]

    def some(self, among: Sequence[Any], least: int, most: int) -> list[Any]:
        """Choose some, each once."""
        left, count = list(among), self._draw(st.integers(least, most))
        return [left.pop(self._draw(st.integers(0, len(left) - 1))) for _ in range(count)]

    def leaf(self) -> Any:
        """Make a schema that holds none."""
        return self.one((True, False, {}, *({"type": name} for name in TYPES), *({"$ref": r} for r in REFERENCES)))

    def schema(self, depth: int) -> Any:
        """Make a schema."""
        return self.leaf() if depth == 0 else self.keywords(depth)

    def keywords(self, depth: int) -> dict[str, Any]:
        """Make a schema of a few keywords."""
        return {name: self.value(name, depth - 1) for name in self.some(KEYWORDS, 1, 3)}

    def value(self, keyword: str, depth: int) -> Any:
        """Make what a keyword may hold."""
        if keyword in INSIDE:
            return self.schema(depth)
        if keyword in BY_NAME:
            return {name: self.schema(depth) for name in self.some(NAMES, 1, 2)}
        if keyword in LISTS:
            return [self.schema(depth) for _ in range(self.one((1, 2, 3)))]
        match keyword:
            case "type":
                return self.one(TYPES) if self.one((True, False)) else self.some(TYPES, 1, 3)
            case "enum":
                return self.some(SCALARS, 1, 4)
            case "const":
                return self.one(values())
            case "$ref":
                return self.one(REFERENCES)
            case "pattern":
                return self.one(("a", "^a", "b$"))
            case "multipleOf":
                return self.one((1, 2, 4, 0.5))
            case "uniqueItems":
                return self.one((True, False))
            case "required":
                return self.some(NAMES, 0, 2)
            case "patternProperties":
                return {self.one(("a", "^a", "b$")): self.schema(depth)}
            case "dependentRequired" | "dependencies":
                return {self.one(NAMES): self.some(NAMES, 0, 2)}
            case _:
                return self.one((0, 1, 2, 3) if keyword in (*COUNTS, "maxContains") else (0, 1, 1.5, 2))

    def document(self) -> dict[str, Any]:
        """Make a schema in which every reference leads somewhere."""
        return grounded(self.keywords(3) | {"$defs": {"x": self.leaf(), "y": self.schema(1)}})

    def changed(self, document: dict[str, Any]) -> dict[str, Any]:
        """Change one to three places: something more, something less, something else."""
        again = copy.deepcopy(document)
        for _ in range(self.one((1, 1, 2, 3))):
            holder: Any = again
            for _ in range(self.one((0, 1, 2, 3))):
                inner = [each for each in _members(holder) if isinstance(each, dict | list) and each]
                if not inner:
                    break
                holder = self.one(inner)
            self._change(holder)
        return grounded(again)

    def _change(self, holder: Any) -> None:
        if isinstance(holder, list):
            if len(holder) > 1 and self.one((True, False)):
                holder.pop()
            else:
                holder.append(self.schema(1) if isinstance(holder[0], dict) else self.one(SCALARS))
            return
        name = self.one(sorted(holder)) if holder else "b"
        known = holder.get(name)
        match self.one((0, 1, 2, 2)):
            case 0:
                holder.pop(name, None)
            case 1:
                holder |= self.keywords(1)
            case _ if isinstance(known, int | float) and not isinstance(known, bool):
                holder[name] = max(0, known + self.one((-1, 1)))
            case _:
                holder[name] = self.value(name, 1) if name in KEYWORDS else self.schema(1)


def grounded(document: dict[str, Any]) -> dict[str, Any]:
    """Give a document what all references lead to."""
    for keyword, name in (("$defs", "x"), ("$defs", "y"), ("properties", "a")):
        if not isinstance(document.get(keyword), dict):
            document[keyword] = {}
        document[keyword].setdefault(name, True)
    return document


def _members(holder: Any) -> list[Any]:
    return list(holder.values()) if isinstance(holder, dict) else list(holder)


@st.composite
def versions(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give a schema and the next one."""
    maker = Maker(draw)
    older = maker.document()
    return older, maker.changed(older)
