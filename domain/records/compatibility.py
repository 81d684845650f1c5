"""Whether every value that is valid under one schema is valid under another: judged over the schemas, never guessed.

A judgement is conservative: what it can't show counts as a place where a valid value may fail. It reasons keyword by
keyword. Of the older schema it holds the *parts*, objects that a value satisfies all of; each keyword of the newer one
must follow from them. Two schemas that lead back to themselves are compared by assuming, for the values inside, what is
being shown: values are finite, so that is induction over their size.
"""

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from domain.json_value import JsonObject, JsonValue
from domain.records import narrowing
from domain.records.json_schema import MANY, NAMED, ONE, Document, Schema, merged, step
from domain.records.narrowing import Parts
from domain.records.subschemas import RULES, Place

STEPS_MAX: Final = 4_000
"""After so many comparisons nothing more is shown."""
DEPTH_MAX: Final = 80
SILENT: Final = frozenset({
    "$anchor", "$comment", "$defs", "$dynamicAnchor", "$id", "$schema", "default", "definitions", "deprecated",
    "description", "examples", "readOnly", "title", "writeOnly", "contentSchema",
})  # fmt: skip
"""Keywords that no value fails by."""

UNJUDGED: Final = frozenset({"dependencies", "unevaluatedItems", "unevaluatedProperties"})
"""Keywords that hold where the whole schema is the same as before, and of which nothing else is shown."""

VALUES_MAX: Final = 64
"""Longer lists of values are not gone through one by one."""

Spending: TypeAlias = tuple[int, str]
"""By which part, and which keyword of it, cases were told apart."""
Spent: TypeAlias = frozenset[Spending]


def stricter_places(older: Document, newer: Document) -> Sequence[Place]:
    """Give the places of the newer schema where a value that is valid under the older one may fail; none shows it."""
    comparison = Comparison(older, newer)
    return sorted(set(comparison.fails(comparison.parts([older.root]), newer.root, "")))


