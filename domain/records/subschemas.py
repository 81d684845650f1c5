"""Which keywords that hold schemas follow from the parts of an older schema, and where they may not."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

from domain.json_value import JsonObject
from domain.records import narrowing
from domain.records.json_schema import Schema, step
from domain.records.narrowing import ARRAY, OBJECT, Parts


class Place(NamedTuple):
    """Where in the newer schema a value that was valid may fail: a JSON Pointer, and why."""

    pointer: str
    detail: str


class Judge(Protocol):
    """Compares schemas inside of schemas."""

    def parts(self, schemas: Sequence[Schema]) -> Parts | None:
        """Give the objects that a value of all these schemas satisfies; nothing where no value can be one."""

    def fails(self, parts: Parts | None, newer: Schema, at: str) -> list[Place]:
        """Give the places under a schema where a value of these parts may fail it."""

    def inside(self, schemas: Sequence[Schema], newer: Schema, at: str) -> list[Place]:
        """Give the places where a value inside of the one that is judged may fail a schema, all of these being its."""

    def same(self, one: Schema, other: Schema) -> bool:
        """Tell whether two schemas say the same."""


Rule: TypeAlias = Callable[[Judge, Parts, JsonObject, str], list[Place]]


def any_of(judge: Judge, parts: Parts, newer: JsonObject, here: str) -> list[Place]:
    """One branch that always holds is enough."""
    if any(not judge.fails(parts, each, here) for each in narrowing.schemas(newer, "anyOf")):
        return []
    return [Place(here + "/anyOf", "a value that was valid may fit no branch")]


def one_of(judge: Judge, parts: Parts, newer: JsonObject, here: str) -> list[Place]:
    """One branch always holds, and each other one never does."""
    branches = narrowing.schemas(newer, "oneOf")
    for chosen in branches:
        others = [each for each in branches if each is not chosen]
        # A branch that is true or false is its own only where there is one of it.
        alone = len(others) == len(branches) - 1
        if alone and all(apart(judge, parts, each) for each in others) and not judge.fails(parts, chosen, here):
            return []
    return [Place(here + "/oneOf", "a value that was valid may fit no branch, or more than one")]


def apart(judge: Judge, parts: Parts, other: Schema) -> bool:
    """Tell whether it shows that no value of these parts is valid under a schema."""
    others = judge.parts([other])
    if others is None:
        return True
    if _disjoint(parts, others):
        return True
    if not narrowing.types(parts) & narrowing.types(others) <= OBJECT:
        return False
    for name in narrowing.required(parts) | narrowing.required(others):
        mine, its = judge.parts(narrowing.of_member(parts, name)), judge.parts(narrowing.of_member(others, name))
        if mine is None or its is None or _disjoint(mine, its):
            return True
    return False


def _disjoint(one: Parts, other: Parts) -> bool:
    if not narrowing.types(one) & narrowing.types(other):
        return True
    mine, its = narrowing.values(one), narrowing.values(other)
    return mine is not None and its is not None and not mine & its


def negated(judge: Judge, parts: Parts, newer: JsonObject, here: str) -> list[Place]:
    """What is excluded was excluded, or never could be."""
    excluded = narrowing.schema(newer, "not")
    if apart(judge, parts, excluded):
        return []
    for part in parts:
        if "not" in part and not judge.fails(judge.parts([excluded]), narrowing.schema(part, "not"), here):
            return []
    return [Place(here + "/not", "a value that was valid may be excluded")]


def conditional(judge: Judge, parts: Parts, newer: JsonObject, here: str) -> list[Place]:
    """Each of the two cases holds, with what the older schema says of the same case."""
    condition = narrowing.schema(newer, "if")
    alike = [part for part in parts if "if" in part and judge.same(narrowing.schema(part, "if"), condition)]
    found: list[Place] = []
    met = judge.parts([*parts, condition, *(narrowing.schema(part, "then") for part in alike)])
    found += judge.fails(met, narrowing.schema(newer, "then"), here + "/then")
    missed = judge.parts([*parts, *(narrowing.schema(part, "else") for part in alike)])
    if condition is not True:
        found += judge.fails(missed, narrowing.schema(newer, "else"), here + "/else")
    return found


def properties(judge: Judge, parts: Parts, newer: JsonObject, here: str) -> list[Place]:
    """Each member's value satisfies what is asked of it by name."""
    found: list[Place] = []
    for name, asked in narrowing.named(newer, "properties").items():
        found += judge.inside(narrowing.of_member(parts, name), asked, f"{here}/properties{step(name)}")
    return found


def _covered(judge: Judge, parts: Parts, part: JsonObject, newer: JsonObject, asked: Schema) -> bool:
    """Tell whether each member that a part lets pass satisfies a schema, but for those that the newer one names."""
    names, patterns = narrowing.named(newer, "properties"), narrowing.named(newer, "patternProperties")
    known = narrowing.named(part, "properties")
    inside = [narrowing.of_member(parts, name) for name in known if name not in names]
    inside += [
        [each] for pattern, each in narrowing.named(part, "patternProperties").items() if pattern not in patterns
    ]
    inside.append([narrowing.schema(part, "additionalProperties")])
    return all(not judge.inside(each, asked, "") for each in inside)


