"""Avro's only door: schemas written from dataclasses, and values framed as Avro single objects.

Single-object encoding (Apache Avro specification): the marker ``C3 01``, the little-endian CRC-64-AVRO fingerprint of
the schema's Parsing Canonical Form, the body.
"""

import dataclasses
import struct
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import fastavro
import fastavro.schema

from log.avro_compiler import Compiler

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


def schema_of(
    cls: type, namespace: str, union: Sequence[type], names: Mapping[type, str]
) -> tuple[Schema, Mapping[str, type]]:
    """Write the Avro record schema of a dataclass, and give the dataclass of each record in it.

    A member marked ``payload`` becomes the union of ``union``.
    """
    defined: dict[str, type] = {}
    written: set[str] = set()

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
        if defined.setdefault(name, entry) is not entry:
            raise TypeError(f"two dataclasses are called {name}")
        if name in written:
            return name
        written.add(name)
        hints = typing.get_type_hints(entry, include_extras=True)
        fields = []
        for member in dataclasses.fields(entry):
            kind = of(hints[member.name])
            fields.append(
                {"name": member.name, "type": kind}
                | ({"default": None} if isinstance(kind, list) and kind[0] == "null" else {})
            )
        return {"type": "record", "name": name, "doc": " ".join((entry.__doc__ or "").split()), "fields": fields}

    whole: Schema = record(cls)
    return {"type": "record", "name": whole["name"], "namespace": namespace} | whole, defined


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

    def __init__(self, schema: Schema, classes: Mapping[str, type], older: Sequence[Schema] = ()) -> None:
        """Compile; ``classes`` gives the dataclass of each record's name."""
        self.schema = schema
        self.fingerprint = fingerprint(schema)
        self._header = MARKER + self.fingerprint
        compiler = Compiler(schema, classes)
        self._write, self._read = compiler.writer(), compiler.reader()
        self._older = {MARKER + fingerprint(entry): Compiler(entry, classes).reader() for entry in older}

    @property
    def reads(self) -> set[bytes]:
        """Give the fingerprints of the schemas that it reads."""
        return {self.fingerprint, *(header[len(MARKER) :] for header in self._older)}

    def encode(self, value: Any) -> bytes:
        """Write a value as an Avro single object."""
        return self._header + self._write(value)

    def decode(self, data: bytes) -> Any:
        """Read an Avro single object; raises UndecodableValue for anything else."""
        header = data[:HEADER]
        read = self._read if header == self._header else self._older.get(header)
        if read is None:
            raise UndecodableValue(f"no schema with fingerprint {data[2:HEADER].hex()} is known")
        try:
            value, end = read(data, HEADER)
        except (ValueError, IndexError, struct.error) as error:
            raise UndecodableValue(f"the body is not of its schema: {type(error).__name__}") from error
        if end != len(data):
            raise UndecodableValue("the body does not end where the value does")
        return value
