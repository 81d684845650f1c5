"""A second reader of an export, by schemas/avro/README.md alone: the standard library and the files in schemas/."""

import hashlib
import json
import struct
import sys
from pathlib import Path


class Schemas:
    def __init__(self, folder):
        self.by_mark, self.named = {}, {}
        for path in sorted(Path(folder).glob("*.avsc")):
            schema, named = json.loads(path.read_text()), {}
            text = json.dumps(canonical(schema, "", named), separators=(",", ":"), ensure_ascii=False)
            self.by_mark[crc_64_avro(text.encode())] = (schema, named)

    def decode(self, value):
        if value[:2] != b"\xc3\x01" or value[2:10] not in self.by_mark:
            return None
        schema, self.named = self.by_mark[value[2:10]]
        self.data, self.at = value, 10
        return self.read(schema, "")

    def take(self, count):
        self.at += count
        return self.data[self.at - count : self.at]

    def long(self):
        shift = number = 0
        while True:
            (byte,) = self.take(1)
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return (number >> 1) ^ -(number & 1)

    def blocks(self, read):
        while count := self.long():
            if count < 0:
                count = -count * (self.long() and 1)
            for _ in range(count):
                yield read()

    def read(self, schema, space):
        if isinstance(schema, list):
            return self.read(schema[self.long()], space)
        if isinstance(schema, str) and full_name(schema, space) in self.named:
            schema = self.named[full_name(schema, space)]
        kind = schema if isinstance(schema, str) else schema["type"]
        if kind in ("string", "bytes"):
            raw = self.take(self.long())
            return raw.decode() if kind == "string" else raw
        if kind == "record":
            space = schema.get("namespace", space)
            return {f["name"]: self.read(f["type"], space) for f in schema["fields"]} | {"": schema["name"]}
        if kind == "array":
            return list(self.blocks(lambda: self.read(schema["items"], space)))
        if kind == "map":
            return dict(self.blocks(lambda: (self.read("string", space), self.read(schema["values"], space))))
        simple = {"null": lambda: None, "boolean": lambda: self.take(1) == b"\1", "long": self.long}
        return self.take(schema["size"]) if kind == "fixed" else simple[kind]()


def full_name(name, space):
    return name if "." in name or not space else f"{space}.{name}"


def canonical(schema, space, named):
    if isinstance(schema, list):
        return [canonical(entry, space, named) for entry in schema]
    if isinstance(schema, str):
        return full_name(schema, space) if full_name(schema, space) in named else schema
    space, kind, result = schema.get("namespace", space), schema["type"], {}
    if "name" in schema:
        result["name"] = full_name(schema["name"], space)
        named[result["name"]] = schema
    result["type"] = kind
    if kind == "record":
        fields = schema["fields"]
        result["fields"] = [{"name": f["name"], "type": canonical(f["type"], space, named)} for f in fields]
    more = {name: canonical(schema[name], space, named) for name in ("items", "values") if name in schema}
    return result | more | ({"size": schema["size"]} if kind == "fixed" else {})


def crc_64_avro(data):
    crc = empty = 0xC15D213AA4D7A795
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (empty if crc & 1 else 0)
    return struct.pack("<Q", crc)


def counted(path):
    chain = hashlib.sha256(f"muniment:{path.parent.name}:{path.stem}".encode()).digest()
    data, at = path.read_bytes(), len("MUNIMENT-RECORDS-1\n")
    while at < len(data):
        (length,), (value_length,) = struct.unpack_from(">I", data, at + 4), struct.unpack_from(">I", data, at + 28)
        at += 8 + length
        value = data[at - value_length : at]
        if value[10:42] == chain:
            chain = hashlib.sha256(value).digest()
            yield value


def facts(export):
    ends = {"FactRevoked": "revoked", "FactExpired": "expired", "FactQuarantined": "quarantined"}
    after = {"FactIssued": "active", "FactReleased": "active", **ends}
    schemas, found = Schemas(export / "schemas"), {}
    for path in sorted((export / "muniment.facts.events").glob("*.records")):
        for value in counted(path):
            for event in schemas.decode(value)["events"]:
                found |= {event["payload"]["fact_id"]: after[event["type"]]} if event["type"] in after else {}
    return found


if __name__ == "__main__":
    print(json.dumps(facts(Path(sys.argv[1])), indent=1))