class Comparison:
    """One comparison of two documents."""

    def __init__(self, older: Document, newer: Document) -> None:
        self.places, self._targets = merged(older, newer)
        self._steps, self._depth = 0, 0
        self._spent: Spent = frozenset()
        self._assumed: set[tuple[frozenset[int], int, Spent]] = set()
        self._kept: dict[tuple[int, int], JsonObject] = {}

    def parts(self, schemas: Sequence[Schema]) -> Parts | None:
        """Give the objects that a value of all these schemas satisfies; nothing where no value can be one."""
        found: list[JsonObject] = []
        waiting = [*schemas]
        while waiting:
            schema = waiting.pop(0)
            if schema is False:
                return None
            if isinstance(schema, dict) and not any(schema is each for each in found):
                found.append(schema)
                waiting += self._targets.get(id(schema), ())
                waiting += narrowing.schemas(schema, "allOf")
        return tuple(found)

    def inside(self, schemas: Sequence[Schema], newer: Schema, at: str) -> list[Place]:
        """Give the places where a value inside of the one that is judged may fail a schema, all of these being its."""
        spent, self._spent = self._spent, frozenset()
        try:
            return self.fails(self.parts(schemas), newer, at)
        finally:
            self._spent = spent

    def fails(self, parts: Parts | None, newer: Schema, at: str) -> list[Place]:
        """Give the places under a schema where a value of these parts may fail it."""
        if parts is None or newer is True or not narrowing.types(parts):
            return []
        if newer is False:
            return [Place(at, "no value is valid here, and some were")]
        self._steps += 1
        key = (frozenset(map(id, parts)), id(newer), self._spent)
        if key in self._assumed:
            return []
        if self._steps > STEPS_MAX or self._depth > DEPTH_MAX:
            return [Place(at, "this is too involved to be judged")]
        self._assumed.add(key)
        self._depth += 1
        try:
            if any(self.same(part, newer) for part in parts):
                return []
            found = self._all_keywords(parts, newer, at)
            if found and any(self._each_holds(*split, newer) for split in self._splits(parts, newer)):
                return []
            return found
        finally:
            self._assumed.discard(key)
            self._depth -= 1

    def _all_keywords(self, parts: Parts, newer: JsonObject, at: str) -> list[Place]:
        here = self.places.get(id(newer), at)
        kinds = narrowing.types(parts)
        found: list[Place] = []
        for target in self._targets.get(id(newer), ()):
            found += self.fails(parts, target, here + "/$ref")
        for index, each in enumerate(narrowing.schemas(newer, "allOf")):
            found += self.fails(parts, each, f"{here}/allOf/{index}")
        for keyword, value in newer.items():
            if keyword in RULES:
                of, rule = RULES[keyword]
                found += rule(self, parts, newer, here) if kinds & of else []
            elif keyword in UNJUDGED:
                found.append(Place(here + step(keyword), "this can only stay as it was, with all that is beside it"))
            elif keyword in narrowing.FOLLOWS:
                of, follows = narrowing.FOLLOWS[keyword]
                if kinds & of and not follows(parts, value):
                    found.append(Place(here + step(keyword), "this is narrower than it was, or new"))
        return found

    def _each_holds(self, cases: Sequence[Parts | None], spending: Spending, newer: Schema) -> bool:
        spent = self._spent
        self._spent = spent | {spending}
        try:
            return all(not self.fails(each, newer, "") for each in cases)
        finally:
            self._spent = spent

    def _splits(self, parts: Parts, newer: JsonObject) -> Iterator[tuple[Sequence[Parts | None], Spending]]:
        """Give ways to tell cases apart, one of which every value of the parts is."""
        for part in parts:
            for keyword in ("anyOf", "oneOf"):
                branches = narrowing.schemas(part, keyword)
                if branches and (id(part), keyword) not in self._spent:
                    yield [self.parts([*parts, branch]) for branch in branches], (id(part), keyword)
        if not newer.keys() & {"anyOf", "oneOf", "if"}:
            return
        for part in parts:
            values = part.get("enum")
            if isinstance(values, list) and len(values) <= VALUES_MAX and (id(part), "enum") not in self._spent:
                yield [(*parts, self._case(part, *each)) for each in enumerate(values)], (id(part), "enum")
        kinds = narrowing.types(parts)
        if len(kinds) > 1 and not kinds <= narrowing.NUMBER:
            yield [(*parts, narrowing.KINDS[kind]) for kind in sorted(kinds)], (0, "type")

    def _case(self, part: JsonObject, index: int, value: JsonValue) -> JsonObject:
        return self._kept.setdefault((id(part), index), {"const": value})

    def same(self, one: Schema, other: Schema) -> bool:
        """Tell whether two schemas say the same in the same words, whatever their references are called."""
        return self._same(one, other, set(), 0)

    def _same(self, one: JsonValue, other: JsonValue, met: set[tuple[int, int]], depth: int) -> bool:
        if not isinstance(one, dict) or not isinstance(other, dict):
            return isinstance(one, bool) and one is other
        if one is other or (id(one), id(other)) in met:
            return True
        self._steps += 1
        if depth > DEPTH_MAX or self._steps > STEPS_MAX:
            return False
        met.add((id(one), id(other)))
        words, others = one.keys() - SILENT, other.keys() - SILENT
        if words != others:
            return False
        here, there = self._targets.get(id(one), []), self._targets.get(id(other), [])
        pairs: list[tuple[JsonValue, JsonValue]] = list(zip(here, there, strict=False))
        for word in words - {"$ref", "$dynamicRef"}:
            mine, its = one[word], other[word]
            if word in ONE:
                pairs.append((mine, its))
            elif word in MANY and isinstance(mine, list) and isinstance(its, list):
                if len(mine) != len(its):
                    return False
                pairs += zip(mine, its, strict=True)
            elif word in NAMED and isinstance(mine, dict) and isinstance(its, dict):
                if mine.keys() != its.keys():
                    return False
                pairs += ((mine[name], its[name]) for name in mine)
            elif narrowing.text_of(mine) != narrowing.text_of(its):
                return False
        return len(here) == len(there) and all(self._same(*pair, met, depth + 1) for pair in pairs)
