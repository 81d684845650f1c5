"""`muniment export DIR`: the log as it lies, in files whose every byte is covered by a checksum.

The folder holds one file of records for each partition of commands and events, the schemas, and a manifest.
``schemas/avro/README.md`` states the format.
"""

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from log import released, topic
from log.durability import sync
from log.log import Log
from log.message import Message
from processors.audit_source import LogSource
from processors.audit_verdict import Source

FORMAT: Final = "muniment-export-1"
MANIFEST: Final = "manifest.json"
SCHEMAS: Final = "schemas"
MAGIC: Final = b"MUNIMENT-RECORDS-1\n"
FRAME: Final = struct.Struct(">II")
"""Before each record: the CRC-32 of what follows it, and the length of what follows after that."""
LENGTH: Final = struct.Struct(">I")
HEAD: Final = struct.Struct(">Qqii")
"""A record begins with its offset, its timestamp in ms, the lengths of its key and its value (-1: none)."""
NONE: Final = -1
PARTIAL: Final = ".partial"


class ExportRefused(ValueError):
    """The export can't be written there; nothing was changed."""


def frame(message: Message) -> bytes:
    """Write one message as a record of an export."""
    key: bytes | None = message.key
    value: bytes | None = message.value  # a broker takes messages without a value from anyone who may write there
    sizes = (NONE if key is None else len(key), NONE if value is None else len(value))
    body = HEAD.pack(message.offset, message.timestamp, *sizes) + (key or b"") + (value or b"")
    covered = LENGTH.pack(len(body)) + body
    return zlib.crc32(covered).to_bytes(4, "big") + covered


async def export(log: Log, folder: Path, on_progress: Callable[[int, int], None] = lambda _done, _all: None) -> int:
    """Export every context of a log into a folder that must be empty or absent, and count the records.

    The folder appears whole or not at all. Raises ExportRefused, LogUnavailable.
    """
    return await export_from(LogSource(log), folder, on_progress)


async def export_from(
    source: Source, folder: Path, on_progress: Callable[[int, int], None] = lambda _done, _all: None
) -> int:
    """Export what a source holds now."""
    partial = _begin(folder)
    ends = await _ends(source)
    total = sum(end for found in ends.values() for end in found.values())
    files, done = _copy_schemas(partial), 0
    for name, found in ends.items():
        for partition, end in sorted(found.items()):
            path = partial / name / f"{partition}.records"
            path.parent.mkdir(exist_ok=True)
            entry = await _write_records(source, name, partition, end, path)
            done += entry["records"]
            files[f"{name}/{path.name}"] = entry
            on_progress(done, total)
    partitions = {context: await source.partitions(context) for context in released.contexts()}
    manifest = sealed({"format": FORMAT, "partitions": partitions, "files": files})
    _write_durably(partial / MANIFEST, manifest)
    for place in (*partial.rglob("*"), partial):
        if place.is_dir():
            sync(place)
    # The folder gets its name when all of it is durable; a crash before leaves the partial one, which is never read.
    partial.rename(folder)
    sync(folder.parent)
    return done


def _begin(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportRefused(f"{folder} isn't an empty folder")
    partial = folder.with_name(folder.name + PARTIAL)
    try:
        partial.mkdir(parents=True)
    except FileExistsError:
        raise ExportRefused(f"{partial} is left of an export that was cut off; remove it") from None
    return partial


async def _ends(source: Source) -> Mapping[str, Mapping[int, int]]:
    """Ask for the ends of the events before those of the commands, so that no decision lacks its command.

    What a context cites of one before it was decided there before, so the last one's ends are asked for first.
    """
    ends: dict[str, Mapping[int, int]] = {}
    for context in reversed(released.contexts()):
        for name in (topic.events(context), topic.commands(context)):
            ends[name] = await source.ends(name)
    return ends


def _copy_schemas(partial: Path) -> dict[str, Any]:
    (partial / SCHEMAS).mkdir()
    files = {}
    for path in sorted(released.FOLDER.glob("*.avsc")):
        content = path.read_bytes()
        _write_durably(partial / SCHEMAS / path.name, content)
        files[f"{SCHEMAS}/{path.name}"] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return files


async def _write_records(source: Source, name: str, partition: int, end: int, path: Path) -> dict[str, Any]:
    digest, size, records = hashlib.sha256(MAGIC), len(MAGIC), 0
    with path.open("xb") as file:
        file.write(MAGIC)
        async for batch in source.messages(name, partition, end):
            block = b"".join(map(frame, batch))
            file.write(block)
            digest.update(block)
            size, records = size + len(block), records + len(batch)
        _settle(file)
    return {"bytes": size, "records": records, "end": end, "sha256": digest.hexdigest()}


def sealed(manifest: Mapping[str, Any]) -> bytes:
    """Write a manifest with the SHA-256 of itself, so that one byte changed anywhere in it shows."""
    seal = hashlib.sha256(_plain(manifest)).hexdigest()
    return _plain({**manifest, "seal": seal})


def _plain(manifest: Mapping[str, Any]) -> bytes:
    return json.dumps(manifest, indent=1, sort_keys=True).encode() + b"\n"


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        _settle(file)


def _settle(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