def additional(judge: Judge, parts: Parts, newer: JsonObject, here: str) -> list[Place]:
    """Whatever other member there can be satisfies what is asked of the others."""
    asked = narrowing.schema(newer, "additionalProperties")
    if any(_covered(judge, parts, part, newer, asked) for part in parts or ({},)):
        return []
    return [Place(here + "/additionalProperties", "a member that was let pass may not be")]


def patterns(judge: Judge, parts: Parts, newer: JsonObject, here: str) -> list[Place]:
    """Members whose names match were asked the same under the same pattern, or all members were."""
    found: list[Place] = []
    for pattern, asked in narrowing.named(newer, "patternProperties").items():
        known = [named[pattern] for part in parts if pattern in (named := narrowing.named(part, "patternProperties"))]
        if known and not judge.inside(known, asked, ""):
            continue
        if not any(_covered(judge, parts, part, {}, asked) for part in parts or ({},)):
            found.append(Place(f"{here}/patternProperties{step(pattern)}", "a member that was let pass may not be"))
    return found


def names(judge: Judge, parts: Parts, newer: JsonObject, here: str) -> list[Place]:
    """Members' names satisfy what is asked of names."""
    known = [narrowing.schema(part, "propertyNames") for part in parts]
    asked = narrowing.schema(newer, "propertyNames")
    return judge.inside([*known, narrowing.KINDS["string"]], asked, here + "/propertyNames")


def dependent_required(judge: Judge, parts: Parts, newer: JsonObject, here: str) -> list[Place]:
    """With a member comes all that must come with it."""
    found: list[Place] = []
    always = narrowing.required(parts)
    asked = newer.get("dependentRequired")
    for name, needed in asked.items() if isinstance(asked, dict) else ():
        there = set(always)
        for part in parts:
            known = part.get("dependentRequired")
            there |= narrowing.words(known.get(name)) if isinstance(known, dict) else set()
        if narrowing.words(needed) <= there | {name} or judge.parts(narrowing.of_member(parts, name)) is None:
            continue
        found.append(Place(f"{here}/dependentRequired{step(name)}", "what comes with this was not required"))
    return found


def dependent_schemas(judge: Judge, parts: Parts, newer: JsonObject, here: str) -> list[Place]:
    """With a member the whole satisfies what it must."""
    found: list[Place] = []
    for name, asked in narrowing.named(newer, "dependentSchemas").items():
        if judge.parts(narrowing.of_member(parts, name)) is None:
            continue
        known = [each[name] for part in parts if name in (each := narrowing.named(part, "dependentSchemas"))]
        found += judge.fails(
            judge.parts([*parts, narrowing.KINDS["object"], *known]), asked, f"{here}/dependentSchemas{step(name)}"
        )
    return found


def prefix(judge: Judge, parts: Parts, newer: JsonObject, here: str) -> list[Place]:
    """Each of the first items satisfies what is asked of it."""
    found: list[Place] = []
    for index, asked in enumerate(narrowing.schemas(newer, "prefixItems")):
        if index < narrowing.most_items(parts):
            found += judge.inside(narrowing.of_item(parts, index), asked, f"{here}/prefixItems/{index}")
    return found


def items(judge: Judge, parts: Parts, newer: JsonObject, here: str) -> list[Place]:
    """Each item behind the first ones satisfies what is asked of the others."""
    asked = narrowing.schema(newer, "items")
    start = len(narrowing.schemas(newer, "prefixItems"))
    last = max([start, *(len(narrowing.schemas(part, "prefixItems")) for part in parts)])
    found: list[Place] = []
    for index in range(start, last + 1):
        if index < narrowing.most_items(parts):
            found += judge.inside(narrowing.of_item(parts, index), asked, here + "/items")
    return found


def contains(judge: Judge, parts: Parts, newer: JsonObject, here: str) -> list[Place]:
    """As many items as are asked for were asked for, and no more were let pass."""
    asked = narrowing.schema(newer, "contains")
    least, most = narrowing.number(newer.get("minContains", 1)), narrowing.number(newer.get("maxContains"))
    shown_least, shown_most = least == 0, most is None
    for part in parts:
        if "contains" not in part:
            continue
        known = narrowing.schema(part, "contains")
        at_least, at_most = narrowing.number(part.get("minContains", 1)), narrowing.number(part.get("maxContains"))
        if least is not None and at_least is not None and at_least >= least:
            shown_least = shown_least or not judge.inside([known], asked, "")
        if most is not None and at_most is not None and at_most <= most:
            shown_most = shown_most or not judge.inside([asked], known, "")
    if most is not None and narrowing.most_items(parts) <= most:
        shown_most = True
    if shown_least and shown_most:
        return []
    return [Place(here + "/contains", "a list that was valid may have too few of these, or too many")]


RULES: Final[Mapping[str, tuple[frozenset[str], Rule]]] = {
    "anyOf": (narrowing.ALL, any_of),
    "oneOf": (narrowing.ALL, one_of),
    "not": (narrowing.ALL, negated),
    "if": (narrowing.ALL, conditional),
    "properties": (OBJECT, properties),
    "additionalProperties": (OBJECT, additional),
    "patternProperties": (OBJECT, patterns),
    "propertyNames": (OBJECT, names),
    "dependentRequired": (OBJECT, dependent_required),
    "dependentSchemas": (OBJECT, dependent_schemas),
    "prefixItems": (ARRAY, prefix),
    "items": (ARRAY, items),
    "contains": (ARRAY, contains),
}
"""By keyword, of which types it judges values, and what shows that it holds."""
