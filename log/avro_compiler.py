"""Avro's binary encoding of dataclasses, compiled: straight-line code is written from a schema, once per schema.

Generic readers and writers walk the schema for every value, which was most of what deciding, projecting and auditing
cost. The code that is made here is the walk itself; the tests hold it to fastavro's, value by value and byte by byte.
Source: Apache Avro 1.12 specification, "Binary encoding"; of schema resolution only what our evolution uses: a member
that the writer didn't know is absent, one that the reader doesn't know is passed over.
"""

import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from log import avro_binary
from log.avro_binary import SMALL, Read, Write, long

Schema: TypeAlias = Any
"""A schema as JSON has it: a name, a list (a union) or an object."""
RUNTIME: Mapping[str, Any] = {
    "LONG": avro_binary.LONG,
    "DOUBLE": avro_binary.DOUBLE,
    "long": long,
    "unsigned": avro_binary.unsigned,
    "doubled": avro_binary.doubled,
    "fixed": avro_binary.fixed,
    "boolean": avro_binary.boolean,
    "branch": avro_binary.branch,
    "blocks": avro_binary.blocks,
    "written_blocks": avro_binary.written_blocks,
}
"""What the code that is made may call."""


LENGTH = (
    "n = data[p]",
    "p += 1",
    "if n & 129:",
    " if n & 1 or data[p] > 127: n, p = doubled(data, p - 1)",
    " else:",
    "  n = n & 127 | data[p] << 7",
    "  p += 1",
)
"""Reads twice a length; those of one and two bytes without a call."""


