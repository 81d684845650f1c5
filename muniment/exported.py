"""An export as it is read back: checked byte for byte, then read like the log that it came from."""

import hashlib
import json
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from log.message import Message
from muniment.exporting import FORMAT, FRAME, HEAD, MAGIC, MANIFEST, NONE, sealed
from processors.audit_verdict import Difference, Differs

BLOCK_BYTES: Final = 1 << 20
RECORDS_PER_BATCH: Final = 4_000
record_max_bytes: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class ExportedMessage:
    """A message as an export holds it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes


def _differs(place: str, detail: str) -> Differs:
    return Differs(Difference(place, "export", detail))


class Exported:
    """A folder that `muniment export` wrote; it is a source to audit."""

    def __init__(self, folder: Path) -> None:
        """Open an export. Raises Differs when its manifest isn't what was written."""
        self.folder = folder
        self.manifest = _manifest(folder)

    def check(self) -> int:
        """Check every byte and count them. Raises Differs with the file, the record and its offset."""
        files: Mapping[str, Mapping[str, Any]] = self.manifest["files"]
        there = {str(p.relative_to(self.folder)) for p in self.folder.rglob("*") if not p.is_dir() or p.is_symlink()}
        for name in sorted(there - set(files) - {MANIFEST}):
            raise _differs(name, "the manifest doesn't name this file")
        checked = 0
        for name, entry in sorted(files.items()):
            if name not in there:
                raise _differs(name, "the file is missing")
            if _sha256(self.folder / name) != entry["sha256"]:
                self._locate(name, entry)
            checked += entry["bytes"]
        return checked

    def _locate(self, name: str, entry: Mapping[str, Any]) -> None:
        """Find the record at which a file stops being what was written."""
        if "records" in entry:
            records = sum(1 for _ in self._records(name))
            if records != entry["records"]:
                raise _differs(name, f"the file has {records} records and had {entry['records']}")
        elif (size := (self.folder / name).stat().st_size) != entry["bytes"]:
            raise _differs(name, f"the file has {size} bytes and had {entry['bytes']}")
        raise _differs(name, "the file's SHA-256 isn't that of the manifest")

    def _records(self, name: str) -> Iterator[ExportedMessage]:
        """Give the records of a file, each with its checksum checked. Raises Differs."""
        of_topic, _, file_name = name.partition("/")
        partition = int(file_name.partition(".")[0])
        with (self.folder / name).open("rb", buffering=BLOCK_BYTES) as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise _differs(name, "the file doesn't begin as a file of records does")
            index = offset = 0
            place = len(MAGIC)
            while (body := _read_body(file, name, index, offset, place)) is not None:
                place += FRAME.size + len(body)
                offset, timestamp, key_length, value_length = HEAD.unpack_from(body)
                key_end = HEAD.size + max(key_length, 0)
                key = None if key_length == NONE else body[HEAD.size : key_end]
                value = b"" if value_length == NONE else body[key_end:]
                yield ExportedMessage(of_topic, partition, offset, timestamp, key, value)
                index, offset = index + 1, offset + 1

    async def partitions(self, context: str) -> int:
        """Count the partitions of a context; none where the export is older than it."""
        return int(self.manifest["partitions"].get(context, 0))

    async def ends(self, topic: str) -> Mapping[int, int]:
        """Give for each partition the offset at which the export ends."""
        files: Mapping[str, Any] = self.manifest["files"]
        prefix = topic + "/"
        return {
            int(name[len(prefix) :].partition(".")[0]): entry["end"]
            for name, entry in files.items()
            if name.startswith(prefix)
        }

    async def messages(self, topic: str, partition: int, end: int, start: int = 0) -> AsyncIterator[Sequence[Message]]:
        """Give the messages of a partition. Raises Differs."""
        batch: list[Message] = []
        for message in self._records(f"{topic}/{partition}.records"):
            if start <= message.offset < end:
                batch.append(message)
            if len(batch) >= RECORDS_PER_BATCH:
                yield batch
                batch = []
        if batch:
            yield batch


def _read_body(file: BinaryIO, name: str, index: int, offset: int, at: int) -> bytes | None:
    head = file.read(FRAME.size)
    if not head:
        return None
    if len(head) < FRAME.size:
        raise _differs(_place(name, index, offset, at), "the file ends within a record")
    checksum, length = FRAME.unpack(head)
    body = file.read(length) if length <= record_max_bytes else b""
    if zlib.crc32(body, zlib.crc32(head[4:])) != checksum or length < HEAD.size:
        raise _differs(_place(name, index, offset, at), "the record isn't what was written")
    return body


def _place(name: str, index: int, offset: int, at: int) -> str:
    return f"{name} record {index} (offset {offset}) at byte {at}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(folder: Path) -> Mapping[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise _differs(MANIFEST, "the folder has no manifest, so it is no export")
    content = path.read_bytes()
    try:
        manifest = json.loads(content)
        known = dict(manifest)
        known.pop("seal")
        whole = sealed(known) == content
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _differs(MANIFEST, _first_odd_byte(content)) from None
    if not whole:
        raise _differs(MANIFEST, "the manifest isn't what was written: its seal is another")
    if manifest["format"] != FORMAT:
        raise _differs(MANIFEST, f"the export's format isn't {FORMAT}")
    found: Mapping[str, Any] = manifest
    return found


def _first_odd_byte(content: bytes) -> str:
    try:
        json.loads(content)
    except json.JSONDecodeError as error:
        return f"the manifest isn't what was written: byte {error.pos} can't be read"
    except UnicodeDecodeError as error:
        return f"the manifest isn't what was written: byte {error.start} can't be read"
    except RecursionError:
        return "the manifest isn't what was written: it is nested too deep"
    return "the manifest isn't what was written"
