"""The compiled encoding is Avro's: value by value and byte by byte what fastavro reads and writes."""

import dataclasses
import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import fastavro
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from log import released
from log.avro import HEADER, MARKER, Codec, UndecodableValue, fingerprint, schema_of
from log.message import Hash, Union

LONGS = st.integers(-(2**63), 2**63 - 1) | st.integers(-20_000, 20_000)


@dataclass(frozen=True, slots=True)
class Inner:
    """A record in a record."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Left:
    """A branch."""

    inner: Inner
    again: Inner | None


@dataclass(frozen=True, slots=True)
class Right:
    """Another branch."""

    data: bytes
    share: float


@dataclass(frozen=True, slots=True)
class Whole:
    """Every type that our messages may have."""

    prev: Hash
    yes: bool
    number: int
    maybe: int | None
    words: tuple[str, ...]
    inners: tuple[Inner, ...]
    labels: Mapping[str, str]
    payload: Union
    optional: Inner | None
    key: Annotated[bytes, 16]


NAMES = {Left: "Left", Right: "TheRight"}
SCHEMA, CLASSES = schema_of(Whole, "muniment.test", [Left, Right], NAMES)
CODECS = [
    Codec(SCHEMA, CLASSES),
    *(released.codec(context, role) for context in released.contexts() for role in released.ROLES),
]
OF_CODEC = [CLASSES, *(released.described(c, role)[1] for c in released.contexts() for role in released.ROLES)]


def values(schema: Any, classes: Mapping[str, type], known: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Make values of a schema: dataclasses, as our codec takes them."""
    if isinstance(schema, dict) and "name" in schema:
        known[schema["name"]] = schema
    schema = known.get(schema, schema) if isinstance(schema, str) else schema
    if isinstance(schema, list):
        return st.one_of(*(values(entry, classes, known) for entry in schema))
    kind = schema if isinstance(schema, str) else schema["type"]
    if kind == "record":
        members = [values(member["type"], classes, known) for member in schema["fields"]]
        return st.builds(classes[schema["name"]], *members)
    simple: dict[str, Any] = {
        "null": st.none(),
        "string": st.text(max_size=80) | st.just("x" * 9_000),
        "bytes": st.binary(max_size=200),
        "long": LONGS,
        "boolean": st.booleans(),
        "double": st.floats(allow_nan=False),
    }
    if kind in simple:
        return simple[kind]  # type: ignore[no-any-return]
    if kind == "fixed":
        return st.binary(min_size=schema["size"], max_size=schema["size"])
    if kind == "array":
        return st.lists(values(schema["items"], classes, known), max_size=4).map(tuple)
    return st.dictionaries(st.text(max_size=8), values(schema["values"], classes, known), max_size=3)