class Compiler:
    """Compiles one schema, with the records that it defines; ``classes`` gives the dataclass of a record's name."""

    def __init__(self, schema: Schema, classes: Mapping[str, type]) -> None:
        self._schema, self._classes = schema, classes
        self._records: dict[str, Schema] = {}
        self._names: dict[str, Any] = dict(RUNTIME)
        self._made: dict[str, str] = {}
        self._locals = 0

    def writer(self) -> Write:
        """Give the function that writes a value."""
        write: Write = self._names[self._write_function(self._schema)]
        return write

    def reader(self) -> Read:
        """Give the function that reads a value. Raises TypeError where the dataclass can't take what was written."""
        read: Read = self._names[self._read_function(self._schema)]
        return read

    def _resolved(self, schema: Schema) -> Schema:
        """Give a schema itself where it is the name of a record or a fixed that was defined before."""
        if isinstance(schema, dict) and "name" in schema:
            self._records[schema["name"]] = schema
        return self._records.get(schema, schema) if isinstance(schema, str) else schema

    def _define(self, lines: Sequence[str]) -> None:
        # The text is made of the schema's own member names, which dataclasses have as attributes, and of nothing else.
        exec("\n".join(lines), self._names)  # noqa: S102

    def _named(self, kind: str, schema: Schema, make: Callable[[str, Schema], None]) -> str:
        """Give the name of the function for a schema, made when it is first asked for."""
        key = f"{kind} {schema['name'] if isinstance(schema, dict) and 'name' in schema else schema}"
        if key not in self._made:
            self._made[key] = f"{kind}_{len(self._made)}"
            make(self._made[key], schema)
        return self._made[key]

    # Writing: an expression for each part of a value, joined at once.

    def _write_function(self, schema: Schema) -> str:
        def make(name: str, schema: Schema) -> None:
            parts = ", ".join(self._parts(schema, "v"))
            self._define([f"def {name}(v):", f" return b''.join(({parts},))"])

        return self._named("write", self._resolved(schema), make)

    def _parts(self, schema: Schema, value: str) -> list[str]:
        schema = self._resolved(schema)
        if isinstance(schema, list):
            return [self._written_union(schema, value)]
        match schema if isinstance(schema, str) else schema["type"]:
            case "string":
                return [f"LONG[n] if (n := len(b := {value}.encode())) < {SMALL} else long(n)", "b"]
            case "bytes":
                return [f"LONG[n] if (n := len(b := {value})) < {SMALL} else long(n)", "b"]
            case "long":
                return [f"LONG[n] if 0 <= (n := {value}) < {SMALL} else long(n)"]
            case "boolean":
                return [rf"b'\1' if {value} else b'\0'"]
            case "double":
                return [f"DOUBLE.pack({value})"]
            case "fixed":
                return [f"fixed({value}, {schema['size']})"]
            case "array":
                return [f"written_blocks({value}, {self._write_function(schema['items'])})"]
            case "map":
                pair = self._written_pair(schema["values"])
                return [f"written_blocks(list({value}.items()), {pair})"]
            case "record":
                return [
                    part
                    for member in schema["fields"]
                    for part in self._parts(member["type"], f"{value}.{member['name']}")
                ]
        raise TypeError(f"no value of ours is written as {schema}")

    def _written_pair(self, values: Schema) -> str:
        def make(name: str, values: Schema) -> None:
            parts = ", ".join((*self._parts("string", "v[0]"), *self._parts(values, "v[1]")))
            self._define([f"def {name}(v):", f" return b''.join(({parts},))"])

        return self._named("pair", values, make)

    def _written_union(self, branches: Sequence[Schema], value: str) -> str:
        if branches[0] == "null":
            written = self._write_function(branches[1])
            return rf"b'\0' if (o := {value}) is None else b'\2' + {written}(o)"
        table = f"branches_{len(self._names)}"
        self._names[table] = {
            self._classes[entry["name"]]: (long(index), self._names[self._write_function(entry)])
            for index, entry in enumerate(map(self._resolved, branches))
        }
        return f"(t := {table}[type(o := {value})])[0], t[1](o)"

    # Reading: a few statements for each member, in their order.

    def _read_function(self, schema: Schema) -> str:
        def make(name: str, schema: Schema) -> None:
            lines = [f"def {name}(data, p):"]
            result = self._read(schema, lines)
            self._define([*lines, f" return {result}, p"])

        return self._named("read", self._resolved(schema), make)

    def _local(self) -> str:
        self._locals += 1
        return f"x{self._locals}"

    def _read(self, schema: Schema, lines: list[str], indent: str = " ") -> str:
        """Write the statements that read a value, and give the expression that is the value."""
        schema, name = self._resolved(schema), self._local()
        if isinstance(schema, list):
            self._read_union(schema, name, lines, indent)
            return name
        found: tuple[str, ...]
        match schema if isinstance(schema, str) else schema["type"]:
            case "string":
                found = (*LENGTH, f"{name} = data[p:(p := p + (n >> 1))].decode()")
            case "bytes":
                found = (*LENGTH, f"{name} = data[p:(p := p + (n >> 1))]")
            case "long":
                found = (
                    "n = data[p]",
                    "p += 1",
                    "if n > 127: n, p = unsigned(data, p - 1)",
                    f"{name} = n >> 1 ^ -(n & 1)",
                )
            case "boolean":
                found = (f"{name} = boolean(data, p)", "p += 1")
            case "double":
                found = (f"{name} = DOUBLE.unpack_from(data, p)[0]", "p += 8")
            case "fixed":
                found = (f"{name} = data[p:(p := p + {schema['size']})]",)
            case "array":
                found = (
                    f"{name}, p = blocks(data, p, {self._read_function(schema['items'])})",
                    f"{name} = tuple({name})",
                )
            case "map":
                found = (f"{name}, p = blocks(data, p, {self._read_pair(schema['values'])})", f"{name} = dict({name})")
            case "record":
                return self._read_record(schema, lines, indent)
            case _:
                raise TypeError(f"no value of ours is read from {schema}")
        lines += [indent + line for line in found]
        return name

    def _read_pair(self, values: Schema) -> str:
        def make(name: str, values: Schema) -> None:
            lines = [f"def {name}(data, p):"]
            pair = self._read("string", lines), self._read(values, lines)
            self._define([*lines, f" return ({', '.join(pair)}), p"])

        return self._named("read_pair", values, make)

    def _read_union(self, branches: Sequence[Schema], name: str, lines: list[str], indent: str) -> None:
        if branches[0] == "null":
            lines += [indent + line for line in ("n = data[p]", "p += 1", f"if n == 0: {name} = None", "elif n == 2:")]
            lines.append(f"{indent} {name} = {self._read(branches[1], lines, indent + ' ')}")
            lines.append(f"{indent}else: raise ValueError('no such branch of a union')")
            return
        table = f"readers_{len(self._names)}"
        self._names[table] = tuple(self._names[self._read_function(entry)] for entry in branches)
        lines.append(f"{indent}{name}, p = branch(data, p, {table})")

    def _read_record(self, schema: Schema, lines: list[str], indent: str) -> str:
        cls = self._classes[schema["name"]]
        made = f"made_{schema['name']}"
        self._names[made] = cls
        given = {member["name"]: self._read(member["type"], lines, indent) for member in schema["fields"]}
        hints = typing.get_type_hints(cls)
        if unknown := [name for name in hints if name not in given and type(None) not in typing.get_args(hints[name])]:
            raise TypeError(f"{schema['name']} was written without {', '.join(unknown)}")
        return f"{made}({', '.join(given.get(name, 'None') for name in hints)})"
