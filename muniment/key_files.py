"""Files that hold private keys: only their owner can read them, and one is written whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from enum import StrEnum
from pathlib import Path
from typing import Final

from domain.json_value import JsonObject
from log import strict_json
from log.durability import sync

max_key_file_bytes: Final = 4096

OPERATOR_FILE: Final = "operator.json"
"""The key of whoever runs the registry, in its data directory."""


class KeyFileProblem(StrEnum):
    """Why a key file is refused; the values are stable."""

    MISSING = "key_file_missing"
    UNREADABLE = "key_file_unreadable"
    UNWRITABLE = "key_file_unwritable"
    EXPOSED = "key_file_exposed"
    MALFORMED = "key_file_malformed"
    MISMATCH = "key_file_mismatch"
    EXISTS = "key_file_exists"


class KeyFileError(Exception):
    """A key file can't be loaded or saved; `code` is stable, the message names the path and never the key."""

    def __init__(self, code: KeyFileProblem, path: Path, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.code = code
        self.path = path
        self.detail = detail


def read_key_file(path: Path) -> JsonObject:
    """Read a file that none but its owner can read, an object of JSON. Raises `KeyFileError`."""
    try:
        document = strict_json.parse(read_private_file(path))
    except strict_json.MalformedJson as error:
        raise KeyFileError(KeyFileProblem.MALFORMED, path, error.detail) from None
    if not isinstance(document, dict):
        raise KeyFileError(KeyFileProblem.MALFORMED, path, "isn't a key file")
    return document


def read_private_file(path: Path) -> bytes:
    """Read a file of at most 4 KiB that none but its owner can read. Raises `KeyFileError`."""
    try:
        # Not blocking: the path may name a pipe that nobody writes to.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise KeyFileError(KeyFileProblem.MISSING, path, "there is no such file") from None
    except OSError as error:
        raise KeyFileError(KeyFileProblem.UNREADABLE, path, f"can't be read: {error.strerror}") from None
    try:
        # The open file is asked, not the path, which may name another file by now.
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > max_key_file_bytes:
            raise KeyFileError(KeyFileProblem.MALFORMED, path, "isn't a key file")
        if status.st_mode & 0o077:
            detail = f"is open to others (mode {stat.S_IMODE(status.st_mode):04o}); run chmod 600 on it"
            raise KeyFileError(KeyFileProblem.EXPOSED, path, detail)
        return os.read(descriptor, max_key_file_bytes)
    finally:
        os.close(descriptor)


def write_key_file(path: Path, document: JsonObject) -> None:
    """Write a key file with mode 0600, whole or not at all, and never in another's place. Raises `KeyFileError`."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        try:
            _write_private_file(draft, strict_json.dump(document) + b"\n")
            # A link fails if the name is taken, where a rename would replace: two that save at once can't both win.
            os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        sync(path.parent)
    except FileExistsError:
        raise KeyFileError(KeyFileProblem.EXISTS, path, "exists already and is left as it is") from None
    except OSError as error:
        raise KeyFileError(KeyFileProblem.UNWRITABLE, path, f"can't be written: {error.strerror}") from None


def _write_private_file(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
