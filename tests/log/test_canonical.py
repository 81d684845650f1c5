"""Canonical JSON is RFC 8785's, by its own examples and by comparison over any value."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from log import strict_json
from log.canonical import NotCanonicalizable, base32_id, canonical_hash, canonical_json, max_depth_levels, sha256_base64
from log.strict_json import largest_safe_number

vectors = json.loads((Path(__file__).parents[1] / "vectors" / "rfc8785.json").read_text())

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.one_of(
    texts, st.sampled_from(["a", "b", "\ue000", "\uffff", "\U00010000", "\U0001f600", "\x00", "\x7f", '"'])
)
integers = st.integers(-largest_safe_number, largest_safe_number)
plain_leaves = st.one_of(st.none(), st.booleans(), integers, texts)
leaves = st.one_of(plain_leaves, st.floats(allow_nan=False, allow_infinity=False))


def trees(leaf, name):
    return st.recursive(
        leaf, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(name, inner, max_size=6), max_leaves=30
    )


@pytest.mark.parametrize(("bits", "expected"), vectors["numbers"])
def test_a_number_is_written_as_rfc_8785_appendix_b_shows(bits, expected):
    number = struct.unpack(">d", bytes.fromhex(bits))[0]
    if expected is None:
        with pytest.raises(NotCanonicalizable):
            canonical_json(number)
    else:
        assert canonical_json([number]) == f"[{expected}]".encode()


@pytest.mark.parametrize("sample", vectors["samples"], ids=lambda sample: sample["name"])
def test_a_sample_of_rfc_8785_comes_out_byte_for_byte(sample):
    assert canonical_json(json.loads(sample["input"])) == sample["canonical"].encode()


@settings(deadline=None)
@given(trees(leaves, names))
def test_any_value_is_written_as_the_reference_writes_it(value):
    assert canonical_json(value) == rfc8785.dumps(value)


@settings(deadline=None)
@given(trees(plain_leaves, st.text(st.characters(max_codepoint=127), max_size=6)))
def test_a_value_with_ascii_names_and_no_fractions_is_written_as_the_reference_writes_it(value):
    assert canonical_json(value) == rfc8785.dumps(value)


@settings(deadline=None)
@given(trees(st.one_of(plain_leaves, st.floats(-largest_safe_number, largest_safe_number)), names))
def test_a_canonical_form_read_strictly_and_written_again_is_the_same_bytes(value):
    canonical = canonical_json(value)
    assert canonical_json(strict_json.parse(canonical)) == canonical
    assert strict_json.parse(canonical) == value


@settings(deadline=None)
@given(st.dictionaries(names, leaves, max_size=8), st.randoms())
def test_the_order_in_which_members_were_added_leaves_no_trace(value, random):
    members = list(value.items())
    random.shuffle(members)
    assert canonical_json(dict(members)) == canonical_json(value)


@pytest.mark.parametrize(
    "value",
    [
        2**53,
        -(2**53),
        10**5000,
        [1.5, 10**5000],
        {"é": 2**53},
        float("nan"),
        float("inf"),
        {"a": float("-inf")},
        "\ud800",
        {"a": "\udfff"},
        {"\ud800": 1},
        {"é": "\ud800"},
        {1: 1},
        {"a": {2: 1}},
        b"bytes",
        {"a": {1, 2}},
        pytest.param(object(), id="an object"),
    ],
    ids=lambda value: repr(value)[:24] if not isinstance(value, int | list) else "number",
)
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(NotCanonicalizable):
        canonical_json(value)


@pytest.mark.parametrize("leaf", [1, 1.5], ids=["an integer inside", "a fraction inside"])
def test_nesting_is_written_to_a_depth_and_refused_beyond_it(leaf):
    value = leaf
    for _ in range(max_depth_levels):
        value = [value]
    assert canonical_json(value) == b"[" * max_depth_levels + str(leaf).encode() + b"]" * max_depth_levels
    for deeper in ([value], {"a": value}, [0.5, value]):
        with pytest.raises(NotCanonicalizable):
            canonical_json(deeper)


def test_a_list_inside_itself_is_refused():
    value: list[object] = [0.5]
    value.append(value)
    with pytest.raises(NotCanonicalizable):
        canonical_json(value)


def test_a_digest_is_base64_with_padding():
    assert sha256_base64(b"") == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


def test_an_id_is_lower_case_base32_without_padding_and_can_be_cut():
    digest = hashlib.sha256(b"").digest()
    assert base32_id("fct_", digest) == "fct_4oymiquy7qobjgx36tejs35zeqt24qpemsnzgtfeswmrw6csxbkq"
    assert base32_id("", digest, 26) == "4oymiquy7qobjgx36tejs35zeq"


def test_a_body_is_known_by_the_digest_of_its_canonical_form():
    assert canonical_hash({"b": 1.0, "a": []}) == sha256_base64(b'{"a":[],"b":1}')
