"""The schemas of every context, written from the domain's dataclasses, checked in, and frozen once released.

``python -m log.released`` writes what is missing: the newest version of a message that isn't released yet is written
over, a released one never changes, so a change after a release becomes the next version.
"""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from domain.catalog import CATALOG, NAMES
from log import topic
from log.avro import Codec, Schema, fingerprint, schema_of
from log.log import Log, Topic
from log.message import Command, Decision

FOLDER = Path(__file__).resolve().parent.parent / "schemas" / "avro"
RELEASED = "released.json"
Role = Literal["command", "decision"]
ROLES: Mapping[Role, tuple[type, str]] = {"command": (Command, "command"), "decision": (Decision, "event")}


def namespace(context: str) -> str:
    """Name the Avro namespace of a context."""
    return f"muniment.{context}"


def described(context: str, role: Role) -> tuple[Schema, Mapping[str, type]]:
    """Write a context's schema from its dataclasses as they are now, and give the dataclass of each of its records."""
    cls, held = ROLES[role]
    union = [entry.cls for entry in CATALOG if entry.context == context and entry.role == held]
    return schema_of(cls, namespace(context), union, NAMES)


def current(context: str, role: Role) -> Schema:
    """Write a context's schema from its dataclasses as they are now."""
    return described(context, role)[0]


def versions(context: str, role: Role) -> Sequence[Path]:
    """Find the files of a schema, oldest first."""
    return sorted(FOLDER.glob(f"{context}.{role}.*.avsc"), key=lambda path: int(path.suffixes[-2][1:]))


def load(path: Path) -> Schema:
    """Read one schema's file."""
    schema: Schema = json.loads(path.read_text())
    return schema


def released() -> Mapping[str, str]:
    """Give the released files and the SHA-256 (hex) that each must keep."""
    frozen: Mapping[str, str] = json.loads((FOLDER / RELEASED).read_text())
    return frozen


@cache
def codec(context: str, role: Role) -> Codec:
    """Give what writes a context's newest schema and reads every one that there was."""
    schema, classes = described(context, role)
    mark = fingerprint(schema)
    older = [entry for path in versions(context, role) if fingerprint(entry := load(path)) != mark]
    return Codec(schema, classes, older)


def contexts() -> Sequence[str]:
    """Name the contexts that the catalog has."""
    return tuple(dict.fromkeys(entry.context for entry in CATALOG))


def changed_releases() -> Sequence[str]:
    """Name the released files that aren't what was released."""
    return [
        name
        for name, digest in released().items()
        if not (path := FOLDER / name).exists() or hashlib.sha256(path.read_bytes()).hexdigest() != digest
    ]


def write() -> Sequence[Path]:
    """Write the schemas that differ from the dataclasses, and say which."""
    written = []
    for context in contexts():
        for role in ROLES:
            schema, there = current(context, role), versions(context, role)
            if there and load(there[-1]) == schema:
                continue
            number = int(there[-1].suffixes[-2][1:]) if there else 1
            if there and there[-1].name in released():
                number += 1
            path = FOLDER / f"{context}.{role}.{number}.avsc"
            path.write_text(json.dumps(schema, indent=1, ensure_ascii=False) + "\n")
            written.append(path)
    return written


def topics(partitions: int) -> Sequence[Topic]:
    """List the topics of this deployment: two per context, the schemas, the processes' status, the feed's queue."""
    return [
        *(Topic(name(context), partitions) for context in contexts() for name in (topic.commands, topic.events)),
        Topic(topic.SCHEMAS, 1, compacted=True),
        Topic(topic.STATUS, 1, compacted=True),
        Topic(topic.FACTS_INGEST, 1),
    ]


async def prepare(log: Log, partitions: int) -> None:
    """Create the topics and put every schema on the schemas topic, keyed by its fingerprint in hex.

    So the log alone is enough to decode the log. Writing a schema again changes nothing: the topic is compacted.
    """
    await log.create(topics(partitions))
    written = {
        fingerprint(schema).hex().encode(): json.dumps(schema).encode()
        for context in contexts()
        for role in ROLES
        for schema in (*map(load, versions(context, role)), current(context, role))
    }
    await (await log.append(topic.SCHEMAS, 0, list(written.items())))


if __name__ == "__main__":
    if spoiled := changed_releases():
        sys.exit(f"released schemas were changed: {', '.join(spoiled)}")
    for path in write():
        print(f"wrote {path.name}")