def plain(value: Any, names: Mapping[type, str], namespace: str, *, union: bool = False) -> Any:
    """Give a value as fastavro takes it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        members = {
            m.name: plain(getattr(value, m.name), names, namespace, union=m.name == "payload")
            for m in dataclasses.fields(value)
        }
        return (f"{namespace}.{names[type(value)]}", members) if union else members
    if isinstance(value, tuple):
        return [plain(item, names, namespace) for item in value]
    return value


def as_plain(codec: Codec, classes: Mapping[str, type], value: Any) -> Any:
    return plain(value, {cls: name for name, cls in classes.items()}, codec.schema["namespace"])


MADE = [values(codec.schema, classes, {}) for codec, classes in zip(CODECS, OF_CODEC, strict=True)]
WRITTEN = st.sampled_from(range(len(CODECS))).flatmap(lambda index: st.tuples(st.just(index), MADE[index]))


@given(WRITTEN)
def test_what_is_written_is_what_fastavro_writes_and_is_read_again(case: tuple[int, Any]) -> None:
    index, value = case
    codec = CODECS[index]
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(codec.schema), as_plain(codec, OF_CODEC[index], value))
    written = codec.encode(value)
    assert written[HEADER:] == out.getvalue()
    assert codec.decode(written) == value


@given(WRITTEN, st.data())
def test_bytes_that_were_touched_are_refused_or_read_as_fastavro_reads_them(
    case: tuple[int, Any], data: st.DataObject
) -> None:
    index, value = case
    codec = CODECS[index]
    whole = bytearray(codec.encode(value))
    at = data.draw(st.integers(HEADER, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.just(len(whole)) | st.integers(HEADER, len(whole)))
    touched = bytes(whole[:cut])
    try:
        found = codec.decode(touched)
    except UndecodableValue:
        return
    body = io.BytesIO(touched[HEADER:])
    read = fastavro.schemaless_reader(
        body, fastavro.parse_schema(codec.schema), None, return_record_name=True, return_record_name_override=True
    )
    assume("nan" not in repr(read))  # it equals nothing, itself included
    assert read == as_plain(codec, OF_CODEC[index], found)
    assert body.tell() == len(touched) - HEADER


@given(st.sampled_from(CODECS), st.binary(max_size=300))
def test_any_bytes_behind_a_known_header_are_a_value_or_undecodable(codec: Codec, body: bytes) -> None:
    try:
        found = codec.decode(MARKER + codec.fingerprint + body)
    except UndecodableValue:
        return
    assert codec.decode(codec.encode(found)) == found


@pytest.mark.parametrize(
    "members",
    [
        {"prev": b"short"},
        {"number": 2**63},
        {"number": "12"},
        {"words": ("\ud800",)},
        {"payload": Inner("no branch", 1)},
    ],
)
def test_a_value_that_is_not_of_the_schema_is_not_written(members: dict[str, Any]) -> None:
    whole = {
        "prev": bytes(32),
        "yes": True,
        "number": 1,
        "maybe": None,
        "words": (),
        "inners": (),
        "labels": {},
        "payload": Left(Inner("a", 1), None),
        "optional": None,
        "key": bytes(16),
    }
    with pytest.raises((ValueError, TypeError, OverflowError, AttributeError, KeyError, struct.error)):
        CODECS[0].encode(Whole(**(whole | members)))


def test_a_count_beyond_the_data_takes_no_time_and_no_memory() -> None:
    @dataclass(frozen=True, slots=True)
    class Many:
        """Many."""

        words: tuple[str, ...]

    codec = Codec(*schema_of(Many, "muniment.test", [], {}))
    header = codec.encode(Many(()))[:HEADER]
    for body in (b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", b"\xfd\xff\xff\xff\xff\xff\xff\xff\x7f\x00", b"\x80" * 4_000):
        with pytest.raises(UndecodableValue):
            codec.decode(header + body)


def test_an_array_in_blocks_with_their_sizes_is_read() -> None:
    @dataclass(frozen=True, slots=True)
    class Many:
        """Many."""

        words: tuple[str, ...]

    codec = Codec(*schema_of(Many, "muniment.test", [], {}))
    header = codec.encode(Many(()))[:HEADER]
    # A block of -2 items and 4 bytes, then one of 1 item, then the end.
    assert codec.decode(header + b"\x03\x08\x02a\x02b" + b"\x02\x02c" + b"\x00") == Many(("a", "b", "c"))


def test_a_schema_that_grew_reads_what_was_written_before() -> None:
    @dataclass(frozen=True, slots=True)
    class Before:
        """As it was."""

        name: str
        gone: tuple[int, ...]

    @dataclass(frozen=True, slots=True)
    class Now:
        """As it is."""

        added: str | None
        name: str

    names = {Before: "Noun", Now: "Noun"}
    older, classes_before = schema_of(Before, "muniment.test", [], names)
    newer, classes = schema_of(Now, "muniment.test", [], names)
    written = Codec(older, classes_before).encode(Before("a", (1, 2)))
    codec = Codec(newer, classes, [older])
    assert codec.reads == {fingerprint(older), fingerprint(newer)}
    assert codec.decode(written) == Now(None, "a")
    with pytest.raises(UndecodableValue, match="no schema with fingerprint"):
        Codec(newer, classes).decode(written)


def test_a_member_that_may_not_be_absent_can_not_be_added() -> None:
    @dataclass(frozen=True, slots=True)
    class Before:
        """As it was."""

        name: str

    @dataclass(frozen=True, slots=True)
    class Now:
        """As it is."""

        name: str
        count: int

    names = {Before: "Noun", Now: "Noun"}
    older, _ = schema_of(Before, "muniment.test", [], names)
    with pytest.raises(TypeError, match="Noun was written without count"):
        Codec(*schema_of(Now, "muniment.test", [], names), [older])
