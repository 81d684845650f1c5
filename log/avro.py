"""Avro's only door: schemas written from dataclasses, and values framed as Avro single objects.

Single-object encoding (Apache Avro specification): the marker ``C3 01``, the little-endian CRC-64-AVRO fingerprint of
the schema's Parsing Canonical Form, the body.
"""

import dataclasses
import io
import operator
import struct
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import fastavro
import fastavro.schema

MARKER = b"\xc3\x01"
HEADER = 10
PRIMITIVES = {str: "string", int: "long", bytes: "bytes", bool: "boolean", float: "double"}
Schema = dict[str, Any]


class UndecodableValue(ValueError):
    """A value that isn't a single object of a schema we know."""


def _non_null(annotation: Any) -> Any | None:
    """Give X of ``X | None``, else nothing."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        (inner,) = [arg for arg in typing.get_args(annotation) if arg is not type(None)]
        return inner
    return None


def schema_of(cls: type, namespace: str, union: Sequence[type], names: Mapping[type, str]) -> Schema:
    """Write the Avro record schema of a dataclass; a member marked ``payload`` becomes the union of ``union``."""
    defined: set[type] = set()

    def of(annotation: Any) -> Any:
        inner = _non_null(annotation)
        if inner is not None:
            return ["null", of(inner)]
        origin, args = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is typing.Annotated:
            if args[1] == "payload":
                return [record(entry) for entry in union]
            size = args[1]
            return {"type": "fixed", "name": f"Bytes{size}", "size": size}
        if origin is tuple:
            return {"type": "array", "items": of(args[0])}
        if origin is not None and issubclass(origin, Mapping):
            return {"type": "map", "values": of(args[1])}
        if dataclasses.is_dataclass(annotation):
            return record(typing.cast("type", annotation))
        return PRIMITIVES[annotation]

    def record(entry: type) -> Any:
        name = names.get(entry, entry.__name__)
        if entry in defined:
            return name
        defined.add(entry)
        hints = typing.get_type_hints(entry, include_extras=True)
        fields = []
        for member in dataclasses.fields(entry):
            kind = of(hints[member.name])
            fields.append(
                {"name": member.name, "type": kind}
                | ({"default": None} if isinstance(kind, list) and kind[0] == "null" else {})
            )
        return {"type": "record", "name": name, "doc": " ".join((entry.__doc__ or "").split()), "fields": fields}

    written: Schema = record(cls)
    return {"type": "record", "name": written["name"], "namespace": namespace} | written


def to_plain(cls: type, names: Mapping[type, str], namespace: str) -> Callable[[Any], Any]:
    """Make the function that turns an instance of a dataclass into what the Avro writer takes."""
    hints = typing.get_type_hints(cls, include_extras=True)
    made: dict[type, Callable[[Any], Any]] = {}

    def nested(value: Any) -> Any:
        kind = type(value)
        if kind not in made:
            made[kind] = to_plain(kind, names, namespace)
        return made[kind](value)

    def in_union(value: Any) -> Any:
        return f"{namespace}.{names[type(value)]}", nested(value)

    def converter(annotation: Any) -> Callable[[Any], Any] | None:
        inner = _non_null(annotation)
        if inner is not None:
            convert = converter(inner)
            return None if convert is None else lambda value: None if value is None else convert(value)
        origin, args = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is typing.Annotated:
            return in_union if args[1] == "payload" else None
        if origin is tuple:
            each = converter(args[0])
            return list if each is None else lambda value: [each(item) for item in value]
        return nested if dataclasses.is_dataclass(annotation) else None

    names_plain = [f.name for f in dataclasses.fields(cls)]
    converters = [(name, convert) for name in names_plain if (convert := converter(hints[name])) is not None]

    members = operator.attrgetter(*names_plain) if len(names_plain) > 1 else _only(names_plain[0])

    def plain(value: Any) -> dict[str, Any]:
        result = dict(zip(names_plain, members(value), strict=True))
        for name, convert in converters:
            result[name] = convert(result[name])
        return result

    return plain


def _only(name: str) -> Callable[[Any], tuple[Any]]:
    """Make a getter of one member that gives a tuple, as a getter of several does."""
    return lambda value: (getattr(value, name),)


def from_plain(cls: type, classes: Mapping[str, type]) -> Callable[[Any], Any]:
    """Make the function that turns what the Avro reader gives into an instance of a dataclass."""
    hints = typing.get_type_hints(cls, include_extras=True)
    made: dict[type, Callable[[Any], Any]] = {}

    def nested(kind: type) -> Callable[[Any], Any]:
        if kind not in made:
            made[kind] = from_plain(kind, classes)
        return made[kind]

    def of_union(value: tuple[str, Any]) -> Any:
        name, members = value
        return nested(classes[name])(members)

    def converter(annotation: Any) -> Callable[[Any], Any] | None:
        inner = _non_null(annotation)
        if inner is not None:
            convert = converter(inner)
            return None if convert is None else lambda value: None if value is None else convert(value)
        origin, args = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is typing.Annotated:
            return of_union if args[1] == "payload" else None
        if origin is tuple:
            each = converter(args[0])
            return tuple if each is None else lambda value: tuple([each(item) for item in value])
        return nested(typing.cast("type", annotation)) if dataclasses.is_dataclass(annotation) else None

    names = [member.name for member in dataclasses.fields(cls)]
    converters = [(name, convert) for name in names if (convert := converter(hints[name])) is not None]
    ordered = operator.itemgetter(*names) if len(names) > 1 else lambda members: (members[names[0]],)

    def build(members: dict[str, Any]) -> Any:
        for name, convert in converters:
            members[name] = convert(members[name])
        return cls(*ordered(members))

    return build


def fingerprint(schema: Schema) -> bytes:
    """Give the eight bytes that name a schema: CRC-64-AVRO of its Parsing Canonical Form, little-endian."""
    canonical = fastavro.schema.to_parsing_canonical_form(fastavro.parse_schema(schema))
    empty = 0xC15D213AA4D7A795
    crc = empty
    for byte in canonical.encode():
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return struct.pack("<Q", crc)


def _crc_entry(index: int) -> int:
    value = index
    for _ in range(8):
        value = (value >> 1) ^ (0xC15D213AA4D7A795 & -(value & 1))
    return value


_CRC_TABLE = [_crc_entry(index) for index in range(256)]


class Codec:
    """Writes one schema, and reads it and every older one that it was given."""

    def __init__(
        self,
        cls: type,
        schema: Schema,
        names: Mapping[type, str],
        older: Sequence[Schema] = (),
    ) -> None:
        namespace = schema["namespace"]
        self.schema = schema
        self.fingerprint = fingerprint(schema)
        self._header = MARKER + self.fingerprint
        self._writer = fastavro.parse_schema(schema)
        self._readers = {fingerprint(entry): fastavro.parse_schema(entry) for entry in older}
        self._readers[self.fingerprint] = self._writer
        self._to_plain = to_plain(cls, names, namespace)
        self._from_plain = from_plain(cls, {f"{namespace}.{name}": entry for entry, name in names.items()})

    def encode(self, value: Any) -> bytes:
        """Write a value as an Avro single object."""
        out = io.BytesIO()
        out.write(self._header)
        fastavro.schemaless_writer(out, self._writer, self._to_plain(value))
        return out.getvalue()

    def decode(self, data: bytes) -> Any:
        """Read an Avro single object; raises UndecodableValue for anything else."""
        return self._from_plain(self.plain(data))

    def build(self, plain: Any) -> Any:
        """Make a value of what ``plain`` gave, which is used up by it."""
        return self._from_plain(plain)

    def plain(self, data: bytes) -> Any:
        """Read an Avro single object as dicts, a union's member as (full name, dict); raises as ``decode`` does."""
        written = self._readers.get(data[2:HEADER])
        if data[:2] != MARKER or written is None:
            raise UndecodableValue(f"no schema with fingerprint {data[2:HEADER].hex()} is known")
        body = io.BytesIO(data)
        body.seek(HEADER)
        reader = None if written is self._writer else self._writer
        try:
            plain = fastavro.schemaless_reader(
                body, written, reader, return_record_name=True, return_record_name_override=True
            )
        except (EOFError, ValueError, IndexError, KeyError, TypeError, UnicodeDecodeError, OverflowError) as error:
            raise UndecodableValue(f"the body is not of its schema: {type(error).__name__}") from error
        if body.tell() != len(data):
            raise UndecodableValue("there are bytes after the body")
        return plain
