"""Strict JSON: what a hostile body must pass to become a value, and the way back to bytes; orjson's only door.

Refused besides what RFC 8259 refuses: duplicate members, nesting deeper than 64, a byte order mark, lone surrogates,
and numbers beyond 2^53 - 1 (I-JSON, RFC 7493), so that every value that passes has one canonical form (RFC 8785).
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

import orjson

from domain.json_value import JsonValue

max_depth_levels = 64
largest_safe_number = 2**53 - 1


class MalformedJson(ValueError):
    """The bytes are no strict JSON; `detail` says why in words that are safe to show to whoever sent them."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class UnsafeNumber(MalformedJson):
    """A number lies beyond 2^53 - 1, where readers would disagree about its value; such numbers travel as strings."""

    def __init__(self) -> None:
        super().__init__("a number is beyond 2^53 - 1 and must be a decimal string")


class UnwritableJson(ValueError):
    """The value has no JSON form: a type that JSON lacks, a lone surrogate or an integer beyond 2^53 - 1."""


def parse(raw: bytes, *, max_depth: int = max_depth_levels) -> JsonValue:
    """Parse strict JSON in time linear in its size.

    `max_depth` counts levels of arrays and objects: `[]` has one. Raises `MalformedJson`, and its subclass
    `UnsafeNumber` for numbers beyond 2^53 - 1. Standards: RFC 8259, RFC 7493 (I-JSON) section 2.
    """
    try:
        value: JsonValue = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MalformedJson(f"not readable as JSON in UTF-8: {error}") from None
    members_and_colons = _check_and_count(value, max_depth)
    # A body has one colon for each member and those inside its strings, so the bytes have more of them than the value
    # where a member replaced another. Only one that is written as an escape would upset the count.
    if raw.count(b":") != members_and_colons or b"\\u003a" in raw or b"\\u003A" in raw:
        _refuse_duplicate_members(raw)
    return value


def parse_own(text: str | bytes) -> JsonValue:
    """Parse JSON that this project wrote after checking it, which need not be checked again."""
    value: JsonValue = orjson.loads(text)
    return value


def _check_and_count(value: JsonValue, max_depth: int) -> int:
    """Return the members and the colons in strings of a value, and refuse what is too deep or too large a number."""
    count = 0
    level: list[Any] = [(value,)]
    depth = 0
    while level:
        if depth > max_depth:
            raise MalformedJson(f"nested deeper than {max_depth}")
        deeper: list[Any] = []
        for container in level:
            if type(container) is dict:
                count += len(container)
                for key in container:
                    if ":" in key:
                        count += key.count(":")
                container = container.values()  # noqa: PLW2901 - from here on an object is its members' values
            for item in container:
                kind = type(item)
                if kind is str:
                    if ":" in item:
                        count += item.count(":")
                elif kind is dict or kind is list:
                    deeper.append(item)
                elif (kind is int or kind is float) and not -largest_safe_number <= item <= largest_safe_number:
                    raise UnsafeNumber
        level = deeper
        depth += 1
    return count


def _refuse_duplicate_members(raw: bytes) -> None:
    """Refuse a body in which an object has a member twice; the body is known to be JSON of bounded depth."""

    def members(pairs: list[tuple[str, None]]) -> None:
        if len({name for name, _ in pairs}) != len(pairs):
            raise MalformedJson("an object has the same member twice")

    # Numbers are not converted: that of a million digits would take more than linear time.
    json.loads(raw, object_pairs_hook=members, parse_int=_nothing, parse_float=_nothing, parse_constant=_no_constant)


def _nothing(_digits: str) -> None:
    return None


def _no_constant(name: str) -> NoReturn:
    raise MalformedJson(f"{name} is no JSON number")


def dump(value: object) -> bytes:
    """Return the compact JSON of a value in UTF-8, members in their own order; raises `UnwritableJson`."""
    return _dump(value, orjson.OPT_STRICT_INTEGER)


def dump_sorted(value: object) -> bytes:
    """Return the compact JSON of a value with members sorted by code point; raises `UnwritableJson`."""
    return _dump(value, orjson.OPT_STRICT_INTEGER | orjson.OPT_SORT_KEYS)


def _dump(value: object, option: int) -> bytes:
    try:
        return orjson.dumps(value, option=option)
    except orjson.JSONEncodeError as error:
        raise UnwritableJson(str(error)) from None
