"""Strict JSON accepts what the standard library does, less what could be read in two ways."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from log.strict_json import (
    MalformedJson,
    UnsafeNumber,
    UnwritableJson,
    dump,
    dump_sorted,
    largest_safe_number,
    max_depth_levels,
    parse,
)


class Refused(Exception):
    """The oracle's verdict."""


def oracle(raw: bytes):
    """Parse with the standard library alone, and refuse by the plainest means."""

    def members(pairs):
        if len(dict(pairs)) != len(pairs):
            raise Refused("duplicate")
        return dict(pairs)

    def number(text):
        value = float(text) if set(text) & set(".eE") else int(text)
        if not math.isfinite(value) or abs(value) > largest_safe_number:
            raise Refused("number")
        return value

    def constant(name):
        raise Refused(name)

    def depth(value):
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=members,
            parse_int=number,
            parse_float=number,
            parse_constant=constant,
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except ValueError as error:
        raise Refused from error
    if depth(value) > max_depth_levels:
        raise Refused("depth")
    return value


def agree(raw: bytes) -> None:
    try:
        expected = oracle(raw)
    except Refused:
        with pytest.raises(MalformedJson):
            parse(raw)
    else:
        value = parse(raw)
        assert value == expected
        assert repr(value).replace("-0", "0") == repr(expected).replace("-0", "0")


name_texts = st.sampled_from(
    ['"a"', '"b"', '"\\u0061"', '":"', '"\\u003a"', '"\\u003A"', '"\\\\u003a"', '"::"', '""', '"é"']
)
leaf_texts = st.one_of(
    name_texts,
    st.sampled_from(["1", "-0", "0.0", "1e5", "null", "true", "9007199254740991", "9007199254740992", "1e16", "NaN"]),
    st.sampled_from(
        ['"\\ud83d\\ude00"', '"\\ud83d"', '"\\u0000"', '"a:\\"b\\":c"', "9007199254740991.4", "-1e400", "1e-400"]
    ),
)


def object_text(members) -> str:
    return "{" + ", ".join(f"{name} :{value}" for name, value in members) + "}"


json_texts = st.recursive(
    leaf_texts,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: "[" + ",".join(items) + "]"),
        st.lists(st.tuples(name_texts, inner), max_size=4).map(object_text),
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=500)
@given(json_texts)
@example('{"a":1,"a":1}')
@example('{"a":1,"\\u0061":2}')
@example('{":":1,"\\u003a":2}')
@example('[":",{"a":":\\u003a","a":2}]')
@example('{"a":{"b":1,"b":2},"a":3}')
def test_texts_with_repeated_members_and_odd_colons_are_judged_as_the_standard_library_judges_them(text):
    agree(text.encode())


@settings(deadline=None, max_examples=500)
@given(st.text(st.sampled_from('[]{}:,"\\ \n\t\r0123456789.eE+-truefalsn/b\x00\x7f\ufeff\x0c:aé'), max_size=24))
def test_any_text_is_judged_as_the_standard_library_judges_it(text):
    agree(text.encode())


@settings(deadline=None)
@given(st.binary(max_size=24))
@example(b"\xef\xbb\xbf{}")
@example(b'"\xed\xa0\x80"')
@example(b'"\xc0\xaf"')
@example(b'"\xff"')
@example("{}".encode("utf-16"))
@example(b"")
@example(b"[]\0")
def test_any_bytes_are_judged_as_the_standard_library_judges_them(raw):
    agree(raw)


@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}")])
def test_nesting_is_accepted_to_64_levels_and_refused_from_65(brackets):
    opening, closing = brackets
    assert parse((opening * 64 + "1" + closing * 64).encode())
    for levels in (65, 100, 1_023, 1_025, 100_000):
        with pytest.raises(MalformedJson):
            parse((opening * levels + "1" + closing * levels).encode())


def test_a_depth_of_its_own_counts_arrays_and_objects_alike():
    assert parse(b'[{"a":[]}]', max_depth=3) == [{"a": []}]
    assert parse(b"1", max_depth=0) == 1
    with pytest.raises(MalformedJson, match="deeper than 2"):
        parse(b'[{"a":[]}]', max_depth=2)


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 2**20,
        b'{"a":' * 200_000,
        b'[{"":' * 200_000,
        b"]" * 2**20,
        b'"' * 2**20,
        b"[" + b"1" * 2**20 + b"]",
        b"{" + b",".join(b'"k":1' for _ in range(170_000)) + b"}",
        b"{" + b",".join(b'"k%d":1' % (i % 99_999) for i in range(100_000)) + b"}",
        b"[" + b"[]," * 340_000,
    ],
    ids=[
        "arrays",
        "objects",
        "both",
        "closings",
        "quotes",
        "digits",
        "one name",
        "one repeated of 100,000",
        "unclosed",
    ],
)
def test_a_body_of_a_mebibyte_that_is_hostile_is_malformed_and_nothing_worse(raw):
    with pytest.raises(MalformedJson):
        parse(raw)


def test_a_body_of_a_mebibyte_that_is_good_is_read():
    members = {f"k:{i}": i for i in range(70_000)}
    assert parse(json.dumps(members).encode()) == members
    assert parse(json.dumps(members).replace(":", "\\u003a", 1).encode()) == members
    assert parse(b"[0." + b"1" * 2**20 + b',"\\u003a"]') == [1 / 9, ":"]


@pytest.mark.parametrize(
    "text", ["9007199254740992", "-9007199254740992", "1e16", "123456789012345678901234567890", "1E300"]
)
def test_a_number_beyond_two_to_the_53_is_told_apart_from_a_broken_text(text):
    with pytest.raises(UnsafeNumber):
        parse(f'{{"amount":{text}}}'.encode())
    assert parse(f'{{"amount":"{text}"}}'.encode()) == {"amount": text}


def test_a_refusal_says_what_is_wrong_without_repeating_the_body():
    for raw in (b'{"secret":"hunter2"', b'{"hunter2":1,"hunter2":2}', b'["hunter2",[[]]]'):
        with pytest.raises(MalformedJson) as refusal:
            parse(raw, max_depth=2)
        assert "hunter2" not in refusal.value.detail


def test_a_value_is_written_compactly_with_members_in_their_own_order_or_sorted():
    value = {"b": [1, "é", None], "a": True}
    assert dump(value) == '{"b":[1,"é",null],"a":true}'.encode()
    assert dump_sorted(value) == '{"a":true,"b":[1,"é",null]}'.encode()


@pytest.mark.parametrize("value", [2**53, "\ud800", {1: 2}, object()], ids=["large", "surrogate", "name", "object"])
def test_what_json_can_not_carry_is_not_written(value):
    with pytest.raises(UnwritableJson):
        dump([value])


json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-largest_safe_number, largest_safe_number), st.text(),
        st.floats(-largest_safe_number, largest_safe_number),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(deadline=None)
@given(json_values, st.sampled_from([None, 1]), st.booleans())
def test_what_was_written_by_anyone_reads_back_the_same(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert parse(text.encode()) == value
    assert parse(dump(value)) == value
